# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: the objects that an MCPGatewayExtension leads to. Pure functions."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from sandbox.controllers.operator_release import (
    AGGREGATED_LABEL,
    APP_LABELS,
    BROKER,
    CONFIG_SECRET,
    GATEWAY_API,
    GROUP,
    MANAGED_BY,
    ROUTE,
    SECRET_LABEL,
    SIGNING_KEY_SECRET,
    TOKENS_ROUTE,
    Release,
    named,
)

Object = dict[str, Any]

HTTP_PORT, GRPC_PORT, CONFIG_PORT = 8080, 50051, 8181
EMPTY_CONFIG = "servers: []\nvirtualServers: []\n"
MANAGED_FLAGS = (
    "--mcp-broker-public-address",
    "--mcp-gateway-private-host",
    "--mcp-gateway-config",
    "--mcp-check-interval",
    "--mcp-gateway-public-host",
    "--mcp-router-key",
    "--enable-url-elicitation",
    "--log-level",
    "--gateway-ca-cert",
)
OAUTH_ENV = (
    "OAUTH_RESOURCE_NAME",
    "OAUTH_RESOURCE",
    "OAUTH_AUTHORIZATION_SERVERS",
    "OAUTH_BEARER_METHODS_SUPPORTED",
    "OAUTH_SCOPES_SUPPORTED",
)
LOG_LEVELS = {"debug": -4, "info": 0, "warn": 4, "error": 8}


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


def _meta(extension: Object, release: Release, name: str, labels: dict[str, str]) -> Object:
    return {
        "name": name,
        "namespace": extension["metadata"]["namespace"],
        "labels": labels,
        "ownerReferences": [owner(extension, release)],
    }


def encoded(text: str) -> str:
    """Base64, as Secrets carry their values."""
    return base64.b64encode(text.encode()).decode()


def config_secret(namespace: str, config: str) -> Object:
    """The Secret with the broker's configuration; it has no owner and stays when the extension goes."""
    labels = {"app": "mcp-gateway", **AGGREGATED_LABEL, **SECRET_LABEL}
    return {
        "metadata": {"name": CONFIG_SECRET, "namespace": namespace, "labels": labels},
        "type": "Opaque",
        "data": {"config.yaml": encoded(config)},
    }


def key_secret(extension: Object, release: Release, name: str, key: str, labels: dict[str, str]) -> Object:
    """A Secret of the extension with one value under ``key``."""
    return {
        "metadata": _meta(extension, release, name, {**MANAGED_BY, **labels}),
        "type": "Opaque",
        "data": {"key": encoded(key)},
    }


def service_account(extension: Object, release: Release) -> Object:
    """The broker's ServiceAccount; it needs no permission."""
    return {"metadata": _meta(extension, release, BROKER, APP_LABELS), "automountServiceAccountToken": False}


def private_host(extension: Object, gateway: Object, listener: Object, release: Release) -> str:
    """Where the broker's router reaches the Gateway from inside the cluster."""
    if given := extension["spec"].get("privateHost"):
        return str(given)
    meta = gateway["metadata"]
    suffix = gateway["spec"]["gatewayClassName"] if release.modern else "istio"
    host = f"{meta['name']}-{suffix}.{meta['namespace']}.svc.cluster.local:{listener['port']}"
    return f"https://{host}" if release.modern and listener["protocol"] == "HTTPS" else host


def command(extension: Object, public_host: str, private: str, release: Release) -> list[str]:
    """The broker's command line, in the operator's order."""
    spec = extension["spec"]
    flags = [
        "./mcp_gateway",
        f"--mcp-broker-public-address=0.0.0.0:{HTTP_PORT}",
        f"--mcp-gateway-private-host={private}",
        "--mcp-gateway-config=/config/config.yaml",
    ]
    if interval := spec.get("backendPingIntervalSeconds"):
        flags.append(f"--mcp-check-interval={interval}")
    flags.append(f"--mcp-gateway-public-host={public_host}")
    if not release.modern:
        flags.append(f"--mcp-router-key={hashlib.sha256(extension['metadata']['uid'].encode()).digest()[:16].hex()}")
    if spec.get("urlElicitation") == "Enabled":
        flags.append("--enable-url-elicitation")
    if level := spec.get("logLevel"):
        flags.append(f"--log-level={LOG_LEVELS[level]}")
    return flags


def environment(extension: Object, public_host: str, release: Release) -> list[Object]:
    """The environment variables that the operator sets on the broker."""
    spec = extension["spec"]

    def from_secret(name: str, secret: str, key: str) -> Object:
        return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}

    env = [from_secret(release.signing_key_env, SIGNING_KEY_SECRET, "key")]
    if trusted := spec.get("trustedHeadersKey"):
        env.append(from_secret("TRUSTED_HEADER_PUBLIC_KEY", trusted["secretName"], "key"))
    if store := spec.get("sessionStore"):
        env.append(from_secret("CACHE_CONNECTION_STRING", store["secretName"], "CACHE_CONNECTION_STRING"))
    if protected := spec.get("oauthProtectedResource"):
        values = (
            protected.get("resourceName") or "MCP Server",
            protected.get("resource") or f"https://{public_host}/mcp",
            ",".join(protected["authorizationServers"]),
            ",".join(protected.get("bearerMethodsSupported") or ["header"]),
            ",".join(protected.get("scopesSupported") or ["basic"]),
        )
        env += [{"name": name, "value": value} for name, value in zip(OAUTH_ENV, values, strict=True)]
    return env


def deployment(extension: Object, flags: Sequence[str], env: Sequence[Object], release: Release) -> Object:
    """The broker's Deployment as it is created."""
    container: Object = {
        "name": BROKER,
        "image": release.broker_image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(flags),
        "env": list(env),
        "ports": [
            {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "grpc", "containerPort": GRPC_PORT, "protocol": "TCP"},
            {"name": "config", "containerPort": CONFIG_PORT, "protocol": "TCP"},
        ],
        "volumeMounts": [{"name": "config-volume", "mountPath": "/config", "readOnly": True}],
    }
    if release.modern:
        container["readinessProbe"] = {
            "httpGet": {"path": "/readyz", "port": "http", "scheme": "HTTP"},
            "initialDelaySeconds": 5,
            "timeoutSeconds": 1,
            "periodSeconds": 10,
            "successThreshold": 1,
            "failureThreshold": 3,
        }
    pod = {
        "serviceAccountName": BROKER,
        "automountServiceAccountToken": False,
        "containers": [container],
        "volumes": [{"name": "config-volume", "secret": {"secretName": CONFIG_SECRET, "defaultMode": 0o644}}],
    }
    return {
        "metadata": _meta(extension, release, BROKER, APP_LABELS),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": APP_LABELS},
            "template": {"metadata": {"labels": APP_LABELS}, "spec": pod},
        },
    }


def merged_container(found: Object, wanted: Object, release: Release) -> Object:
    """The running container brought in line: what the operator does not manage stays as users set it."""
    managed_env = {release.signing_key_env, "TRUSTED_HEADER_PUBLIC_KEY", "CACHE_CONNECTION_STRING"}
    if release.modern:
        managed_env |= {*OAUTH_ENV, "JWT_SESSION_SIGNING_KEY"}

    def flags(container: Object, *, managed: bool) -> list[str]:
        return [flag for flag in container.get("command") or [] if flag.startswith(MANAGED_FLAGS) is managed]

    def variables(container: Object, *, managed: bool) -> list[Object]:
        return [entry for entry in container.get("env") or [] if (entry["name"] in managed_env) is managed]

    result = {**found, "image": wanted["image"]}
    if flags(found, managed=True) != flags(wanted, managed=True):
        extra = [flag for flag in flags(found, managed=False) if flag not in wanted["command"]]
        result["command"] = [*wanted["command"], *extra]
    if variables(found, managed=True) != variables(wanted, managed=True):
        result["env"] = [*wanted["env"], *variables(found, managed=False)]
    if release.modern and "readinessProbe" not in found:
        result["readinessProbe"] = wanted["readinessProbe"]
    return result


def service(extension: Object, release: Release) -> Object:
    """The broker's Service."""
    ports = {"http": HTTP_PORT, "grpc": GRPC_PORT}
    return {
        "metadata": _meta(extension, release, BROKER, APP_LABELS),
        "spec": {
            "type": "ClusterIP",
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
        "metadata": _meta(extension, release, name, APP_LABELS),
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


def envoy_filter_name(extension: Object) -> str:
    """Name of the extension's EnvoyFilter, which lives in the Gateway's namespace."""
    return f"mcp-ext-proc-{extension['metadata']['namespace']}-gateway"


def envoy_filter(extension: Object, gateway: Object, listener: Object) -> Object:
    """The EnvoyFilter that sends every request on the listener's port through the broker's router."""
    meta = extension["metadata"]
    revision = (gateway["metadata"].get("labels") or {}).get("istio.io/rev", "default")
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
    namespace = gateway["metadata"]["namespace"]
    return {
        "metadata": {"name": envoy_filter_name(extension), "namespace": namespace, "labels": labels},
        "spec": {"workloadSelector": selector, "configPatches": [patch]},
    }


def listener_condition(extension: Object, gateway_namespace: str) -> Object:
    """The condition that the operator adds to the status of the Gateway's listener."""
    target = f"{gateway_namespace}/{envoy_filter_name(extension)}"
    return {
        "type": "MCPGatewayExtension",
        "status": "True",
        "reason": "Programmed",
        "message": f"listener in use by MCP Gateway: {named(extension)} EnvoyFilter: {target}",
    }
