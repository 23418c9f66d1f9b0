# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""`/mcp` for clients with sessions: the rules of MCP basic/transports, revisions 2025-03-26 to 2025-11-25."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from mcpops_broker.mcp import session_methods
from mcpops_broker.mcp.http import accepted, bad, refuse, refuse_for_now
from mcpops_broker.mcp.output import Output, UntilGone
from mcpops_broker.mcp.session_exchange import SessionExchange
from mcpops_broker.protocol import jsonrpc, meta, sse
from mcpops_broker.protocol.jsonrpc import Kind, RpcError
from mcpops_broker.protocol.versions import BATCH_VERSIONS, SESSION_VERSIONS
from mcpops_broker.sessions.store import Session
from mcpops_broker.web.asgi import Headers, Receive, Send, respond, start_stream, stream, wait_for_disconnect

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker
    from mcpops_broker.catalogue.scope import Scope

KEEP_ALIVE = 15.0
"""Seconds between two comments on a quiet notification stream."""


class SessionEndpoint:
    """Serves the clients with sessions of one broker."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def post(self, headers: Headers, message: Any, receive: Receive, out: Output) -> None:
        """Handle what was POSTed: a message, or a batch."""
        if isinstance(message, list):
            await self._batch(headers, message, receive, out)
        else:
            await self._single(headers, message, receive, out)

    async def _single(self, headers: Headers, message: Any, receive: Receive, out: Output) -> None:
        request_id = jsonrpc.id_of(message)
        try:
            kind = jsonrpc.classify(message)
            _check_version(headers, message)
            if kind is Kind.REQUEST and message["method"] == "initialize":
                response, session_id = session_methods.initialize(self._broker, message)
                await out.finish(response, (b"mcp-session-id", session_id.encode()))
                return
            session = self._session(headers)
            scope = self._broker.access.scope(headers, session.key.identity)
        except RpcError as error:
            await refuse(out.send, error, request_id)
            return
        if kind is Kind.REQUEST:
            notify = out.notify if out.takes_events else None
            exchange = SessionExchange(session, message["id"], scope, notify)
            exchange.authorize(self._authorization(headers))
            work = session_methods.answer(self._broker, exchange, message)
            await UntilGone(session, receive).run(work, out)
        else:
            if kind is Kind.NOTIFICATION:
                session_methods.take_notification(self._broker, session, message)
            await respond(out.send, 202)

    async def _batch(self, headers: Headers, batch: list[Any], receive: Receive, out: Output) -> None:
        limit = self._broker.config.broker.limits.batch
        for message in batch:
            _check_version(headers, message)
        session = self._session(headers)
        if session.key.version not in BATCH_VERSIONS:
            raise bad(400, f"MCP {session.key.version} has no batches: send one message in a body")
        if not 0 < len(batch) <= limit:
            raise bad(400, f"a batch holds 1 to {limit} messages, this one {len(batch)}")
        scope = self._broker.access.scope(headers, session.key.identity)
        authorization = self._authorization(headers)
        work = [self._element(session, scope, authorization, message) for message in batch]

        async def together() -> bytes:
            responses = [response for response in await asyncio.gather(*work) if response is not None]
            return b"[" + b",".join(responses) + b"]" if responses else b""

        await UntilGone(session, receive).run(together(), out)

    async def _element(self, session: Session, scope: Scope, authorization: bytes | None, message: Any) -> bytes | None:
        """Handle one message of a batch: its response, or None when there is none to give."""
        try:
            kind = jsonrpc.classify(message)
        except RpcError as error:
            return jsonrpc.error_bytes(jsonrpc.id_of(message), error)
        if kind is Kind.REQUEST:
            exchange = SessionExchange(session, message["id"], scope, None)
            exchange.authorize(authorization)
            return await session_methods.answer(self._broker, exchange, message)
        if kind is Kind.NOTIFICATION:
            session_methods.take_notification(self._broker, session, message)
        return None

    async def get(self, headers: Headers, receive: Receive, send: Send) -> None:
        """Open a stream of notifications."""
        broker = self._broker
        _check_version(headers, None)
        if not accepted(headers)[1] and b"*/*" not in headers.get(b"accept", b""):
            raise bad(406, "the Accept header must allow text/event-stream")
        session = self._session(headers)
        if len(broker.streams) >= broker.config.broker.limits.streams or broker.draining:
            await refuse_for_now(send, "no more streams now", 5)
            return
        feed = broker.streams.open(session.key.identity, broker.access.scope(headers, session.key.identity))
        session.busy += 1
        gone = asyncio.ensure_future(wait_for_disconnect(receive))
        gone.add_done_callback(lambda _: feed.close())
        try:
            await start_stream(send)
            await stream(send, sse.KEEP_ALIVE)
            while not feed.closed:
                messages = await feed.take(KEEP_ALIVE)
                await stream(send, b"".join(map(sse.encode, messages)) or sse.KEEP_ALIVE)
            if not gone.done():
                await stream(send, b"", last=True)
        finally:
            gone.cancel()
            session.busy -= 1
            broker.streams.remove(feed)

    async def delete(self, headers: Headers, send: Send) -> None:
        """End a session."""
        _check_version(headers, None)
        session = self._session(headers)
        self._broker.end_session(session.id)
        await respond(send, 200)

    def _authorization(self, headers: Headers) -> bytes | None:
        """Return the user's authorization when an upstream wants to know it."""
        return headers.get(b"authorization") if self._broker.catalogue.personal else None

    def _session(self, headers: Headers) -> Session:
        session_id = headers.get(b"mcp-session-id")
        if not session_id:
            raise bad(400, "the Mcp-Session-Id header is missing: send initialize first and then the id it returns")
        session = self._broker.sessions.find(session_id.decode("latin-1"))
        if session is None:
            raise bad(404, "the session is unknown or has ended: send initialize again")
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
