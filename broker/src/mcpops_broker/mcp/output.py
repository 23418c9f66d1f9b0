# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The answer to a POST of a client with a session, and the care for requests that take long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable

from mcpops_broker import logs
from mcpops_broker.background import Background
from mcpops_broker.mcp.event_log import KEEP_ALIVE, RESUME_GRACE, EventLog, EventLogs
from mcpops_broker.protocol import sse
from mcpops_broker.protocol.jsonrpc import RefusalError
from mcpops_broker.protocol.versions import PRIMING_VERSIONS, RESUMABLE_VERSIONS
from mcpops_broker.sessions.store import Session
from mcpops_broker.timers import after
from mcpops_broker.web.asgi import JSON, Receive, Send, respond, start_stream, stream, wait_for_disconnect

WATCH_AFTER = 0.25
"""Seconds after which a request that still runs is looked after. Shorter ones are not worth it."""
EVENTS_AFTER = 1.0
"""Seconds after which the answer to a request that still runs begins as a stream of events, if the client takes them:
comments keep proxies from closing it, and the client can come back to it."""


class Output:
    """The answer: JSON, unless something comes before the response, it takes long, or the client takes only events.

    A stream of events does not end with its connection: what comes later is kept for the client to come back.
    """

    __slots__ = ("_gone", "_lock", "_log", "_logs", "_send", "_session", "_takes_json", "refusal", "takes_events")

    def __init__(self, send: Send, session: Session | None, logs: EventLogs, accepts: tuple[bool, bool]) -> None:
        self._send = send
        self._session = session
        """None for `initialize`."""
        self._logs = logs
        self._takes_json, self.takes_events = accepts
        self.refusal: RefusalError | None = None
        """Why the request is refused, for the answer's HTTP status and headers."""
        self._log: EventLog | None = None
        """The stream, once it has begun."""
        self._gone = False
        self._lock: asyncio.Lock | None = None

    async def emit(self, message: bytes) -> None:
        """Send a notification or a request of ours at once, as an event."""
        async with self._locked():
            log = self._log or await self._begin()
            event = log.add(message)
            if self._connected(log):
                log.read = log.last
                await stream(self._send, event)

    async def keep_alive(self) -> None:
        """Begin the stream, or send a comment when it has begun, if the client takes events."""
        if self.takes_events:
            async with self._locked():
                if self._log is None:
                    await self._begin()
                elif self._connected(self._log):
                    await stream(self._send, sse.KEEP_ALIVE)

    async def finish(self, responses: list[bytes], *headers: tuple[bytes, bytes], batch: bool = False) -> None:
        """Send the responses and end the answer. None: there is nothing to respond with (only notifications)."""
        if not responses:
            if self._log is None:
                await respond(self._send, 202)
                return
        elif self._log is None and self.refusal is not None and not batch:
            await respond(self._send, self.refusal.status, responses[0], JSON, *self.refusal.headers)
            return
        elif self._log is None and self._takes_json:
            body = b"[" + b",".join(responses) + b"]" if batch else responses[0]
            await respond(self._send, 200, body, JSON, *headers)
            return
        async with self._locked():
            log = self._log or await self._begin(*headers)
            events = b"".join([log.add(response) for response in responses])
            self._logs.complete(log)
            if self._connected(log):
                log.read = log.last
                await stream(self._send, events, last=True)
            elif not self._gone:
                await stream(self._send, b"", last=True)

    def close(self) -> None:
        """Forget the stream of an answer that was not finished."""
        if self._log is not None and not self._log.ended:
            self._logs.drop(self._log)

    def lost(self) -> bool:
        """Take note that the connection is gone; tell whether the client can come back for the rest."""
        self._gone = True
        log = self._log
        if log is None or log.name is None:
            return False
        log.left = max(log.left, time.monotonic())
        return True

    async def until_abandoned(self) -> None:
        """Return when the client has not come back for so long that it will not."""
        log = self._log
        while log is not None:
            await asyncio.sleep(RESUME_GRACE)
            if log.follower is None and time.monotonic() - log.left >= RESUME_GRACE:
                return

    def _connected(self, log: EventLog) -> bool:
        return not self._gone and log.follower is None

    def _locked(self) -> asyncio.Lock:
        if self._lock is None:
            self._lock = asyncio.Lock()
        return self._lock

    async def _begin(self, *headers: tuple[bytes, bytes]) -> EventLog:
        key = self._session.key if self._session else None
        version = key.version if key else ""
        log = self._logs.open(
            key.identity if key else "",
            resumable=version in RESUMABLE_VERSIONS,
            primes=version in PRIMING_VERSIONS,
        )
        await start_stream(self._send, *headers)
        await stream(self._send, log.prime())
        self._log = log
        return log


class Attendance:
    """Looks after a request from the moment it takes long, until it is done or its client has gone for good.

    A lost connection is no cancellation (MCP 2025-03-26 and later), so none is sent. A request whose answer nobody can
    read any more is ended: hop by hop a lost connection stays a lost connection.
    """

    __slots__ = ("_abandoned", "_background", "_out", "_receive", "_session", "_task", "_watcher")

    def __init__(self, session: Session, receive: Receive, out: Output, background: Background) -> None:
        self._session = session
        self._receive = receive
        self._out = out
        self._background = background
        self._task: asyncio.Task[object] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._abandoned = False

    async def run(self, work: Awaitable[list[bytes]], *, batch: bool = False) -> None:
        """Await the work and send the responses that it returns."""
        self._task = asyncio.current_task()
        timer = after(WATCH_AFTER, self._begin)
        self._session.busy += 1
        try:
            try:
                responses = await work
            finally:
                self._session.busy -= 1
                timer.cancel()
                if self._watcher is not None:
                    self._watcher.cancel()
            await self._out.finish(responses, batch=batch)
        except asyncio.CancelledError:
            if not self._abandoned or self._task is None:
                raise
            self._task.uncancel()
            logs.debug("client.gone", session=self._session.key.identity)
        finally:
            self._out.close()

    def _begin(self) -> None:
        self._watcher = self._background.start(self._watch(), "watch client")

    async def _watch(self) -> None:
        gone = asyncio.ensure_future(wait_for_disconnect(self._receive))
        try:
            wait = EVENTS_AFTER - WATCH_AFTER
            while not (await asyncio.wait((gone,), timeout=wait))[0]:
                # Shielded: the end of the work must not cut off what is being written.
                await asyncio.shield(self._out.keep_alive())
                wait = KEEP_ALIVE
        finally:
            gone.cancel()
        if self._out.lost():
            await self._out.until_abandoned()
        if self._task is not None:
            self._abandoned = True
            self._task.cancel()
