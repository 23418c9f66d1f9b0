# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Gateway listeners: from options to manifest, and the rules of the Gateway API that can be told before writing.

All functions are pure. Rules are those of Gateway API v1: validation in the CRD, and the conflicts that a controller
reports only in status.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

Listener = t.Mapping[str, t.Any]

API_VERSION = "gateway.networking.k8s.io/v1"
GROUP = "gateway.networking.k8s.io"
PROTOCOLS = ("HTTP", "HTTPS", "TLS", "TCP", "UDP")
_HOSTNAME = re.compile(r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def listener_manifest(options: Listener) -> dict[str, t.Any]:
    """One entry of ``spec.listeners`` from the module's options; defaults inside atomic lists are written out."""
    manifest: dict[str, t.Any] = {
        key: options[key] for key in ("name", "port", "protocol", "hostname") if options.get(key)
    }
    tls = options.get("tls")
    if tls:
        manifest["tls"] = {
            key: value for key, value in (("mode", tls.get("mode")), ("options", tls.get("options"))) if value
        }
        if tls.get("certificate_refs"):
            manifest["tls"]["certificateRefs"] = [
                {
                    "group": ref.get("group") or "",
                    "kind": ref.get("kind") or "Secret",
                    "name": ref["name"],
                    **({"namespace": ref["namespace"]} if ref.get("namespace") else {}),
                }
                for ref in tls["certificate_refs"]
            ]
    allowed = options.get("allowed_routes")
    if allowed:
        manifest["allowedRoutes"] = _allowed_routes(allowed)
    return manifest


def _allowed_routes(allowed: Listener) -> dict[str, t.Any]:
    manifest: dict[str, t.Any] = {}
    namespaces = allowed.get("namespaces")
    if namespaces:
        manifest["namespaces"] = {
            key: value
            for key, value in (("from", namespaces.get("from")), ("selector", namespaces.get("selector")))
            if value
        }
    if allowed.get("kinds"):
        manifest["kinds"] = [{"group": kind.get("group") or GROUP, "kind": kind["kind"]} for kind in allowed["kinds"]]
    return manifest


def problems(listeners: t.Sequence[Listener]) -> list[str]:
    """Every rule that the listeners (as in manifests) break, one sentence each; empty when they are fine."""
    found = [sentence for listener in listeners for sentence in listener_problems(listener)]
    seen: set[str] = set()
    for listener in listeners:
        name = str(listener.get("name"))
        if name in seen:
            found.append(f"the name {name} is used by two listeners; every listener needs a name of its own")
        seen.add(name)
    for number, listener in enumerate(listeners):
        for other in listeners[:number]:
            sentence = clash(other, listener)
            if sentence and other.get("name") != listener.get("name"):
                found.append(sentence)
    return found


def listener_problems(listener: Listener) -> list[str]:
    """The rules that one listener breaks by itself."""
    found = []
    name, port, protocol = str(listener.get("name") or ""), listener.get("port"), str(listener.get("protocol") or "")
    if not _NAME.fullmatch(name) or len(name) > 253:
        found.append(f"listener {name!r}: its name may hold only lower case letters, digits, '-' and '.'")
    if not isinstance(port, int) or not 1 <= port <= 65535:
        found.append(f"listener {name}: port {port} is not between 1 and 65535")
    if listener.get("hostname"):
        why = hostname_problem(str(listener["hostname"]))
        if why:
            found.append(f"listener {name}: hostname {listener['hostname']} {why}")
        elif protocol in {"TCP", "UDP"}:
            found.append(f"listener {name}: a hostname has no meaning with protocol {protocol}")
    return found + _tls_problems(name, protocol, listener.get("tls"))


def _tls_problems(name: str, protocol: str, tls: t.Any) -> list[str]:
    if protocol in {"HTTP", "TCP", "UDP"}:
        return [f"listener {name}: tls must not be set with protocol {protocol}; use HTTPS or TLS"] if tls else []
    if protocol not in {"HTTPS", "TLS"}:
        return []
    mode = (tls or {}).get("mode") or "Terminate"
    if protocol == "HTTPS" and mode != "Terminate":
        return [f"listener {name}: tls.mode {mode} cannot be used with protocol HTTPS; use Terminate, or protocol TLS"]
    if mode == "Terminate" and not (tls or {}).get("certificateRefs") and not (tls or {}).get("options"):
        return [f"listener {name}: protocol {protocol} needs tls.certificate_refs with the Secret of a certificate"]
    return []


def hostname_problem(hostname: str) -> str:
    """Why a listener's hostname is not one (completes "hostname X ..."), or an empty text."""
    if "://" in hostname:
        return "is a URL; write the host name only, such as mcp.example.com"
    if "/" in hostname:
        return "holds a path; write the host name only, such as mcp.example.com"
    try:
        ipaddress.ip_address(hostname.strip("[]"))
    except ValueError:
        pass
    else:
        return "is an IP address; a listener takes DNS names only (leave it out to match every host)"
    if re.search(r":\d*$", hostname):
        return "holds a port; write the port in the option port"
    if hostname != hostname.lower():
        return f"has capital letters; write {hostname.lower()}"
    if "*" in hostname and not hostname.startswith("*."):
        return "has a wildcard in the middle; only the whole first label may be *, such as *.example.com"
    if hostname == "*":
        return "matches everything; leave it out for that"
    if not _HOSTNAME.fullmatch(hostname) or len(hostname) > 253 or any(len(part) > 63 for part in hostname.split(".")):
        return "is no DNS name (lower case letters, digits and '-' in labels of up to 63, joined by dots)"
    return ""


def clash(one: Listener, other: Listener) -> str:
    """Why two listeners of one Gateway exclude each other, or an empty text.

    Gateway API: port, protocol and hostname together must be unique; a port speaks one protocol, except that HTTPS
    and TLS may share one by hostname.
    """
    if one.get("port") != other.get("port"):
        return ""
    names = f"the listeners {one.get('name')} and {other.get('name')}"
    first, second = str(one.get("protocol")), str(other.get("protocol"))
    if first == second:
        host, other_host = one.get("hostname") or "", other.get("hostname") or ""
        if first in {"TCP", "UDP"} or host == other_host:
            said = f"hostname {host}" if host else "no hostname"
            return (
                f"{names} clash: both have port {one.get('port')}, protocol {first} and {said}; change one of the three"
            )
        return ""
    if {first, second} in ({"HTTPS", "TLS"}, {"TCP", "UDP"}, {"HTTP", "UDP"}, {"HTTPS", "UDP"}, {"TLS", "UDP"}):
        return ""
    port = one.get("port")
    return f"{names} clash: port {port} cannot speak both {first} and {second}; change the port or the protocol of one"


def certificate_refs(listener: Listener) -> list[dict[str, t.Any]]:
    """The references to core Secrets of a listener that terminates TLS."""
    refs = ((listener.get("tls") or {}).get("certificateRefs")) or []
    return [ref for ref in refs if not ref.get("group") and (ref.get("kind") or "Secret") == "Secret"]
