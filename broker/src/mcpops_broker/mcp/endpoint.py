# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""`/mcp`: Streamable HTTP as a raw ASGI endpoint.

The rules of the transport live here (methods, headers, statuses); what requests mean is in `methods`.
Rules: MCP basic/transports, revisions 2025-03-26 to 2025-11-25.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mcpops_broker import logs
from mcpops_broker.mcp import methods
from mcpops_broker.mcp.methods import SessionExchange
from mcpops_broker.protocol import jsonrpc, sse
from mcpops_broker.protocol.jsonrpc import Kind, RpcError
from mcpops_broker.protocol.versions import (
    BATCH_VERSIONS,
    META_PROTOCOL_VERSION,
    SESSION_VERSIONS,
)
from mcpops_broker.sessions.store import Session
from mcpops_broker.web.asgi import (
    JSON,
    BodyError,
    ClientGoneError,
    Headers,
    Receive,
    Scope,
    Send,
    read_body,
    read_headers,
    respond,
    start_stream,
    stream,
    wait_for_disconnect,
)

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker

KEEP_ALIVE = 15.0
"""Seconds between two comments on a quiet notification stream."""
WATCH_AFTER = 0.25
"""Seconds after which a request that still runs is ended when its client goes away. Shorter ones are not worth it."""
_ALLOW = (b"allow", b"GET, POST, DELETE, OPTIONS")


class McpEndpoint:
    """Serves `/mcp` for one broker."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one HTTP request."""
        method = scope["method"]
        headers = read_headers(scope)
        try:
            self._check_headers(scope, headers)
            if method == "POST":
                await self._post(headers, receive, send)
            elif method == "GET":
                await self._get(headers, receive, send)
            elif method == "DELETE":
                await self._delete(headers, send)
            elif method == "OPTIONS":
                await respond(send, 200, b"", _ALLOW)
            else:
                await respond(send, 405, b"", _ALLOW)
        except RpcError as error:
            await _refuse(send, error)
        except ClientGoneError:
            logs.debug("client.gone")
        except Exception as error:
            logs.failure("request.failed", error, method=method)
            with suppress(RuntimeError):  # the answer has begun already: closing the connection is all that is left
                await _refuse(send, RpcError(jsonrpc.INTERNAL_ERROR, "Internal error", status=500))

    def _check_headers(self, scope: Scope, headers: Headers) -> None:
        limit = self._broker.config.broker.limits.headers
        if sum(len(name) + len(value) for name, value in scope["headers"]) > limit:
            raise _bad(431, f"the headers are longer than the limit of {limit} bytes")
        origin = headers.get(b"origin")
        if origin is not None and not self._broker.origins.accepts(origin):
            raise _bad(403, "the Origin header names a site that is not allowed here (broker.allowedOrigins)")

    async def _post(self, headers: Headers, receive: Receive, send: Send) -> None:
        broker = self._broker
        limits = broker.config.broker.limits
        content_type = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if content_type != b"application/json":
            raise _bad(415, "the Content-Type header must be application/json")
        takes_json, takes_events = _accepted(headers)
        if not takes_json and not takes_events:
            raise _bad(406, "the Accept header must allow application/json or text/event-stream")
        if broker.requests >= limits.requests:
            await respond(send, 503, _error_body(503, "too many requests in flight"), JSON, (b"retry-after", b"1"))
            return
        broker.requests += 1
        try:
            try:
                body = await read_body(receive, headers, limits.body)
            except BodyError as error:
                raise _bad(error.status, str(error)) from None
            message = jsonrpc.parse(body)
            out = _Output(send, takes_events, only_events=not takes_json)
            if isinstance(message, list):
                await self._batch(headers, message, receive, out)
            else:
                await self._single(headers, message, receive, out)
        finally:
            broker.requests -= 1

    async def _single(self, headers: Headers, message: Any, receive: Receive, out: _Output) -> None:
        request_id = jsonrpc.id_of(message)
        try:
            kind = jsonrpc.classify(message)
            _check_version(headers, message)
            if kind is Kind.REQUEST and message["method"] == "initialize":
                response, session_id = methods.initialize(self._broker, message)
                await out.finish(response, (b"mcp-session-id", session_id.encode()))
                return
            session = self._session(headers)
        except RpcError as error:
            await _refuse(out.send, error, request_id)
            return
        if kind is Kind.REQUEST:
            notify = out.notify if out.takes_events else None
            exchange = SessionExchange(session, message["id"], _virtual_server(headers), notify)
            work = methods.answer(self._broker, exchange, message)
            await _UntilGone(session, receive).run(work, out)
        else:
            if kind is Kind.NOTIFICATION:
                methods.take_notification(self._broker, session, message)
            await respond(out.send, 202)

    async def _batch(self, headers: Headers, batch: list[Any], receive: Receive, out: _Output) -> None:
        limit = self._broker.config.broker.limits.batch
        for message in batch:
            _check_version(headers, message)
        session = self._session(headers)
        if session.key.version not in BATCH_VERSIONS:
            raise _bad(400, f"MCP {session.key.version} has no batches: send one message in a body")
        if not 0 < len(batch) <= limit:
            raise _bad(400, f"a batch holds 1 to {limit} messages, this one {len(batch)}")
        virtual_server = _virtual_server(headers)
        work = [self._element(session, virtual_server, message) for message in batch]

        async def together() -> bytes:
            responses = [response for response in await asyncio.gather(*work) if response is not None]
            return b"[" + b",".join(responses) + b"]" if responses else b""

        await _UntilGone(session, receive).run(together(), out)

    async def _element(self, session: Session, virtual_server: str | None, message: Any) -> bytes | None:
        """Handle one message of a batch: its response, or None when there is none to give."""
        try:
            kind = jsonrpc.classify(message)
        except RpcError as error:
            return jsonrpc.error_bytes(jsonrpc.id_of(message), error)
        if kind is Kind.REQUEST:
            exchange = SessionExchange(session, message["id"], virtual_server, None)
            return await methods.answer(self._broker, exchange, message)
        if kind is Kind.NOTIFICATION:
            methods.take_notification(self._broker, session, message)
        return None

    async def _get(self, headers: Headers, receive: Receive, send: Send) -> None:
        broker = self._broker
        _check_version(headers, None)
        if not _accepted(headers)[1] and b"*/*" not in headers.get(b"accept", b""):
            raise _bad(406, "the Accept header must allow text/event-stream")
        session = self._session(headers)
        if len(broker.streams) >= broker.config.broker.limits.streams or broker.draining:
            await respond(send, 503, _error_body(503, "no more streams now"), JSON, (b"retry-after", b"5"))
            return
        feed = broker.streams.open(session.key.identity, _virtual_server(headers))
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

    async def _delete(self, headers: Headers, send: Send) -> None:
        _check_version(headers, None)
        session = self._session(headers)
        self._broker.end_session(session.id)
        await respond(send, 200)

    def _session(self, headers: Headers) -> Session:
        session_id = headers.get(b"mcp-session-id")
        if not session_id:
            raise _bad(400, "the Mcp-Session-Id header is missing: send initialize first and then the id it returns")
        session = self._broker.sessions.find(session_id.decode("latin-1"))
        if session is None:
            raise _bad(404, "the session is unknown or has ended: send initialize again")
        return session


class _Output:
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


class _UntilGone:
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

    async def run(self, work: Any, out: _Output) -> None:
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


def _check_version(headers: Headers, message: Any) -> None:
    """Refuse a revision that is not served, naming those that are (error -32022 of MCP 2026-07-28).

    Without the header the session's own revision holds; MCP says to assume 2025-03-26, which differs in nothing
    that the broker does apart from batches, and those are a matter of the session.
    """
    version: object = None
    if isinstance(message, dict):
        params = message.get("params")
        meta = params.get("_meta") if isinstance(params, dict) else None
        version = meta.get(META_PROTOCOL_VERSION) if isinstance(meta, dict) else None
    header = headers.get(b"mcp-protocol-version")
    if version is None and header is not None:
        version = header.decode("latin-1")
    if version is not None and version not in SESSION_VERSIONS:
        requested = jsonrpc.excerpt(version)
        data = {"supported": list(SESSION_VERSIONS), "requested": requested}
        raise RpcError(jsonrpc.UNSUPPORTED_VERSION, f"Unsupported protocol version: {requested}", data, status=400)


def _virtual_server(headers: Headers) -> str | None:
    name = headers.get(b"x-mcp-virtualserver")
    return None if name is None else name.decode("latin-1")


def _accepted(headers: Headers) -> tuple[bool, bool]:
    """Tell whether a client takes JSON and whether it takes events. A missing header takes JSON."""
    accept = headers.get(b"accept")
    if accept is None:
        return True, False
    accept = accept.lower()
    return (
        b"application/json" in accept or b"*/*" in accept or b"application/*" in accept,
        b"text/event-stream" in accept,
    )


def _bad(status: int, why: str) -> RpcError:
    code = jsonrpc.INVALID_REQUEST
    return RpcError(code, f"{_PHRASES[status]}: {why}", status=status)


_PHRASES = {
    400: "Bad request",
    403: "Forbidden",
    404: "Session not found",
    406: "Not acceptable",
    408: "Request timeout",
    413: "Request body too large",
    415: "Unsupported media type",
    431: "Request headers too large",
    503: "Service unavailable",
}


def _error_body(status: int, why: str) -> bytes:
    return jsonrpc.error_bytes(None, _bad(status, why))


async def _refuse(send: Send, error: RpcError, request_id: jsonrpc.Id | None = None) -> None:
    await respond(send, error.status, jsonrpc.error_bytes(request_id, error), JSON)
