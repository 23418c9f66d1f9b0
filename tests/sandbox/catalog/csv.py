# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The MCP gateway operator's ClusterServiceVersion, by version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Object = dict[str, Any]

REGISTRY = "ghcr.io/kuadrant"
CONTROLLER_DEPLOYMENT = "mcp-gateway-controller"
SERVICE_ACCOUNT = "mcp-controller"
HEALTH_PORT = 8081


def csv_name(version: str) -> str:
    """Name of the ClusterServiceVersion of a version."""
    return f"mcp-gateway.v{version}"


def broker_image(version: str) -> str:
    """Image of the broker-router that the operator of a version deploys."""
    return f"{REGISTRY}/mcp-gateway:v{version}"


def controller_image(version: str) -> str:
    """Image of the operator itself."""
    return f"{REGISTRY}/mcp-controller:v{version}"


def bundle_image(version: str) -> str:
    """Image of the bundle of a version."""
    return f"{REGISTRY}/mcp-controller-bundle:v{version}"


def cluster_service_version(
    version: str, *, replaces: str | None, crds: Sequence[Object], image: str | None = None
) -> Object:
    """The ClusterServiceVersion in the bundle of ``version``, following the version ``replaces`` in its channel.

    ``image`` is the operator's, if it is not the one that its project publishes.
    """
    image = image or controller_image(version)
    spec: Object = {
        "displayName": "MCP Gateway",
        "description": "Aggregates MCP servers behind one endpoint of a Gateway.",
        "version": version,
        "maturity": "preview",
        "minKubeVersion": "1.28.0",
        "provider": {"name": "Kuadrant", "url": "https://kuadrant.io"},
        "keywords": ["mcp", "gateway", "ai"],
        "installModes": [
            {"type": "OwnNamespace", "supported": True},
            {"type": "SingleNamespace", "supported": True},
            {"type": "MultiNamespace", "supported": False},
            {"type": "AllNamespaces", "supported": True},
        ],
        "customresourcedefinitions": {"owned": [_owned(crd) for crd in crds]},
        "install": {
            "strategy": "deployment",
            "spec": {
                "clusterPermissions": [{"serviceAccountName": SERVICE_ACCOUNT, "rules": _rules()}],
                "deployments": [
                    {
                        "name": CONTROLLER_DEPLOYMENT,
                        "label": {"app": "mcp-controller", "component": "controller"},
                        "spec": _deployment(version, image),
                    }
                ],
            },
        },
        "relatedImages": [
            {"name": "controller", "image": image},
            {"name": "router-broker", "image": broker_image(version)},
        ],
    }
    if replaces:
        spec["replaces"] = csv_name(replaces)
    return {
        "apiVersion": "operators.coreos.com/v1alpha1",
        "kind": "ClusterServiceVersion",
        "metadata": {
            "name": csv_name(version),
            "annotations": {
                "capabilities": "Basic Install",
                "categories": "AI/Machine Learning, Networking",
                "containerImage": image,
            },
        },
        "spec": spec,
    }


def _owned(crd: Object) -> Object:
    spec = crd["spec"]
    stored = next(version["name"] for version in spec["versions"] if version["storage"])
    return {
        "name": crd["metadata"]["name"],
        "kind": spec["names"]["kind"],
        "version": stored,
        "displayName": spec["names"]["kind"],
    }


def _deployment(version: str, image: str) -> Object:
    labels = {"app": "mcp-controller", "component": "controller"}

    def probe(path: str, delay: int, period: int) -> Object:
        return {
            "httpGet": {"path": path, "port": HEALTH_PORT},
            "initialDelaySeconds": delay,
            "periodSeconds": period,
        }

    container: Object = {
        "name": "manager",
        "image": image,
        "command": ["./mcp_controller"],
        "env": [{"name": "RELATED_IMAGE_ROUTER_BROKER", "value": broker_image(version)}],
        "ports": [{"name": "health", "containerPort": HEALTH_PORT, "protocol": "TCP"}],
        "livenessProbe": probe("/healthz", 10, 30),
        "readinessProbe": probe("/readyz", 5, 10),
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"cpu": "200m", "memory": "256Mi"},
        },
    }
    return {
        "replicas": 1,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"serviceAccountName": SERVICE_ACCOUNT, "containers": [container]},
        },
    }


def _rules() -> list[Object]:
    everything = ["create", "delete", "get", "list", "patch", "update", "watch"]
    read = ["get", "list", "watch"]

    def rule(group: str, resources: str, verbs: list[str]) -> Object:
        return {"apiGroups": [group], "resources": resources.split(), "verbs": verbs}

    return [
        rule("", "secrets services serviceaccounts", everything),
        rule("", "namespaces", read),
        rule("apps", "deployments", everything),
        rule("gateway.networking.k8s.io", "httproutes httproutes/status", everything),
        rule("gateway.networking.k8s.io", "gateways referencegrants", read),
        rule("gateway.networking.k8s.io", "gateways/status", ["get", "patch", "update"]),
        rule("networking.istio.io", "envoyfilters", everything),
        rule("networking.k8s.io", "networkpolicies", everything),
        rule("mcp.kuadrant.io", "*", everything),
    ]
