# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP: requests in pieces, answers in order, streams, limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sandbox.api.http import MAX_BODY, HttpProtocol, Request, Response, Stream


class Wire(asyncio.Transport):
    """A connection whose other end is the test."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.closed = False
        self.reading = True
        self.resumed = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True
        self.resumed.set()

    def get_write_buffer_size(self) -> int:
        return 0


def answer(request: Request) -> Response | Stream:
    if request.path == "/stream":
        return Stream(chunks())
    return Response(200, f"{request.method} {request.path} {request.query} {len(request.body)}".encode(), "text/plain")


async def chunks() -> AsyncIterator[bytes]:
    yield b"one"
    await asyncio.sleep(0)
    yield b"three"


@pytest.fixture
def connection() -> tuple[HttpProtocol, Wire]:
    protocol, wire = HttpProtocol(answer, set()), Wire()
    protocol.connection_made(wire)
    return protocol, wire


def test_a_request_in_pieces_has_one_answer(connection: tuple[HttpProtocol, Wire]) -> None:
    protocol, wire = connection
    for piece in (b"POST /a%20b?x=", b"1&y= HTTP/1.1\r\nContent-Le", b"ngth: 5\r\n\r\nhe", b"llo"):
        protocol.data_received(piece)
    assert len(wire.sent) == 1
    assert wire.sent[0].startswith(b"HTTP/1.1 200 OK\r\n")
    assert wire.sent[0].endswith(b"POST /a b {'x': '1', 'y': ''} 5")
    assert not wire.closed


def test_requests_that_come_together_are_answered_in_order(connection: tuple[HttpProtocol, Wire]) -> None:
    protocol, wire = connection
    protocol.data_received(b"GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert [sent.rpartition(b"\n")[2].split()[1] for sent in wire.sent] == [b"/1", b"/2"]
    assert wire.closed


def test_what_is_no_http(connection: tuple[HttpProtocol, Wire]) -> None:
    protocol, wire = connection
    protocol.data_received(b"\x16\x03\x01 hello\r\n\r\n")
    assert wire.sent[0].startswith(b"HTTP/1.1 400 ")
    assert wire.closed


def test_bodies_are_limited(connection: tuple[HttpProtocol, Wire]) -> None:
    protocol, wire = connection
    protocol.data_received(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1))
    protocol.data_received(b"x" * (MAX_BODY + 1))
    assert wire.sent[0].startswith(b"HTTP/1.1 413 ")
    assert wire.closed


def test_clients_that_wait_are_told_to_go_on(connection: tuple[HttpProtocol, Wire]) -> None:
    protocol, wire = connection
    protocol.data_received(b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
    assert wire.sent == [b"HTTP/1.1 100 Continue\r\n\r\n"]


async def test_streams_are_chunked_and_then_the_next_request_is_read(connection: tuple[HttpProtocol, Wire]) -> None:
    protocol, wire = connection
    protocol.data_received(b"GET /stream HTTP/1.1\r\n\r\n")
    assert not wire.reading
    async with asyncio.timeout(5):
        await wire.resumed.wait()
    assert wire.sent[1:] == [b"3\r\none\r\n", b"5\r\nthree\r\n", b"0\r\n\r\n"]
    assert not wire.closed


async def test_a_stream_ends_with_its_connection() -> None:
    ended = asyncio.Event()

    async def forever() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    stream = Stream(forever(), on_end=ended.set)
    protocol, wire = HttpProtocol(lambda _: stream, set()), Wire()
    protocol.connection_made(wire)
    protocol.data_received(b"GET / HTTP/1.1\r\n\r\n")
    await asyncio.sleep(0)
    protocol.connection_lost(None)
    async with asyncio.timeout(5):
        await ended.wait()
    assert wire.sent[0].startswith(b"HTTP/1.1 200 OK\r\n")
