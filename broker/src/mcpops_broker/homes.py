# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""One session at an upstream for a client session, whichever worker carries its requests.

Each pair of client and upstream has a home: the worker that opens the session, and that ends it. The others ask the
home for it when they need it first, and say from time to time that they still do. Every replica has a home of its own
for the pair; with a store the homes find the session of one another there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcpops_broker.background import Background
from mcpops_broker.bus import Bus, home_of, numbers
from mcpops_broker.upstream.errors import UpstreamError
from mcpops_broker.upstream.exchange import Client

if TYPE_CHECKING:
    from mcpops_broker.replica_sessions import ReplicaSessions
    from mcpops_broker.upstream.session import UpstreamSession
    from mcpops_broker.upstream.upstream import Upstream

PATIENCE = 35.0
"""Seconds that the home gets to open a session (an upstream gets 30 to answer). Then a second one is opened here."""
_WANTED, _OPEN, _USED = "session.wanted", "session.open", "session.used"


class Homes:
    """What this worker has of the sessions of others, and they of its own."""

    def __init__(
        self,
        bus: Bus,
        background: Background,
        upstreams: Callable[[], Mapping[str, Upstream]],
        elsewhere: ReplicaSessions | None = None,
    ) -> None:
        self._bus = bus
        self._workers = bus.local
        self.elsewhere = elsewhere
        """The sessions of other replicas."""
        self._background = background
        self._upstreams = upstreams
        """Gives those of the current configuration, by name."""
        self._numbers = numbers()
        self._waiting: dict[int, tuple[str, asyncio.Future[Mapping[str, Any] | None]]] = {}
        """Questions to homes: whom, and the answer to come."""
        self._bus.on(_WANTED, self._wanted)
        self._bus.on(_OPEN, self._open)
        self._bus.on(_USED, self._used)

    def serve(self, upstream: Upstream) -> None:
        """Have an upstream look for sessions at their homes."""
        if self._workers.others or self.elsewhere is not None:
            upstream.keep_sessions_by(_Keeper(self, upstream))

    def worker_gone(self, address: str) -> None:
        """Give up what was asked of a worker that died."""
        for whom, answer in self._waiting.values():
            if whom == address and not answer.done():
                answer.set_result(None)

    def sweep(self) -> None:
        """Tell the homes which of their sessions are still in use here."""
        used: dict[str, list[tuple[str, str]]] = {}
        for name, upstream in self._upstreams().items():
            for identity in upstream.borrowed():
                used.setdefault(self._home(name, identity), []).append((name, identity))
        for home, sessions in used.items():
            if home != self._bus.here:
                self._bus.send(_USED, sessions, home)
        if self.elsewhere is not None:
            self.elsewhere.sweep()

    def is_home(self, upstream: str, identity: str) -> bool:
        """Tell whether this worker is the home of a pair in its replica."""
        return self._home(upstream, identity) == self._bus.here

    def _home(self, upstream: str, identity: str) -> str:
        return home_of(self._workers, f"{upstream} {identity}")

    async def find(self, upstream: Upstream, client: Client, stale: str | None) -> Mapping[str, Any] | None:
        """Return a client's session from its home; None: this worker is the home, or the home cannot help."""
        name = upstream.server.name
        home = self._home(name, client.identity)
        if home != self._bus.here:
            return await self._ask(home, name, client, stale, client.authorization)
        if self.elsewhere is None:
            return None
        known = await self.elsewhere.find(upstream, client.identity, stale)
        if not isinstance(known, str):
            return known
        found = await self._ask(known, name, client, stale, None)
        return None if found is None else {**found, "shared": True}

    async def _ask(
        self, home: str, upstream: str, client: Client, stale: str | None, authorization: str | None
    ) -> Mapping[str, Any] | None:
        number = next(self._numbers)
        answer: asyncio.Future[Mapping[str, Any] | None] = asyncio.get_running_loop().create_future()
        self._waiting[number] = (home, answer)
        who = [client.identity, client.version, dict(client.capabilities), authorization]
        self._bus.send(_WANTED, [number, upstream, who, stale], home)
        try:
            async with asyncio.timeout(PATIENCE):
                return await answer
        except TimeoutError:
            return None
        finally:
            del self._waiting[number]

    def _wanted(self, value: tuple[int, str, list[Any], str | None], sender: str) -> None:
        self._background.start(self._lend(*value, sender), "lend session")

    async def _lend(self, number: int, name: str, who: list[Any], stale: str | None, sender: str) -> None:
        identity, version, capabilities, authorization = who
        client = Client(identity, version, capabilities=capabilities, authorization=authorization)
        upstream = self._upstreams().get(name)
        session = None
        if upstream is not None:
            with suppress(UpstreamError):  # the other worker finds out for itself, and can say so to its client
                session = await upstream.session_for(client, stale)
        self._bus.send(_OPEN, [number, session], sender)

    def _open(self, value: tuple[int, Mapping[str, Any] | None], sender: str) -> None:
        number, session = value
        if number in self._waiting and not self._waiting[number][1].done():
            self._waiting[number][1].set_result(session)

    def _used(self, value: list[tuple[str, str]], sender: str) -> None:
        for name, identity in value:
            upstream = self._upstreams().get(name)
            if upstream is not None:
                upstream.session_used(identity)


@dataclass(frozen=True, slots=True)
class _Keeper:
    """What one upstream's link asks and tells."""

    homes: Homes
    upstream: Upstream

    async def find(self, client: Client, stale: str | None) -> Mapping[str, Any] | None:
        return await self.homes.find(self.upstream, client, stale)

    def opened(self, client: Client, session: UpstreamSession) -> None:
        if self.homes.elsewhere is not None and self.homes.is_home(self.upstream.server.name, client.identity):
            self.homes.elsewhere.opened(self.upstream, client.identity, session)

    def failed(self, client: Client) -> None:
        if self.homes.elsewhere is not None:
            self.homes.elsewhere.failed(self.upstream, client.identity)

    async def may_end(self, identity: str, session: UpstreamSession) -> bool:
        if self.homes.elsewhere is None:
            return True
        return await self.homes.elsewhere.may_end(self.upstream, identity, session)
