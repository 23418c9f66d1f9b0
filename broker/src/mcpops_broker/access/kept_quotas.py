# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Quotas in the store that replicas share, so that they outlive a restart of all of them.

Workers tell each other what was used; the store is for those who were not there to hear it. Quotas are stored in parts,
of which only those are written that have changed: all of 100,000 at once would hold up requests for half a second.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import Any

import orjson

from mcpops_broker.access.counters import Counters, Key
from mcpops_broker.store.store import Store

SAVE_EVERY = 5.0
"""Seconds: as much use is forgotten when all replicas are killed at once."""
PARTS = 64
_KEY = "limits:quotas"
_KEEP_FOR = 32 * 86_400.0
"""Seconds: longer than the longest period."""


class KeptQuotas:
    """Keeps the quotas of a worker's counters."""

    def __init__(self, counters: Counters, store: Store) -> None:
        self._counters = counters
        self._store = store
        self._due: dict[int, set[Key]] = {part: set() for part in range(PARTS)}
        """Parts to be read and stored, and what has changed of each; all of them at first."""

    async def run(self) -> None:
        """Take over what is stored, and store what is used, until cancelled."""
        try:
            while True:
                await self.save()
                await asyncio.sleep(SAVE_EVERY)
        finally:
            await self.save()

    async def save(self) -> None:
        """Add what is stored of the parts that have changed to what this worker knows, and store that if it is more."""
        for key in self._counters.changed_quotas():
            self._due.setdefault(zlib.crc32("\0".join(key).encode()) % PARTS, set()).add(key)
        for part in list(self._due):
            await self._save(part, self._due[part])
            del self._due[part]
            await asyncio.sleep(0)  # a store in memory gives others no turn

    async def _save(self, part: int, changed: set[Key]) -> None:
        stored = await self._store.get(f"{_KEY}:{part}")
        known: list[Any] = [] if stored is None else orjson.loads(stored)
        self._counters.learn_quotas(known)
        quotas = self._counters.quotas({tuple(key) for *key, _, _ in known} | changed)
        if sorted(quotas) != sorted(known):
            await self._store.set(f"{_KEY}:{part}", orjson.dumps(quotas), _KEEP_FOR)
