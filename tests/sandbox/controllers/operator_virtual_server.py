# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: all MCPVirtualServers together make one list in the broker's configuration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sandbox.client import Object
from sandbox.controllers.operator_base import Config, OperatorController, nothing
from sandbox.controllers.operator_release import EXTENSIONS, SECRETS, VIRTUAL_SERVERS, Release, named
from sandbox.controllers.runtime import Key, Watch

OLD_NAMESPACE = "mcp-system"
"""Before 0.8 virtual servers only reached the broker in this namespace."""


def entry(virtual_server: Object) -> dict[str, Any]:
    """A virtual server in the broker's configuration; without prompts it shows all of them."""
    spec = virtual_server["spec"]
    found: dict[str, Any] = {"name": named(virtual_server), "tools": spec["tools"]}
    if spec.get("prompts"):
        found["prompts"] = spec["prompts"]
    return found


class VirtualServerController(OperatorController):
    """Writes no status and checks no tool name, as the operator."""

    def watches(self) -> Sequence[Watch]:
        return [
            *(Watch(resource) for resource in VIRTUAL_SERVERS),
            *(Watch(resource, self._all) for resource in EXTENSIONS),
            *self.operator_watches(VIRTUAL_SERVERS),
            Watch(SECRETS, nothing),
        ]

    def _all(self, _: Object) -> Iterable[Key]:
        release = self.release()
        servers = self.cache(release.virtual_servers).list() if release else []
        return [(server["metadata"]["namespace"], server["metadata"]["name"]) for server in servers]

    async def reconcile(self, key: Key) -> float | None:
        release = self.release()
        server = self.cache(release.virtual_servers).get(*key) if release else None
        if release is None or server is None:
            return None
        leaving = bool(server["metadata"].get("deletionTimestamp"))
        if not leaving and await self.add_finalizer(release.virtual_servers, server):
            return None
        servers = [
            entry(found)
            for found in self.cache(release.virtual_servers).list()
            if not found["metadata"].get("deletionTimestamp")
        ]

        def change(config: Config) -> None:
            config["virtualServers"] = servers

        for namespace in self._namespaces(release):
            await self.change_config(namespace, change)
        if leaving:
            await self.drop_finalizer(release.virtual_servers, server)
        return None

    def _namespaces(self, release: Release) -> list[str]:
        if not release.modern:
            return [OLD_NAMESPACE]
        return sorted(
            {
                extension["metadata"]["namespace"]
                for extension in self.cache(release.extensions).list()
                if not extension["metadata"].get("deletionTimestamp")
            }
        )
