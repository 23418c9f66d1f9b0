# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The stream (GET) of a client's session at an upstream, open while the client uses the session.

Many servers ask and log there, even when they do it for a call that has a stream of its own. What they send is handed
to the call in flight that began last.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from mcpops_broker.net.client import Answer
from mcpops_broker.protocol.jsonrpc import Message
from mcpops_broker.upstream.errors import UpstreamError
from mcpops_broker.upstream.session import UpstreamSession
from mcpops_broker.upstream.session_calls import CallInbound, OwnInbound, Side
from mcpops_broker.upstream.streams import EventStream, Inbound
from mcpops_broker.upstream.transport import Transport

OPEN_TIMEOUT = 5.0
"""Seconds that a request waits for the stream before it is sent without."""


class SessionStream:
    """The stream of one session, with the calls that it serves."""

    def __init__(self, side: Side, transport: Transport, session: UpstreamSession, *, alone: bool) -> None:
        self._transport = transport
        self._session = session
        self._side = side
        self._inbound = _StreamInbound(side, session)
        self._opening: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._refused = False
        self._alone = alone
        """Whether no other worker can use the session. Many servers give a session one stream only, so the workers
        take turns."""

    async def begin(self, call: CallInbound) -> None:
        """Serve a call from now on; opens the stream when it is not open, unless the upstream offers none."""
        self._inbound.calls.append(call)
        if self._refused or (self._reading is not None and not self._reading.done()):
            return
        if self._opening is None:
            self._opening = self._side.spawn(self._open(), "open stream")
        await asyncio.wait((self._opening,), timeout=OPEN_TIMEOUT)

    def end(self, call: CallInbound) -> None:
        """Serve a call no more."""
        if call in self._inbound.calls:
            self._inbound.calls.remove(call)
        if not self._alone and not self._inbound.calls:
            self.close()

    def close(self) -> None:
        """Close the stream; the next call opens it again."""
        for task in (self._opening, self._reading):
            if task is not None:
                task.cancel()
        self._opening = self._reading = None

    async def _open(self) -> None:
        try:
            with suppress(UpstreamError):  # requests tell how the upstream fares
                answer = await self._transport.listen(self._session.headers)
                if answer is None:
                    self._refused = True
                else:
                    self._reading = self._side.spawn(self._read(answer), "session stream")
        finally:
            if self._opening is asyncio.current_task():
                self._opening = None

    async def _read(self, answer: Answer) -> None:
        try:
            with suppress(UpstreamError):
                async for raw, message in EventStream(self._transport, answer):
                    if "method" not in message:
                        continue
                    if "id" in message:
                        self._inbound.request(message)
                    else:
                        await self._inbound.notification(raw, message)
        finally:
            answer.close()


class _StreamInbound(Inbound):
    """What comes on the stream goes to the newest call. On a session that several clients share it goes to a call
    only when there is just one, since it could be meant for any."""

    def __init__(self, side: Side, session: UpstreamSession) -> None:
        self._own = OwnInbound(side, session)
        self.calls: list[CallInbound] = []

    async def notification(self, raw: bytes, message: Message) -> None:
        await (self._call() or self._own).notification(raw, message)

    def request(self, message: Message) -> None:
        (self._call() or self._own).request(message)

    def _call(self) -> CallInbound | None:
        if not self.calls or (len(self.calls) > 1 and self.calls[-1].shared):
            return None
        return self.calls[-1]
