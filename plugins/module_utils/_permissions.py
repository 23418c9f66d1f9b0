# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Which of the collection's own ClusterRoles (playbooks/files/permissions.yml) has a right, for messages."""

from __future__ import annotations

OF_GROUP = {
    "operators.coreos.com": "operator",
    "packages.operators.coreos.com": "cluster",
    "apiextensions.k8s.io": "cluster",
    "networking.istio.io": "servers",
    "kuadrant.io": "gateway",
    "networking.k8s.io": "broker",
    "policy": "broker",
}
OF_RESOURCE = {
    "namespaces": "cluster",
    "catalogsources.operators.coreos.com": "cluster",
    "gatewayclasses.gateway.networking.k8s.io": "cluster",
    "gateways.gateway.networking.k8s.io": "gateway",
    "referencegrants.gateway.networking.k8s.io": "gateway",
    "envoyfilters.networking.istio.io": "gateway",
    "mcpgatewayextensions.mcp.kuadrant.io": "extension",
    "mcpvirtualservers.mcp.kuadrant.io": "extension",
    "mcpserverregistrations.mcp.kuadrant.io": "servers",
    "pods": "broker",
}


def role_with(resource: str) -> str:
    """The ClusterRole for a resource as RBAC names it (``gateways.gateway.networking.k8s.io``).

    Empty for resources that several roles have, or none.
    """
    part = OF_RESOURCE.get(resource) or OF_GROUP.get(resource.partition(".")[2])
    return f"mcpops-gateway-{part}" if part else ""
