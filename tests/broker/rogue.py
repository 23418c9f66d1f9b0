# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that an upstream can do wrong with a request, as functions for `CheapUpstream.faults`."""

from __future__ import annotations

import asyncio
import gzip
import json
from itertools import count

from broker.cheap_upstreams import CheapUpstream, Fault, Json, event, reply, stream_head

HUGE = 50_000_000
_CHUNK = b"x" * 500_000
_BOMB = gzip.compress(b" " * HUGE, 1)


async def silent(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await asyncio.Event().wait()


async def vanishes(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Close the connection instead of answering."""
    raise ConnectionResetError


async def slow_head(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Send the head letter by letter, without end."""
    writer.write(b"HTTP/1.1 200 OK\r\nx-a: ")
    await _slowly(writer, b"a")


async def slow_body(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Send a body letter by letter."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n")
    await _slowly(writer, b" ")


async def slow_stream(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Send comments, but no event."""
    stream_head(writer)
    await _slowly(writer, b"3\r\n:\n\n\r\n")


async def chatters(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Send progress as fast as it is taken, and never the response."""
    stream_head(writer)
    for step in count():
        params = {"progressToken": 1, "progress": step}
        event(writer, {"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
        await writer.drain()
        await asyncio.sleep(0)  # the other servers of this loop go on


async def pings(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Send pings as fast as they are taken, and never the response."""
    stream_head(writer)
    for number in count():
        event(writer, {"jsonrpc": "2.0", "id": f"ping-{number}", "method": "ping"})
        await writer.drain()
        await asyncio.sleep(0)


async def hangs_mid_stream(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Send half of an event."""
    stream_head(writer)
    writer.write(b'9\r\ndata: {"a\r\n')
    await asyncio.Event().wait()


async def huge(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Send 50 MB and say so before."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % HUGE)
    for _ in range(HUGE // len(_CHUNK)):
        writer.write(_CHUNK)
        await writer.drain()


async def huge_chunks(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Send 50 MB of JSON without having said so."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    await _chunks(writer)


async def huge_event(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Send an event of 50 MB."""
    stream_head(writer)
    writer.write(b"6\r\ndata: \r\n")
    await _chunks(writer)


async def huge_head(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Send 50 MB of headers."""
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(HUGE // 5000):
        writer.write(b"x-a: " + b"a" * 5000 + b"\r\n")
        await writer.drain()


async def bomb(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Send 50 kB that become 50 MB, though nobody asked for compression."""
    _whole(writer, _BOMB, b"content-encoding: gzip\r\n")


async def interim(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Send answers that are to be followed by the final one, which does not come."""
    await _slowly(writer, b"HTTP/1.1 103 Early Hints\r\n\r\n")


async def malformed(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Send half of a JSON text."""
    _whole(writer, b'{"jsonrpc": "2.0", "id":')


async def deep(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Send JSON with 1000 levels."""
    text = json.dumps(upstream.result(message, {"tools": [], "content": [], "x": "DEEP"}))
    _whole(writer, text.replace('"DEEP"', "[" * 1000 + "]" * 1000).encode())


async def odd_result(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Send a result that is no object."""
    reply(writer, 200, {"jsonrpc": "2.0", "id": message["id"], "result": [1]})


async def odd_error(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Send an error that is no object."""
    reply(writer, 200, {"jsonrpc": "2.0", "id": message["id"], "error": "no"})


async def other_id(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Answer somebody else's request."""
    reply(writer, 200, {"jsonrpc": "2.0", "id": "someone else's", "result": {"content": []}})


async def not_rpc(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Send JSON that is no message."""
    _whole(writer, b"[1, 2]")


async def html(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Send a page for people."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>")


async def redirect(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Send the client elsewhere, to an address with a secret in it."""
    writer.write(b"HTTP/1.1 307 X\r\nlocation: http://elsewhere.test/mcp?key=s3cr3t\r\ncontent-length: 0\r\n\r\n")


async def error_500(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Fail."""
    reply(writer, 500)


async def unauthorized(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Want another credential."""
    reply(writer, 401)


async def no_http(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Speak another protocol."""
    writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
    await asyncio.Event().wait()


async def empty(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Send an empty answer."""
    _whole(writer, b"")


async def empty_stream(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Send a stream that ends at once."""
    stream_head(writer)
    writer.write(b"0\r\n\r\n")


async def breaks_off(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Close the connection in the middle of an event."""
    stream_head(writer)
    writer.write(b"7\r\ndata: {\r\n")
    await writer.drain()
    raise ConnectionResetError


FAULTS: dict[Fault, str] = {
    silent: "no answer within",
    vanishes: "closed the connection without an answer",
    slow_head: "no answer within",
    slow_body: "no complete answer within",
    slow_stream: "no complete answer within",
    chatters: "no complete answer within",
    pings: "no complete answer within",
    hangs_mid_stream: "no complete answer within",
    huge: "the answer is 50000000 bytes long, more than the limit of 1000000",
    huge_chunks: "the answer is longer than the limit of 1000000 bytes",
    huge_event: "one event is larger than 1000000 bytes",
    huge_head: "the answer has more than 65536 bytes of headers",
    bomb: "the answer is longer than the limit of 1000000 bytes",
    interim: "no answer within",
    malformed: "sent what is not JSON-RPC (Parse error: the body is not valid JSON: unexpected end of data",
    deep: "sent what is not JSON-RPC (Parse error: the body has more than 250 objects and arrays inside each other",
    not_rpc: "sent what is not JSON-RPC",
    odd_result: 'sent what is not JSON-RPC (Invalid request: "result" must be an object',
    odd_error: 'sent what is not JSON-RPC (Invalid request: "error" must be an object with a code and a message',
    other_id: "answered without a response to the request",
    html: "answered with content type 'text/html'",
    redirect: "answered with a redirect to http://elsewhere.test/mcp (HTTP 307): configure that address",
    error_500: "answered HTTP 500",
    unauthorized: "refused the configured credential (HTTP 401)",
    no_http: "the answer is not valid HTTP",
    empty: "answered without a response to the request",
    empty_stream: "ended its stream without a response",
    breaks_off: "the answer broke off",
}
"""What the broker says of each, when answers may have 1,000,000 bytes."""


async def _slowly(writer: asyncio.StreamWriter, piece: bytes) -> None:
    while True:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.02)


async def _chunks(writer: asyncio.StreamWriter) -> None:
    for _ in range(HUGE // len(_CHUNK)):
        writer.write(b"%x\r\n%s\r\n" % (len(_CHUNK), _CHUNK))
        await writer.drain()
    writer.write(b"0\r\n\r\n")


def _whole(writer: asyncio.StreamWriter, body: bytes, more: bytes = b"") -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n" + more
    writer.write(head + b"content-length: %d\r\n\r\n" % len(body) + body)
