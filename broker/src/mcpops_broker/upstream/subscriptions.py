# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Resources of one upstream that somebody wants to hear of, counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager

Act = Callable[[str], Awaitable[None]]


class Subscriptions:
    """Counts subscriptions by URI, and acts on the first and the last one of each. What is done for a URI is done one
    after the other; that the upstream is slow with one keeps nobody from the others."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}
        """By URI, with how many hold the lock or wait for it."""

    def __iter__(self) -> Iterator[str]:
        return iter(self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    def expect(self, uris: Iterable[str]) -> None:
        """Count subscriptions that clients have already; whoever connects to the upstream acts on them."""
        for uri in uris:
            self._counts[uri] = self._counts.get(uri, 0) + 1

    async def add(self, uri: str, begin: Act) -> None:
        """Count one more; `begin` is awaited for the first. When it fails, nothing is counted."""
        async with self._turn(uri):
            if uri not in self._counts:
                await begin(uri)
            self._counts[uri] = self._counts.get(uri, 0) + 1

    async def remove(self, uri: str, end: Act) -> None:
        """Count one less; `end` is awaited after the last. One that was never added is ignored."""
        async with self._turn(uri):
            left = self._counts.get(uri, 0) - 1
            if left > 0:
                self._counts[uri] = left
            elif left == 0:
                del self._counts[uri]
                await end(uri)

    @asynccontextmanager
    async def _turn(self, uri: str) -> AsyncIterator[None]:
        lock, users = self._turns.get(uri, (asyncio.Lock(), 0))
        self._turns[uri] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            users = self._turns[uri][1] - 1
            if users:
                self._turns[uri] = lock, users
            else:
                del self._turns[uri]
