# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP client: what counts as an answer, when a connection is used again, and what ends in an error."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mcpops_broker.net.client import HttpError, HttpTimeoutError, Target
from mcpops_broker.net.http1_client import Http1Client
from mcpops_broker.net.http1_connection import HEAD_LIMIT, HIGH_WATER
from sandbox.seed import self_signed

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
BODY = b"the whole body"


class Server:
    """A server that follows a script; `heads` are the requests' heads, by connection."""

    def __init__(self, *answers: bytes | Serve, tls: ssl.SSLContext | None = None) -> None:
        self.answers = list(answers)
        self.connections = 0
        self.requests: list[bytes] = []
        self.closed = asyncio.Event()
        """A connection has come to its end."""
        self._tls = tls
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Server:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()

    @property
    def target(self) -> Target:
        return Target(f"http://127.0.0.1:{self.port}/mcp?key=1")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]
                self.requests.append(head + await reader.readexactly(int(length or 0)))
                answer = self.answers.pop(0)
                if callable(answer):
                    await answer(reader, writer)
                else:
                    writer.write(answer)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed.set()
        finally:
            writer.close()


@asynccontextmanager
async def client() -> AsyncIterator[Http1Client]:
    made = Http1Client()
    try:
        yield made
    finally:
        await made.close()


async def post(http: Http1Client, target: Target, body: bytes = b"{}", limit: int = 1 << 24) -> tuple[int, bytes]:
    """One exchange: status and body."""
    answer = await http.request("POST", target, {"accept": "a/b"}, body, first_byte=20, idle=20)
    try:
        return answer.status, await answer.read(limit)
    finally:
        answer.close()


async def test_one_connection_carries_one_request_after_the_other() -> None:
    async with Server(OK, OK, OK) as server, client() as http:
        for _ in range(3):
            assert await post(http, server.target) == (200, b"ok")
    assert server.connections == 1
    assert server.requests[0] == (
        b"POST /mcp?key=1 HTTP/1.1\r\nhost: 127.0.0.1:%d\r\naccept: a/b\r\ncontent-length: 2\r\n\r\n{}" % server.port
    )


async def test_requests_at_the_same_time_have_connections_of_their_own() -> None:
    both = asyncio.Barrier(2)

    async def together(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await both.wait()
        writer.write(OK)

    async with Server(together, together) as server, client() as http:
        found = await asyncio.gather(post(http, server.target), post(http, server.target))
    assert found == [(200, b"ok"), (200, b"ok")]
    assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n" + BODY,
        CHUNKED + b"3;x=y\r\nthe\r\nb\r\n whole body\r\n0\r\nx-trailer: 1\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n" + BODY,
    ],
    ids=["length", "chunks", "interim"],
)
async def test_an_answer_ends_where_its_head_says_however_it_is_cut(answer: bytes) -> None:
    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in answer:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)

    async with Server(answer, slowly, OK) as server, client() as http:
        assert await post(http, server.target) == (200, BODY)
        assert await post(http, server.target) == (200, BODY)
        assert await post(http, server.target) == (200, b"ok")
    assert server.connections == 1


async def test_without_a_length_the_answer_ends_with_the_connection() -> None:
    async def ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + BODY)
        writer.close()

    async with Server(ends, OK) as server, client() as http:
        assert await post(http, server.target) == (200, BODY)
        assert await post(http, server.target) == (200, b"ok")
    assert server.connections == 2


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"", "the server closed the connection without an answer"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nshort", "the body ended too early"),
        (CHUNKED + b"5\r\nshort", "the body ended too early"),
        (b"SSH-2.0-OpenSSH_9\r\n", "the answer is not valid HTTP"),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "is not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 2 * HEAD_LIMIT, "bytes of headers"),
        (
            CHUNKED + b"1\r\na\r\n0\r\nx: " + b"a" * 4 * HEAD_LIMIT,
            "headers or",
        ),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-encoding: br\r\n\r\nok", "the content coding 'br'"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-encoding: gzip\r\n\r\nok", "not compressed as it says"),
    ],
)
async def test_what_is_no_whole_answer_is_an_error(answer: bytes, problem: str) -> None:
    async def ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with Server(ends) as server, client() as http:
        with pytest.raises(HttpError, match=problem):
            await post(http, server.target)


@pytest.mark.parametrize(
    "answer",
    [OK + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil", b"HTTP/1.1 200 OK\r\nconnection: close\r\n" + OK[17:]],
    ids=["a second answer", "connection: close"],
)
async def test_a_connection_that_cannot_be_trusted_or_is_closing_is_not_used_again(answer: bytes) -> None:
    async with Server(answer, OK) as server, client() as http:
        assert await post(http, server.target) == (200, b"ok")
        assert await post(http, server.target) == (200, b"ok")
    assert server.connections == 2


async def test_bytes_that_nobody_asked_for_end_an_idle_connection() -> None:
    async def unasked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await writer.drain()
        await taken.wait()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil")

    taken = asyncio.Event()
    async with Server(unasked, OK) as server, client() as http:
        assert await post(http, server.target) == (200, b"ok")
        taken.set()
        await asyncio.wait_for(server.closed.wait(), 20)
        assert await post(http, server.target) == (200, b"ok")
    assert server.connections == 2


async def test_a_large_answer_is_refused_by_its_length_or_as_it_grows() -> None:
    sized = b"HTTP/1.1 200 OK\r\ncontent-length: 50000000\r\n\r\n"
    chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    async with Server(sized, CHUNKED + chunk * 8) as server, client() as http:
        with pytest.raises(HttpError, match="the answer is 50000000 bytes long, more than the limit of 100000"):
            await post(http, server.target, limit=100_000)
        with pytest.raises(HttpError, match="longer than the limit of 100000"):
            await post(http, server.target, limit=100_000)


async def test_a_compressed_answer_is_read_and_cannot_fill_the_memory() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n"
    small, bomb = gzip.compress(BODY), gzip.compress(bytes(1 << 26))
    async with Server(head % len(small) + small, head % len(bomb) + bomb) as server, client() as http:
        assert await post(http, server.target) == (200, BODY)
        answer = await http.request("POST", server.target, {}, b"", first_byte=20, idle=20)
        sizes = [len(piece) async for piece in answer.chunks()]
        answer.close()
    assert sum(sizes) == 1 << 26
    assert max(sizes) <= HIGH_WATER


async def test_a_body_that_is_not_read_makes_the_server_wait() -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(CHUNKED)
        while True:
            writer.write(b"10000\r\n" + b"a" * 65536 + b"\r\n")
            try:
                async with asyncio.timeout(0.2):
                    await writer.drain()
            except TimeoutError:
                waits.set()
                await writer.drain()
            sent += 65536

    waits = asyncio.Event()
    async with Server(endless) as server, client() as http:
        answer = await http.request("GET", server.target, {}, None, first_byte=20, idle=20)
        await asyncio.wait_for(waits.wait(), 30)
        before = sent
        read = 0
        async for piece in answer.chunks():
            read += len(piece)
            if read > before + (1 << 22):
                break
        answer.close()
        await asyncio.wait_for(server.closed.wait(), 20)
    assert read > before


async def test_silence_ends_in_a_timeout_before_the_head_and_in_the_body() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def stops(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nshort")
        await reader.read()

    async with Server(silent, stops) as server, client() as http:
        with pytest.raises(HttpTimeoutError, match=r"no answer within 0\.05 s"):
            await http.request("POST", server.target, {}, b"", first_byte=0.05, idle=None)
        answer = await http.request("POST", server.target, {}, b"", first_byte=20, idle=0.05)
        with pytest.raises(HttpTimeoutError, match="stopped in the middle"):
            await answer.read(1000)
        answer.close()
    assert server.connections == 2


async def test_a_body_that_is_left_gives_its_connection_back_when_the_rest_has_come_in_time() -> None:
    async def in_two(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + b"5\r\nfirst\r\n")
        await left.wait()
        writer.write(b"4\r\nrest\r\n0\r\n\r\n")

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + b"5\r\nfirst\r\n")
        assert await reader.read() == b""
        dropped.set()

    left, dropped = asyncio.Event(), asyncio.Event()
    async with Server(in_two, OK, endless) as server, client() as http:
        answer = await http.request("POST", server.target, {}, b"", first_byte=20, idle=20)
        assert await anext(answer.chunks()) == b"first"
        answer.leave(20)
        left.set()
        async with asyncio.timeout(20):
            while not http._idle:  # noqa: ASYNC110 - the pool tells nobody
                await asyncio.sleep(0.01)
        assert await post(http, server.target) == (200, b"ok")
        assert server.connections == 1
        answer = await http.request("POST", server.target, {}, b"", first_byte=20, idle=20)
        assert await anext(answer.chunks()) == b"first"
        answer.leave(0.05)
        await asyncio.wait_for(dropped.wait(), 20)


async def test_a_request_that_is_given_up_closes_its_connection() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        assert await reader.read() == b""
        gone.set()

    asked, gone = asyncio.Event(), asyncio.Event()
    async with Server(silent) as server, client() as http:
        task = asyncio.create_task(post(http, server.target))
        await asyncio.wait_for(asked.wait(), 20)
        task.cancel()
        await asyncio.wait_for(gone.wait(), 20)
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_header_with_a_line_break_is_not_sent() -> None:
    async with Server() as server, client() as http:
        for value in ("a\r\nx: y", "a\nb", "a\0"):
            with pytest.raises(HttpError, match="line break"):
                await http.request("POST", server.target, {"x": value}, b"", first_byte=1, idle=1)
    assert server.connections == 0


async def test_https_goes_through_a_proxy_by_a_tunnel(tmp_path: Path) -> None:
    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

        async def copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                to.write(data)
            to.close()

        await asyncio.gather(copy(reader, there[1]), copy(there[0], writer))

    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    for file, content in zip((certificate, key), self_signed("localhost"), strict=True):
        file.write_bytes(content)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"
    async with Server(OK, OK, tls=serving) as server, Server(tunnel, refusal) as proxy, client() as http:
        through = f"http://user:p%40ss@127.0.0.1:{proxy.port}"
        target = Target(f"https://localhost:{server.port}/mcp", through, trusting)
        assert await post(http, target) == (200, b"ok")
        assert await post(http, target) == (200, b"ok")
        assert (server.connections, proxy.connections) == (1, 1)
        other = Target(f"https://other.test:{server.port}/mcp", through, trusting)
        with pytest.raises(HttpError, match=r"the HTTP proxy refused the connection \(HTTP 407\)"):
            await post(http, other)
    assert proxy.requests[0] == (
        b"CONNECT localhost:%d HTTP/1.1\r\nhost: localhost:%d\r\n"
        b"proxy-authorization: Basic dXNlcjpwQHNz\r\n\r\n" % (server.port, server.port)
    )


async def test_http_goes_to_a_proxy_with_the_whole_address() -> None:
    async with Server(OK) as proxy, client() as http:
        target = Target("http://far.test/a%20b/mcp", f"http://127.0.0.1:{proxy.port}")
        assert await post(http, target) == (200, b"ok")
    assert proxy.requests[0].startswith(b"POST http://far.test/a%20b/mcp HTTP/1.1\r\nhost: far.test\r\n")


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        (Target("http://nowhere.invalid/mcp"), "the name 'nowhere.invalid' cannot be resolved"),
        (Target("http://127.0.0.1:9/mcp"), "no connection to 127.0.0.1:9"),
        (Target("http://a.test/mcp", "http://127.0.0.1:9"), "no connection to the HTTP proxy 127.0.0.1:9"),
        (Target("http://a.test/mcp", "socks5://127.0.0.1:1"), "socks5:// is not supported"),
    ],
)
async def test_why_there_is_no_connection_is_told(target: Target, problem: str) -> None:
    async with client() as http:
        with pytest.raises(HttpError, match=problem):
            await post(http, target)
