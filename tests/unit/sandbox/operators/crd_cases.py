# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of OLM, Istio, Kuadrant and the MCP operator that their CRDs take or refuse."""

from __future__ import annotations

from typing import Any

from sandbox.client import Resource
from sandbox.kinds import (
    AUTH_POLICIES,
    CATALOG_SOURCES,
    CSVS,
    DESTINATION_RULES,
    DNS_POLICIES,
    ENVOY_FILTERS,
    INSTALL_PLANS,
    KUADRANTS,
    OPERATOR_GROUPS,
    RATE_LIMIT_POLICIES,
    SERVICE_ENTRIES,
    SUBSCRIPTIONS,
    TLS_POLICIES,
)
from unit.sandbox.operators.crd_case import Case


def mcp(version: str, plural: str, kind: str) -> Resource:
    return Resource("mcp.kuadrant.io", version, plural, kind)


EXTENSIONS = mcp("v1", "mcpgatewayextensions", "MCPGatewayExtension")
REGISTRATIONS = mcp("v1", "mcpserverregistrations", "MCPServerRegistration")
VIRTUAL_SERVERS = mcp("v1", "mcpvirtualservers", "MCPVirtualServer")


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
    "rate limit": Case(RATE_LIMIT_POLICIES, {"targetRef": TARGET, "limits": LIMITS}),
    "rate limit without limits": Case(
        RATE_LIMIT_POLICIES, {"targetRef": TARGET}, "At least one spec.limits must be defined"
    ),
    "rate limit with a strange window": Case(
        RATE_LIMIT_POLICIES,
        {"targetRef": TARGET, "limits": {"a": {"rates": [{"limit": 1, "window": "soon"}]}}},
        "should match",
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
