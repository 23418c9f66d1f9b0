# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What holds for every web answer beside `/mcp` and the probes: the Host, the size of what is sent, and headers that
tell browsers to make nothing else of an answer than what it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from mcpops_broker.broker import Broker
from mcpops_broker.web.asgi import (
    JSON,
    BodyError,
    ClientGoneError,
    Receive,
    Scope,
    Send,
    head_size,
    read_body,
    read_headers,
    respond,
)
from mcpops_broker.web.hosts import MISDIRECTED, NOT_SERVED

LARGEST_BODY = 64 * 1024
"""Bytes of a request: forms and small JSON."""
ALWAYS = [("x-content-type-options", "nosniff")]
"""Headers that the server adds to all answers, those of `/mcp`, too."""
ALWAYS_TLS = [*ALWAYS, ("strict-transport-security", "max-age=31536000")]
"""The same where all is encrypted (RFC 6797)."""
_UNLESS_SET = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)

Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


async def guarded(app: Asgi, broker: Broker, scope: Scope, receive: Receive, send: Send) -> None:
    """Have an application answer a request, if it may."""

    async def send_safely(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            has = {name.lower() for name, _ in message["headers"]}
            more = [header for header in _UNLESS_SET if header[0] not in has]
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    headers = read_headers(scope)
    limit = broker.config.broker.limits.headers
    if head_size(scope) > limit:
        await _refuse(send_safely, 431, f"address and headers are longer than the limit of {limit} bytes")
        return
    if not broker.hosts.accepts(headers.get(b"host")):
        await _refuse(send_safely, MISDIRECTED, NOT_SERVED)
        return
    try:
        body = await read_body(receive, headers, LARGEST_BODY)
    except BodyError as error:
        await _refuse(send_safely, error.status, str(error))
    except ClientGoneError:
        pass  # nobody is there to answer
    else:
        await app(scope, _replay(body, receive), send_safely)


async def _refuse(send: Send, status: int, why: str) -> None:
    await respond(send, status, orjson.dumps({"error": why}), JSON)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return what gives the body, which was read already, and then what comes after it."""
    given = False

    async def replay() -> MutableMapping[str, Any]:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
