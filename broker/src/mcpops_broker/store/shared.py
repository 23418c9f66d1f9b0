# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The store of all replicas, in Redis or Valkey, with a copy of what this replica knows for the time without it.

Values are sealed on their way out. While the store is away the copy is all there is: what is stored then goes to the
store when that is back, and so does what it has lost.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from redis.asyncio import Redis

from mcpops_broker.bus import Bus
from mcpops_broker.sealed_box import Keys
from mcpops_broker.store.memory import MemoryStore
from mcpops_broker.store.redis_link import RedisLink, StoreDownError
from mcpops_broker.store.store import Store, StoreHealth

_FORGET = "store.forget"
_BATCH = 500
"""Keys that are asked for at once."""
_ADD = """
local known = redis.call('GET', KEYS[1])
if not known then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return known
"""


class SharedStore(Store):
    """One worker's way to the store."""

    def __init__(self, link: RedisLink, keys: Keys, bus: Bus) -> None:
        self._link = link
        self._keys = keys
        self._bus = bus
        self._near = MemoryStore(bus)
        self._unsaved: set[str] = set()
        """Keys that this worker has set or deleted while the store was away."""
        self._epoch = b""
        """What the store was marked with when it was last used: another mark means that it has lost everything."""
        link.before_use(self._restore)
        bus.on(_FORGET, lambda key, sender: self._near.forget(key))

    @property
    def health(self) -> StoreHealth:
        """How the store fares now."""
        return self._link.health

    async def get(self, key: str) -> bytes | None:
        """Return a value; None when there is none, or its time is over."""

        async def work(redis: Redis) -> tuple[bytes | None, int]:
            both = redis.pipeline(transaction=False)
            both.get(self._at(key))
            both.pttl(self._at(key))
            value, left = await both.execute()
            return value, left

        try:
            sealed, left = await self._link.run(work)
        except StoreDownError:
            return await self._near.get(key)
        value = self._opened(key, sealed)
        if value is None:
            self._near.forget(key)
        else:
            self._near.remember(key, value, left / 1000)
        return value

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        """Keep a value for `ttl` seconds, in place of the one before."""
        await self._near.set(key, value, ttl)
        sealed = self._sealed(key, value)
        await self._saved(key, lambda redis: redis.set(self._at(key), sealed, px=_milliseconds(ttl)))

    async def add(self, key: str, value: bytes, ttl: float) -> bytes | None:
        """Keep a value for `ttl` seconds unless there is one, which is returned then; None: it was added."""
        sealed = self._sealed(key, value)
        try:
            known = await self._link.run(
                lambda redis: redis.eval(_ADD, 1, self._at(key), sealed, str(_milliseconds(ttl)))
            )
        except StoreDownError:
            known = await self._near.add(key, value, ttl)
            if known is None:
                self._unsaved.add(key)
            return known
        opened = self._opened(key, known)
        if opened is None:
            await self._near.set(key, value, ttl)
        return opened

    async def take(self, key: str) -> bytes | None:
        """Return a value and delete it; of several that take it at once one gets it."""
        try:
            sealed: Any = await self._link.run(lambda redis: redis.getdel(self._at(key)))
        except StoreDownError:
            self._unsaved.add(key)
            return await self._near.take(key)
        await self._forget(key)
        return self._opened(key, sealed)

    async def delete(self, key: str) -> None:
        """Forget a value. That there is none does not matter."""
        await self._forget(key)
        await self._saved(key, lambda redis: redis.delete(self._at(key)))

    async def keys(self, prefix: str) -> list[str]:
        """Return the keys that begin so, in any order."""
        start = self._at("")

        async def work(redis: Redis) -> list[str]:
            pattern = "".join(f"\\{sign}" if sign in "*?[]\\" else sign for sign in start + prefix) + "*"
            return [key.decode()[len(start) :] async for key in redis.scan_iter(pattern, count=_BATCH)]

        try:
            return list(dict.fromkeys(await self._link.run(work)))
        except StoreDownError:
            return await self._near.keys(prefix)

    def sweep(self) -> None:
        """Forget what has expired; called from time to time."""
        self._near.sweep()

    def _at(self, key: str) -> str:
        return f"{self._link.prefix}kept:{key}"

    def _sealed(self, key: str, value: bytes) -> bytes:
        return self._keys.seal(value, self._at(key).encode())

    def _opened(self, key: str, sealed: bytes | None) -> bytes | None:
        return None if sealed is None else self._keys.open(sealed, self._at(key).encode())

    async def _saved(self, key: str, work: Callable[[Redis], Awaitable[object]]) -> None:
        try:
            await self._link.run(work)
        except StoreDownError:
            self._unsaved.add(key)

    async def _forget(self, key: str) -> None:
        """Forget a value in every worker of every replica, so that none brings it back."""
        await self._near.delete(key)
        self._bus.send(_FORGET, key)

    async def _restore(self, redis: Redis) -> None:
        """Give the store what it has missed; all that this replica knows when it has lost everything."""
        mark = f"{self._link.prefix}epoch"
        await redis.set(mark, secrets.token_hex(8), nx=True)
        epoch: Any = await redis.get(mark)
        if self._epoch and epoch != self._epoch:
            for key in await self._near.keys(""):
                if key not in self._unsaved:
                    await self._give(redis, key, again=True)
        for key in list(self._unsaved):
            await self._give(redis, key, again=False)
            self._unsaved.discard(key)
        self._epoch = epoch

    async def _give(self, redis: Redis, key: str, *, again: bool) -> None:
        known = self._near.known(key)
        if known is None:
            await redis.delete(self._at(key))
            return
        value, left = known
        await redis.set(self._at(key), self._sealed(key, value), px=_milliseconds(left), nx=again)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
