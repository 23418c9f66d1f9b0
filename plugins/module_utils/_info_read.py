# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Reading everything that an MCP gateway consists of: one request a kind, and as much as this user may see."""

from __future__ import annotations

import functools

from ansible_collections.mcpops.gateway.plugins.module_utils._client import ApiClient, Object
from ansible_collections.mcpops.gateway.plugins.module_utils._discovery import Discovery
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import Forbidden
from ansible_collections.mcpops.gateway.plugins.module_utils._plan import run_all

MCP, GATEWAY, OLM, KUADRANT, ISTIO = (
    "mcp.kuadrant.io",
    "gateway.networking.k8s.io",
    "operators.coreos.com",
    "kuadrant.io",
    "networking.istio.io",
)
EXTENSION = "MCPGatewayExtension"
POLICIES = ("DNSPolicy", "AuthPolicy", "TLSPolicy", "RateLimitPolicy")
BESIDE_GATEWAYS = (
    (GATEWAY, "Gateway"),
    (GATEWAY, "ReferenceGrant"),
    (ISTIO, "EnvoyFilter"),
    *((KUADRANT, kind) for kind in POLICIES),
)
"""Kinds that live in the namespace of a Gateway, which is often another one than the extension's."""
KINDS = (
    (MCP, EXTENSION),
    (MCP, "MCPServerRegistration"),
    (MCP, "MCPVirtualServer"),
    (GATEWAY, "HTTPRoute"),
    (OLM, "Subscription"),
    (OLM, "ClusterServiceVersion"),
    *BESIDE_GATEWAYS,
)


class Reader:
    """What was found, by kind; what the cluster does not serve and what this user may not list, each told once."""

    def __init__(self, client: ApiClient, namespace: str | None) -> None:
        self.found: dict[str, list[Object]] = {}
        self.not_served: list[str] = []
        self.not_allowed: list[str] = []
        self._client = client
        self._discovery = Discovery(client)
        self._namespace = namespace
        self._narrow: set[str] = set()

    def read_all(self) -> None:
        """All kinds side by side; with rights on single namespaces only, those of the extensions' Gateways, too."""
        run_all([functools.partial(self._read, group, kind) for group, kind in KINDS])
        elsewhere = {
            str((one.get("spec") or {}).get("targetRef", {}).get("namespace") or self._namespace)
            for one in self.found.get(EXTENSION, [])
        } - {self._namespace}
        run_all(
            [
                functools.partial(self._read_more, group, kind, place)
                for group, kind in BESIDE_GATEWAYS
                if kind in self._narrow
                for place in sorted(elsewhere)
            ]
        )

    def versions(self, group: str) -> list[str]:
        """The versions of a group that the cluster serves, the preferred one first."""
        return self._discovery.versions(group)

    def _read(self, group: str, kind: str) -> None:
        """All objects of a kind; of the one namespace when this user has no rights on all."""
        resource = self._discovery.find_in_group(group, kind)
        if resource is None:
            self.not_served.append(kind)
            return
        for place in dict.fromkeys((None, self._namespace)):
            try:
                self.found[kind] = self._client.list(resource, place)[0]
            except Forbidden:
                continue
            if place is not None:
                self._narrow.add(kind)
            return
        self.not_allowed.append(kind)

    def _read_more(self, group: str, kind: str, place: str) -> None:
        resource = self._discovery.find_in_group(group, kind)
        if resource is None:
            return
        try:
            self.found[kind] += self._client.list(resource, place)[0]
        except Forbidden:
            self.not_allowed.append(f"{kind} in {place}")
