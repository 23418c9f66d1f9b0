# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Going on with a stream after a disconnection (GET with Last-Event-ID), at whichever worker the client arrives.

The worker that has the stream sends its events over the bus to the one that has the connection.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from mcpops_broker.bus import numbers
from mcpops_broker.mcp.event_log import KEEP_ALIVE, EventLog, Follower, Write, worker_of
from mcpops_broker.protocol import sse
from mcpops_broker.protocol.versions import PRIMING_VERSIONS, RESUMABLE_VERSIONS

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker
    from mcpops_broker.catalogue.scope import Scope
    from mcpops_broker.principal import Principal
    from mcpops_broker.sessions.seal import SessionKey

ANSWER_TIMEOUT = 5.0
"""Seconds that another worker gets to say whether it has a stream."""
_LARGEST_BACKLOG = 4 << 20
"""Bytes from another worker that wait for a client, beside one event however large it is; one that reads so slowly is
cut off, and may come back."""


class Source(Protocol):
    """Where a connection gets events from."""

    async def run(self, write: Write) -> bool:
        """Write events until the stream has ended; False when it has not, but nothing more is to be read."""

    def stop(self) -> None:
        """Read no more."""


class Resumption:
    """Finds streams by their events, here and at the other workers, and serves the other workers' clients."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._numbers = numbers()
        self._remote: dict[int, _Remote] = {}
        """What this worker's clients read of other workers, by a number of our own."""
        self._served: dict[tuple[str, int], Source] = {}
        """What other workers' clients read of this one."""
        bus = broker.bus
        bus.on("follow", self._follow)
        bus.on("follow.event", self._event)
        bus.on("follow.end", self._end)
        bus.on("unfollow", self._unfollow)

    def __len__(self) -> int:
        return len(self._remote) + len(self._served)

    def begin(self, key: SessionKey, scope: Scope, principal: Principal) -> Source:
        """Begin a notification stream of a session."""
        feed = self._broker.streams.open(
            key.identity,
            scope,
            principal,
            resumable=key.version in RESUMABLE_VERSIONS,
            primes=key.version in PRIMING_VERSIONS,
        )
        return _Local(self._broker, feed.log, 0)

    async def find(self, event_id: str, identity: str) -> Source | None:
        """Return what comes after an event of a session; None when the stream is gone or was too much to keep."""
        found = self._broker.event_logs.find(event_id, identity)
        if found is not None:
            return _Local(self._broker, *found)
        worker = worker_of(event_id)
        if not self._broker.bus.knows(worker):
            return None
        remote = _Remote(self, worker, next(self._numbers))
        self._remote[remote.number] = remote
        self._broker.bus.send("follow", [remote.number, event_id, identity], worker)
        if await remote.exists():
            return remote
        self.forget(remote)
        return None

    def forget(self, remote: _Remote) -> None:
        """Read a stream of another worker no more."""
        if self._remote.pop(remote.number, None) is not None:
            self._broker.bus.send("unfollow", remote.number, remote.worker)

    def worker_gone(self, address: str) -> None:
        """End what was read by and from a worker that died."""
        for (reader, _), source in list(self._served.items()):
            if reader == address:
                source.stop()
        for remote in list(self._remote.values()):
            if remote.worker == address:
                remote.put(None)

    def _follow(self, value: list[Any], sender: str) -> None:
        number, event_id, identity = value
        found = self._broker.event_logs.find(event_id, identity)
        if found is None:
            self._broker.bus.send("follow.end", number, sender)
            return
        self._broker.bus.send("follow.event", [number, ""], sender)
        source = self._served[sender, number] = _Local(self._broker, *found)
        self._broker.background.start(self._serve(source, sender, number), "serve stream")

    async def _serve(self, source: Source, reader: str, number: int) -> None:
        bus = self._broker.bus

        async def write(events: bytes) -> None:
            bus.send("follow.event", [number, events.decode()], reader)

        try:
            await source.run(write)
        finally:
            del self._served[reader, number]
            bus.send("follow.end", number, reader)

    def _unfollow(self, number: int, sender: str) -> None:
        source = self._served.get((sender, number))
        if source is not None:
            source.stop()

    def _event(self, value: list[Any], sender: str) -> None:
        remote = self._remote.get(value[0])
        if remote is not None:
            remote.put(value[1].encode())

    def _end(self, number: int, sender: str) -> None:
        remote = self._remote.get(number)
        if remote is not None:
            remote.put(None)


class _Local:
    """A stream of this worker."""

    def __init__(self, broker: Broker, log: EventLog, after: int) -> None:
        self._streams = broker.streams
        self._log = log
        self._after = after
        self._follower = Follower(log, after)

    async def run(self, write: Write) -> bool:
        await write(self._log.prime(self._after))
        feed = self._streams.feed_of(self._log)
        if feed is None:
            return await self._follower.run(write)
        self._streams.join(feed)
        try:
            return await self._follower.run(write)
        finally:
            self._streams.leave(feed)

    def stop(self) -> None:
        self._follower.stop()


class _Remote:
    """A stream of another worker, read here. The first that comes says that the stream exists: an empty event."""

    def __init__(self, resumption: Resumption, worker: str, number: int) -> None:
        self.worker = worker
        self.number = number
        self._resumption = resumption
        self._events: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._waiting = 0
        """Bytes that are queued."""

    def put(self, events: bytes | None) -> None:
        """Queue what came; None: nothing more will come."""
        if self._waiting > _LARGEST_BACKLOG:
            events = None
        self._waiting += len(events or b"")
        self._events.put_nowait(events)

    async def exists(self) -> bool:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                return await self._events.get() is not None
        except TimeoutError:
            return False

    async def run(self, write: Write) -> bool:
        try:
            while True:
                try:
                    async with asyncio.timeout(KEEP_ALIVE):
                        events = await self._events.get()
                except TimeoutError:
                    events = sse.KEEP_ALIVE
                else:
                    self._waiting -= len(events or b"")
                if events is None:
                    return True
                await write(events)
        finally:
            self._resumption.forget(self)

    def stop(self) -> None:
        self.put(None)
