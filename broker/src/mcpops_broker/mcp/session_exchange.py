# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""A request of a client session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from mcpops_broker import logs
from mcpops_broker.mcp.exchange import NO_HEADERS, ClientExchange
from mcpops_broker.mcp.output import Output
from mcpops_broker.protocol import jsonrpc, meta
from mcpops_broker.protocol.capabilities import missing
from mcpops_broker.protocol.jsonrpc import Id, Message, RefusalError, RpcError
from mcpops_broker.seen.record import Record
from mcpops_broker.sessions.store import Session
from mcpops_broker.upstream.errors import UpstreamError
from mcpops_broker.upstream.exchange import Reply

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker
    from mcpops_broker.catalogue.scope import Scope

_LOG = b"notifications/message"


class SessionExchange(ClientExchange):
    """A request of a client session."""

    resolves_input = True
    headers = NO_HEADERS

    def __init__(
        self, broker: Broker, session: Session, record: Record, request_id: Id, *, scope: Scope, out: Output
    ) -> None:
        self._broker = broker
        self.session = session
        self.client = session.client
        self.record = record
        self.principal = record.principal
        self.request_id = request_id
        self.scope = scope
        self._out = out

    async def notify(self, raw: bytes) -> None:
        """Pass on a notification that belongs to the request; dropped when the client takes no events, or wants only
        more severe log messages."""
        if not self._out.takes_events:
            return
        level = self.session.client.log_level
        if level is not None and _LOG in raw and not _wanted(raw, level):
            return
        await self._out.emit(raw)

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Ask the client, by a request on the stream of its call, and return its result."""
        lacking = missing(self.client.capabilities, method, params)
        if lacking:
            raise RpcError(jsonrpc.METHOD_NOT_FOUND, f"The client has not declared {', '.join(lacking)}")
        if not self._out.takes_events:
            text = f"The client cannot be asked {jsonrpc.excerpt(method)}: it takes no text/event-stream"
            raise RpcError(jsonrpc.METHOD_NOT_FOUND, text)
        with self.waiting():
            return await self._broker.asks.ask(self.client.identity, method, params, self._out.emit, self._progress)

    def failed(self, error: RpcError) -> bytes:
        """Write an error; that of a request that is refused as such becomes the answer's HTTP status."""
        if isinstance(error, RefusalError):
            self._out.refusal = error
        return jsonrpc.error_bytes(self.request_id, error)

    def response(self, reply: Reply) -> bytes:
        """Return the response as the upstream wrote it, with the id of the client's request."""
        return reply.for_request(self.request_id)

    def _progress(self, notification: Message) -> None:
        if self.upstream is not None:
            self._broker.background.start(self._tell(notification), "progress")

    async def _tell(self, notification: Message) -> None:
        if self.upstream is None:
            return
        try:
            await self.upstream.notify(self.client.identity, notification)
        except UpstreamError as error:
            logs.debug("progress.failed", upstream=error.upstream, problem=str(error))


def _wanted(raw: bytes, level: str) -> bool:
    message = orjson.loads(raw)
    if message.get("method") != "notifications/message":
        return True
    params = message.get("params")
    return meta.logs_at(level, params.get("level") if isinstance(params, dict) else None)
