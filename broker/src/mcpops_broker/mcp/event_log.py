# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Streams of events that outlive their connection, so that a client that was cut off can go on where it was.

Rules: MCP basic/transports 2025-03-26 to 2025-11-25, "Resumability and Redelivery". An event's id is the stream's name
and the event's number in it; the name begins with the address of the worker that has the stream.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from itertools import count

from mcpops_broker.protocol import sse

KEEP_ALIVE = 15.0
"""Seconds between two comments on a quiet stream."""
RESUME_GRACE = 60.0
"""Seconds for which a stream waits for its client to come back, and for which a complete one can be read again."""
RETRY = 1000
"""Milliseconds that a client should wait before it comes back (the `retry` field)."""
LARGEST_LOG = 1 << 20
"""Bytes that one stream keeps; the newest event is kept however large it is."""
LARGEST_TOTAL = 32 << 20
"""Bytes that all streams of a worker keep; beyond that complete streams are forgotten, the oldest first, and then
events of streams that go on."""
MOST_COMPLETE = 10_000
"""Complete streams that are kept."""

Write = Callable[[bytes], Awaitable[None]]
"""Writes bytes of a stream of events to a client."""


class EventLog:
    """One stream: the messages that were or will be sent on it.

    Without a name (MCP 2024-11-05) its events have no ids and nobody can come back to it.
    """

    __slots__ = (
        "_events",
        "_keeper",
        "_size",
        "ended",
        "follower",
        "identity",
        "last",
        "left",
        "name",
        "primes",
        "read",
    )

    def __init__(self, keeper: EventLogs, identity: str, name: str | None, *, primes: bool) -> None:
        self.name = name
        self.identity = identity
        """Of the session whose stream it is."""
        self.primes = primes
        """Whether it begins with an event without a message, which only has an id (MCP 2025-11-25)."""
        self.last = 0
        """Number of the newest event."""
        self.read = 0
        """Number of the newest event that was given to a connection."""
        self.ended = False
        """Whether nothing more will come."""
        self.left = 0.0
        """Monotonic seconds since when no connection reads it."""
        self.follower: Follower | None = None
        """What reads it now, unless it is the connection that it was begun on."""
        self._keeper = keeper
        self._events: deque[tuple[int, bytes]] = deque()
        self._size = 0

    def prime(self, number: int = 0) -> bytes:
        """Return what a connection begins with that reads the events after this one."""
        if self.name is not None and self.primes:
            return sse.prime(f"{self.name}-{number}", RETRY)
        return sse.KEEP_ALIVE

    def add(self, message: bytes) -> bytes:
        """Append a message; return its event."""
        self.last += 1
        self._events.append((self.last, message))
        self._grow(len(message))
        while self._size > LARGEST_LOG and len(self._events) > 1:
            self._grow(-len(self._events.popleft()[1]))
        if self.follower is not None:
            self.follower.wake.set()
        return self.encode(self.last, message)

    def encode(self, number: int, message: bytes) -> bytes:
        """Return a message as an event."""
        return sse.encode(message, None if self.name is None else f"{self.name}-{number}")

    def end(self) -> None:
        """Say that nothing more will come."""
        self.ended = True
        if self.follower is not None:
            self.follower.wake.set()

    def waits(self, message: bytes) -> bool:
        """Tell whether this message waits to be read already."""
        return any(number > self.read and known == message for number, known in reversed(self._events))

    def unread(self) -> list[bytes]:
        """Return the messages that were given to no connection."""
        return [message for number, message in self._events if number > self.read]

    def has_all_after(self, number: int) -> bool:
        """Tell whether every event after this one is still here."""
        first = self._events[0][0] if self._events else self.last + 1
        return first - 1 <= number <= self.last

    def after(self, number: int) -> tuple[int, bytes] | None:
        """Return the first event after this one, None when there is none yet."""
        if number >= self.last:
            return None
        return next((event for event in self._events if event[0] > number), None)

    def forget(self) -> None:
        """Drop all events."""
        self._events.clear()
        self._grow(-self._size)

    def _grow(self, size: int) -> None:
        self._size += size
        if self.name is not None:  # others are not kept beyond their connection
            self._keeper.grow(size)


class Follower:
    """A connection that reads a stream which it did not begin; the one that came last reads."""

    def __init__(self, log: EventLog, after: int) -> None:
        self.wake = asyncio.Event()
        self._log = log
        self._after = after
        self._stopped = False

    def stop(self) -> None:
        """Read no more."""
        self._stopped = True
        self.wake.set()

    async def run(self, write: Write) -> bool:
        """Write events until the stream has ended; False when it has not, but this is to read no more."""
        log = self._log
        if log.follower is not None:
            log.follower.stop()
        log.follower = self
        try:
            while not self._stopped:
                event = log.after(self._after)
                if event is not None:
                    self._after, message = event
                    log.read = max(log.read, self._after)
                    await write(log.encode(self._after, message))
                elif log.ended:
                    return True
                else:
                    await self._wait(write)
            return False
        finally:
            if log.follower is self:
                log.follower = None
                log.left = time.monotonic()

    async def _wait(self, write: Write) -> None:
        self.wake.clear()
        try:
            async with asyncio.timeout(KEEP_ALIVE):
                await self.wake.wait()
        except TimeoutError:
            await write(sse.KEEP_ALIVE)


class EventLogs:
    """All streams of this worker that clients may come back to."""

    def __init__(self, address: str) -> None:
        self._prefix = f"{address}-{secrets.token_hex(4)}-"
        """Ends with random digits: the ids of a predecessor of this process mean nothing here."""
        self._numbers = count(1)
        self._logs: dict[str, EventLog] = {}
        self._of_session: dict[str, set[EventLog]] = {}
        self._complete: deque[tuple[float, EventLog]] = deque()
        self._size = 0

    def __len__(self) -> int:
        return len(self._logs)

    def __iter__(self) -> Iterator[EventLog]:
        return iter(self._logs.values())

    def open(self, identity: str, *, resumable: bool = True, primes: bool = True) -> EventLog:
        """Begin a stream of a session."""
        self.sweep()
        if not resumable:
            return EventLog(self, identity, None, primes=False)
        name = f"{self._prefix}{next(self._numbers)}"
        log = self._logs[name] = EventLog(self, identity, name, primes=primes)
        self._of_session.setdefault(identity, set()).add(log)
        return log

    def find(self, event_id: str, identity: str) -> tuple[EventLog, int] | None:
        """Return the stream of a session with this event, and the event's number. None: it is gone, or was too much to
        keep, or is not this session's."""
        name, _, number = event_id.rpartition("-")
        log = self._logs.get(name)
        if log is None or log.identity != identity or not number.isdecimal() or len(number) > 12:
            return None
        return (log, int(number)) if log.has_all_after(int(number)) else None

    def complete(self, log: EventLog) -> None:
        """Keep a stream to which nothing will be added for as long as its client may come back for the end of it."""
        log.end()
        if log.name is not None:
            self._complete.append((time.monotonic(), log))
            if len(self._complete) > MOST_COMPLETE:
                self.drop(self._complete.popleft()[1])

    def drop(self, log: EventLog) -> None:
        """Forget a stream."""
        log.end()
        log.forget()
        if log.name is not None and self._logs.pop(log.name, None) is not None:
            others = self._of_session[log.identity]
            others.discard(log)
            if not others:
                del self._of_session[log.identity]

    def end_session(self, identity: str) -> None:
        """Forget the streams of a session."""
        for log in list(self._of_session.get(identity, ())):
            self.drop(log)

    def sweep(self) -> None:
        """Forget complete streams whose clients have had their time."""
        oldest = time.monotonic() - RESUME_GRACE
        while self._complete and self._complete[0][0] < oldest:
            self.drop(self._complete.popleft()[1])

    def grow(self, size: int) -> None:
        """Count what a stream keeps, and make room when all together keep too much."""
        self._size += size
        if size < 0:
            return  # a stream that was dropped to make room: whoever dropped it goes on as long as needed
        while self._size > LARGEST_TOTAL and self._complete:
            self.drop(self._complete.popleft()[1])
        if self._size > LARGEST_TOTAL:
            for log in list(self._logs.values()):
                log.forget()
                if self._size <= LARGEST_TOTAL * 0.9:  # so that this is not done again for the next event
                    break


def worker_of(event_id: str) -> str:
    """Return the address of the worker that has, or had, the stream with this event."""
    return event_id.partition("-")[0]
