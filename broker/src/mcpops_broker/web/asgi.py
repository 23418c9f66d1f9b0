# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Reading requests and writing answers without a framework, for the endpoint where every microsecond counts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mcpops_broker.timers import Limit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = dict[bytes, bytes]

BODY_TIMEOUT = 30.0
"""Seconds that a client gets to send a body."""
JSON = (b"content-type", b"application/json")


class BodyError(Exception):
    """The body cannot be read. `status` is the HTTP status that says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete; nobody is there to answer."""


def read_headers(scope: Scope) -> Headers:
    """Return the headers by lower-case name, blanks around values removed.

    uvicorn's httptools parser leaves trailing blanks in values, which RFC 9110 does not count to the value. Of a
    repeated header all values are joined by a comma, as RFC 9110 allows and as no single value of ours contains.
    """
    headers: Headers = {}
    for name, raw in scope["headers"]:
        value = raw.strip(b" \t")
        headers[name] = headers[name] + b"," + value if name in headers else value
    return headers


def head_size(scope: Scope) -> int:
    """Return the bytes of a request's address and headers, without what is between them."""
    address = len(scope["raw_path"]) + len(scope["query_string"])
    return address + sum([len(name) + len(value) for name, value in scope["headers"]])


async def read_body(receive: Receive, headers: Headers, limit: int) -> bytes:
    """Return the body; raise `BodyError` when it is larger than `limit` bytes or too slow."""
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > limit:
        raise BodyError(413, f"the body is {int(length)} bytes long, more than the limit of {limit}")
    parts: list[bytes] = []
    size = 0
    try:
        with Limit(BODY_TIMEOUT):
            while True:
                event = await receive()
                if event["type"] == "http.disconnect":
                    raise ClientGoneError
                parts.append(event.get("body", b""))
                size += len(parts[-1])
                if size > limit:
                    raise BodyError(413, f"the body is longer than the limit of {limit} bytes")
                if not event.get("more_body"):
                    break
    except TimeoutError:
        raise BodyError(408, f"the body did not arrive within {BODY_TIMEOUT:g} s") from None
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def respond(
    send: Send, status: int, body: bytes = b"", *headers: tuple[bytes, bytes], head: bool = False
) -> None:
    """Send a whole answer; with `head` the length is told but no body sent."""
    start = {
        "type": "http.response.start",
        "status": status,
        "headers": [(b"content-length", b"%d" % len(body)), *headers],
    }
    await send(start)
    await send({"type": "http.response.body", "body": b"" if head else body})


async def start_stream(send: Send, *more: tuple[bytes, bytes]) -> None:
    """Begin an answer of server-sent events."""
    headers = [
        (b"content-type", b"text/event-stream"),
        (b"cache-control", b"no-cache, no-transform"),
        (b"x-accel-buffering", b"no"),
        *more,
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def stream(send: Send, data: bytes, *, last: bool = False) -> None:
    """Send a piece of a streamed answer."""
    await send({"type": "http.response.body", "body": data, "more_body": not last})


async def wait_for_disconnect(receive: Receive) -> None:
    """Return when the client has closed the connection (or the answer is complete)."""
    while (await receive())["type"] != "http.disconnect":
        pass
