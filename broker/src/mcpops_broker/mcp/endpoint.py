# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""`/mcp`: Streamable HTTP as a raw ASGI endpoint.

What holds for every revision is here: which site may speak to us, who asks, how large a request may be, how many there
may be. The rules of the revisions are in `session_endpoint` and `stateless_endpoint`; what requests mean is in
`methods`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from mcpops_broker import logs
from mcpops_broker.mcp.http import Request, accepted, bad, refuse, refuse_for_now
from mcpops_broker.mcp.session_endpoint import SessionEndpoint
from mcpops_broker.mcp.stateless_endpoint import ONLY_POST, StatelessEndpoint, wants_no_session
from mcpops_broker.mcp.virtual_path import take_virtual_server, unknown_path
from mcpops_broker.protocol import jsonrpc
from mcpops_broker.protocol.jsonrpc import RpcError
from mcpops_broker.seen.record import Outcome
from mcpops_broker.web.asgi import (
    BodyError,
    ClientGoneError,
    Headers,
    Receive,
    Scope,
    Send,
    head_size,
    read_body,
    read_headers,
    respond,
)
from mcpops_broker.web.hosts import MISDIRECTED, NOT_SERVED

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker

SESSIONS_ONLY = "/mcp/stateful"
"""The operator's path for clients with sessions, and only those."""
_JSON = b"application/json"
_ALLOW = (b"allow", b"GET, POST, DELETE, OPTIONS")


class McpEndpoint:
    """Serves `/mcp` for one broker."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._sessions = SessionEndpoint(broker)
        self._stateless = StatelessEndpoint(broker)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one HTTP request."""
        method = scope["method"]
        headers = read_headers(scope)
        observers = self._broker.observers
        record = observers.begin(headers, scope.get("client"))
        try:
            self._check_headers(scope, headers)
            virtual_server = take_virtual_server(scope, headers)
            if method == "OPTIONS":
                record.method = method
                await respond(send, 200, b"", _ALLOW)
                return
            principal = await self._broker.authentication.authenticate(headers, scope)
            record.principal = principal
            if virtual_server is not None:
                record.path = scope["path"]
                if not self._broker.catalogue.has_virtual_server(virtual_server):
                    raise unknown_path()
            request = Request(scope, headers, principal, receive, send, record)
            if method == "POST":
                await self._post(request)
                return
            record.method = method
            if method in ("GET", "DELETE") and wants_no_session(headers, None):
                await _refuse_method(request, ONLY_POST)
            elif method == "GET":
                await self._sessions.get(request)
            elif method == "DELETE":
                await self._sessions.delete(request)
            else:
                await _refuse_method(request, _ALLOW)
        except RpcError as error:
            record.failed(error)
            await refuse(send, error)
        except ClientGoneError:
            record.outcome = Outcome.GONE
            logs.debug("client.gone")
        except Exception as error:
            record.outcome = Outcome.FAILED
            logs.failure("request.failed", error, method=method)
            with suppress(RuntimeError):  # the answer has begun already: closing the connection is all that is left
                await refuse(send, RpcError(jsonrpc.INTERNAL_ERROR, "Internal error", status=500))
        finally:
            observers.end(record)

    def _check_headers(self, scope: Scope, headers: Headers) -> None:
        limit = self._broker.config.broker.limits.headers
        if head_size(scope) > limit:
            raise bad(431, f"the headers are longer than the limit of {limit} bytes")
        if not self._broker.hosts.accepts(headers.get(b"host")):
            raise bad(MISDIRECTED, NOT_SERVED)
        origin = headers.get(b"origin")
        if origin is not None and not self._broker.origins.accepts(origin):
            raise bad(403, "the Origin header names a site that is not allowed here (broker.allowedOrigins)")

    async def _post(self, request: Request) -> None:
        broker, headers = self._broker, request.headers
        limits = broker.config.broker.limits
        content_type = headers.get(b"content-type", b"")
        if content_type != _JSON and content_type.partition(b";")[0].strip().lower() != _JSON:
            raise bad(415, "the Content-Type header must be application/json")
        takes_json, takes_events = accepted(headers)
        if not takes_json and not takes_events:
            raise bad(406, "the Accept header must allow application/json or text/event-stream")
        if broker.requests >= limits.requests:
            await refuse_for_now(request, "too many requests in flight", 1)
            return
        broker.requests += 1
        try:
            try:
                body = await read_body(request.receive, headers, limits.body)
            except BodyError as error:
                raise bad(error.status, str(error)) from None
            message = jsonrpc.parse(body)
            if wants_no_session(headers, message) and request.scope["path"] != SESSIONS_ONLY:
                await self._stateless.post(request, message)
                return
            await self._sessions.post(request, message, (takes_json, takes_events))
        finally:
            broker.requests -= 1


async def _refuse_method(request: Request, allowed: tuple[bytes, bytes]) -> None:
    request.record.outcome = Outcome.INVALID
    await respond(request.send, 405, b"", allowed)
