# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP operator stand-in: all MCPVirtualServers together make one list in the broker's configuration.

Source: Kuadrant/mcp-gateway, internal/controller/mcpvirtualserver_controller.go at v0.6.0 and v0.9.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sandbox.client import Object
from sandbox.controllers.operator_base import has_finalizer, nothing
from sandbox.controllers.operator_config import Config, virtual_server_entry
from sandbox.controllers.operator_release import EXTENSIONS, VIRTUAL_SERVERS, Release
from sandbox.controllers.operator_writing import ConfigWriter
from sandbox.controllers.runtime import Key, Watch, key_of
from sandbox.kinds import SECRETS

OLD_NAMESPACE = "mcp-system"
"""Before 0.8 virtual servers only reached the broker in this namespace."""


class VirtualServerController(ConfigWriter):
    """Writes no status and checks no tool name, as the operator."""

    def watches(self) -> Sequence[Watch]:
        return [
            *(Watch(resource) for resource in VIRTUAL_SERVERS),
            *(Watch(resource, self._all) for resource in EXTENSIONS),
            *self.operator_watches(VIRTUAL_SERVERS),
            Watch(SECRETS, nothing),
        ]

    def _all(self, _: Object) -> Iterable[Key]:
        """Since 0.8 an extension that comes or changes gets the list at once."""
        release = self.release()
        found = self.cache(release.virtual_servers).list() if release and release.modern else []
        return [key_of(server) for server in found]

    async def reconcile_for(self, release: Release, key: Key) -> float | None:
        server = self.cache(release.virtual_servers).get(*key)
        if server is None:
            return None
        if server["metadata"].get("deletionTimestamp"):
            if has_finalizer(server):
                # Before 0.8 what is deleted stays in the configuration until another one is written.
                if release.modern:
                    await self._write(release)
                await self.drop_finalizer(release.virtual_servers, server)
            return None
        await self.add_finalizer(release.virtual_servers, server)
        await self._write(release)
        return None

    async def _write(self, release: Release) -> None:
        found = self.cache(release.virtual_servers).list()
        servers = [
            virtual_server_entry(server, release) for server in found if not server["metadata"].get("deletionTimestamp")
        ]

        def change(config: Config) -> None:
            config["virtualServers"] = servers

        for namespace in self._namespaces(release):
            await self.change_config(namespace, change)

    def _namespaces(self, release: Release) -> list[str]:
        if not release.modern:
            return [OLD_NAMESPACE]
        extensions = self.cache(release.extensions).list()
        live = [extension for extension in extensions if not extension["metadata"].get("deletionTimestamp")]
        return sorted({extension["metadata"]["namespace"] for extension in live})
