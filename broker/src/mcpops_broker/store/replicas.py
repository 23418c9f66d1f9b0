# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What a worker shares with those of other replicas, put together. Imported only where a store is configured: the
client library takes 9 MB."""

from __future__ import annotations

from mcpops_broker.background import Background
from mcpops_broker.bus import Bus
from mcpops_broker.config.store import StoreOptions
from mcpops_broker.store.box import Box
from mcpops_broker.store.redis_link import RedisLink
from mcpops_broker.store.shared import SharedStore
from mcpops_broker.store.wide_bus import WideBus


class Replicas:
    """The store and the bus of all replicas. Make it inside the running event loop; `secret` seals what is stored."""

    def __init__(self, options: StoreOptions, secret: bytes, local: Bus) -> None:
        self._background = Background()
        box = Box([secret])
        self.link = RedisLink(options, self._background)
        self.bus = WideBus(local, self.link, box, self._background)
        self.store = SharedStore(self.link, box, self.bus)
        self.link.start()

    async def close(self) -> None:
        """Tell the others that this worker stops, and close the connections."""
        await self.bus.close()
        await self._background.close()
        await self.link.close()
