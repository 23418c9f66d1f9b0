# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Which sessions clients have at upstreams, known to all replicas: one opens a session, all use it, and whoever looks
first ends one that nobody uses any more, also when the replica that opened it is gone.

A record is a hash: `id` (a digest of the session's id) and `about` (sealed: what another worker needs to use it), or
`by`, the address of the worker that is opening it. Beside the records is a list of when each was used last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson
from redis.asyncio import Redis

from mcpops_broker.sealed_box import Keys
from mcpops_broker.store.redis_link import RedisLink

CLAIM = 40.0
"""Seconds that a worker gets to open a session before another one may do it."""
MOST_DUE = 100
"""Sessions that one worker ends at a time."""
_FIND = """
local id = redis.call('HGET', KEYS[1], 'id')
if id and id ~= ARGV[1] then return {'open', redis.call('HGET', KEYS[1], 'about')} end
local by = redis.call('HGET', KEYS[1], 'by')
if by and by ~= ARGV[2] then return {'opening', by} end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'by', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return {'claimed', ''}
"""
_OPENED = """
local id = redis.call('HGET', KEYS[1], 'id')
if id then return id == ARGV[2] and 1 or 0 end
local by = redis.call('HGET', KEYS[1], 'by')
if by and by ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'id', ARGV[2], 'about', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
local now = redis.call('TIME')
redis.call('ZADD', KEYS[2], now[1] * 1000 + ARGV[5], ARGV[6])
return 1
"""
_FAILED = """
if redis.call('HGET', KEYS[1], 'by') == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""
_TAKE = """
local about = redis.call('HGET', KEYS[1], 'about')
if about then
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
end
return about
"""
_USED = """
local now = redis.call('TIME')
for number = 2, #KEYS do
  redis.call('ZADD', KEYS[1], 'XX', now[1] * 1000 + ARGV[1], ARGV[number + 1])
  redis.call('PEXPIRE', KEYS[number], ARGV[2])
end
"""
_DUE = """
local now = redis.call('TIME')
local due = redis.call('ZRANGEBYSCORE', KEYS[1], 0, now[1] * 1000, 'LIMIT', 0, ARGV[1])
if #due > 0 then redis.call('ZREM', KEYS[1], unpack(due)) end
return due
"""


class Place(NamedTuple):
    """Whose session at which upstream."""

    upstream: str
    """A digest that is equal for the same upstream at the same address."""
    identity: str

    def __str__(self) -> str:
        return f"{self.upstream}:{self.identity}"


class Opening(NamedTuple):
    """A session that another worker is opening."""

    by: str


class SessionRegister:
    """One worker's view. Every method raises `StoreDownError` when the store is away."""

    def __init__(self, link: RedisLink, keys: Keys, here: str) -> None:
        self._link = link
        self._keys = keys
        self._here = here
        self._idle = f"{link.prefix}sessions"

    async def find(self, place: Place, stale: str | None) -> Mapping[str, Any] | Opening | None:
        """Return a session that is open, or who is opening it; None: this worker is to open it and say how that went.
        `stale` is the id of one that the upstream has forgotten."""
        known = await self._script(_FIND, [self._key(place)], _digest(stale), self._here, _milliseconds(CLAIM))
        state, value = known
        if state == b"opening":
            return Opening(value.decode())
        return self._about(place, value) if state == b"open" else None

    async def opened(self, sessions: Mapping[Place, Mapping[str, Any]], idle: float, redis: Redis) -> set[Place]:
        """Record sessions that were opened; return those that all replicas use from now on. The others have one that
        another replica has opened meanwhile."""
        async with redis.pipeline(transaction=False) as all_at_once:
            for place, about in sessions.items():
                key = self._key(place)
                sealed = self._keys.seal(orjson.dumps(about), key.encode())
                rest = (self._here, _digest(about["id"]), sealed, _lasting(idle), _milliseconds(idle), str(place))
                all_at_once.eval(_OPENED, 2, key, self._idle, *rest)
            done = await all_at_once.execute()
        return {place for place, shared in zip(sessions, done, strict=True) if shared}

    async def failed(self, place: Place) -> None:
        """Let another worker try to open a session."""
        await self._script(_FAILED, [self._key(place)], self._here)

    async def take(self, place: Place) -> Mapping[str, Any] | None:
        """Forget a session and return it; of several workers that want to end it one gets it."""
        return self._about(place, await self._script(_TAKE, [self._key(place), self._idle], str(place)))

    async def used(self, places: Iterable[Place], idle: float) -> None:
        """Take note that sessions were used a moment ago."""
        places = list(places)
        keys = [self._idle, *map(self._key, places)]
        if places:
            await self._script(_USED, keys, _milliseconds(idle), _lasting(idle), *map(str, places))

    async def due(self) -> list[Place]:
        """Return whose sessions nobody has used for long; each is given to one worker, which is to `take` it."""
        found = await self._script(_DUE, [self._idle], str(MOST_DUE))
        return [Place(*one.decode().split(":", 1)) for one in found]

    def _key(self, place: Place) -> str:
        return f"{self._link.prefix}session:{place}"

    def _about(self, place: Place, sealed: bytes | None) -> Mapping[str, Any] | None:
        plain = None if sealed is None else self._keys.open(sealed, self._key(place).encode())
        if plain is None:
            return None
        about: Mapping[str, Any] = orjson.loads(plain)
        return about

    async def _script(self, script: str, keys: list[str], *arguments: str) -> Any:
        async def work(redis: Redis) -> Any:
            return await redis.eval(script, len(keys), *keys, *arguments)

        return await self._link.run(work)


def _digest(session_id: str | None) -> str:
    return "" if session_id is None else hashlib.blake2b(session_id.encode(), digest_size=16).hexdigest()


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))


def _lasting(idle: float) -> str:
    """For how long a record is kept: long enough that somebody ends the session first."""
    return _milliseconds(2 * idle + 300)
