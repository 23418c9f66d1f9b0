# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of Gateway API that its CRDs take or refuse."""

from __future__ import annotations

from typing import Any

from sandbox.client import Object
from sandbox.kinds import GATEWAY_CLASSES, GATEWAYS, HTTP_ROUTES, REFERENCE_GRANTS
from unit.sandbox.operators.crd_case import Case


def listener(name: str = "a", port: int = 80, **more: Any) -> Object:
    return {"name": name, "port": port, "protocol": "HTTP", **more}


def gateway(*listeners: Object, refused: str = "", **more: Any) -> Case:
    return Case(GATEWAYS, {"gatewayClassName": "c", "listeners": list(listeners), **more}, refused)


def https(**tls: Any) -> Object:
    return listener("s", 443, protocol="HTTPS", tls=tls)


SECRET = [{"name": "cert"}]
UNIQUE = "Combination of port, protocol and hostname must be unique for each listener"
GATEWAY_CASES = {
    "gateway of the guide": gateway(
        listener("http", allowedRoutes={"namespaces": {"from": "All"}}),
        listener("mcps", 8080, hostname="mcp.example.com"),
        https(mode="Terminate", certificateRefs=[{"kind": "Secret", "name": "cert", "namespace": "infra"}]),
    ),
    "gateway with selector": gateway(
        listener(
            allowedRoutes={
                "namespaces": {"from": "Selector", "selector": {"matchLabels": {"a": "b"}}},
                "kinds": [{"kind": "HTTPRoute"}],
            }
        )
    ),
    "gateway with address": gateway(listener(), addresses=[{"value": "192.0.2.1"}]),
    "gateway with infrastructure": gateway(listener(), infrastructure={"labels": {"example.com/a": "b"}}),
    "no listener": gateway(refused="should have at least 1 items"),
    "two listeners with one name": gateway(listener(), listener(port=81), refused="uplicate value"),
    "two listeners with one place": gateway(listener("a"), listener("b"), refused=UNIQUE),
    "one port, two hosts": gateway(listener("a", hostname="a.example.com"), listener("b", hostname="b.example.com")),
    "one port, one host": gateway(
        listener("a", hostname="a.example.com"), listener("b", hostname="a.example.com"), refused=UNIQUE
    ),
    "tls on http": gateway(
        listener(tls={"certificateRefs": SECRET}),
        refused="tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']",
    ),
    "tls without certificate": gateway(
        https(mode="Terminate"), refused="certificateRefs or options must be specified when mode is Terminate"
    ),
    "passthrough on https": gateway(https(mode="Passthrough"), refused="tls mode must be Terminate for protocol HTTPS"),
    "hostname on tcp": gateway(
        listener(protocol="TCP", hostname="a.example.com"), refused="hostname must not be specified for protocols"
    ),
    "port 0": gateway(listener(port=0), refused="should be greater than or equal to 1"),
    "port 65536": gateway(listener(port=65536), refused="should be less than or equal to 65535"),
    "bad hostname": gateway(listener(hostname="UPPER.example.com"), refused="should match"),
    "wildcard in the middle": gateway(listener(hostname="a.*.example.com"), refused="should match"),
    "bad listener name": gateway(listener("A"), refused="should match"),
    "bad from": gateway(listener(allowedRoutes={"namespaces": {"from": "Some"}}), refused='Unsupported value: "Some"'),
    "bad address": gateway(listener(), addresses=[{"value": "not-an-address"}], refused="spec.addresses[0]"),
    "same address twice": gateway(
        listener(),
        addresses=[{"value": "192.0.2.1"}, {"value": "192.0.2.1"}],
        refused="IPAddress values must be unique",
    ),
    "unknown field": gateway(listener(), nope=True, refused="unknown field"),
    "class": Case(GATEWAY_CLASSES, {"controllerName": "example.com/controller"}),
    "class with bad controller": Case(GATEWAY_CLASSES, {"controllerName": "no-slash"}, "should match"),
    "grant": Case(
        REFERENCE_GRANTS,
        {
            "from": [{"group": "mcp.kuadrant.io", "kind": "MCPGatewayExtension", "namespace": "team"}],
            "to": [
                {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw"},
                {"group": "", "kind": "Secret"},
            ],
        },
    ),
    "grant to nothing": Case(
        REFERENCE_GRANTS,
        {"from": [{"group": "g", "kind": "K", "namespace": "n"}], "to": []},
        "should have at least 1 items",
    ),
    "grant without namespace": Case(
        REFERENCE_GRANTS,
        {"from": [{"group": "g", "kind": "K"}], "to": [{"group": "", "kind": "K"}]},
        "Required value",
    ),
}


def route(*rules: Object, refused: str = "", **more: Any) -> Case:
    return Case(HTTP_ROUTES, {"parentRefs": [{"name": "gw"}], "rules": list(rules), **more}, refused)


def to(name: str = "svc", **more: Any) -> Object:
    return {"name": name, "port": 80, **more}


def path(value: str, type_: str = "PathPrefix") -> list[Object]:
    return [{"path": {"type": type_, "value": value}}]


REMOVE = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["mcp-init-host", "router-key"]}}
CORS = {
    "type": "ResponseHeaderModifier",
    "responseHeaderModifier": {"set": [{"name": "Access-Control-Allow-Origin", "value": "*"}]},
}
REWRITE = {
    "type": "URLRewrite",
    "urlRewrite": {"hostname": "api.example.com", "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}},
}
ROUTE_CASES = {
    "route of the operator": route(
        {"name": "mcp", "matches": path("/mcp"), "filters": [REMOVE], "backendRefs": [to(weight=1)]},
        {"matches": path("/.well-known/oauth-protected-resource"), "backendRefs": [to()]},
        hostnames=["mcp.example.com"],
    ),
    "route with cors headers": route({"filters": [CORS], "backendRefs": [to()]}),
    "route that rewrites": route({"matches": path("/x"), "filters": [REWRITE], "backendRefs": [to()]}),
    "route to an external host": route(
        {"backendRefs": [{"group": "networking.istio.io", "kind": "Hostname", "name": "api.example.com", "port": 443}]}
    ),
    "route with timeouts": route({"timeouts": {"request": "10s", "backendRequest": "5s"}, "backendRefs": [to()]}),
    "two sections of one gateway": route(
        parentRefs=[{"name": "gw", "sectionName": "a"}, {"name": "gw", "sectionName": "b"}]
    ),
    "a section twice": route(
        parentRefs=[{"name": "gw", "sectionName": "a"}, {"name": "gw", "sectionName": "a"}],
        refused="sectionName must be unique when parentRefs includes 2 or more references to the same parent",
    ),
    "a gateway twice, once by section": route(
        parentRefs=[{"name": "gw", "sectionName": "a"}, {"name": "gw"}],
        refused="sectionName must be specified when parentRefs includes 2 or more references to the same parent",
    ),
    "one gateway name in two namespaces": route(
        parentRefs=[{"name": "gw", "namespace": "a"}, {"name": "gw", "namespace": "b"}]
    ),
    "backend without port": route({"backendRefs": [{"name": "svc"}]}, refused="Must have port for Service reference"),
    "relative path": route({"matches": path("mcp")}, refused="value must be an absolute path and start with '/'"),
    "path with //": route({"matches": path("/a//b")}, refused="must not contain '//' when type one of"),
    "path with a space": route({"matches": path("/a b")}, refused="must only contain valid characters"),
    "expression as path": route({"matches": path("/a b", "RegularExpression")}),
    "filter without its content": route(
        {"filters": [{"type": "RequestHeaderModifier"}]},
        refused="filter.requestHeaderModifier must be specified for RequestHeaderModifier filter.type",
    ),
    "filter with other content": route(
        {"filters": [{**CORS, "type": "RequestHeaderModifier"}]}, refused="must be nil if the filter.type is not"
    ),
    "filter twice": route({"filters": [REMOVE, REMOVE]}, refused="RequestHeaderModifier filter cannot be repeated"),
    "redirect with backend": route(
        {"filters": [{"type": "RequestRedirect", "requestRedirect": {"scheme": "https"}}], "backendRefs": [to()]},
        refused="RequestRedirect filter must not be used together with backendRefs",
    ),
    "prefix replaced without prefix match": route(
        {"matches": path("/x", "Exact"), "filters": [REWRITE]},
        refused="using URLRewrite filter with path.replacePrefixMatch, exactly one PathPrefix match must be specified",
    ),
    "backend timeout too long": route(
        {"timeouts": {"request": "5s", "backendRequest": "10s"}},
        refused="backendRequest timeout cannot be longer than request timeout",
    ),
    "weight too large": route({"backendRefs": [to(weight=1000001)]}, refused="should be less than or equal to 1000000"),
    "hostname with port": route(hostnames=["mcp.example.com:80"], refused="should match"),
    "hostname that is an address with a wildcard": route(hostnames=["*.1.2.3"]),
    "header by two names": route(
        {"matches": [{"headers": [{"name": "a", "value": "b"}, {"name": "a", "value": "c"}]}]}, refused="uplicate value"
    ),
    "unknown method": route({"matches": [{"method": "FETCH"}]}, refused='Unsupported value: "FETCH"'),
}
