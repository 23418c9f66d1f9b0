# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP/1.1 on asyncio and httptools: one write for each answer, no task for a request that needs none.

A handler is called with a whole request and returns either a `Response`, which is written at once, or a
`Stream`, whose chunks are written as they come, until it ends or the client goes away.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol, cast
from urllib.parse import parse_qsl, unquote

import httptools

from .errors import too_large
from .objects import encode

LOG = logging.getLogger(__name__)
MAX_BODY = 3 * 1024 * 1024
"""Bytes of request body that are accepted, as a kube-apiserver limits them."""
SLOW_CLIENT = 32 * 1024 * 1024
"""Bytes waiting for a client that does not read, after which its connection is closed."""

MAX_HEAD = 1024 * 1024
"""Bytes of target and headers that are accepted."""

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_NO_LINGER = struct.pack("ii", 1, 0)
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


@dataclass
class Request:
    """One request, body included; header names are lower case."""

    method: str
    path: str
    query: dict[str, str]
    query_lists: dict[str, list[str]]
    headers: dict[str, str]
    target: str
    body: bytes = b""


@dataclass
class Response:
    """One whole answer."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Stream:
    """An answer of unknown length; ``on_end`` is called once, whatever ended it."""

    chunks: AsyncIterator[bytes]
    status: int = 200
    content_type: str = "application/json"
    headers: list[tuple[str, str]] = field(default_factory=list)
    on_end: Callable[[], None] = lambda: None


class Handler(Protocol):
    """What the protocol calls for each request. It must not raise."""

    def __call__(self, request: Request, /) -> Response | Stream: ...


class Middleware(Protocol):
    """What sees each request before the handler does. None lets it pass, at no cost; else the result is the answer.

    It may raise `Cut`.
    """

    def __call__(self, request: Request, handler: Handler, /) -> Coroutine[Any, Any, Response | Stream] | None: ...


class Cut(Exception):  # noqa: N818  (an instruction, not an error)
    """The connection is to break: by a reset, or after half of an answer's bytes."""

    def __init__(self, answer: Response | None = None) -> None:
        super().__init__("the connection is cut on purpose")
        self.answer = answer


def _head(status: int, content_type: str, extra: list[tuple[str, str]], last: bytes) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in extra)
    return b"".join(
        (_STATUS_LINES[status], b"content-type: ", content_type.encode(), b"\r\n", lines.encode(), last, b"\r\n\r\n")
    )


class HttpProtocol(asyncio.Protocol):
    """One connection. Requests are answered in the order in which they come."""

    def __init__(self, handler: Handler, connections: set[HttpProtocol], middleware: Middleware | None = None) -> None:
        self._handler = handler
        self._middleware = middleware
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._streaming: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0
        self._head_size = 0
        self._refused = False
        self._began: float | None = None
        """When the request that is not complete yet began, on the monotonic clock."""

    # asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._transport = None
        self._writable.set()
        if self._streaming:
            self._streaming.cancel()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse(400, b"protocol upgrades are not served")
        except httptools.HttpParserError as error:
            self._refuse(400, f"malformed HTTP request: {error}".encode())

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # httptools calls these

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = {}
        self._body = []
        self._size = self._head_size = 0
        self._began = time.monotonic()

    def on_url(self, url: bytes) -> None:
        self._grow_head(len(url))
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._grow_head(len(name) + len(value))
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        if self._headers.get("expect", "").lower() == "100-continue" and self._transport:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= MAX_BODY:
            self._body.append(data)

    def on_message_complete(self) -> None:
        self._began = None
        if self._transport is None or self._refused:
            return
        keep_alive = self._parser.should_keep_alive()
        if self._size > MAX_BODY:
            error = too_large(f"limit is {MAX_BODY}")
            self._refuse(error.code, encode(error.status()), "application/json")
            return
        if _BAD_ESCAPE.search(self._url.partition(b"?")[0]):
            self._refuse(400, b"400 Bad Request: the path has a broken percent escape")
            return
        request = self._request()
        later = self._middleware(request, self._handler) if self._middleware else None
        if later:
            self._transport.pause_reading()
            self._streaming = asyncio.get_running_loop().create_task(self._write_later(later, keep_alive))
            return
        answer = self._handler(request)
        if isinstance(answer, Response):
            self._write(answer, keep_alive)
        else:
            self._transport.pause_reading()
            self._streaming = asyncio.get_running_loop().create_task(self._stream(answer, keep_alive))

    # our own

    def expire(self, seconds: float) -> None:
        """Close the connection if its present request has been incomplete for longer than that."""
        if self._transport and self._began and time.monotonic() - self._began > seconds:
            self._refuse(408, b"408 Request Timeout")

    def _grow_head(self, size: int) -> None:
        self._head_size += size
        if self._head_size > MAX_HEAD and not self._refused:
            self._refuse(431, b"431 Request Header Fields Too Large")

    def _request(self) -> Request:
        target = self._url.decode("latin-1")
        path, _, query = target.partition("?")
        lists: dict[str, list[str]] = {}
        if query:
            for name, value in parse_qsl(query, keep_blank_values=True):
                lists.setdefault(name, []).append(value)
        return Request(
            method=self._parser.get_method().decode("latin-1"),
            path=unquote(path),
            query={name: values[0] for name, values in lists.items()},
            query_lists=lists,
            headers=self._headers,
            target=target,
            body=b"".join(self._body),
        )

    def _write(self, answer: Response, keep_alive: bool) -> None:
        transport = self._transport
        if transport is None:
            return
        body = b"" if self._parser.get_method() == b"HEAD" else answer.body
        last = f"content-length: {len(answer.body)}"
        if not keep_alive:
            last += "\r\nconnection: close"
        transport.write(_head(answer.status, answer.content_type, answer.headers, last.encode()) + body)
        if not keep_alive:
            transport.close()

    def _refuse(self, status: int, why: bytes, content_type: str = "text/plain; charset=utf-8") -> None:
        """Answer for good: nothing that comes after it is read."""
        self._refused = True
        self._write(Response(status, why, content_type), keep_alive=False)

    async def _write_later(self, later: Coroutine[Any, Any, Response | Stream], keep_alive: bool) -> None:
        try:
            answer = await later
        except Cut as cut:
            self._streaming = None
            self._cut(cut)
            return
        except Exception:
            LOG.exception("The middleware failed; the connection is closed")
            self._finish_stream(keep_alive=False)
            return
        if isinstance(answer, Stream):
            await self._stream(answer, keep_alive)
            return
        self._streaming = None
        self._write(answer, keep_alive)
        self._finish_stream(keep_alive)

    def _cut(self, cut: Cut) -> None:
        if self._transport is None:
            return
        if cut.answer is None:
            # Closing a socket that does not linger sends a reset.
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            self._transport.abort()
            return
        answer = cut.answer
        last = f"content-length: {len(answer.body)}".encode()
        self._transport.write(
            _head(answer.status, answer.content_type, answer.headers, last) + answer.body[: len(answer.body) // 2]
        )
        self._transport.close()

    async def _stream(self, answer: Stream, keep_alive: bool) -> None:
        try:
            head = _head(answer.status, answer.content_type, answer.headers, b"transfer-encoding: chunked")
            self._send(head)
            async for chunk in answer.chunks:
                self._send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                await self._writable.wait()
                if self._transport is None:
                    return
            self._send(b"0\r\n\r\n")
        except asyncio.CancelledError:
            keep_alive = False
        except Cut:
            keep_alive = False
        except Exception:
            LOG.exception("A streamed answer ended by an error; its connection is closed")
            keep_alive = False
        finally:
            with contextlib.suppress(Exception):
                await answer.chunks.aclose()  # type: ignore[attr-defined]
            answer.on_end()
            self._streaming = None
            self._finish_stream(keep_alive)

    def _send(self, data: bytes) -> None:
        if self._transport is None:
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > SLOW_CLIENT:
            self._transport.abort()

    def _finish_stream(self, keep_alive: bool) -> None:
        if self._transport is None:
            return
        if keep_alive:
            self._transport.resume_reading()
        else:
            self._transport.close()

    async def close(self) -> None:
        """End the connection, and the stream on it if there is one."""
        if self._streaming:
            self._streaming.cancel()
            await asyncio.gather(self._streaming, return_exceptions=True)
        if self._transport:
            self._transport.close()
