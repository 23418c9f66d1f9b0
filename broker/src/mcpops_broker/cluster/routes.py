# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""From a registration's HTTPRoute to the address of its server, by the operator's rules. Pure functions.

Rules and texts: Kuadrant mcp-gateway 0.6.0 to 0.9.0, the registration controller and its wrapper of HTTPRoute.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from mcpops_broker.cluster.kinds import Key, Object, condition, key_of, named

ISTIO = "networking.istio.io"
GATEWAY_API = "gateway.networking.k8s.io"


class NotReadyError(Exception):
    """The registration cannot be served; the message is that of its Ready condition."""


def address(route: Object, path: str, service: Callable[[Key], Object | None], domain: str) -> tuple[str, str]:
    """Return the URL of the server behind a route and the host name by which a gateway routes to it.

    `service` finds a Service. Raises `NotReadyError`.
    """
    backend = _backend(route)
    host = str(route["spec"]["hostnames"][0])
    kind, name, port = backend.get("kind") or "Service", backend["name"], backend.get("port")
    if kind == "Hostname" and backend.get("group") == ISTIO:
        if not re.fullmatch(r"[^/?#@\s%\\]+", name):
            raise NotReadyError(f"invalid hostname in backendRef: {name}")
        bracketed = f"[{name}]" if ":" in name else name
        return f"https://{bracketed}:{port or 443}{path}", host
    if kind != "Service" or backend.get("group"):
        raise NotReadyError(f"unsupported backend reference kind: {kind}")
    place = backend.get("namespace") or route["metadata"]["namespace"]
    if place != route["metadata"]["namespace"] and not _references_are_permitted(route):
        raise NotReadyError(
            f"HTTPRoute {named(key_of(route))}: the Service is in namespace {place}, and no Gateway has found that"
            " permitted by a ReferenceGrant (condition ResolvedRefs)"
        )
    found = service((place, name))
    if found is None:
        raise NotReadyError(f'failed to get service {name}: Service "{name}" not found')
    suffix = f":{port}" if port else ""
    if found["spec"].get("type") == "ExternalName":
        target = found["spec"]["externalName"]
        scheme = "https" if _speaks_tls(found, port) else "http"
        return f"{scheme}://{target}{suffix}{path}", target
    return f"http://{name}.{place}.svc.{domain}{suffix}{path}", host


def with_tls(url: str) -> str:
    """The address of a server whose authority is named: it is not asked without TLS."""
    return f"https{url.removeprefix('http')}" if url.startswith("http:") else url


def attached(route: Object, gateway: Object, listener: str) -> bool:
    """Tell whether a route asks to be attached to the port of a Gateway's listener.

    A parentRef with sectionName must name a listener with that port; without one, a host name of the route must be that
    of a listener with the port, or fall under its wildcard by one label.
    """
    listeners = gateway["spec"].get("listeners") or []
    ports = {entry["port"] for entry in listeners if entry["name"] == listener}
    beside = [entry for entry in listeners if entry["port"] in ports]
    for parent in route["spec"].get("parentRefs") or []:
        if _gateway_of(parent, route) != key_of(gateway):
            continue
        if parent.get("sectionName"):
            if any(parent["sectionName"] == entry["name"] for entry in beside):
                return True
        elif any(
            _covers(entry["hostname"], host)
            for host in route["spec"].get("hostnames") or []
            for entry in beside
            if entry.get("hostname")
        ):
            return True
    return False


def accepted(route: Object, gateway: Key) -> bool:
    """Tell whether the Gateway has accepted the route."""
    for parent in (route.get("status") or {}).get("parents") or []:
        found = condition(parent, "Accepted")
        if _gateway_of(parent["parentRef"], route) == gateway and found and found["status"] == "True":
            return True
    return False


def _gateway_of(reference: Object, route: Object) -> Key | None:
    if (reference.get("group", GATEWAY_API), reference.get("kind", "Gateway")) != (GATEWAY_API, "Gateway"):
        return None
    return reference.get("namespace") or route["metadata"]["namespace"], reference["name"]


def _backend(route: Object) -> dict[str, Any]:
    start = f"HTTPRoute {named(key_of(route))}"
    rules = route["spec"].get("rules") or []
    backends = (rules[0].get("backendRefs") or []) if rules else []
    if not backends:
        raise NotReadyError(f"{start} has no backend references")
    if len(rules) > 1:
        raise NotReadyError(f"{start} has > 1 rule, which is unsupported")
    if len(backends) > 1:
        raise NotReadyError(f"{start} has > 1 backend reference, which is unsupported")
    if not route["spec"].get("hostnames"):
        raise NotReadyError(f"{start} must have at least one hostname")
    return dict(backends[0])


def _references_are_permitted(route: Object) -> bool:
    """Only then would a Gateway send a request there: so does the broker, which goes there itself."""
    parents = (route.get("status") or {}).get("parents") or []
    found = [condition(parent, "ResolvedRefs") for parent in parents]
    return bool(found) and all(one is not None and one["status"] == "True" for one in found)


def _speaks_tls(service: Object, port: int | None) -> bool:
    ports = service["spec"].get("ports") or []
    return any(port and entry["port"] == port and str(entry.get("appProtocol")).lower() == "https" for entry in ports)


def _covers(pattern: str, host: str) -> bool:
    label, _, rest = host.partition(".")
    return host == pattern or (pattern.startswith("*.") and bool(label) and rest == pattern[2:])
