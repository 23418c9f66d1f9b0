# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The store of a replica without a shared one: every worker has all of it.

What is set is told to the other workers at once. What only one of them may get (`add`, `take`) is decided by the
worker at which the key is at home. A worker that starts is told everything by the others, so the store is lost with
the last worker only.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from mcpops_broker.bus import STARTED, Bus, home_of, numbers
from mcpops_broker.store.store import Store, StoreHealth

MOST = 100_000
"""Values that are kept; beyond that the one that was set first is forgotten."""
PATIENCE = 2.0
"""Seconds that a key's home gets to decide; then the worker that asks decides for itself."""
_SET, _DELETE, _ALL, _ASK, _ANSWER = "store.set", "store.delete", "store.all", "store.ask", "store.answer"


class MemoryStore(Store):
    """One worker's copy. `clock` gives seconds that all workers count alike."""

    def __init__(self, bus: Bus, clock: Callable[[], float] = time.monotonic) -> None:
        self._bus = bus = bus.local
        self._clock = clock
        self._values: dict[str, tuple[bytes, float]] = {}
        """Values and when they expire, by key."""
        self._numbers = numbers()
        self._waiting: dict[int, tuple[str, asyncio.Future[list[str | None] | None]]] = {}
        """Questions to homes: whom, and the answer to come; None: decide here."""
        self._health = StoreHealth("memory", connected=True, since=time.time())
        bus.on(_SET, lambda values, sender: self._put(values))
        bus.on(_ALL, lambda values, sender: self._put([one for one in values if one[0] not in self._values]))
        bus.on(_DELETE, lambda key, sender: self.forget(key))
        bus.on(_ASK, self._asked)
        bus.on(_ANSWER, self._answered)
        bus.on(STARTED, self._worker_started)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def health(self) -> StoreHealth:
        """How the store fares now: always well."""
        return self._health

    async def get(self, key: str) -> bytes | None:
        """Return a value; None when there is none, or its time is over."""
        return self._get(key)

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        """Keep a value for `ttl` seconds, in place of the one before."""
        self._share(key, value, self._clock() + ttl)

    async def add(self, key: str, value: bytes, ttl: float) -> bytes | None:
        """Keep a value for `ttl` seconds unless there is one, which is returned then; None: it was added."""
        return await self._decide("add", key, value.decode("latin-1"), self._clock() + ttl)

    async def take(self, key: str) -> bytes | None:
        """Return a value and delete it; of several that take it at once one gets it."""
        return await self._decide("take", key)

    async def delete(self, key: str) -> None:
        """Forget a value. That there is none does not matter."""
        self.forget(key)
        self._bus.send(_DELETE, key)

    async def keys(self, prefix: str) -> list[str]:
        """Return the keys that begin so, in any order."""
        now = self._clock()
        return [key for key, (_, expires) in self._values.items() if key.startswith(prefix) and expires > now]

    def sweep(self) -> None:
        """Forget what has expired; called from time to time."""
        now = self._clock()
        for key in [key for key, (_, expires) in self._values.items() if expires <= now]:
            del self._values[key]

    def known(self, key: str) -> tuple[bytes, float] | None:
        """Return a value and the seconds that it will be kept; None when there is none."""
        value, expires = self._values.get(key, (b"", 0.0))
        left = expires - self._clock()
        return (value, left) if left > 0 else None

    def remember(self, key: str, value: bytes, ttl: float) -> None:
        """Keep a value in this worker alone: others have it from elsewhere."""
        self._put([(key, value.decode("latin-1"), self._clock() + ttl)])

    def forget(self, key: str) -> None:
        """Forget a value in this worker alone."""
        self._values.pop(key, None)

    def _get(self, key: str) -> bytes | None:
        known = self.known(key)
        return None if known is None else known[0]

    def _share(self, key: str, value: bytes, expires: float) -> None:
        """Keep a value here and at the other workers."""
        values = [(key, value.decode("latin-1"), expires)]
        self._put(values)
        self._bus.send(_SET, values)

    def _put(self, values: list[tuple[str, str, float]]) -> None:
        for key, value, expires in values:
            self._values.pop(key, None)
            self._values[key] = (value.encode("latin-1"), expires)
            if len(self._values) > MOST:
                del self._values[next(iter(self._values))]

    async def _decide(self, what: str, key: str, *more: Any) -> bytes | None:
        """Have the key's home decide, or do so here when it is here or does not answer."""
        home = home_of(self._bus, key)
        if home != self._bus.here:
            number = next(self._numbers)
            answer: asyncio.Future[list[str | None] | None] = asyncio.get_running_loop().create_future()
            self._waiting[number] = (home, answer)
            self._bus.send(_ASK, [number, what, key, *more], home)
            try:
                async with asyncio.timeout(PATIENCE):
                    decided = await answer
            except TimeoutError:
                decided = None
            finally:
                del self._waiting[number]
            if decided is not None:
                value = decided[0]
                return None if value is None else value.encode("latin-1")
        return self._decide_here(what, key, *more)

    def _decide_here(self, what: str, key: str, *more: Any) -> bytes | None:
        known = self._get(key)
        if what == "add" and known is None:
            value, expires = more
            self._share(key, value.encode("latin-1"), expires)
        elif what == "take" and known is not None:
            self.forget(key)
            self._bus.send(_DELETE, key)
        return known

    def _asked(self, value: list[Any], sender: str) -> None:
        number, *question = value
        known = self._decide_here(*question)
        self._bus.send(_ANSWER, [number, None if known is None else known.decode("latin-1")], sender)

    def _answered(self, value: list[Any], sender: str) -> None:
        number, *decided = value
        if number in self._waiting and not self._waiting[number][1].done():
            self._waiting[number][1].set_result(decided)

    def _worker_started(self, value: object, sender: str) -> None:
        """Tell a new worker everything, and expect no answer to what its predecessor was asked."""
        now = self._clock()
        known = [(key, value.decode("latin-1"), at) for key, (value, at) in self._values.items() if at > now]
        self._bus.send(_ALL, known, sender)
        for whom, answer in self._waiting.values():
            if whom == sender and not answer.done():
                answer.set_result(None)
