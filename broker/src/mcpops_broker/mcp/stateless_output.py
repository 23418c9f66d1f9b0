# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The answer to one request without a session: JSON, or a stream of events that ends with the response.

Closing the connection is how a client cancels such a request (MCP 2026-07-28 basic/patterns/cancellation).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from mcpops_broker.protocol import sse
from mcpops_broker.timers import after
from mcpops_broker.web.asgi import JSON, Receive, Send, respond, start_stream, stream, wait_for_disconnect

WATCH_AFTER = 0.25
"""Seconds after which a request that still runs is ended when its client goes away. Shorter ones are not worth it."""
KEEP_ALIVE = 15.0
"""Seconds between two comments on a stream, and the silence after which an answer becomes one."""


class StatelessOutput:
    """Writes the answer."""

    __slots__ = (
        "_finished",
        "_gone",
        "_lock",
        "_receive",
        "_send",
        "_started",
        "_takes_events",
        "_takes_json",
        "_task",
        "_watcher",
    )

    def __init__(self, receive: Receive, send: Send, *, takes_json: bool, takes_events: bool) -> None:
        self._receive = receive
        self._send = send
        self._takes_json = takes_json
        self._takes_events = takes_events
        self._lock = asyncio.Lock()
        self._started = False
        self._finished = False
        self._gone = False
        self._task: asyncio.Task[object] | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def notify(self, message: bytes) -> None:
        """Send a notification at once. A client that takes no events gets none, nor does one that has its answer."""
        await self._event(sse.encode(message))

    async def keep_alive(self) -> None:
        """Send a comment, so that nobody on the way closes the connection."""
        await self._event(sse.KEEP_ALIVE)

    async def finish(self, response: bytes, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        """Send the response and end the answer. A stream that has begun has the status 200 for good."""
        self._finished = True
        if not self._started and (self._takes_json or status != 200):
            await respond(self._send, status, response, JSON, *headers)
            return
        async with self._lock:
            await self._begin()
            await stream(self._send, sse.encode(response), last=True)

    async def _event(self, event: bytes) -> None:
        if self._takes_events and not self._finished:
            async with self._lock:  # a call that is parked may still be sending when its client is asked
                if not self._finished:
                    await self._begin()
                    await stream(self._send, event)

    async def _begin(self) -> None:
        if not self._started:
            self._started = True
            await start_stream(self._send)

    async def until_gone(self, work: Awaitable[bytes]) -> bytes | None:
        """Await the work; None when the client went away, which has ended the work by then."""
        self._task = task = asyncio.current_task()
        timer = after(WATCH_AFTER, self._begin_watch)
        try:
            return await work
        except asyncio.CancelledError:
            if not self._gone or task is None:
                raise
            task.uncancel()
            return None
        finally:
            timer.cancel()
            if self._watcher is not None:
                self._watcher.cancel()

    def _begin_watch(self) -> None:
        self._watcher = asyncio.ensure_future(self._watch())

    async def _watch(self) -> None:
        gone = asyncio.ensure_future(wait_for_disconnect(self._receive))
        try:
            while not (await asyncio.wait({gone}, timeout=KEEP_ALIVE))[0]:
                await self.keep_alive()
        finally:
            gone.cancel()
        if self._task is not None and not self._task.done():
            self._gone = True
            self._task.cancel()
