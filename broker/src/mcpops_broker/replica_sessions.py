# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Upstream sessions of clients, whichever replica carries their requests: found in the store, opened once, and ended by
one worker when the client has ended or nobody has used them for long.

While the store is away each replica opens sessions of its own, and shares them when it is back.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis

from mcpops_broker import logs
from mcpops_broker.background import Background
from mcpops_broker.store.redis_link import RedisLink, StoreDownError
from mcpops_broker.store.session_register import Opening, Place, SessionRegister
from mcpops_broker.upstream.session import UpstreamSession

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker
    from mcpops_broker.upstream.upstream import Upstream

SLACK = 60.0
"""Seconds that a session stays longer than its idle time: workers tell twice in that time which ones they use."""
_BATCH = 500


class ReplicaSessions:
    """What this worker does with the sessions that all replicas know."""

    def __init__(self, broker: Broker, register: SessionRegister, link: RedisLink, background: Background) -> None:
        self._broker = broker
        self._register = register
        self._link = link
        self._background = background
        self._told = 0.0
        """Monotonic seconds when it was last told which sessions are in use."""
        link.before_use(self._restore)

    async def find(self, upstream: Upstream, identity: str, stale: str | None) -> Mapping[str, Any] | str | None:
        """Return a client's session that another replica has open, or the address of the worker that is opening it;
        None: open one here."""
        try:
            known = await self._register.find(_place(upstream, identity), stale)
        except StoreDownError:
            return None
        if isinstance(known, Opening):
            return known.by
        return None if known is None else {**known, "shared": True}

    def opened(self, upstream: Upstream, identity: str, session: UpstreamSession) -> None:
        """Let the other replicas use a session that was opened here."""
        session.shared = False
        self._background.start(self._share(upstream, {identity: session}), "share session")

    def failed(self, upstream: Upstream, identity: str) -> None:
        """Let another replica try to open a session."""
        self._background.start(self._quietly(self._register.failed(_place(upstream, identity))), "share session")

    async def may_end(self, upstream: Upstream, identity: str, session: UpstreamSession) -> bool:
        """Tell whether it is this worker that ends a session: its client has ended, or it has no more use for it."""
        if self._broker.draining and self._others_there:
            return False
        successor = self._broker.upstreams.get(upstream.server.name)
        if successor is not None and successor is not upstream and _digest(successor) == _digest(upstream):
            return False  # the same server under other settings, with a new credential perhaps: it is used on
        try:
            return await self._register.take(_place(upstream, identity)) is not None
        except StoreDownError:
            return not session.borrowed

    def ended(self, identity: str) -> None:
        """End a client's sessions, also those that no worker has which still lives."""
        for upstream in self._broker.upstreams.values():
            self._background.start(self._quietly(self._end(upstream, _place(upstream, identity))), "close session")

    def sweep(self) -> None:
        """Tell the others which sessions are in use here, and end those that are in use nowhere."""
        self._background.start(self._quietly(self._look()), "sweep shared sessions")

    @property
    def _others_there(self) -> bool:
        return len(self._broker.bus.others) > len(self._broker.bus.local.others)

    @property
    def _idle(self) -> float:
        return self._broker.config.broker.session_idle + SLACK

    async def _share(self, upstream: Upstream, sessions: Mapping[str, UpstreamSession]) -> None:
        async def work(redis: Redis) -> None:
            await self._record(upstream, sessions, redis)

        await self._quietly(self._link.run(work))

    async def _record(self, upstream: Upstream, sessions: Mapping[str, UpstreamSession], redis: Redis) -> None:
        of = {_place(upstream, identity): session for identity, session in sessions.items() if session.id is not None}
        about = {place: session.export() for place, session in of.items()}
        shared = await self._register.opened(about, self._idle, redis)
        for place, session in of.items():
            session.shared = place in shared

    async def _restore(self, redis: Redis) -> None:
        """Share what was opened while the store was away, and what it has lost."""
        for upstream in self._broker.upstreams.values():
            sessions = iter(upstream.client_sessions.sharable().items())
            while batch := dict(islice(sessions, _BATCH)):
                await self._record(upstream, batch, redis)

    async def _look(self) -> None:
        since, self._told = self._told, time.monotonic()
        upstreams = {_digest(upstream): upstream for upstream in self._broker.upstreams.values()}
        for digest, upstream in upstreams.items():
            used = upstream.client_sessions.shared(since)
            for start in range(0, len(used), _BATCH):
                await self._register.used([Place(digest, one) for one in used[start : start + _BATCH]], self._idle)
        while due := await self._register.due():
            for place in due:
                if place.upstream in upstreams:
                    await self._end(upstreams[place.upstream], place)
                else:  # the server has left the configuration
                    await self._register.take(place)

    async def _end(self, upstream: Upstream, place: Place) -> None:
        known = await self._register.take(place)
        if known is not None:
            logs.debug("upstream.session.ended", upstream=upstream.server.name, session=place.identity)
            await upstream.end_known(known)

    async def _quietly(self, work: Any) -> None:
        try:
            await work
        except StoreDownError as error:
            logs.debug("sessions.unshared", problem=str(error))  # they are shared when the store is back


def _digest(upstream: Upstream) -> str:
    """Return what the same upstream has in every replica that reads the same configuration."""
    server = upstream.server
    return blake2b(f"{server.name}\0{server.url}".encode(), digest_size=16).hexdigest()


def _place(upstream: Upstream, identity: str) -> Place:
    return Place(_digest(upstream), identity)
