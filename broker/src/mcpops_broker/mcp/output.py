# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The answer to a POST, and the end of a request whose client goes away."""

from __future__ import annotations

import asyncio
from typing import Any

from mcpops_broker import logs
from mcpops_broker.protocol import sse
from mcpops_broker.sessions.store import Session
from mcpops_broker.web.asgi import JSON, Receive, Send, respond, start_stream, stream, wait_for_disconnect

WATCH_AFTER = 0.25
"""Seconds after which a request that still runs is ended when its client goes away. Shorter ones are not worth it."""


class Output:
    """The answer to a POST: JSON, unless notifications come before the response or the client takes only events."""

    __slots__ = ("only_events", "send", "started", "takes_events")

    def __init__(self, send: Send, takes_events: bool, *, only_events: bool) -> None:
        self.send = send
        self.takes_events = takes_events
        self.only_events = only_events
        self.started = False

    async def notify(self, message: bytes) -> None:
        """Send a notification at once, as an event."""
        if not self.started:
            self.started = True
            await start_stream(self.send)
        await stream(self.send, sse.encode(message))

    async def finish(self, response: bytes, *headers: tuple[bytes, bytes]) -> None:
        """Send the response and end the answer. Empty: there is nothing to respond with (only notifications)."""
        if not response:
            await respond(self.send, 202)
        elif self.only_events or self.started:
            if not self.started:
                await start_stream(self.send, *headers)
            await stream(self.send, sse.encode(response), last=True)
        else:
            await respond(self.send, 200, response, JSON, *headers)


class UntilGone:
    """Runs a request and ends it when its client goes away.

    Hop by hop a lost connection stays a lost connection: the upstream sees ours close. It is no cancellation (MCP
    2025-03-26 and later), so none is sent.
    """

    __slots__ = ("_gone", "_receive", "_session", "_task", "_watcher")

    def __init__(self, session: Session, receive: Receive) -> None:
        self._session = session
        self._receive = receive
        self._task: asyncio.Task[object] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._gone = False

    async def run(self, work: Any, out: Output) -> None:
        """Await the work and send what it returns."""
        self._task = asyncio.current_task()
        timer = asyncio.get_running_loop().call_later(WATCH_AFTER, self._watch)
        self._session.busy += 1
        try:
            response = await work
        except asyncio.CancelledError:
            if not self._gone or self._task is None:
                raise
            self._task.uncancel()
            logs.debug("client.gone", session=self._session.key.identity)
            return
        finally:
            self._session.busy -= 1
            timer.cancel()
            if self._watcher is not None:
                self._watcher.cancel()
        await out.finish(response)

    def _watch(self) -> None:
        self._watcher = asyncio.ensure_future(wait_for_disconnect(self._receive))
        self._watcher.add_done_callback(self._disconnected)

    def _disconnected(self, watcher: asyncio.Task[None]) -> None:
        if not watcher.cancelled() and self._task is not None and not self._task.done():
            self._gone = True
            self._task.cancel()
