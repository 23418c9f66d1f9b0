# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What the headers of a request to `/mcp` say, and refusals that are not about a method: HTTP statuses with a
JSON-RPC error that says why."""

from __future__ import annotations

from dataclasses import dataclass

from mcpops_broker.principal import Principal
from mcpops_broker.protocol import jsonrpc
from mcpops_broker.protocol.jsonrpc import Id, RefusalError, RpcError
from mcpops_broker.seen.record import Outcome, Record
from mcpops_broker.web.asgi import JSON, Headers, Receive, Scope, Send, respond


@dataclass(slots=True, eq=False)
class Request:
    """An HTTP request to the endpoint whose sender is known."""

    scope: Scope
    """As ASGI has it."""
    headers: Headers
    principal: Principal
    receive: Receive
    send: Send
    record: Record


_PHRASES = {
    400: "Bad request",
    403: "Forbidden",
    404: "Session not found",
    406: "Not acceptable",
    408: "Request timeout",
    413: "Request body too large",
    415: "Unsupported media type",
    421: "Misdirected request",
    431: "Request headers too large",
    503: "Service unavailable",
}

_BOTH = b"application/json, text/event-stream"
"""The Accept header of nearly every client."""


def bad(status: int, why: str) -> RpcError:
    """Build the refusal with this HTTP status."""
    return RpcError(jsonrpc.INVALID_REQUEST, f"{_PHRASES[status]}: {why}", status=status)


async def refuse(send: Send, error: RpcError, request_id: Id | None = None) -> None:
    """Answer with a refusal."""
    more = error.headers if isinstance(error, RefusalError) else ()
    await respond(send, error.status, jsonrpc.error_bytes(request_id, error), JSON, *more)


async def refuse_for_now(request: Request, why: str, retry_after: int) -> None:
    """Answer 503; the client may try again after this many seconds."""
    request.record.outcome = Outcome.BUSY
    body = jsonrpc.error_bytes(None, bad(503, why))
    await respond(request.send, 503, body, JSON, (b"retry-after", b"%d" % retry_after))


def accepted(headers: Headers) -> tuple[bool, bool]:
    """Tell whether a client takes JSON and whether it takes events. A missing header takes JSON."""
    accept = headers.get(b"accept")
    if accept == _BOTH:
        return True, True
    if accept is None:
        return True, False
    accept = accept.lower()
    return (
        b"application/json" in accept or b"*/*" in accept or b"application/*" in accept,
        b"text/event-stream" in accept,
    )
