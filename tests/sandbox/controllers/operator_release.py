# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: kinds, names, and what differs between the operator's versions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sandbox.client import Resource

Object = dict[str, Any]

GROUP = "mcp.kuadrant.io"
GATEWAY_API = "gateway.networking.k8s.io"
GATEWAYS = Resource(GATEWAY_API, "v1", "gateways", "Gateway")
HTTP_ROUTES = Resource(GATEWAY_API, "v1", "httproutes", "HTTPRoute")
REFERENCE_GRANTS = Resource(GATEWAY_API, "v1beta1", "referencegrants", "ReferenceGrant")
ENVOY_FILTERS = Resource("networking.istio.io", "v1alpha3", "envoyfilters", "EnvoyFilter")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
SECRETS = Resource("", "v1", "secrets", "Secret")
SERVICES = Resource("", "v1", "services", "Service")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
PODS = Resource("", "v1", "pods", "Pod")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")

CONTROLLER = "mcp-gateway-controller"
FINALIZER = f"{GROUP}/finalizer"
SECRET_LABEL = {f"{GROUP}/secret": "true"}
AGGREGATED_LABEL = {f"{GROUP}/aggregated": "true"}
MANAGED_BY = {"app.kubernetes.io/managed-by": CONTROLLER}
APP_LABELS = {"app.kubernetes.io/name": "mcp-gateway", **MANAGED_BY}

BROKER = "mcp-gateway"
"""Name of the broker's Deployment, Service and ServiceAccount."""
CONFIG_SECRET = "mcp-gateway-config"
SIGNING_KEY_SECRET = "mcp-gateway-session-signing-key"
ROUTE = "mcp-gateway-route"
TOKENS_ROUTE = "mcp-gateway-tokens-route"


def _kind(version: str, plural: str, kind: str) -> Resource:
    return Resource(GROUP, version, plural, kind)


@dataclass(frozen=True, slots=True)
class Release:
    """What the controller of one version does differently; ``api`` is the API version that it works with."""

    version: str
    broker_image: str
    api: str = "v1"
    prefix_field: str = "prefix"
    signing_key_env: str = "GATEWAY_SIGNING_KEY"
    modern: bool = True
    """0.7 and later: readiness probe, well-known paths, OAuth metadata, states, CA certificates."""

    @property
    def extensions(self) -> Resource:
        return _kind(self.api, "mcpgatewayextensions", "MCPGatewayExtension")

    @property
    def registrations(self) -> Resource:
        return _kind(self.api, "mcpserverregistrations", "MCPServerRegistration")

    @property
    def virtual_servers(self) -> Resource:
        return _kind(self.api, "mcpvirtualservers", "MCPVirtualServer")


API_VERSIONS = ("v1", "v1alpha1")
EXTENSIONS = [_kind(version, "mcpgatewayextensions", "MCPGatewayExtension") for version in API_VERSIONS]
REGISTRATIONS = [_kind(version, "mcpserverregistrations", "MCPServerRegistration") for version in API_VERSIONS]
VIRTUAL_SERVERS = [_kind(version, "mcpvirtualservers", "MCPVirtualServer") for version in API_VERSIONS]


def release_of(deployment: Object) -> Release | None:
    """The release of the operator that this Deployment runs, or None while it does not run.

    The version is the tag of the controller's image; the broker's image is told to it by environment.
    """
    if not (deployment.get("status") or {}).get("availableReplicas"):
        return None
    for container in deployment["spec"]["template"]["spec"]["containers"]:
        env = {entry["name"]: entry.get("value", "") for entry in container.get("env") or []}
        image = env.get("RELATED_IMAGE_ROUTER_BROKER")
        if not image:
            continue
        tag = re.search(r":v?(\d+\.\d+\.\d+)", container["image"])
        version = tag[1] if tag else "0.9.0"
        if version.startswith("0.6."):
            return Release(version, image, "v1alpha1", "toolPrefix", "JWT_SESSION_SIGNING_KEY", modern=False)
        return Release(version, image)
    return None


def running_release(deployments: Iterable[Object]) -> Release | None:
    """The release of the operator that runs in the cluster, wherever it is installed."""
    for deployment in deployments:
        if deployment["metadata"]["name"] == CONTROLLER and (found := release_of(deployment)):
            return found
    return None


def covers(found: Any, wanted: Any) -> bool:
    """Whether ``found`` has everything that ``wanted`` states; the API server may have added defaults."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            key in found and covers(found[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(covers(have, want) for have, want in zip(found, wanted, strict=True))
        )
    return bool(found == wanted)


def named(obj: Object) -> str:
    """``namespace/name`` of an object."""
    return f"{obj['metadata']['namespace']}/{obj['metadata']['name']}"
