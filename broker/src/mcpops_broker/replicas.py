# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What a worker shares with those of other replicas, put together. Imported only where a store is configured: the
client library takes 9 MB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mcpops_broker.background import Background
from mcpops_broker.bus import Bus
from mcpops_broker.config.store import StoreOptions
from mcpops_broker.replica_sessions import ReplicaSessions
from mcpops_broker.sealed_box import Keys
from mcpops_broker.store.redis_link import RedisLink
from mcpops_broker.store.session_register import SessionRegister
from mcpops_broker.store.shared import SharedStore
from mcpops_broker.store.wide_bus import WideBus

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker


class Replicas:
    """The store and the bus of all replicas. Make it inside the running event loop; `secrets` seal what is stored."""

    def __init__(self, options: StoreOptions, secrets: Sequence[bytes], local: Bus) -> None:
        self._background = Background()
        self.keys = keys = Keys(b"mcpops-broker store", secrets)
        self.link = RedisLink(options, self._background)
        self.bus = WideBus(local, self.link, keys, self._background)
        self.store = SharedStore(self.link, keys, self.bus)

    def sessions(self, broker: Broker) -> ReplicaSessions:
        """Make what the broker's homes have of the sessions of other replicas."""
        register = SessionRegister(self.link, self.keys, self.bus.here)
        return ReplicaSessions(broker, register, self.link, self._background)

    async def close(self) -> None:
        """Tell the others that this worker stops, and close the connections."""
        await self.bus.close()
        await self._background.close()
        await self.link.close()
