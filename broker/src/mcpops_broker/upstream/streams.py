# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Reading upstreams' streams of events: responses to requests, and what arrives beside them."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque

from mcpops_broker.net.client import Answer, HttpError, HttpTimeoutError
from mcpops_broker.protocol import sse
from mcpops_broker.protocol.jsonrpc import Id, Message
from mcpops_broker.upstream.errors import UpstreamError
from mcpops_broker.upstream.transport import Response, Transport, is_stream

DRAIN_TIMEOUT = 2.0
"""Seconds to read the end of a stream whose answer has arrived, so that the connection can be used again."""
RETRY = 1.0
"""Seconds before a broken stream is resumed, unless the upstream names another time."""


class BrokenStreamError(UpstreamError):
    """The connection broke; what it carried may be had by resuming."""


class Inbound(ABC):
    """What becomes of messages that are not the awaited response."""

    __slots__ = ()

    @abstractmethod
    async def notification(self, raw: bytes, message: Message) -> None:
        """Take a notification."""

    @abstractmethod
    def request(self, message: Message) -> None:
        """Take a request of the upstream; it is answered later, in a task of its own."""

    async def resume(self, last_event: str) -> Answer | None:
        """Open a stream again that ended without the response; None when that is not possible."""
        return None


IN_A_ROW = 32
"""Messages of a stream that are handled before other work gets its turn: some upstreams talk without end."""


class EventStream:
    """The messages of one stream, with the position reached in it."""

    def __init__(self, transport: Transport, answer: Answer) -> None:
        self._transport = transport
        self._chunks = answer.chunks()
        self._parser = sse.Parser(transport.limit)
        self._waiting: deque[Response] = deque()
        self._taken = 0
        self.last_event: str | None = None
        """The id of the last event, from which the stream can be resumed."""
        self.retry: float | None = None
        """Seconds to wait before resuming, when the upstream said so."""

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> Response:
        """Return the next message; raise `UpstreamError` when the stream breaks or holds what is none."""
        self._taken += 1
        if self._taken % IN_A_ROW == 0:
            await asyncio.sleep(0)
        while not self._waiting:
            try:
                chunk = await anext(self._chunks, None)
                if chunk is None:
                    raise StopAsyncIteration
                for event in self._parser.feed(chunk):
                    self.last_event = event.id or self.last_event
                    self.retry = event.retry if event.retry is not None else self.retry
                    self._waiting.extend(self._transport.parse(event.data))
            except HttpTimeoutError as error:
                raise self._transport.error("timeout", str(error)) from error
            except HttpError as error:
                raise BrokenStreamError(self._transport.name, "broken", str(error)) from error
            except sse.EventTooLargeError as error:
                raise self._transport.error("broken", str(error)) from error
        return self._waiting.popleft()


async def read_response(transport: Transport, answer: Answer, request_id: Id, inbound: Inbound) -> Response:
    """Return the response to a request, from a JSON answer or a stream; raise `UpstreamError`.

    What comes before it goes to `inbound`. A stream that the upstream closes early is resumed when it can be
    (MCP 2025-11-25, basic/transports).
    """
    if not is_stream(answer):
        return await transport.read_json(answer, request_id)
    last_event: str | None = None
    retry = RETRY
    while True:
        stream = EventStream(transport, answer)
        complete = False
        broken: UpstreamError | None = None
        try:
            async for raw, message in stream:
                if "method" not in message:
                    if transport.answers(message, request_id):
                        complete = True
                        answer.leave(DRAIN_TIMEOUT)
                        return raw, message
                elif "id" in message:
                    inbound.request(message)
                    answer.idle = None  # it may wait for a person now
                else:
                    await inbound.notification(raw, message)
        except BrokenStreamError as error:
            broken = error
        finally:
            if not complete:
                answer.close()
        last_event = stream.last_event or last_event
        retry = stream.retry if stream.retry is not None else retry
        if last_event is None:
            raise broken or transport.error("broken", "ended its stream without a response")
        await asyncio.sleep(max(retry, 0.05))
        resumed = await inbound.resume(last_event)
        if resumed is None:
            raise broken or transport.error("broken", "ended its stream without a response and did not resume it")
        answer = resumed
