# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Resources of one upstream that somebody wants to hear of, counted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator

Act = Callable[[str], Awaitable[None]]


class Subscriptions:
    """Counts subscriptions by URI, and acts on the first and the last one of each, one after the other."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._lock = asyncio.Lock()

    def __iter__(self) -> Iterator[str]:
        return iter(self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    async def add(self, uri: str, begin: Act) -> None:
        """Count one more; `begin` is awaited for the first. When it fails, nothing is counted."""
        async with self._lock:
            if uri not in self._counts:
                await begin(uri)
            self._counts[uri] = self._counts.get(uri, 0) + 1

    async def remove(self, uri: str, end: Act) -> None:
        """Count one less; `end` is awaited after the last. One that was never added is ignored."""
        async with self._lock:
            left = self._counts.get(uri, 0) - 1
            if left > 0:
                self._counts[uri] = left
            elif left == 0:
                del self._counts[uri]
                await end(uri)
