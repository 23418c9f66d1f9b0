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

CONTROLLER = "mcp-gateway-controller"
RESYNC_VARIABLE = "SANDBOX_RESYNC_SECONDS"
"""Environment variable of the operator's Deployment with which a test shortens `Release.resync_seconds`."""
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
    """What the controller of one version does differently, and how its Deployment configures it."""

    version: str
    broker_image: str
    log_level: str = ""
    """The broker's ``--log-level`` unless an extension says otherwise (0.8 and later)."""
    resync_seconds: float = 36000
    """How often everything is looked at again though nothing was noticed: ten hours, as in controller-runtime."""

    @property
    def modern(self) -> bool:
        """Later than 0.6: another API version, states, CA certificates, OAuth metadata, a readiness probe."""
        return not self.version.startswith("0.6.")

    @property
    def api(self) -> str:
        """The version of its API that the controller works with."""
        return "v1" if self.modern else "v1alpha1"

    @property
    def signing_key_env(self) -> str:
        return "GATEWAY_SIGNING_KEY" if self.modern else "JWT_SESSION_SIGNING_KEY"

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


def environment_of(deployment: Object) -> dict[str, str]:
    """The environment variables of the Deployment's containers that have a plain value."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return {
        entry["name"]: entry["value"]
        for container in containers
        for entry in container.get("env") or []
        if "value" in entry
    }


def release_of(deployment: Object) -> Release | None:
    """The release of the operator that this Deployment runs, or None while it does not run.

    The version is the tag of the controller's image; the broker's image is told to it by environment.
    """
    if not (deployment.get("status") or {}).get("availableReplicas"):
        return None
    env = environment_of(deployment)
    if not env.get("RELATED_IMAGE_ROUTER_BROKER"):
        return None
    image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    tag = re.search(r":v?(\d+\.\d+\.\d+)", image)
    return Release(
        tag[1] if tag else "0.9.0",
        env["RELATED_IMAGE_ROUTER_BROKER"],
        env.get("BROKER_ROUTER_LOG_LEVEL", ""),
        float(env.get(RESYNC_VARIABLE) or 36000),
    )


def running_release(deployments: Iterable[Object]) -> Release | None:
    """The release of the operator that runs in the cluster, wherever it is installed."""
    for deployment in deployments:
        if deployment["metadata"]["name"] == CONTROLLER and (found := release_of(deployment)):
            return found
    return None


def named(obj: Object) -> str:
    """``namespace/name`` of an object."""
    return f"{obj['metadata']['namespace']}/{obj['metadata']['name']}"
