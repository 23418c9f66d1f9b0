# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Quotas in the store that replicas share, so that they outlive a restart of all of them.

Workers tell each other what was used; the store is for those who were not there to hear it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from mcpops_broker.access.counters import Counters
from mcpops_broker.store.store import Store

SAVE_EVERY = 5.0
"""Seconds: as much use is forgotten when all replicas are killed at once."""
_KEY = "limits:quotas"
_KEEP_FOR = 32 * 86_400.0
"""Seconds: longer than the longest period."""


class KeptQuotas:
    """Keeps the quotas of a worker's counters."""

    def __init__(self, counters: Counters, store: Store) -> None:
        self._counters = counters
        self._store = store

    async def run(self) -> None:
        """Take over what is stored, and store what is used, until cancelled."""
        try:
            while True:
                await self.save()
                await asyncio.sleep(SAVE_EVERY)
        finally:
            await self.save()

    async def save(self) -> None:
        """Add what is stored to what this worker knows, and store that if it is more."""
        stored = await self._store.get(_KEY)
        known: list[Any] = [] if stored is None else orjson.loads(stored)
        self._counters.learn_quotas(known)
        quotas = self._counters.quotas()
        if sorted(quotas) != sorted(known):
            await self._store.set(_KEY, orjson.dumps(quotas), _KEEP_FOR)
