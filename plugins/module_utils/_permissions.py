# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Which of the collection's own ClusterRoles (playbooks/files/permissions.yml) has a right, for messages."""

from __future__ import annotations

MANAGE = "get list watch create patch delete"
PREFIX = "mcpops-gateway-"

RULES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("cluster", "get create patch", ("namespaces",)),
    ("cluster", "get list watch", ("customresourcedefinitions.apiextensions.k8s.io",)),
    (
        "cluster",
        "get list",
        (
            "gatewayclasses.gateway.networking.k8s.io",
            "mcpgatewayextensions.mcp.kuadrant.io",
            "catalogsources.operators.coreos.com",
            "packagemanifests.packages.operators.coreos.com",
        ),
    ),
    (
        "operator",
        MANAGE,
        (
            "subscriptions.operators.coreos.com",
            "operatorgroups.operators.coreos.com",
            "clusterserviceversions.operators.coreos.com",
            "installplans.operators.coreos.com",
        ),
    ),
    (
        "gateway",
        MANAGE,
        (
            "gateways.gateway.networking.k8s.io",
            "referencegrants.gateway.networking.k8s.io",
            "dnspolicies.kuadrant.io",
            "authpolicies.kuadrant.io",
            "tlspolicies.kuadrant.io",
            "ratelimitpolicies.kuadrant.io",
        ),
    ),
    ("gateway", "get list watch delete", ("envoyfilters.networking.istio.io",)),
    ("gateway", "get", ("secrets",)),
    (
        "extension",
        MANAGE,
        (
            "mcpgatewayextensions.mcp.kuadrant.io",
            "mcpvirtualservers.mcp.kuadrant.io",
            "httproutes.gateway.networking.k8s.io",
            "authpolicies.kuadrant.io",
            "ratelimitpolicies.kuadrant.io",
            "secrets",
        ),
    ),
    (
        "extension",
        "get list watch delete",
        (
            "services",
            "serviceaccounts",
            "deployments.apps",
        ),
    ),
    (
        "broker",
        MANAGE,
        (
            "deployments.apps",
            "services",
            "serviceaccounts",
            "secrets",
            "poddisruptionbudgets.policy",
            "networkpolicies.networking.k8s.io",
            "horizontalpodautoscalers.autoscaling",
            "servicemonitors.monitoring.coreos.com",
            "httproutes.gateway.networking.k8s.io",
        ),
    ),
    ("broker", "get list watch", ("pods",)),
    (
        "servers",
        MANAGE,
        (
            "mcpserverregistrations.mcp.kuadrant.io",
            "mcpvirtualservers.mcp.kuadrant.io",
            "httproutes.gateway.networking.k8s.io",
            "serviceentries.networking.istio.io",
            "destinationrules.networking.istio.io",
            "secrets",
        ),
    ),
    ("rights", MANAGE, ("roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io")),
    (
        "rights",
        "list watch",
        (
            "mcpserverregistrations.mcp.kuadrant.io",
            "mcpvirtualservers.mcp.kuadrant.io",
            "httproutes.gateway.networking.k8s.io",
            "gateways.gateway.networking.k8s.io",
            "services",
        ),
    ),
    (
        "rights",
        "patch",
        ("mcpserverregistrations/status.mcp.kuadrant.io", "mcpvirtualservers/status.mcp.kuadrant.io"),
    ),
    ("rights", "get", ("secrets",)),
    ("rights", "get list watch create update delete", ("leases.coordination.k8s.io",)),
)
"""ClusterRole without its prefix, verbs, resources as RBAC names them; the file says the same, and a test compares."""


def roles_with(verb: str, resource: str) -> list[str]:
    """The ClusterRoles that have a verb on a resource (``gateways.gateway.networking.k8s.io``)."""
    return [PREFIX + part for part, verbs, resources in RULES if resource in resources and verb in verbs.split()]
