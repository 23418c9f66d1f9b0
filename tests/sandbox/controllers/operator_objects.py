# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: the objects around the broker that an MCPGatewayExtension leads to. Pure functions."""

from __future__ import annotations

from typing import Any

from sandbox.controllers.operator_config import encoded
from sandbox.controllers.operator_release import (
    APP_LABELS,
    BROKER,
    GATEWAY_API,
    GROUP,
    MANAGED_BY,
    ROUTE,
    TOKENS_ROUTE,
    Release,
    named,
)

Object = dict[str, Any]

HTTP_PORT, GRPC_PORT = 8080, 50051
LISTENER_CONDITION = "MCPGatewayExtension"


def owner(extension: Object, release: Release) -> Object:
    """The controlling owner reference of an extension's objects."""
    return {
        "apiVersion": release.extensions.api_version,
        "kind": "MCPGatewayExtension",
        "name": extension["metadata"]["name"],
        "uid": extension["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def owned(extension: Object, release: Release, name: str, labels: dict[str, str]) -> Object:
    """Metadata of an object of the extension."""
    return {
        "name": name,
        "namespace": extension["metadata"]["namespace"],
        "labels": labels,
        "ownerReferences": [owner(extension, release)],
    }


def key_secret(extension: Object, release: Release, name: str, key: str, labels: dict[str, str]) -> Object:
    """A Secret of the extension with one value under ``key``."""
    return {
        "metadata": owned(extension, release, name, {**MANAGED_BY, **labels}),
        "type": "Opaque",
        "data": {"key": encoded(key)},
    }


def service_account(extension: Object, release: Release) -> Object:
    """The broker's ServiceAccount; it needs no permission."""
    return {"metadata": owned(extension, release, BROKER, APP_LABELS), "automountServiceAccountToken": False}


def service(extension: Object, release: Release) -> Object:
    """The broker's Service."""
    ports = {"http": HTTP_PORT, "grpc": GRPC_PORT}
    return {
        "metadata": owned(extension, release, BROKER, APP_LABELS),
        "spec": {
            "selector": APP_LABELS,
            "ports": [
                {"name": name, "port": port, "targetPort": port, "protocol": "TCP"} for name, port in ports.items()
            ],
        },
    }


def _route(extension: Object, release: Release, name: str, public_host: str, rules: list[Object]) -> Object:
    target = extension["spec"]["targetRef"]
    parent = {
        "group": GATEWAY_API,
        "kind": "Gateway",
        "name": target["name"],
        "namespace": target["namespace"],
        "sectionName": target["sectionName"],
    }
    return {
        "metadata": owned(extension, release, name, APP_LABELS),
        "spec": {"parentRefs": [parent], "hostnames": [public_host], "rules": rules},
    }


def _rule(path: str, name: str | None, filters: list[Object] | None = None) -> Object:
    backend = {"group": "", "kind": "Service", "name": BROKER, "port": HTTP_PORT, "weight": 1}
    rule: Object = {"matches": [{"path": {"type": "PathPrefix", "value": path}}], "backendRefs": [backend]}
    if name:
        rule["name"] = name
    if filters:
        rule["filters"] = filters
    return rule


def http_route(extension: Object, public_host: str, release: Release) -> Object:
    """The route from the Gateway to the broker."""
    if not release.modern:
        return _route(extension, release, ROUTE, public_host, [_rule("/mcp", None)])
    strip = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["mcp-init-host", "router-key"]}}
    rules = [
        _rule("/mcp", "mcp", [strip]),
        _rule("/.well-known/oauth-protected-resource", "well-known"),
        _rule("/status", "status"),
    ]
    return _route(extension, release, ROUTE, public_host, rules)


def tokens_route(extension: Object, public_host: str, release: Release) -> Object:
    """The route to the page where users hand in tokens."""
    return _route(extension, release, TOKENS_ROUTE, public_host, [_rule("/tokens", "tokens")])


def gateway_key(extension: Object) -> tuple[str, str]:
    """Namespace and name of the targeted Gateway as cleaning up looks for it: the namespace may be left out there."""
    target = extension["spec"]["targetRef"]
    return target.get("namespace") or extension["metadata"]["namespace"], target["name"]


def envoy_filter_key(extension: Object) -> tuple[str, str]:
    """Namespace and name of the extension's EnvoyFilter, which lives with the Gateway."""
    return gateway_key(extension)[0], f"mcp-ext-proc-{extension['metadata']['namespace']}-gateway"


def envoy_filter(extension: Object, gateway: Object, listener: Object) -> Object:
    """The EnvoyFilter that sends every request on the listener's port through the broker's router."""
    meta = extension["metadata"]
    revision = (gateway["metadata"].get("labels") or {}).get("istio.io/rev") or "default"
    labels = {
        **APP_LABELS,
        f"{GROUP}/extension-name": meta["name"],
        f"{GROUP}/extension-namespace": meta["namespace"],
        "istio.io/rev": revision,
    }
    cluster = f"outbound|{GRPC_PORT}||{BROKER}.{meta['namespace']}.svc.cluster.local"
    processor = {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor",
        "failure_mode_allow": False,
        "allow_mode_override": True,
        "mutation_rules": {"allow_all_routing": True},
        "message_timeout": "10s",
        "processing_mode": {
            "request_header_mode": "SEND",
            "response_header_mode": "SEND",
            "request_body_mode": "BUFFERED",
            "response_body_mode": "NONE",
            "request_trailer_mode": "SKIP",
            "response_trailer_mode": "SKIP",
        },
        "grpc_service": {"envoy_grpc": {"cluster_name": cluster}},
    }
    chain = {
        "filter": {
            "name": "envoy.filters.network.http_connection_manager",
            "subFilter": {"name": "envoy.filters.http.router"},
        }
    }
    patch = {
        "applyTo": "HTTP_FILTER",
        "match": {"context": "GATEWAY", "listener": {"portNumber": listener["port"], "filterChain": chain}},
        "patch": {
            "operation": "INSERT_FIRST",
            "value": {"name": "envoy.filters.http.ext_proc", "typed_config": processor},
        },
    }
    selector = {"labels": {"gateway.networking.k8s.io/gateway-name": gateway["metadata"]["name"]}}
    namespace, name = envoy_filter_key(extension)
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"workloadSelector": selector, "configPatches": [patch]},
    }


def listener_condition(extension: Object, gateway: Object) -> Object:
    """The condition that the operator adds to the status of the Gateway's listener."""
    return {
        "type": LISTENER_CONDITION,
        "status": "True",
        "observedGeneration": gateway["metadata"]["generation"],
        "reason": "Programmed",
        "message": f"listener in use by MCP Gateway: {named(extension)} "
        f"EnvoyFilter: {'/'.join(envoy_filter_key(extension))}",
    }
