# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Extensions as tests need them: their Gateway, options, Secrets, and what the operator would write."""

from __future__ import annotations

import base64
from typing import Any

from integration.gateways import ALL, GRANTS, conditions
from integration.kit import ApiServer, Json
from sandbox.seed import self_signed

LABEL = {"mcp.kuadrant.io/secret": "true"}
EXTENSIONS = "/apis/mcp.kuadrant.io/v1/namespaces/{ns}/mcpgatewayextensions"
ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/{ns}/httproutes"
FILTERS = "/apis/networking.istio.io/v1alpha3/namespaces/{ns}/envoyfilters"
LISTENERS = (
    {"name": "mcps", "port": 8080, "protocol": "HTTP", "hostname": "*.example.com", "allowedRoutes": ALL},
    {"name": "same-port", "port": 8080, "protocol": "HTTP", "hostname": "b.example.com", "allowedRoutes": ALL},
    {"name": "https", "port": 443, "protocol": "TLS", "hostname": "s.example.com", "allowedRoutes": ALL,
     "tls": {"mode": "Passthrough"}},
    {"name": "bare", "port": 80, "protocol": "HTTP", "allowedRoutes": ALL},
    {"name": "own", "port": 81, "protocol": "HTTP", "hostname": "own.example.com"},
)  # fmt: skip


def grant(api: ApiServer, place: str, trusted: str) -> None:
    spec = {
        "from": [{"group": "mcp.kuadrant.io", "kind": "MCPGatewayExtension", "namespace": trusted}],
        "to": [{"group": "gateway.networking.k8s.io", "kind": "Gateway"}],
    }
    kind = {"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant"}
    api.apply(f"{GRANTS.format(ns=place)}/{trusted}", {**kind, "metadata": {"name": trusted}, "spec": spec})


def options(ns: str, place: str, **more: Any) -> Json:
    return {"name": "ext", "namespace": ns, "gateway": "gw", "gateway_namespace": place, "listener": "mcps", **more}


def ready(api: ApiServer, ns: str, reason: str = "ValidMCPGatewayExtension") -> None:
    path = f"{EXTENSIONS.format(ns=ns)}/ext"
    live = api.get(path)
    assert live is not None
    api.status(path, {"conditions": conditions(live["metadata"]["generation"], Ready=reason)})


def promised(api: ApiServer, ns: str, place: str) -> None:
    """The objects that the operator makes."""
    spec = {"parentRefs": [{"name": "gw", "namespace": place}], "rules": []}
    route = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
    api.apply(
        f"{ROUTES.format(ns=ns)}/mcp-gateway-route",
        {**route, "metadata": {"name": "mcp-gateway-route"}, "spec": spec},
    )
    name = f"mcp-ext-proc-{ns}-gateway"
    envoy = {"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "metadata": {"name": name}}
    api.apply(f"{FILTERS.format(ns=place)}/{name}", {**envoy, "spec": {}})


def secret(api: ApiServer, ns: str, name: str, labels: Json, **entries: str) -> None:
    data = {key: base64.b64encode(text.encode()).decode() for key, text in entries.items()}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "labels": labels}, "data": data}
    api.apply(f"/api/v1/namespaces/{ns}/secrets/{name}", body)


def authority() -> str:
    return self_signed("ca.example.com")[0].decode()
