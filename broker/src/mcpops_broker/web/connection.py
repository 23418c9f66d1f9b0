# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""A client's connection: uvicorn's, made safe against clients that are slow or without end, and against an offer of
HTTP/2.

uvicorn puts no bound on the size of a request's head, nor on the time that a head takes to arrive or that an answer
takes to be read, nor on the requests that are sent before the first is answered (pipelining). Of such requests it tells
only the last that the client has gone. It drops the body of a request that offers to continue in HTTP/2
(`Upgrade: h2c`), which Java's HTTP client does by default. RFC 9110 section 7.8: a server may ignore the offer, and
then answers the request as it is.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from mcpops_broker import logs
from mcpops_broker.config.model import MAX_HEADERS

HEAD_TIMEOUT = 30.0
"""Seconds that a client gets to send the head of a request, from its connecting or from the head's first byte on.
Between two requests a connection may be silent for as long as uvicorn's keep-alive says."""
FAREWELL = 2.0
"""Seconds that the broker, when it stops, still waits for a request on a connection that has had none or on which one
has begun: clients opened it before they could know."""
READ_TIMEOUT = 60.0
"""Seconds without any progress after which a client that does not read its answer is given up."""
MOST_WAITING = 16
"""Requests of a connection that wait for the answer to one before them. A request of 20 bytes takes 2 KB here, and one
read may bring thousands; clients of MCP send none before they have their answer (RFC 9112 section 9.3.2)."""
_LARGE = 16 * 1024
"""Bytes from which copying them costs as much as a write of its own."""
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n"
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 21\r\n\r\ntoo many connections\n"
)
_OFFER = frozenset({b"upgrade", b"http2-settings", b"connection"})


class _TooManyError(Exception):
    """More requests wait than `MOST_WAITING`."""


class _Joined:
    """A transport that sends the head of an answer together with what follows it at once.

    uvicorn writes them one after the other, and each write is a packet: the second costs as much as a tenth of a call,
    here and at the client, which wakes up for a head without a body.
    """

    __slots__ = ("_head", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send bytes; the head of an answer waits for the body, but not longer than this turn of the event loop."""
        head, self._head = self._head, b""
        if head and len(data) > _LARGE:
            self._transport.write(head)
            self._transport.write(data)
        elif head:
            self._transport.write(head + data)
        elif data.startswith(b"HTTP/1.1 "):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Send what waits, and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head:
            self.write(b"")


class Room:
    """How many connections there may be. When there is no more room, the one idle longest is closed; that harms nobody
    but who sends a request at that moment, and who keeps many connections open gains nothing."""

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self._idle: dict[Connection, None] = {}
        """Those without a request, the one idle longest first."""

    def is_idle(self, connection: Connection) -> None:
        """Take note of a connection that has no request, or has answered it."""
        self._idle[connection] = None

    def is_busy(self, connection: Connection) -> None:
        """Take note of a connection with a request, or one that has ended."""
        self._idle.pop(connection, None)

    def has_place(self, connections: int) -> bool:
        """Tell whether there may be so many connections; close one if that helps."""
        if connections <= self._most():
            return True
        longest = next(iter(self._idle), None)
        if longest is None:
            return False
        del self._idle[longest]
        longest.transport.close()
        return True


def room_for_files() -> int:
    """Return how many connections leave enough of the files that the process may open for connections to servers."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] * 3 // 4


class Connection(HttpToolsProtocol):
    """One connection of a client."""

    room = Room(room_for_files)
    """Of all connections of the process."""
    ending = False
    """Whether the process stops: connections that are made while it does are told at once (uvicorn tells only those
    that it knows by then, and would wait for the others)."""
    _head_open = False
    """Whether a head has begun and is not complete."""
    _open = False
    """Whether a request has begun and is not complete, its body included."""
    _head_size = 0
    """Bytes of it since it began, or since the last of its body: the head, or what is around the pieces of a body."""
    _last = False
    """Whether the broker stops and the connection ends after the request that is on its way."""
    _running: RequestResponseCycle | None = None
    """The request that is served, or was last."""
    _patience: asyncio.TimerHandle | None = None
    """Ends a connection on which no request arrives."""
    _unread: asyncio.TimerHandle | None = None
    """Ends a connection whose client does not read."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._joined: Any = _Joined(transport, self.loop)
        if not self.room.has_place(len(self.connections)):
            transport.write(_FULL)
            transport.close()
            return
        self.room.is_idle(self)
        self._wait_for_head(HEAD_TIMEOUT)
        if self.ending:
            self.shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all clocks."""
        self.room.is_busy(self)
        for timer in (self._patience, self._unread):
            if timer is not None:
                timer.cancel()
        self.pipeline.clear()
        running = self._running
        if running is not None and not running.response_complete:  # uvicorn tells the last that has come
            running.disconnected = True
            running.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as offer:
            self._decline(data[offer.args[0] :])
            return
        except httptools.HttpParserError:
            if len(self.pipeline) >= MOST_WAITING:
                logs.warning("client.pipelines", limit=MOST_WAITING)
                self.transport.abort()
                return
            self.send_400_response("Invalid HTTP request received.")
            return
        if self._open:
            self._head_size += len(data)
            if self._head_size > 2 * MAX_HEADERS:  # twice, so that the endpoint can refuse all others by name
                logs.warning("client.head_too_large", limit=2 * MAX_HEADERS)
                self.transport.close()
                return
        if self._patience is None and (self.cycle is None or self.cycle.response_complete):
            self._wait_for_head(HEAD_TIMEOUT)

    def on_message_begin(self) -> None:
        """Begin a request; raise `_TooManyError`, which ends the parser's work, when too many wait."""
        if len(self.pipeline) >= MOST_WAITING:
            raise _TooManyError
        self._open, self._head_open, self._head_size = True, True, 0
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._head_size = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._open = False
        super().on_message_complete()

    def on_headers_complete(self) -> None:
        """Begin to serve a request."""
        self._head_open = False
        self.room.is_busy(self)
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        super().on_headers_complete()
        if not self.parser.should_upgrade():
            # What comes after the body (trailers, RFC 9110 section 6.5) is no header: a proxy in front does not look at
            # it as at headers. uvicorn would add it to those of the request.
            self.headers = []
        if self.cycle is not None:  # with an offer of another protocol there is none yet
            self.cycle.transport = self._joined
            if self._last:
                self.cycle.keep_alive = False

    def on_response_complete(self) -> None:
        """Go on with the next request, or wait for one."""
        super().on_response_complete()
        if not self.pipeline and (self.cycle is None or self.cycle.response_complete):
            self.room.is_idle(self)

    def shutdown(self) -> None:
        """End, after the request that has come or may be on its way: a new connection is a promise to answer it."""
        if self.cycle is None or self._head_open:
            self._last = True
            self._wait_for_head(FAREWELL)
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        """Take note that the client does not keep up with its answer."""
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        """Take note that the client has caught up."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _should_upgrade(self) -> bool:
        """Say that a request with an offer is not served yet: `_decline` begins it again without the offer."""
        return True

    def _decline(self, rest: bytes) -> None:
        """Read the request again without its offer of another protocol; `rest` came after its head."""
        if self.scope["method"] == "CONNECT":
            self.send_400_response("CONNECT is for proxies; this is none.")
            return
        stay = b"keep-alive" if self.parser.should_keep_alive() else b"close"
        lines = [b"%s %s HTTP/%s" % (self.scope["method"].encode(), self.url, self.parser.get_http_version().encode())]
        lines += [name + b": " + value for name, value in self.headers if name not in _OFFER]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        self.data_received(b"\r\n".join([*lines, b"connection: " + stay, b"", b""]) + rest)

    def _wait_for_head(self, seconds: float) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience = self.loop.call_later(seconds, self.transport.close)

    def _watch_reader(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._unread = self.loop.call_later(READ_TIMEOUT, self._check_reader, left)

    def _check_reader(self, before: int) -> None:
        if self.transport.get_write_buffer_size() < before:
            self._watch_reader()
        else:
            logs.debug("client.does_not_read", unread=before)
            self.transport.abort()
