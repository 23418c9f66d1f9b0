# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that are slow or without end, and those that offer HTTP/2, on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import pytest
import uvicorn
from broker.scripted import until
from mcpops_broker.config.model import MAX_HEADERS
from mcpops_broker.web import connection as module
from mcpops_broker.web.connection import MOST_WAITING, Connection, Room
from uvicorn.server import ServerState

OFFER = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAAA\r\n"

Connect = Callable[[], Any]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the names of the headers and the body; /large with 8 MB, /early before the body is there,
    /never not at all."""
    body = b""
    if scope["path"] == "/never":
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    if scope["path"] == "/large":
        body = b"x" * (8 << 20)
    elif scope["path"] != "/early":
        event = {"more_body": True}
        while event.get("more_body"):
            event = await receive()
            body += event["body"]
    names = b" ".join(sorted(name for name, _ in scope["headers"]))
    headers = [(b"content-length", b"%d" % len(body)), (b"x-names", names)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(
    room: Room | None = None, state: ServerState | None = None
) -> AsyncIterator[tuple[asyncio.Event, Connect]]:
    """Serve `echo`; the event is set when a connection has ended."""
    ended, state = asyncio.Event(), state or ServerState()

    class Watched(Connection):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            ended.set()

    if room is not None:
        Watched.room = room
    config = uvicorn.Config(echo, http=Watched, lifespan="off", log_config=None)
    server = await asyncio.get_running_loop().create_server(
        lambda: Watched(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    async with server:
        try:
            yield ended, lambda: asyncio.open_connection("127.0.0.1", port)
        finally:
            for one in list(state.connections):  # those that are kept alive would keep the server waiting
                one.transport.close()


async def answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head, await asyncio.wait_for(reader.readexactly(length), 30)


@pytest.mark.parametrize("pieces", [1, 2, 40])
async def test_an_offer_of_http2_is_declined_and_the_request_served(pieces: int) -> None:
    request = b"POST /a HTTP/1.1\r\nhost: x\r\nx-more: 1\r\n" + OFFER + b"content-length: 4\r\n\r\nbody"
    size = -(-len(request) // pieces)
    async with serving() as (_, connect):
        reader, writer = await connect()
        for _ in range(2):  # the connection goes on to be used
            for start in range(0, len(request), size):
                writer.write(request[start : start + size])
                await writer.drain()
                await asyncio.sleep(0)
            head, body = await answer(reader)

            assert head.startswith(b"HTTP/1.1 200"), head
            assert b"x-names: connection content-length host x-more\r\n" in head
            assert body == b"body"
        writer.close()


async def test_connect_is_refused() -> None:
    async with serving() as (_, connect):
        reader, writer = await connect()
        writer.write(b"CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n")

        assert (await asyncio.wait_for(reader.read(), 30)).startswith(b"HTTP/1.1 400")
        writer.close()


@pytest.mark.parametrize("first", [b"", b"POST / HTTP/1.1\r\nx: ", b"\r\n"])
async def test_a_client_without_end_to_its_head_is_given_up(first: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_TIMEOUT", 0.1)
    async with serving() as (ended, connect):
        reader, writer = await connect()
        writer.write(first)

        await asyncio.wait_for(reader.read(), 30)

        writer.close()
        await asyncio.wait_for(ended.wait(), 30)


@pytest.mark.parametrize(
    ("request_head", "more"), [(b"POST /early HTTP/1.1\r\ncontent-length: 1000000", b"y"), (b"GET / HTTP/1.1", b"\r\n")]
)
async def test_a_client_that_goes_on_after_its_answer_without_a_request_is_given_up(
    request_head: bytes, more: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HEAD_TIMEOUT", 0.1)
    async with serving() as (_, connect):
        reader, writer = await connect()
        writer.write(request_head + b"\r\nhost: x\r\n\r\n")
        await answer(reader)
        writer.write(more)

        assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()


@pytest.mark.parametrize("sent", [0, 1, 30])
async def test_a_request_that_is_on_its_way_at_the_end_is_answered(sent: int) -> None:
    request = b"POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody"
    state = ServerState()
    async with serving(state=state) as (ended, connect):
        reader, writer = await connect()
        await until(lambda: state.connections, "it is accepted")
        writer.write(request[:sent])
        (one,) = cast("set[Connection]", state.connections)
        await until(lambda: one._head_open == bool(sent), "what is sent has come")
        one.shutdown()
        writer.write(request[sent:])

        head, body = await answer(reader)

        assert b"connection: close" in head.lower() and body == b"body"
        assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()
        await asyncio.wait_for(ended.wait(), 30)


async def test_at_the_end_a_connection_is_closed_after_its_answers_and_one_without_a_request_a_little_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "FAREWELL", 0.1)
    state = ServerState()
    async with serving(state=state) as (_, connect):
        used, silent = await connect(), await connect()
        used[1].write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await answer(used[0])
        await until(lambda: len(state.connections) == 2, "both are accepted")

        for one in list(state.connections):
            one.shutdown()

        for reader, writer in (used, silent):
            assert await asyncio.wait_for(reader.read(), 30) == b""
            writer.close()


async def test_a_connection_that_is_made_while_the_broker_stops_is_answered_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Connection, "ending", True)
    async with serving() as (_, connect):
        reader, writer = await connect()
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")

        assert b"connection: close" in (await answer(reader))[0].lower()
        assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()


async def test_a_head_without_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    line = b"x-a: " + b"a" * 65_000 + b"\r\n"
    async with serving() as (ended, connect):
        _, writer = await connect()
        writer.write(b"GET / HTTP/1.1\r\n")
        sent = 0
        with pytest.raises(ConnectionError):
            while True:
                writer.write(line)
                await writer.drain()
                sent += len(line)
                assert sent < 100 * MAX_HEADERS

        await asyncio.wait_for(ended.wait(), 30)


async def test_a_client_that_does_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_TIMEOUT", 0.1)
    async with serving() as (ended, connect):
        reader, writer = await connect()
        reader._transport.pause_reading()
        writer.write(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n")

        await asyncio.wait_for(ended.wait(), 30)
        writer.close()


async def test_a_client_that_reads_slowly_gets_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_TIMEOUT", 0.1)
    async with serving() as (_, connect):
        reader, writer = await connect()
        writer.write(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        size = 0
        while size < 8 << 20:
            chunk = await reader.read(1 << 20)
            assert chunk, size
            size += len(chunk)
            await asyncio.sleep(0.01)

        assert b"200 OK" in head
        writer.close()


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def close(self) -> None:
        self.closed = True


async def test_head_and_body_are_one_write_and_a_head_alone_does_not_wait() -> None:
    wire = Wire()
    joined: Any = module._Joined(wire, asyncio.get_running_loop())  # type: ignore[arg-type]
    head, large = b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 100_000

    for data in (head, b"body", b"more", head, b"", head, large):
        joined.write(data)
    assert wire.writes == [head + b"body", b"more", head, head, large]

    joined.write(head)
    assert len(wire.writes) == 5
    await asyncio.sleep(0)
    assert wire.writes[5:] == [head]

    joined.write(head)
    joined.close()
    assert wire.writes[6:] == [head]
    assert wire.closed


REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


async def test_the_connection_that_is_idle_longest_makes_room() -> None:
    async with serving(Room(lambda: 3)) as (_, connect):
        clients = [await connect() for _ in range(3)]
        for number in (1, 0, 2):
            clients[number][1].write(REQUEST)
            await answer(clients[number][0])

        for gone in (1, 0):
            newcomer = await connect()
            newcomer[1].write(REQUEST)
            await answer(newcomer[0])
            assert await asyncio.wait_for(clients[gone][0].read(), 30) == b""

        clients[2][1].write(REQUEST)
        assert (await answer(clients[2][0]))[0].startswith(b"HTTP/1.1 200")


async def test_a_head_that_is_not_complete_makes_room_and_a_request_does_not() -> None:
    async with serving(Room(lambda: 2)) as (_, connect):
        busy, slow = await connect(), await connect()
        busy[1].write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n")
        slow[1].write(b"GET / HTTP/1.1\r\n")
        other = await connect()
        other[1].write(REQUEST)
        await answer(other[0])
        assert await asyncio.wait_for(slow[0].read(), 30) == b""

        busy[1].write(b"body")
        assert (await answer(busy[0]))[1] == b"body"


async def test_without_any_idle_connection_a_new_one_is_refused() -> None:
    async with serving(Room(lambda: 1)) as (_, connect):
        busy = await connect()
        busy[1].write(b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n")
        await asyncio.wait_for(busy[0].readuntil(b"100 Continue\r\n\r\n"), 30)

        newcomer = await connect()
        head, body = await answer(newcomer[0])

        assert head.startswith(b"HTTP/1.1 503 ")
        assert body == b"too many connections\n"
        busy[1].write(b"body")
        assert (await answer(busy[0]))[1] == b"body"


TRAILING = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n"


@pytest.mark.parametrize("at_once", [True, False])
async def test_what_comes_after_a_body_is_no_header(at_once: bool) -> None:
    async with serving() as (_, connect):
        client = await connect()
        for piece in [TRAILING, b"authorization: Bearer x\r\n\r\n"] if not at_once else [TRAILING + b"a: b\r\n\r\n"]:
            client[1].write(piece)
            await client[1].drain()
        head, body = await answer(client[0])

        assert (head.partition(b"x-names: ")[2].partition(b"\r\n")[0], body) == (b"host transfer-encoding", b"body")
        client[1].write(REQUEST)
        assert b"x-names: host\r\n" in (await answer(client[0]))[0]


@pytest.mark.parametrize(
    "endless",
    [TRAILING + b"a: ", TRAILING + b"a: b\r\n", TRAILING.removesuffix(b"0\r\n") + b"1;", TRAILING + b"a"],
)
async def test_what_is_around_a_body_has_an_end(endless: bytes) -> None:
    async with serving() as (ended, connect):
        client = await connect()
        client[1].write(endless)
        sent = 0
        with suppress(OSError):
            while not ended.is_set():
                client[1].write((b"x: y\r\n" if endless.endswith(b"\n") else b"xxxxxx") * 10_000)
                sent += 60_000
                await client[1].drain()
                await asyncio.sleep(0)

        assert sent < 8 * MAX_HEADERS


async def test_requests_that_wait_for_an_answer_before_them_are_answered_in_turn() -> None:
    async with serving() as (_, connect):
        reader, writer = await connect()
        for _ in range(2):
            bodies = [b"%02d" % number for number in range(1 + MOST_WAITING)]
            writer.write(b"".join(b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n" + body for body in bodies))

            assert [(await answer(reader))[1] for _ in bodies] == bodies
        writer.close()


@pytest.mark.parametrize("first", [b"", b"GET / HTTP/1.1\r\nhost: x\r\n" + OFFER + b"\r\n"])
async def test_a_client_that_sends_requests_without_end_before_it_has_an_answer_is_given_up(first: bytes) -> None:
    state = ServerState()
    async with serving(state=state) as (ended, connect):
        reader, writer = await connect()
        writer.write(first + (2 + MOST_WAITING) * b"GET /never HTTP/1.1\r\n\r\n")

        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 30) == b""
        await asyncio.wait_for(ended.wait(), 30)
        await until(lambda: not state.tasks, "the request has ended")
        writer.close()


async def test_a_request_with_another_behind_it_hears_that_its_client_has_gone() -> None:
    state = ServerState()
    async with serving(state=state) as (ended, connect):
        _, writer = await connect()
        writer.write(2 * b"GET /never HTTP/1.1\r\n\r\n")
        await until(lambda: state.tasks, "a request is served")
        writer.transport.abort()

        await asyncio.wait_for(ended.wait(), 30)
        await until(lambda: not state.tasks, "the request has ended")
