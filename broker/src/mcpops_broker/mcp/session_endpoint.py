# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""`/mcp` for clients with sessions: the rules of MCP basic/transports, revisions 2025-03-26 to 2025-11-25."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from mcpops_broker.access.authentication import authorization_for_upstreams
from mcpops_broker.config.limits import STREAM
from mcpops_broker.mcp import session_messages, session_methods
from mcpops_broker.mcp.http import Request, accepted, bad, refuse, refuse_for_now
from mcpops_broker.mcp.output import Attendance, Output
from mcpops_broker.mcp.session_exchange import SessionExchange
from mcpops_broker.protocol import jsonrpc, meta
from mcpops_broker.protocol.jsonrpc import Id, Kind, Message, RpcError
from mcpops_broker.protocol.versions import BATCH_VERSIONS, SESSION_VERSIONS
from mcpops_broker.seen.record import Record
from mcpops_broker.sessions.store import Session
from mcpops_broker.web.asgi import Headers, respond, start_stream, stream, wait_for_disconnect

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker

_MakeExchange = Callable[[Id, Record], SessionExchange]


class SessionEndpoint:
    """Serves the clients with sessions of one broker."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def post(self, request: Request, message: Any, accepts: tuple[bool, bool]) -> None:
        """Handle what was POSTed: a message, or a batch. `accepts`: whether the client takes JSON, and events."""
        request.record.era = "session"
        if isinstance(message, list):
            await self._batch(request, message, accepts)
        else:
            await self._single(request, message, accepts)

    async def _single(self, request: Request, message: Any, accepts: tuple[bool, bool]) -> None:
        broker, headers, send, record = self._broker, request.headers, request.send, request.record
        try:
            kind = jsonrpc.classify(message)
            record.method = "response" if kind is Kind.RESPONSE else message["method"]
            _check_version(headers, message)
            if kind is Kind.REQUEST and message["method"] == "initialize":
                broker.rate_limits.request(request.principal, "initialize")
                scope = broker.access.scope(headers, None, request.principal)
                response, session_id = session_methods.initialize(broker, request.principal, scope, message)
                out = Output(send, None, broker.event_logs, accepts)
                await out.finish([response], (b"mcp-session-id", session_id.encode()))
                return
            session = self._session(request)
            out = Output(send, session, broker.event_logs, accepts)
            exchange_for = self._exchanges(request, session, out)
        except RpcError as error:
            record.failed(error)
            await refuse(send, error, jsonrpc.id_of(message))
            return
        if kind is Kind.REQUEST:
            work = self._answer(exchange_for(message["id"], record), message)
            await Attendance(session, request.receive, out, broker.background).run(work)
        else:
            self._take(session, kind, message)
            await respond(send, 202)

    async def _answer(self, exchange: SessionExchange, message: Message) -> list[bytes]:
        return [await session_methods.answer(self._broker, exchange, message)]

    async def _batch(self, request: Request, batch: list[Any], accepts: tuple[bool, bool]) -> None:
        broker = self._broker
        request.record.method = "batch"
        limit = broker.config.broker.limits.batch
        for message in batch:
            _check_version(request.headers, message)
        session = self._session(request)
        if session.key.version not in BATCH_VERSIONS:
            raise bad(400, f"MCP {session.key.version} has no batches: send one message in a body")
        if not 0 < len(batch) <= limit:
            raise bad(400, f"a batch holds 1 to {limit} messages, this one {len(batch)}")
        out = Output(request.send, session, broker.event_logs, accepts)
        exchange_for = self._exchanges(request, session, out)
        work = [self._element(request, session, exchange_for, message) for message in batch]

        async def together() -> list[bytes]:
            return [response for response in await asyncio.gather(*work) if response is not None]

        await Attendance(session, request.receive, out, broker.background).run(together(), batch=True)

    async def _element(
        self, request: Request, session: Session, exchange_for: _MakeExchange, message: Any
    ) -> bytes | None:
        """Handle one message of a batch: its response, or None when there is none to give."""
        try:
            kind = jsonrpc.classify(message)
        except RpcError as error:
            return jsonrpc.error_bytes(jsonrpc.id_of(message), error)
        if kind is Kind.REQUEST:
            observers = self._broker.observers
            record = observers.begin_another(request.record)
            record.method = message["method"]
            try:
                return await session_methods.answer(self._broker, exchange_for(message["id"], record), message)
            finally:
                observers.end(record)
        self._take(session, kind, message)
        return None

    def _exchanges(self, request: Request, session: Session, out: Output) -> _MakeExchange:
        """Return what makes exchanges of what was POSTed; raise `RpcError` for headers that cannot be trusted."""
        scope = self._broker.access.scope(request.headers, session.key.identity, request.principal)
        authorization = self._authorization(request)

        def make(request_id: Id, record: Record) -> SessionExchange:
            exchange = SessionExchange(self._broker, session, record, request_id, scope=scope, out=out)
            exchange.authorize(authorization)
            return exchange

        return make

    def _take(self, session: Session, kind: Kind, message: Message) -> None:
        if kind is Kind.NOTIFICATION:
            session_messages.take_notification(self._broker, session, message)
        else:
            session_messages.take_response(self._broker, session.key.identity, message)

    async def get(self, request: Request) -> None:
        """Open a stream of notifications, or go on with a stream whose connection broke (Last-Event-ID)."""
        broker, headers, send = self._broker, request.headers, request.send
        _check_version(headers, None)
        if not accepted(headers)[1] and b"*/*" not in headers.get(b"accept", b""):
            raise bad(406, "the Accept header must allow text/event-stream")
        session = self._session(request)
        broker.rate_limits.request(request.principal, STREAM)
        scope = broker.access.scope(headers, session.key.identity, request.principal)
        if len(broker.streams) >= broker.config.broker.limits.streams or broker.draining:
            await refuse_for_now(request, "no more streams now", 5)
            return
        last_event = headers.get(b"last-event-id")
        if last_event is None:
            source = broker.resumption.begin(session.key, scope, request.principal)
        else:
            resumed = await broker.resumption.find(last_event.decode("latin-1"), session.key.identity)
            if resumed is None:
                raise bad(400, "the stream with this Last-Event-ID is gone: open a new one, or repeat the request")
            source = resumed
        session.busy += 1
        gone = asyncio.ensure_future(wait_for_disconnect(request.receive))
        gone.add_done_callback(lambda _: source.stop())
        try:
            await start_stream(send)
            with broker.authentication.while_valid(request.principal, source.stop):
                await source.run(partial(stream, send))
            if not gone.done():
                await stream(send, b"", last=True)
        finally:
            gone.cancel()
            session.busy -= 1

    async def delete(self, request: Request) -> None:
        """End a session."""
        _check_version(request.headers, None)
        session = self._session(request)
        self._broker.end_session(session.id)
        await respond(request.send, 200)

    def _authorization(self, request: Request) -> bytes | None:
        """Return the user's authorization when an upstream wants to know it."""
        wanted = self._broker.knows_users
        return authorization_for_upstreams(request.headers, request.principal) if wanted else None

    def _session(self, request: Request) -> Session:
        session_id = request.headers.get(b"mcp-session-id")
        if not session_id:
            raise bad(400, "the Mcp-Session-Id header is missing: send initialize first and then the id it returns")
        session = self._broker.sessions.find(session_id.decode("latin-1"), request.principal.digest)
        if session is None:
            raise bad(404, "the session is unknown or has ended: send initialize again")
        session.who = request.principal.name
        request.record.era, request.record.session = "session", session.key.identity
        return session


def _check_version(headers: Headers, message: Any) -> None:
    """Refuse a revision that is not served, naming those that are (error -32022 of MCP 2026-07-28).

    Without the header the session's own revision holds; MCP says to assume 2025-03-26, which differs in nothing
    that the broker does apart from batches, and those are a matter of the session.
    """
    version = meta.meta_of(message).get(meta.PROTOCOL_VERSION)
    header = headers.get(b"mcp-protocol-version")
    if version is None and header is not None:
        version = header.decode("latin-1")
    if version is not None and version not in SESSION_VERSIONS:
        requested = jsonrpc.excerpt(version)
        data = {"supported": list(SESSION_VERSIONS), "requested": requested}
        raise RpcError(jsonrpc.UNSUPPORTED_VERSION, f"Unsupported protocol version: {requested}", data, status=400)
