# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: which gateways a registered server belongs to, and where it is. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.mcpops.gateway.plugins.module_utils._extension_rules import grant_permits, listener_named
from sandbox.controllers.olm_base import find_condition
from sandbox.controllers.operator_release import named

Object = Mapping[str, Any]
Json = dict[str, Any]
ISTIO = "networking.istio.io"


class RegistrationError(ValueError):
    """The server cannot be registered; the text is the Ready condition's message."""


def accepted_gateways(route: Object) -> list[tuple[str, str]]:
    """Namespace and name of every Gateway that accepted the route, without repetitions."""
    found: dict[tuple[str, str], None] = {}
    for parent in (route.get("status") or {}).get("parents") or []:
        accepted = find_condition(parent, "Accepted")
        reference = parent["parentRef"]
        if accepted and accepted["status"] == "True" and reference.get("kind", "Gateway") == "Gateway":
            found[(reference.get("namespace") or route["metadata"]["namespace"], reference["name"])] = None
    return list(found)


def valid_extensions(gateway: Object, extensions: Iterable[Json], grants: Iterable[Object]) -> list[Json]:
    """The extensions of a Gateway that count; those of other namespaces need a grant and to be Ready."""
    namespace, name = gateway["metadata"]["namespace"], gateway["metadata"]["name"]
    grants, result = list(grants), []
    for extension in extensions:
        meta, target = extension["metadata"], extension["spec"]["targetRef"]
        if meta.get("deletionTimestamp") or (target.get("namespace"), target["name"]) != (namespace, name):
            continue
        if meta["namespace"] != namespace:
            ready = find_condition(extension.get("status") or {}, "Ready")
            granted = grant_permits(
                grants, extension_namespace=meta["namespace"], gateway_namespace=namespace, gateway_name=name
            )
            if not granted or not ready or ready["status"] != "True":
                continue
        result.append(extension)
    return result


def attaches(route: Object, gateway: Object, extension: Object) -> bool:
    """Whether the route is attached to the port that the extension acts on.

    A parentRef with sectionName must name a listener with that port; without one, a hostname of the route must be
    that of a listener with the port (or fall under its wildcard, by one label).
    """
    listener = listener_named(gateway, extension["spec"]["targetRef"]["sectionName"])
    if listener is None:
        return False
    port = listener["port"]
    where = (gateway["metadata"]["namespace"], gateway["metadata"]["name"])
    for reference in route["spec"].get("parentRefs") or []:
        if (reference.get("namespace") or route["metadata"]["namespace"], reference["name"]) != where:
            continue
        if section := reference.get("sectionName"):
            attached = listener_named(gateway, section)
            if attached and attached["port"] == port:
                return True
            continue
        listened = [
            entry["hostname"]
            for entry in gateway["spec"]["listeners"]
            if entry["port"] == port and entry.get("hostname")
        ]
        hostnames = route["spec"].get("hostnames") or []
        if any(_matches(hostname, pattern) for hostname in hostnames for pattern in listened):
            return True
    return False


def _matches(hostname: str, pattern: str) -> bool:
    if hostname == pattern:
        return True
    return pattern.startswith("*.") and hostname.partition(".")[2] == pattern[2:]


def backend_of(route: Object) -> Object:
    """The single backend of a route that can be registered. Raises RegistrationError."""
    start = f"httproute {named(dict(route))}"
    rules = route["spec"].get("rules") or []
    if len(rules) > 1:
        raise RegistrationError(f"{start} has > 1 rule, which is unsupported")
    backends = [backend for rule in rules for backend in rule.get("backendRefs") or []]
    if not backends:
        raise RegistrationError(f"{start} has no backend references")
    if len(backends) > 1:
        raise RegistrationError(f"{start} has > 1 backend reference, which is unsupported")
    if not route["spec"].get("hostnames"):
        raise RegistrationError(f"{start} must have at least one hostname")
    backend: Object = backends[0]
    if not backend.get("name"):
        raise RegistrationError(f"{start} backend reference has no name")
    return backend


def service_key(route: Object, backend: Object) -> tuple[str, str]:
    """Namespace and name of the Service behind a route."""
    return backend.get("namespace") or route["metadata"]["namespace"], backend["name"]


def endpoint(route: Object, backend: Object, service: Object | None, path: str, *, force_tls: bool) -> tuple[str, str]:
    """URL of the server and the host name under which the gateway routes to it. Raises RegistrationError."""
    hostname = route["spec"]["hostnames"][0]
    kind, group = backend.get("kind") or "Service", backend.get("group") or ""
    if kind == "Hostname" and group == ISTIO:
        return f"https://{backend['name']}:{backend.get('port') or 443}{path}", hostname
    if kind != "Service":
        raise RegistrationError(f"unsupported backend reference kind: {kind}")
    namespace, name = service_key(route, backend)
    if service is None:
        raise RegistrationError(f'failed to get service {namespace}/{name}: services "{name}" not found')
    port = backend.get("port")
    scheme = "https" if force_tls or _speaks_tls(service["spec"].get("ports") or [], port) else "http"
    suffix = f":{port}" if port else ""
    if service["spec"].get("type") == "ExternalName":
        external = service["spec"]["externalName"]
        return f"{scheme}://{external}{suffix}{path}", external
    return f"{scheme}://{name}.{namespace}.svc.cluster.local{suffix}{path}", hostname


def _speaks_tls(ports: Sequence[Object], number: int | None) -> bool:
    for port in ports:
        if port["port"] == number:
            return "https" in ((port.get("appProtocol") or "").lower(), (port.get("name") or "").lower())
    return False


def server_entry(
    registration: Object, url: str, hostname: str, *, modern: bool, credential: str | None, ca: str | None
) -> dict[str, Any]:
    """The server's entry in the broker's configuration, in the keys of the operator's version."""
    spec = registration["spec"]
    entry: dict[str, Any] = {"name": named(dict(registration)), "url": url, "hostname": hostname}
    if modern:
        entry |= {"prefix": spec.get("prefix", ""), "state": spec.get("state", "Enabled")}
    else:
        entry |= {"toolPrefix": spec.get("toolPrefix", ""), "enabled": True}
    if credential is not None:
        entry["credential"] = credential
    if not modern:
        return entry
    if ca is not None:
        entry["caCert"] = ca
    if "tokenURLElicitation" in spec:
        entry["tokenURLElicitation"] = {"url": spec["tokenURLElicitation"].get("url", "")}
    if spec.get("userSpecificList") == "Enabled":
        entry["userSpecificList"] = True
    for field in ("category", "hint", "tags"):
        if spec.get(field):
            entry[field] = spec[field]
    return entry
