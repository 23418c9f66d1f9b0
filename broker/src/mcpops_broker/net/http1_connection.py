# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""One HTTP/1.1 connection to an upstream, and the answers that come over it one after the other.

llhttp (by `httptools`) decides what is valid HTTP; this is the rest: limits, flow control, and whether the connection
may be used again. Rules: RFC 9110 and RFC 9112.
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import httptools

from mcpops_broker.net.client import HttpError, HttpTimeoutError
from mcpops_broker.timers import Timer, after

HEAD_LIMIT = 64 * 1024
"""Bytes of an answer's head, and of what follows its last chunk."""
HIGH_WATER = 256 * 1024
"""Bytes of a body that wait to be read before the upstream has to wait, too."""


class Http1Answer:
    """An answer as the interface `Answer` describes it."""

    __slots__ = (
        "_connection",
        "_decoder",
        "_headers",
        "_leaving",
        "_parts",
        "_problem",
        "_size",
        "_wake",
        "complete",
        "idle",
        "status",
    )

    def __init__(self, connection: Connection) -> None:
        self.status = 0
        """0 until the head has arrived."""
        self.idle: float | None = None
        """Seconds without a byte after which the body is given up."""
        self.complete = False
        """The body has arrived to its end; not all of it may have been read."""
        self._connection = connection
        self._headers: dict[bytes, bytes] = {}
        self._parts: list[bytes] = []
        self._size = 0
        self._problem: HttpError | None = None
        self._wake: asyncio.Future[None] | None = None
        self._leaving: Timer | None = None
        """Ends the wait for the rest of a body that nobody reads."""
        self._decoder: Any = None

    def header(self, name: str) -> str | None:
        """Return a header's value."""
        value = self._headers.get(name.encode())
        return None if value is None else value.decode("latin-1").strip(" \t")

    async def read(self, limit: int) -> bytes:
        """Return the whole body, at most `limit` bytes."""
        length = self._headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > limit:
            raise HttpError(f"the answer is {int(length)} bytes long, more than the limit of {limit}")
        if self.complete and self._decoder is None and self._size <= limit:  # nearly always: it came with its head
            return self._take()
        parts: list[bytes] = []
        size = 0
        while piece := await self.piece():
            size += len(piece)
            if size > limit:
                raise HttpError(f"the answer is longer than the limit of {limit} bytes")
            parts.append(piece)
        return b"".join(parts)

    def chunks(self) -> AsyncIterator[bytes]:
        """Iterate over the body as it arrives."""
        return _Chunks(self)

    async def piece(self) -> bytes:
        """Return what has arrived of the body, as soon as there is something; nothing at its end."""
        while True:
            data = self._take() if self._decoder is None else self._decode()
            if data or self.complete:
                return data
            await self.more(self.idle, "the answer stopped in the middle, nothing more came in time")

    async def more(self, within: float | None, otherwise: str) -> None:
        """Wait until something has happened: the head, more of the body, its end, or a problem.

        When nothing comes `within` seconds (None: for ever), `otherwise` is the problem. Raises `HttpError`.
        """
        if not self._parts and not self.complete and self._problem is None:
            timer = None if within is None else after(within, self._too_late, otherwise)
            self._wake = asyncio.get_running_loop().create_future()
            try:
                await self._wake
            finally:
                self._wake = None
                if timer is not None:
                    timer.cancel()
        if self._problem is not None and not self._parts:
            raise self._problem

    def close(self) -> None:
        """Give the connection back, or drop it when the body did not come to its end."""
        self._connection.release(self)

    def leave(self, within: float) -> None:
        """Close without waiting: the rest of the body, which nobody reads, may take so many seconds to arrive."""
        if self.complete or self._problem is not None:
            self.close()
            return
        self._leaving = after(within, self.close)
        self._take()

    def wake(self) -> None:
        """Let whoever waits look again."""
        if self._leaving is not None and (self.complete or self._problem is not None):
            self._leaving.cancel()
            self.close()
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def fail(self, problem: HttpError) -> None:
        """Take why no more will come."""
        if not self.complete and self._problem is None:
            self._problem = problem
            self.wake()

    def add_header(self, name: bytes, value: bytes) -> None:
        """Take a header; the first of a name counts."""
        self._headers.setdefault(name.lower(), value)

    def forget_headers(self) -> None:
        """Drop the headers of an interim answer."""
        self._headers.clear()

    def begin(self, status: int) -> None:
        """Take the end of the head."""
        self.status = status
        coding = self._headers.get(b"content-encoding", b"identity").strip().lower()
        if coding in (b"gzip", b"x-gzip", b"deflate"):  # not asked for, but some servers do it all the same
            self._decoder = zlib.decompressobj(zlib.MAX_WBITS | 32)
        elif coding != b"identity":
            shown = coding.decode("latin-1")
            self.fail(HttpError(f"the answer has the content coding {shown!r}, which was not asked for"))

    def add(self, data: bytes) -> int:
        """Take a piece of the body; return how many bytes wait."""
        if self._problem is None and self._leaving is None:
            self._parts.append(data)
            self._size += len(data)
            self.wake()
        return self._size

    @property
    def chunked_or_sized(self) -> bool:
        """Whether the head tells where the body ends. Otherwise the end of the connection does."""
        return b"content-length" in self._headers or b"transfer-encoding" in self._headers

    def _too_late(self, problem: str) -> None:
        self.fail(HttpTimeoutError(problem))

    def _take(self) -> bytes:
        parts = self._parts
        if not parts:
            return b""
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        self._parts = []
        self._size = 0
        self._connection.resume()
        return data

    def _decode(self) -> bytes:
        """Decompress a piece of bounded size, so that a few bytes cannot become gigabytes in the memory."""
        try:
            piece: bytes = self._decoder.decompress(self._decoder.unconsumed_tail + self._take(), HIGH_WATER)
        except zlib.error:
            raise HttpError("the answer is not compressed as it says") from None
        return piece


class _Chunks:
    """The pieces of a body. No generator: one that is not read to its end costs a task to clean up."""

    __slots__ = ("_answer",)

    def __init__(self, answer: Http1Answer) -> None:
        self._answer = answer

    def __aiter__(self) -> _Chunks:
        return self

    async def __anext__(self) -> bytes:
        piece = await self._answer.piece()
        if not piece:
            raise StopAsyncIteration
        return piece


class Connection(asyncio.Protocol):
    """A connection. `released` gets it whenever it can be used for another request."""

    def __init__(self, released: Callable[[Connection], None]) -> None:
        self.idle_since = 0.0
        """The event loop's time of the last use."""
        self.open = False
        self._transport: Any = None
        self._parser: Any = None
        self._answer: Http1Answer | None = None
        self._overhead = 0
        """Bytes of the answer since its last piece of body: its head, what stands between chunks, its trailers."""
        self._paused = False
        self._in_head = True
        self._reusable = False
        self._released = released

    def send(self, request: bytes) -> Http1Answer:
        """Send a request; return its answer, whose status is 0 until its head has arrived."""
        answer = self._answer = Http1Answer(self)
        self._overhead, self._in_head, self._reusable = 0, True, False
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        self._transport.write(request)
        return answer

    async def tunnel(self, request: bytes, tls: ssl.SSLContext, host: str) -> None:
        """Have a proxy connect to another server and speak TLS with that; raise `HttpError` when the proxy refuses."""
        answer = self.send(request)
        while not answer.status:
            await answer.more(None, "")
        if answer.status >= 300:
            raise HttpError(f"the HTTP proxy refused the connection (HTTP {answer.status})")
        self._answer = self._parser = None
        loop = asyncio.get_running_loop()
        self._transport = await loop.start_tls(self._transport, self, tls, server_hostname=host)

    def release(self, answer: Http1Answer) -> None:
        """End the use of the connection for an answer."""
        if self._answer is not answer:
            return  # closed before
        self._answer = None
        if answer.complete and self._reusable and self.open:
            self.resume()
            self._released(self)
        else:
            self.abort()

    def abort(self) -> None:
        """Close now."""
        self.open = False
        if self._transport is not None:
            self._transport.abort()

    def resume(self) -> None:
        """Let the upstream send again."""
        if self._paused and self.open:
            self._paused = False
            self._transport.resume_reading()

    # what the event loop says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport
        self.open = True

    def data_received(self, data: bytes) -> None:
        """Take what has arrived."""
        answer = self._answer
        if answer is None:  # nothing was asked: what comes now could be taken for a later request's answer
            self.abort()
            return
        self._overhead += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._broken("the answer is not valid HTTP")
            return
        if self._overhead > HEAD_LIMIT:
            self._broken(f"the answer has more than {HEAD_LIMIT} bytes of headers or trailers")

    def eof_received(self) -> None:
        """The upstream will send no more."""
        self._ended("")

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._ended(getattr(error, "strerror", None) or "")

    # what the parser says

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer, which nobody asks for."""
        if self._answer is not None and self._in_head:
            self._answer.add_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there; those of the interim answers 1xx are dropped."""
        status = self._parser.get_status_code()
        answer = self._answer
        if answer is None:
            return
        if status < 200:
            answer.forget_headers()
            return
        self._in_head = False
        self._overhead = 0
        answer.begin(status)
        answer.wake()

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        answer = self._answer
        self._overhead = 0
        if answer is not None and answer.add(data) > HIGH_WATER and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        """The answer is there."""
        answer = self._answer
        if answer is None or not answer.status:
            return
        self._reusable = self._parser.should_keep_alive()
        self._overhead = 0
        answer.complete = True
        answer.wake()

    def on_message_begin(self) -> None:
        """A message begins. After a whole answer that is one that nobody asked for: the parser stops."""
        if self._answer is None or self._answer.complete:
            raise ValueError("more than one answer to a request")

    def _broken(self, problem: str) -> None:
        if self._answer is not None:
            self._answer.fail(HttpError(problem))
        self._reusable = False
        self.abort()

    def _ended(self, why: str) -> None:
        self.open = False
        answer = self._answer
        if answer is None:
            return
        if not answer.status:
            answer.fail(HttpError(why or "the server closed the connection without an answer"))
        elif not answer.complete and not answer.chunked_or_sized and not why:
            answer.complete = True
            answer.wake()
        else:
            answer.fail(HttpError(f"the answer broke off ({why or 'the body ended too early'})"))
