# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: where a registered server is, by its route. Pure functions.

Source: Kuadrant/mcp-gateway, httproute_wrapper.go and buildServerInfoFromHTTPRoute at v0.6.0 and v0.9.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sandbox.controllers.operator_release import Release, named
from sandbox.controllers.operator_secrets import RegistrationError

Object = Mapping[str, Any]
ISTIO = "networking.istio.io"


def backend_of(route: Object) -> Object:
    """The single backend of a route that can be registered. Raises RegistrationError."""
    start = f"HTTPRoute {named(dict(route))}"
    rules = route["spec"].get("rules") or []
    backends = (rules[0].get("backendRefs") or []) if rules else []
    if not backends:
        raise RegistrationError(f"{start} has no backend references")
    if len(rules) > 1:
        raise RegistrationError(f"{start} has > 1 rule, which is unsupported")
    if len(backends) > 1:
        raise RegistrationError(f"{start} has > 1 backend reference, which is unsupported")
    if not route["spec"].get("hostnames"):
        raise RegistrationError(f"{start} must have at least one hostname")
    if not backends[0].get("name"):
        raise RegistrationError(f"{start} backend reference has no name")
    backend: Object = backends[0]
    return backend


def service_key(route: Object, backend: Object) -> tuple[str, str]:
    """Namespace and name of the Service behind a route."""
    return backend.get("namespace") or route["metadata"]["namespace"], backend["name"]


def endpoint(route: Object, service: Object | None, path: str, release: Release) -> tuple[str, str]:
    """URL of the server and the host name under which the gateway routes to it. Raises RegistrationError."""
    backend = backend_of(route)
    hostname = route["spec"]["hostnames"][0]
    kind, name = backend.get("kind") or "Service", backend["name"]
    if kind == "Hostname" and backend.get("group") == ISTIO:
        if not re.fullmatch(r"[^/?#@\s%\\]+", name):
            raise RegistrationError(f"invalid hostname in backendRef: {name}")
        host = f"[{name}]" if ":" in name else name
        return f"https://{host}:{backend.get('port') or 443}{path}", hostname
    if kind != "Service":
        raise RegistrationError(f"unsupported backend reference kind: {kind}")
    if service is None:
        raise RegistrationError(f'failed to get service {name}: Service "{name}" not found')
    external = service["spec"].get("type") == "ExternalName"
    suffix = f":{backend['port']}" if backend.get("port") else ""
    if external:
        scheme = "https" if _speaks_tls(service, backend) else "http"
        target = service["spec"]["externalName"]
        return f"{scheme}://{target}{suffix}{path}", target
    scheme = "https" if not release.modern and _section_says_tls(route) else "http"
    namespace, _ = service_key(route, backend)
    return f"{scheme}://{name}.{namespace}.svc.cluster.local{suffix}{path}", hostname


def with_tls(url: str) -> str:
    """The URL for a server whose certificate authority is configured: plain HTTP is out of the question."""
    return f"https{url.removeprefix('http')}" if url.startswith("http:") else url


def _speaks_tls(service: Object, backend: Object) -> bool:
    """An external service tells by the appProtocol of its port; a name of the port does not count."""
    for port in service["spec"].get("ports") or []:
        if backend.get("port") and port["port"] == backend["port"]:
            return str(port.get("appProtocol") or "").lower() == "https"
    return False


def _section_says_tls(route: Object) -> bool:
    """0.6.0 guesses TLS of a service in the cluster from the name of the listener."""
    return any("https" in entry.get("sectionName", "") for entry in route["spec"].get("parentRefs") or [])
