# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What an upstream of the session era sends beside a response: progress, log messages, questions for the client."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol

import orjson

from mcpops_broker.net.client import Answer
from mcpops_broker.protocol import jsonrpc, meta
from mcpops_broker.protocol.capabilities import ASKED
from mcpops_broker.protocol.jsonrpc import Id, Message, RpcError
from mcpops_broker.upstream.deadline import Deadline
from mcpops_broker.upstream.exchange import Exchange
from mcpops_broker.upstream.link import Events
from mcpops_broker.upstream.session import UpstreamSession
from mcpops_broker.upstream.streams import Inbound

PROGRESS = "notifications/progress"
CANCELLED = "notifications/cancelled"
MAX_ASKS = 20
"""Questions of one call that may wait for the client at once."""
_FOR_STATELESS = frozenset({PROGRESS, "notifications/message"})
"""The notifications that clients without sessions know inside an answer."""


class Side(Protocol):
    """The broker's side of the connection, for messages that are no response."""

    events: Events

    async def respond(self, session: UpstreamSession, response: Message) -> None:
        """Send the response to a request of the upstream; that the upstream is gone does not matter."""

    async def resume(self, session: UpstreamSession, last_event: str) -> Answer | None:
        """Open a stream again from an event on."""

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run something that nobody awaits."""


class OwnInbound(Inbound):
    """What comes beside responses to the broker's own requests, and on its own stream."""

    __slots__ = ("_session", "_side")

    def __init__(self, side: Side, session: UpstreamSession) -> None:
        self._side = side
        self._session = session

    async def notification(self, raw: bytes, message: Message) -> None:
        """Report a change; log messages and progress of the broker's own requests are nobody's."""
        self._side.events.take(message)

    def request(self, message: Message) -> None:
        """Answer `ping`; the broker itself declares no capability."""
        self._side.spawn(self._side.respond(self._session, _own_answer(message)), "answer")


class CallInbound(Inbound):
    """What comes beside the response to a client's request."""

    __slots__ = ("_asks", "_deadline", "_exchange", "_session", "_side", "_token")

    def __init__(
        self, side: Side, session: UpstreamSession, exchange: Exchange, deadline: Deadline, *, token: Id | None
    ) -> None:
        self._side = side
        self._session = session
        self._exchange = exchange
        self._deadline = deadline
        self._token = token
        """The client's progress token, when the upstream got another one."""
        self._asks: dict[Id, asyncio.Task[None]] | None = None

    @property
    def shared(self) -> bool:
        """Whether other clients use the same session."""
        return self._exchange.client.stateless

    async def notification(self, raw: bytes, message: Message) -> None:
        """Pass a notification on to the client, or act on it when it is not about the request."""
        method = message["method"]
        if method == CANCELLED:
            self._withdrawn(message.get("params", {}).get("requestId"))
            return
        if self._side.events.take(message):
            return
        if self._exchange.client.stateless and method not in _FOR_STATELESS:
            return
        if self._token is not None and method == PROGRESS:
            message.setdefault("params", {})[meta.PROGRESS_TOKEN] = self._token
            raw = orjson.dumps(message)
        await self._exchange.notify(raw)

    def request(self, message: Message) -> None:
        """Have the client answer what the upstream asks."""
        if message["method"] not in ASKED:
            self._side.spawn(self._side.respond(self._session, _own_answer(message)), "answer")
            return
        if self._asks is None:
            self._asks = {}
        if len(self._asks) >= MAX_ASKS or message["id"] in self._asks:
            refusal = _error(message["id"], RpcError(jsonrpc.INVALID_REQUEST, "Too many questions at once"))
            self._side.spawn(self._side.respond(self._session, refusal), "answer")
            return
        self._asks[message["id"]] = self._side.spawn(self._ask(message), "ask")

    async def resume(self, last_event: str) -> Answer | None:
        """Open the stream again from an event on."""
        return await self._side.resume(self._session, last_event)

    def close(self) -> None:
        """Withdraw the questions that are still open: the call that needed the answers has ended."""
        if self._asks is not None:
            for task in self._asks.values():
                task.cancel()

    async def _ask(self, message: Message) -> None:
        request_id = message["id"]
        self._deadline.pause()
        try:
            result = await self._exchange.ask(message["method"], message.get("params", {}))
            response: Message = {"jsonrpc": "2.0", "id": request_id, "result": result}
        except RpcError as error:
            response = _error(request_id, error)
        finally:
            self._deadline.resume()
            if self._asks is not None:
                self._asks.pop(request_id, None)
        await self._side.respond(self._session, response)

    def _withdrawn(self, request_id: object) -> None:
        if self._asks is not None and isinstance(request_id, str | int) and request_id in self._asks:
            self._asks.pop(request_id).cancel()


def _own_answer(request: Message) -> Message:
    if request["method"] == "ping":
        return {"jsonrpc": "2.0", "id": request["id"], "result": {}}
    text = f"Method {jsonrpc.excerpt(request['method'])} is not supported by this client"
    return _error(request["id"], RpcError(jsonrpc.METHOD_NOT_FOUND, text))


def _error(request_id: Id, error: RpcError) -> Message:
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.data is not None:
        body["data"] = error.data
    return {"jsonrpc": "2.0", "id": request_id, "error": body}
