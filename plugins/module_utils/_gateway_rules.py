# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Gateways and their listeners: the rules of the Gateway API that can be told before writing.

All functions are pure. Rules are those of Gateway API v1: validation in the CRD, and the conflicts that a controller
reports only in status.
"""

from __future__ import annotations

import ipaddress
import itertools
import re
import typing as t

Listener = t.Mapping[str, t.Any]

API_VERSION = "gateway.networking.k8s.io/v1"
GROUP = "gateway.networking.k8s.io"
PROTOCOLS = ("HTTP", "HTTPS", "TLS", "TCP", "UDP")
FROM = ("All", "Same", "Selector")
ADDRESS_TYPES = ("IPAddress", "Hostname", "NamedAddress")
ROUTE_KINDS = {
    "HTTP": ("HTTPRoute", "GRPCRoute"),
    "HTTPS": ("HTTPRoute", "GRPCRoute"),
    "TLS": ("TLSRoute", "TCPRoute"),
    "TCP": ("TCPRoute",),
    "UDP": ("UDPRoute",),
}
"""The Gateway API's kinds of routes that fit a protocol."""
MOST_LISTENERS, MOST_CERTIFICATES, MOST_KINDS, MOST_OPTIONS, MOST_ADDRESSES = 64, 64, 8, 16, 16
"""How many the Gateway API takes."""
_HOSTNAME = re.compile(r"(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def problems(listeners: t.Sequence[Listener]) -> list[str]:
    """Every rule that the listeners (as in manifests) break, one sentence each; empty when they are fine."""
    found = [sentence for listener in listeners for sentence in listener_problems(listener)]
    if len(listeners) > MOST_LISTENERS:
        found.append(f"it would have {len(listeners)} listeners, and a Gateway has at most {MOST_LISTENERS}")
    seen: set[str] = set()
    for listener in listeners:
        name = str(listener.get("name"))
        if name in seen:
            found.append(f"the name {name} is used by two listeners; every listener needs a name of its own")
        seen.add(name)
    for other, listener in itertools.combinations(listeners, 2):
        sentence = clash(other, listener)
        if sentence and other.get("name") != listener.get("name"):
            found.append(sentence)
    return found


def listener_problems(listener: Listener) -> list[str]:
    """The rules that one listener breaks by itself."""
    found = []
    name, port, protocol = str(listener.get("name") or ""), listener.get("port"), str(listener.get("protocol") or "")
    if not _NAME.fullmatch(name) or len(name) > 253:
        found.append(
            f"listener {name!r}: its name may hold only lower case letters, digits, '-' and '.', begins and ends with "
            "a letter or digit, and has at most 253 characters"
        )
    if not isinstance(port, int) or not 1 <= port <= 65535:
        found.append(f"listener {name}: port {port} is not between 1 and 65535")
    if listener.get("hostname"):
        why = hostname_problem(str(listener["hostname"]))
        if why:
            found.append(f"listener {name}: hostname {listener['hostname']} {why}")
        elif protocol in {"TCP", "UDP"}:
            found.append(f"listener {name}: a hostname has no meaning with protocol {protocol}; leave it out")
    found += _tls_problems(name, protocol, listener.get("tls") or {})
    return found + _route_problems(name, protocol, listener.get("allowedRoutes") or {})


def _tls_problems(name: str, protocol: str, tls: t.Mapping[str, t.Any]) -> list[str]:
    if protocol in {"HTTP", "TCP", "UDP"}:
        return [f"listener {name}: tls must not be set with protocol {protocol}; use HTTPS or TLS"] if tls else []
    if protocol not in {"HTTPS", "TLS"}:
        return []
    mode, refs, options = tls.get("mode") or "Terminate", tls.get("certificateRefs") or [], tls.get("options") or {}
    if protocol == "HTTPS" and mode != "Terminate":
        return [f"listener {name}: tls.mode {mode} cannot be used with protocol HTTPS; use Terminate, or protocol TLS"]
    if mode == "Terminate" and not refs and not options:
        return [f"listener {name}: protocol {protocol} needs tls.certificate_refs with the Secret of a certificate"]
    found = []
    if mode == "Passthrough" and refs:
        found.append(
            f"listener {name}: tls.certificate_refs have no meaning with tls.mode Passthrough, where the backend has "
            "the certificate; leave them out, or use Terminate"
        )
    found += [
        f"listener {name}: tls.certificate_refs names the {ref['kind']} {ref.get('name')}; the core group has "
        "certificates in Secrets only"
        for ref in refs
        if not ref.get("group") and (ref.get("kind") or "Secret") != "Secret"
    ]
    for what, number, most in (
        ("certificate_refs", len(refs), MOST_CERTIFICATES),
        ("options", len(options), MOST_OPTIONS),
    ):
        if number > most:
            found.append(f"listener {name}: tls.{what} has {number} entries, and the Gateway API takes at most {most}")
    return found


def _route_problems(name: str, protocol: str, allowed: t.Mapping[str, t.Any]) -> list[str]:
    found = []
    option = f"listener {name}: allowed_routes"
    namespaces, kinds = allowed.get("namespaces") or {}, allowed.get("kinds") or []
    selector, source = namespaces.get("selector"), namespaces.get("from") or "Same"
    if source == "Selector" and selector is None:
        found.append(
            f"{option}.namespaces.from Selector needs allowed_routes.namespaces.selector with the labels of namespaces"
        )
    elif source != "Selector" and selector is not None:
        found.append(f"{option}.namespaces.selector has no meaning with from {source}; set from to Selector")
    elif selector is not None:
        found += [f"{option}.namespaces.selector {why}" for why in selector_problems(selector)]
    fitting = ROUTE_KINDS.get(protocol, ())
    for entry in kinds:
        if fitting and entry.get("group") == GROUP and entry.get("kind") not in {None, *fitting}:
            found.append(
                f"{option}.kinds has {entry['kind']}, and with protocol {protocol} only {' and '.join(fitting)} "
                "can attach"
            )
    if len(kinds) > MOST_KINDS:
        found.append(f"{option}.kinds has {len(kinds)} entries, and the Gateway API takes at most {MOST_KINDS}")
    return found


def selector_problems(selector: t.Mapping[str, t.Any]) -> list[str]:
    """Why a label selector is none (each completes "selector ..."), as Kubernetes' own validation has it."""
    unknown = sorted(set(selector) - {"matchLabels", "matchExpressions"})
    found = [f"has {', '.join(unknown)}; it takes matchLabels and matchExpressions only"] if unknown else []
    if not isinstance(selector.get("matchLabels") or {}, dict):
        found.append("has matchLabels that are no mapping of label to value")
    expressions = selector.get("matchExpressions") or []
    if not isinstance(expressions, list):
        return [*found, "has matchExpressions that are no list"]
    for entry in expressions:
        if not isinstance(entry, dict) or not entry.get("key"):
            found.append(f"has the matchExpression {entry!r} without a key")
        elif entry.get("operator") not in {"In", "NotIn", "Exists", "DoesNotExist"}:
            operator = entry.get("operator")
            found.append(f"has the operator {operator} for {entry['key']}; use In, NotIn, Exists or DoesNotExist")
        elif (entry["operator"] in {"In", "NotIn"}) != bool(entry.get("values")):
            need = "needs values" if entry["operator"] in {"In", "NotIn"} else "takes no values"
            found.append(f"has the operator {entry['operator']} for {entry['key']}, which {need}")
    return found


def address_problems(addresses: t.Sequence[t.Mapping[str, t.Any]]) -> list[str]:
    """The rules that the addresses which a Gateway asks for break."""
    found = []
    for address in addresses:
        kind, value = address.get("type"), address.get("value")
        if kind == "IPAddress" and not is_ip_address(str(value or "")):
            found.append(
                f"addresses has the value {value}, which is no IP address; correct it, or set type to Hostname"
            )
        elif kind == "Hostname" and value and hostname_problem(str(value)):
            found.append(f"addresses has the host name {value}, which {hostname_problem(str(value))}")
        elif kind not in ADDRESS_TYPES and "/" not in str(kind):
            found.append(f"addresses has the type {kind}; use {', '.join(ADDRESS_TYPES)} or DOMAIN/TYPE")
    if len(addresses) > MOST_ADDRESSES:
        found.append(f"addresses has {len(addresses)} entries, and the Gateway API takes at most {MOST_ADDRESSES}")
    return found


def is_ip_address(text: str) -> bool:
    """Whether a text is an IPv4 or IPv6 address, without brackets."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def hostname_problem(hostname: str) -> str:
    """Why a listener's hostname is not one (completes "hostname X ..."), or an empty text."""
    if "://" in hostname:
        return "is a URL; write the host name only, such as mcp.example.com"
    if "/" in hostname:
        return "holds a path; write the host name only, such as mcp.example.com"
    if is_ip_address(hostname.strip("[]")):
        return "is an IP address; only DNS names can be used here"
    if re.search(r":\d*$", hostname):
        return "holds a port; write the port in the option port"
    if hostname != hostname.lower():
        return f"has capital letters; write {hostname.lower()}"
    if hostname == "*":
        return "matches everything; leave it out for that"
    if "*" in hostname and not hostname.startswith("*."):
        return "has a wildcard in the middle; only the whole first label may be *, such as *.example.com"
    if not _HOSTNAME.fullmatch(hostname) or len(hostname) > 253 or any(len(part) > 63 for part in hostname.split(".")):
        return "is no DNS name (lower case letters, digits and '-' in labels of up to 63, joined by dots)"
    return ""


def clash(one: Listener, other: Listener) -> str:
    """Why two listeners of one Gateway exclude each other, or an empty text.

    Gateway API: a port speaks one protocol, and each host name once; HTTPS and TLS may share a port by host name.
    """
    first, second = str(one.get("protocol")), str(other.get("protocol"))
    if one.get("port") != other.get("port") or (first != second and "UDP" in {first, second}):
        return ""
    names, port = f"the listeners {one.get('name')} and {other.get('name')}", one.get("port")
    if first != second and {first, second} != {"HTTPS", "TLS"}:
        return (
            f"{names} clash: port {port} cannot speak both {first} and {second}; change the port or the protocol of one"
        )
    host = one.get("hostname") or ""
    if first not in {"TCP", "UDP"} and host != (other.get("hostname") or ""):
        return ""
    protocol = f"protocol {first}" if first == second else f"protocols {first} and {second} by TLS"
    said = f"hostname {host}" if host else "no hostname"
    return f"{names} clash: both have port {port}, {protocol} and {said}; change one of the three"


def overlap(one: Listener, other: Listener) -> str:
    """What a client may run into with two TLS listeners on one port, or an empty text.

    Gateway API: OverlappingTLSConfig. A client that has a connection for one host name may use it for another one that
    the same certificate covers (HTTP/2), and that one belongs to the other listener.
    """
    tls = {"HTTPS", "TLS"}
    if one.get("port") != other.get("port") or not {one.get("protocol"), other.get("protocol")} <= tls:
        return ""
    host, other_host = str(one.get("hostname") or ""), str(other.get("hostname") or "")
    if host == other_host or not (hostname_covers(host, other_host) or hostname_covers(other_host, host)):
        return ""
    return (
        f"the listeners {one.get('name')} and {other.get('name')} share port {one.get('port')} and their host names "
        f"overlap ({host or 'every host'}, {other_host or 'every host'}); a client that reuses a connection may reach "
        "the wrong one and get HTTP 421 or 404"
    )


def hostname_covers(listener: str, hostname: str) -> bool:
    """Whether a listener's hostname (empty: every host) takes a host name, wildcards on both sides included.

    Gateway API: a wildcard stands for one label or more.
    """
    if not listener or listener == hostname:
        return True
    return listener.startswith("*.") and hostname.endswith(listener[1:])


def certificate_refs(listener: Listener) -> list[dict[str, t.Any]]:
    """The references to core Secrets of a listener that terminates TLS."""
    refs = ((listener.get("tls") or {}).get("certificateRefs")) or []
    return [ref for ref in refs if not ref.get("group") and (ref.get("kind") or "Secret") == "Secret"]
