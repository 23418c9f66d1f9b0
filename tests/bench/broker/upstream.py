# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""MCP servers that cost next to nothing, so that a benchmark shows what stands before them.

`python -m bench.broker.upstream PORT TOOLS [events]` serves `/NUMBER/mcp` for any number: every one a server with
`TOOLS` tools, with sessions, of revisions up to 2025-11-25, answering in JSON, or in events as servers of the official
SDKs do. The first tool is `echo`. HTTP is parsed only as far as the known clients of the benchmark need it.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import orjson
import uvloop

Json = dict[str, Any]

_HEAD = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%s\r\n"
_EVENTS = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n"
)
_SESSION = b"mcp-session-id: 5f0c1d5e2b7a4c8f9e3d6a1b2c4d8e7f\r\n"


def tool(name: str) -> Json:
    """A tool as real servers describe them: about 600 bytes."""
    text = {"type": "string", "description": "The text to work on, in any language."}
    limit = {"type": "integer", "minimum": 1, "maximum": 1000, "default": 20, "description": "How many at most."}
    return {
        "name": name,
        "title": "An example of a tool",
        "description": "Takes a text and returns it. It stands for a tool of a real server, whose description tells a "
        "model what the tool does, when to use it and what it returns.",
        "inputSchema": {"type": "object", "properties": {"text": text, "limit": limit}, "required": ["text"]},
        "annotations": {"readOnlyHint": True, "openWorldHint": False},
    }


def names(tools: int) -> list[str]:
    """The names of a server's tools."""
    return ["echo", *(f"tool_{number:05}" for number in range(1, tools))][:tools]


class Server(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, listed: bytes, events: bool = False) -> None:
        self._listed = listed
        self._events = events
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        self._write = transport.write  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        if self._buffer:
            data = self._buffer + data
        while data:
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                break
            head = data[:end].lower()
            body, end = _chunked(data, end) if b"transfer-encoding: chunked" in head else _sized(data, end, head)
            if end < 0:
                break
            self._write(
                self._answer(body) if head.startswith(b"post ") else _HEAD % (b"405 Method Not Allowed", 0, b"")
            )
            data = data[end:]
        self._buffer = data

    def _answer(self, body: bytes) -> bytes:
        message = orjson.loads(body)
        if "id" not in message:
            return _HEAD % (b"202 Accepted", 0, b"")
        method, extra = message["method"], b""
        if method == "tools/call":
            text = message["params"]["arguments"].get("text", "")
            result = b'{"content":[{"type":"text","text":%s}],"isError":false}' % orjson.dumps(text)
        elif method == "tools/list":
            result = self._listed
        elif method == "initialize":
            result, extra = orjson.dumps(_initialized(message["params"])), _SESSION
        elif method == "ping":
            result = b"{}"
        else:
            error = b'{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"Method not found"}}'
            refused = error % orjson.dumps(message["id"])
            return _HEAD % (b"400 Bad Request", len(refused), b"") + refused
        answer = b'{"jsonrpc":"2.0","id":%s,"result":%s}' % (orjson.dumps(message["id"]), result)
        if self._events:
            event = b"event: message\r\ndata: %s\r\n\r\n" % answer
            return _EVENTS % (extra, len(event), event)
        return _HEAD % (b"200 OK", len(answer), extra) + answer


def _initialized(params: Json) -> Json:
    return {
        "protocolVersion": min(params["protocolVersion"], "2025-11-25"),
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "bench", "version": "1"},
    }


def _sized(data: bytes, start: int, head: bytes) -> tuple[bytes, int]:
    """The body that begins at `start`, and where it ends; -1 when it is not all there."""
    at = head.find(b"content-length:")
    end = start + (int(head[at + 15 : head.index(b"\r", at)]) if at >= 0 else 0)
    return data[start:end], end if end <= len(data) else -1


def _chunked(data: bytes, start: int) -> tuple[bytes, int]:
    """The same for a body in chunks, as Envoy sends one that it has changed."""
    body = b""
    while (line := data.find(b"\r\n", start)) >= 0:
        size = int(data[start:line], 16)
        start = line + 2 + size + 2
        if start > len(data):
            break
        if not size:
            return body, start
        body += data[line + 2 : start - 2]
    return body, -1


async def _serve(port: int, tools: int, events: bool) -> None:
    listed = orjson.dumps({"tools": [tool(name) for name in names(tools)]})
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(listed, events), "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:] == ["events"]))
