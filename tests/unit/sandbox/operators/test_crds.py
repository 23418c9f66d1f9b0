# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our CRDs accept and refuse what the originals do.

Every case is tried against our CRDs, always; against the originals too when the folder that ``MCPOPS_CRD_DIR`` names is
there (``gateway-api/``, ``istio/``, ``kuadrant/``, ``olm/``, ``mcp-gateway-<version>/`` with the projects' YAML files).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from sandbox.catalog.crds import operator_crds
from sandbox.client import ApiError, Client, Object, Resource
from sandbox.controllers.olm_base import CATALOG_SOURCES, CSVS, INSTALL_PLANS, OPERATOR_GROUPS, SUBSCRIPTIONS
from sandbox.controllers.operator_release import ENVOY_FILTERS, GATEWAYS, HTTP_ROUTES, REFERENCE_GRANTS
from sandbox.crds import load
from unit.sandbox.operators.kit import ApiServer, Cluster

ORIGINALS = Path(os.environ.get("MCPOPS_CRD_DIR", "/nonexistent"))
HAS_ORIGINALS = ORIGINALS.is_dir()

GATEWAY_CLASSES = Resource("gateway.networking.k8s.io", "v1", "gatewayclasses", "GatewayClass", namespaced=False)
SERVICE_ENTRIES = Resource("networking.istio.io", "v1", "serviceentries", "ServiceEntry")
DESTINATION_RULES = Resource("networking.istio.io", "v1", "destinationrules", "DestinationRule")
DNS_POLICIES = Resource("kuadrant.io", "v1", "dnspolicies", "DNSPolicy")
TLS_POLICIES = Resource("kuadrant.io", "v1", "tlspolicies", "TLSPolicy")
AUTH_POLICIES = Resource("kuadrant.io", "v1", "authpolicies", "AuthPolicy")
RATE_LIMITS = Resource("kuadrant.io", "v1", "ratelimitpolicies", "RateLimitPolicy")
KUADRANTS = Resource("kuadrant.io", "v1beta1", "kuadrants", "Kuadrant")


def mcp(version: str, plural: str, kind: str) -> Resource:
    return Resource("mcp.kuadrant.io", version, plural, kind)


EXTENSIONS = mcp("v1", "mcpgatewayextensions", "MCPGatewayExtension")
REGISTRATIONS = mcp("v1", "mcpserverregistrations", "MCPServerRegistration")
VIRTUAL_SERVERS = mcp("v1", "mcpvirtualservers", "MCPVirtualServer")


@dataclass(frozen=True)
class Case:
    """An object (its spec) and, when it is to be refused, a part of the message."""

    resource: Resource
    spec: Object
    refused: str = ""


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

SOURCE = {"source": "redhat-operators", "sourceNamespace": "openshift-marketplace", "name": "mcp-gateway"}
OLM_CASES = {
    "subscription": Case(
        SUBSCRIPTIONS, {**SOURCE, "channel": "preview", "installPlanApproval": "Manual", "startingCSV": "x.v1"}
    ),
    "subscription with config": Case(
        SUBSCRIPTIONS, {**SOURCE, "config": {"env": [{"name": "A", "value": "b"}], "nodeSelector": {"a": "b"}}}
    ),
    "subscription without package": Case(SUBSCRIPTIONS, {"source": "a", "sourceNamespace": "b"}, "Required value"),
    "subscription with a wrong type": Case(SUBSCRIPTIONS, {**SOURCE, "channel": 4}, "must be of type string"),
    "catalog": Case(
        CATALOG_SOURCES,
        {
            "sourceType": "grpc",
            "image": "x",
            "displayName": "d",
            "grpcPodConfig": {"securityContextConfig": "restricted"},
            "updateStrategy": {"registryPoll": {"interval": "10m"}},
        },
    ),
    "catalog with a strange context": Case(
        CATALOG_SOURCES,
        {"sourceType": "grpc", "grpcPodConfig": {"securityContextConfig": "loose"}},
        'Unsupported value: "loose"',
    ),
    "group": Case(OPERATOR_GROUPS, {"targetNamespaces": ["a", "b"]}),
    "group of all": Case(OPERATOR_GROUPS, {}),
    "group with one namespace twice": Case(OPERATOR_GROUPS, {"targetNamespaces": ["a", "a"]}, "Duplicate value"),
    "group with a strange strategy": Case(OPERATOR_GROUPS, {"upgradeStrategy": "Never"}, "Unsupported value"),
    "plan": Case(INSTALL_PLANS, {"approval": "Automatic", "approved": True, "clusterServiceVersionNames": ["x.v1"]}),
    "plan without names": Case(INSTALL_PLANS, {"approval": "Automatic", "approved": True}, "Required value"),
    "csv": Case(CSVS, {"displayName": "d", "install": {"strategy": "deployment", "spec": {"deployments": []}}}),
    "csv without install": Case(CSVS, {"displayName": "d"}, "Required value"),
    "csv with a strange release": Case(
        CSVS, {"displayName": "d", "install": {"strategy": "deployment"}, "release": "a_b"}, "release version must be"
    ),
}

PATCH = {
    "applyTo": "HTTP_FILTER",
    "match": {"context": "GATEWAY", "listener": {"portNumber": 8080}},
    "patch": {
        "operation": "INSERT_FIRST",
        "value": {"name": "envoy.filters.http.ext_proc", "typed_config": {"a": [1]}},
    },
}
EXTERNAL = {"hosts": ["api.example.com"], "ports": [{"number": 443, "name": "https", "protocol": "HTTPS"}]}
ISTIO_CASES = {
    "filter of the operator": Case(
        ENVOY_FILTERS, {"workloadSelector": {"labels": {"a": "b"}}, "configPatches": [PATCH]}
    ),
    "filter with two kinds of match": Case(
        ENVOY_FILTERS,
        {"configPatches": [{**PATCH, "match": {"listener": {}, "cluster": {}}}]},
        "must validate one and only one schema (oneOf)",
    ),
    "filter that selects twice": Case(
        ENVOY_FILTERS,
        {"workloadSelector": {}, "targetRefs": [{"kind": "Gateway", "name": "gw"}]},
        "only one of targetRefs or workloadSelector can be set",
    ),
    "filter with a strange operation": Case(
        ENVOY_FILTERS, {"configPatches": [{"patch": {"operation": "SWAP"}}]}, 'Unsupported value: "SWAP"'
    ),
    "filter with a wildcard label": Case(
        ENVOY_FILTERS, {"workloadSelector": {"labels": {"a": "*"}}}, "wildcard is not supported in selector"
    ),
    "external service": Case(SERVICE_ENTRIES, {**EXTERNAL, "location": "MESH_EXTERNAL", "resolution": "DNS"}),
    "external service without host": Case(SERVICE_ENTRIES, {"hosts": []}, "should have at least 1 items"),
    "external service everywhere": Case(SERVICE_ENTRIES, {"hosts": ["*"]}, "hostname cannot be wildcard"),
    "external service with port 0": Case(
        SERVICE_ENTRIES, {"hosts": ["a.b"], "ports": [{"number": 0, "name": "x"}]}, "port must be between 1-65535"
    ),
    "external service with a port twice": Case(
        SERVICE_ENTRIES,
        {"hosts": ["a.b"], "ports": [{"number": 1, "name": "x"}, {"number": 1, "name": "y"}]},
        "port number cannot be duplicated",
    ),
    "external service with endpoints but no resolution": Case(
        SERVICE_ENTRIES, {**EXTERNAL, "endpoints": [{"address": "192.0.2.1"}]}, "NONE mode cannot set endpoints"
    ),
    "tls origination": Case(
        DESTINATION_RULES,
        {"host": "api.example.com", "trafficPolicy": {"tls": {"mode": "SIMPLE", "sni": "api.example.com"}}},
    ),
    "tls origination of one port": Case(
        DESTINATION_RULES,
        {
            "host": "svc",
            "trafficPolicy": {"portLevelSettings": [{"port": {"number": 443}, "tls": {"mode": "SIMPLE"}}]},
        },
    ),
    "tls origination of a strange mode": Case(
        DESTINATION_RULES, {"host": "x", "trafficPolicy": {"tls": {"mode": "MAYBE"}}}, 'Unsupported value: "MAYBE"'
    ),
    "rule without host": Case(DESTINATION_RULES, {"trafficPolicy": {}}, "Required value"),
}

TARGET = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw"}
RULES = {"authentication": {"k": {"jwt": {"issuerUrl": "https://issuer.example.com"}}}}
LIMITS = {"a": {"rates": [{"limit": 5, "window": "10s"}], "when": [{"predicate": "true"}]}}
KUADRANT_CASES = {
    "dns policy": Case(DNS_POLICIES, {"targetRef": TARGET, "providerRefs": [{"name": "aws"}]}),
    "dns policy with balancing": Case(
        DNS_POLICIES, {"targetRef": TARGET, "loadBalancing": {"defaultGeo": True, "geo": "EU", "weight": 100}}
    ),
    "dns policy of a route": Case(
        DNS_POLICIES,
        {"targetRef": {**TARGET, "kind": "HTTPRoute"}},
        "Invalid targetRef.kind. The only supported values are 'Gateway'",
    ),
    "dns policy with two providers": Case(
        DNS_POLICIES, {"targetRef": TARGET, "providerRefs": [{"name": "a"}, {"name": "b"}]}, "must have at most 1 item"
    ),
    "dns policy that delegates with provider": Case(
        DNS_POLICIES,
        {"targetRef": TARGET, "delegate": True, "providerRefs": [{"name": "a"}]},
        "delegate=true and providerRefs are mutually exclusive",
    ),
    "dns policy with a strange check": Case(
        DNS_POLICIES,
        {"targetRef": TARGET, "healthCheck": {"protocol": "TCP"}},
        "Only HTTP or HTTPS protocols are allowed",
    ),
    "tls policy": Case(TLS_POLICIES, {"targetRef": TARGET, "issuerRef": {"kind": "ClusterIssuer", "name": "ca"}}),
    "tls policy with a strange issuer": Case(
        TLS_POLICIES, {"targetRef": TARGET, "issuerRef": {"kind": "Friend", "name": "x"}}, "Invalid issuerRef.kind"
    ),
    "auth policy": Case(AUTH_POLICIES, {"targetRef": TARGET, "rules": RULES}),
    "auth policy of a listener": Case(
        AUTH_POLICIES,
        {
            "targetRef": {**TARGET, "sectionName": "mcps"},
            "defaults": {
                "rules": {
                    **RULES,
                    "authorization": {"a": {"patternMatching": {"patterns": [{"predicate": "true"}]}}},
                    "response": {
                        "unauthenticated": {"code": 401, "headers": {"WWW-Authenticate": {"value": "Bearer"}}}
                    },
                }
            },
        },
    ),
    "auth policy without rules": Case(AUTH_POLICIES, {"targetRef": TARGET}, "At least one spec.rules must be defined"),
    "auth policy with empty defaults": Case(
        AUTH_POLICIES, {"targetRef": TARGET, "defaults": {}}, "At least one spec.defaults.rules must be defined"
    ),
    "auth policy twice": Case(
        AUTH_POLICIES,
        {"targetRef": TARGET, "rules": RULES, "overrides": {"rules": RULES}},
        "Implicit defaults and explicit overrides are mutually exclusive",
    ),
    "auth policy with two issuers": Case(
        AUTH_POLICIES,
        {"targetRef": TARGET, "rules": {"authentication": {"k": {"jwt": {"issuerUrl": "a", "jwksUrl": "b"}}}}},
        "Use one of: jwksUrl, issuerUrl",
    ),
    "auth policy of a service": Case(
        AUTH_POLICIES, {"targetRef": {**TARGET, "kind": "Service"}, "rules": RULES}, "Invalid targetRef.kind"
    ),
    "rate limit": Case(RATE_LIMITS, {"targetRef": TARGET, "limits": LIMITS}),
    "rate limit without limits": Case(RATE_LIMITS, {"targetRef": TARGET}, "At least one spec.limits must be defined"),
    "rate limit with a strange window": Case(
        RATE_LIMITS, {"targetRef": TARGET, "limits": {"a": {"rates": [{"limit": 1, "window": "soon"}]}}}, "should match"
    ),
    "kuadrant": Case(KUADRANTS, {"mtls": {"enable": True}}),
}

EXTENSION_TARGET = {"name": "gw", "namespace": "infra", "sectionName": "mcps"}
ROUTE_TARGET = {"name": "route"}


def extend(refused: str = "", **spec: Any) -> Case:
    return Case(EXTENSIONS, {"targetRef": EXTENSION_TARGET, **spec}, refused)


def register(refused: str = "", **spec: Any) -> Case:
    return Case(REGISTRATIONS, {"targetRef": ROUTE_TARGET, **spec}, refused)


MCP_CASES = {
    "extension": extend(),
    "extension with everything": extend(
        publicHost="mcp.example.com",
        privateHost="gw:8080",
        backendPingIntervalSeconds=10,
        trustedHeadersKey={"secretName": "trust", "generate": "Enabled"},
        httpRouteManagement="Disabled",
        logLevel="debug",
        sessionStore={"secretName": "redis"},
        urlElicitation="Enabled",
        oauthProtectedResource={"authorizationServers": ["https://a"], "scopesSupported": ["basic"]},
        caCertBundleRef={"name": "bundle"},
    ),
    "extension without section": Case(EXTENSIONS, {"targetRef": {"name": "gw"}}, "Required value"),
    "extension of a route": extend(
        'Unsupported value: "HTTPRoute"', targetRef={**EXTENSION_TARGET, "kind": "HTTPRoute"}
    ),
    "extension that asks too often": extend("should be greater than or equal to 10", backendPingIntervalSeconds=9),
    "extension that asks too rarely": extend("should be less than or equal to 7200", backendPingIntervalSeconds=7201),
    "extension with a strange level": extend('Unsupported value: "loud"', logLevel="loud"),
    "extension with a strange management": extend('Unsupported value: "Manual"', httpRouteManagement="Manual"),
    "extension with a bad issuer": extend("should match", oauthProtectedResource={"authorizationServers": ["a"]}),
    "extension without issuers": extend(
        "should have at least 1 items", oauthProtectedResource={"authorizationServers": []}
    ),
    "extension with an empty secret name": extend("should be at least 1 chars long", sessionStore={"secretName": ""}),
    "registration": register(prefix="weather_"),
    "registration without prefix": register(),
    "registration with everything": register(
        prefix="a",
        path="/v1/mcp",
        credentialRef={"name": "s"},
        state="Disabled",
        caCertSecretRef={"name": "s", "key": "k"},
        tokenURLElicitation={"url": "https://a"},
        userSpecificList="Enabled",
        category=["a", "b", "c"],
        hint="h",
        tags=["t"],
    ),
    "registration with a bad prefix": register("should match", prefix="Weather_"),
    "registration with a prefix that starts with _": register("should match", prefix="_weather"),
    "registration with four categories": register("must have at most 3 items", category=["a", "b", "c", "d"]),
    "registration with a long hint": register("may not be more than 256", hint="h" * 257),
    "registration with an empty tag": register("should be at least 1 chars long", tags=[""]),
    "registration with a strange state": register('Unsupported value: "Paused"', state="Paused"),
    "registration with a strange page": register("should match", tokenURLElicitation={"url": "ftp://a"}),
    "registration without target": Case(REGISTRATIONS, {"prefix": "a"}, "Required value"),
    "registration with the old field": register("unknown field", toolPrefix="a"),
    "virtual server": Case(VIRTUAL_SERVERS, {"tools": ["a"], "prompts": []}),
    "virtual server without tools": Case(VIRTUAL_SERVERS, {"tools": []}, "should have at least 1 items"),
}

OLD_CASES = {
    "old registration": Case(
        mcp("v1alpha1", "mcpserverregistrations", "MCPServerRegistration"),
        {"targetRef": ROUTE_TARGET, "toolPrefix": "Any_Thing"},
    ),
    "old registration with the new field": Case(
        mcp("v1alpha1", "mcpserverregistrations", "MCPServerRegistration"),
        {"targetRef": ROUTE_TARGET, "prefix": "a"},
        "unknown field",
    ),
    "old extension": Case(
        mcp("v1alpha1", "mcpgatewayextensions", "MCPGatewayExtension"),
        {"targetRef": EXTENSION_TARGET, "sessionStore": {"secretName": "s"}},
    ),
    "old extension with metadata": Case(
        mcp("v1alpha1", "mcpgatewayextensions", "MCPGatewayExtension"),
        {"targetRef": EXTENSION_TARGET, "oauthProtectedResource": {"authorizationServers": ["https://a"]}},
        "unknown field",
    ),
    "old virtual server": Case(mcp("v1alpha1", "mcpvirtualservers", "MCPVirtualServer"), {"tools": ["a"]}),
    "old virtual server with prompts": Case(
        mcp("v1alpha1", "mcpvirtualservers", "MCPVirtualServer"), {"tools": ["a"], "prompts": ["b"]}, "unknown field"
    ),
}

CASES = GATEWAY_CASES | ROUTE_CASES | OLM_CASES | ISTIO_CASES | KUADRANT_CASES | MCP_CASES


@cache
def originals(operator_version: str) -> list[Object]:
    """The projects' own CRDs, without what only makes them large."""
    folders = ["gateway-api", "istio", "kuadrant", "olm", f"mcp-gateway-{operator_version}"]
    ours = {crd["metadata"]["name"] for crd in [*load(), *operator_crds(operator_version)]}
    found = []
    for folder in folders:
        for path_ in sorted((ORIGINALS / folder).glob("*.yaml")):
            crd = yaml.load(path_.read_text(encoding="utf-8"), yaml.CSafeLoader)
            if crd["metadata"]["name"] in ours:
                found.append(crd)
    return found


async def attempt(client: Client, case: Case) -> tuple[str, Object]:
    """Why the API server refuses the object, or the spec that it makes of it. Unknown fields are refused."""
    namespace = None if not case.resource.namespaced else "default"
    meta = {"name": "candidate", **({"namespace": namespace} if namespace else {})}
    body = {"apiVersion": case.resource.api_version, "kind": case.resource.kind, "metadata": meta}
    query = {"dryRun": "All", "fieldValidation": "Strict"}
    try:
        answer = await client.request(
            "POST", case.resource.path(namespace), query=query, body={**body, "spec": case.spec}
        )
    except ApiError as error:
        return error.message, {}
    return "", dict(answer["spec"])


def server(tmp_path_factory: pytest.TempPathFactory, name: str) -> Iterator[ApiServer]:
    found = ApiServer(tmp_path_factory.mktemp(name) / "server")
    try:
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="module")
def our_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    yield from server(tmp_path_factory, "ours")


@pytest.fixture(scope="module")
def original_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    yield from server(tmp_path_factory, "originals")


INSTALLED: dict[ApiServer, str] = {}


async def connect(found: ApiServer, crds: Sequence[Object], version: str) -> Client:
    await found.ready()
    client = Client.from_kubeconfig(found.folder.kubeconfig)
    if INSTALLED.get(found) != version:
        await Cluster(client).install(crds)
        INSTALLED[found] = version
    return client


@pytest.fixture
async def ours(our_server: ApiServer) -> AsyncIterator[Client]:
    async with await connect(our_server, [*load(), *operator_crds("0.9.0")], "0.9.0") as client:
        yield client


@pytest.fixture
async def theirs(original_server: ApiServer) -> AsyncIterator[Client]:
    async with await connect(original_server, originals("0.9.0"), "0.9.0") as client:
        yield client


def check(case: Case, message: str) -> None:
    if case.refused:
        assert case.refused in message
    else:
        assert message == ""


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_our_crds(ours: Client, case: Case) -> None:
    message, _ = await attempt(ours, case)
    check(case, message)


@pytest.mark.parametrize("case", CASES.values() if HAS_ORIGINALS else [], ids=CASES.keys() if HAS_ORIGINALS else [])
async def test_the_original_crds_answer_the_same(ours: Client, theirs: Client, case: Case) -> None:
    message, spec = await attempt(theirs, case)
    check(case, message)
    assert spec == (await attempt(ours, case))[1], "defaults or pruning differ"


async def test_a_prefix_may_be_set_once(ours: Client) -> None:
    meta = {"metadata": {"name": "weather", "namespace": "default"}}
    await ours.create(REGISTRATIONS, {**meta, "spec": {"targetRef": ROUTE_TARGET}})
    await ours.merge_patch(REGISTRATIONS, "weather", "default", {"spec": {"prefix": "a_"}})
    with pytest.raises(ApiError, match="prefix is immutable once set"):
        await ours.merge_patch(REGISTRATIONS, "weather", "default", {"spec": {"prefix": "b_"}})


async def test_a_listener_belongs_to_whoever_applied_it(ours: Client) -> None:
    for manager, name in (("first", "a"), ("second", "b")):
        spec = {"gatewayClassName": "c", "listeners": [listener(name, hostname=f"{name}.example.com")]}
        body = {"metadata": {"name": "shared", "namespace": "default"}, "spec": spec}
        found = await ours.apply(GATEWAYS, body, field_manager=manager, force=False)
    assert [entry["name"] for entry in found["spec"]["listeners"]] == ["a", "b"]


def test_our_crds_are_named_like_the_originals() -> None:
    names = {(crd["spec"]["names"]["kind"], *crd["spec"]["names"].get("shortNames", ())) for crd in load()}
    assert {("Gateway", "gtw"), ("Subscription", "sub", "subs"), ("ClusterServiceVersion", "csv", "csvs")} <= names
    extension = operator_crds("0.9.0")[0]
    versions = [(entry["name"], entry["storage"], entry.get("deprecated")) for entry in extension["spec"]["versions"]]
    assert versions == [("v1", True, None), ("v1alpha1", False, True)]


@pytest.mark.parametrize("case", OLD_CASES.values(), ids=OLD_CASES.keys())
@pytest.mark.parametrize("origin", ["ours", "originals"] if HAS_ORIGINALS else ["ours"])
async def test_the_operators_crds_of_0_6_0(tmp_path_factory: pytest.TempPathFactory, origin: str, case: Case) -> None:
    found = _old_server(tmp_path_factory, origin)
    crds = operator_crds("0.6.0") if origin == "ours" else originals("0.6.0")
    async with await connect(
        found, [crd for crd in crds if crd["spec"]["group"] == "mcp.kuadrant.io"], "0.6.0"
    ) as client:
        check(case, (await attempt(client, case))[0])


_OLD: dict[str, ApiServer] = {}


def _old_server(tmp_path_factory: pytest.TempPathFactory, origin: str) -> ApiServer:
    if origin not in _OLD:
        _OLD[origin] = ApiServer(tmp_path_factory.mktemp(f"old-{origin}") / "server")
    return _OLD[origin]


@pytest.fixture(scope="module", autouse=True)
def stop_old_servers() -> Iterator[None]:
    yield
    while _OLD:
        _OLD.popitem()[1].stop()
