# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hundreds of MCP servers in one event loop, without any library: enough of both eras to be an upstream of the
broker, each on a port of its own, with tools, one resource, and notifications on demand.

Tools: `echo` answers with its arguments, `steps` sends as many progress notifications as it is asked for and then
answers. What goes wrong is a function that a test sets, see `CheapUpstream.faults`.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count
from typing import Any

Json = dict[str, Any]
Fault = Callable[["CheapUpstream", Json, asyncio.StreamWriter], Awaitable[None]]

META = "io.modelcontextprotocol/"
CAPABILITIES = {"tools": {"listChanged": True}, "resources": {"subscribe": True, "listChanged": True}}
CACHE = {"ttlMs": 60_000, "cacheScope": "public"}


class CheapUpstream:
    """One server. `stateless` servers speak 2026-07-28 only, others 2025-11-25 only."""

    def __init__(self, number: int, *, stateless: bool) -> None:
        self.number = number
        self.stateless = stateless
        self.port = 0
        self.sessions: set[str] = set()
        self.calls = 0
        self.nonces: set[str] = set()
        """The argument `nonce` of every call that had one."""
        self.initialized = 0
        self.faults: dict[str, Fault] = {}
        """By method, what answers instead of the server."""
        self.version = 0
        """Part of every tool's description, so that the list differs when it changes."""
        self.connections: set[asyncio.StreamWriter] = set()
        self.listeners: dict[asyncio.StreamWriter, tuple[str, set[str], Json]] = {}
        """Open notification streams: session, resources subscribed to, and `_meta` of what is sent on it."""
        self._subscribed: dict[str, set[str]] = {}
        self._ids = count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def name(self) -> str:
        """Name in the broker's configuration; also the prefix of its tools, with an underscore."""
        return f"u{self.number}"

    @property
    def uri(self) -> str:
        """Its resource."""
        return f"test://{self.name}/item"

    @property
    def config(self) -> Json:
        """Its element of `servers`."""
        return {"name": self.name, "url": f"http://127.0.0.1:{self.port}/mcp", "prefix": f"{self.name}_"}

    async def start(self) -> None:
        """Listen; on the port that it had before, if it had one."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Be gone: the port is closed, and so is every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the event loop closes the connections now

    def change(self) -> None:
        """Change the list of tools and say so."""
        self.version += 1
        for writer, (_, _, meta) in self.listeners.items():
            event(writer, _notification("tools/list_changed", meta))

    def update(self) -> None:
        """Say that the resource has changed, to those that have subscribed to it."""
        for writer, (session, uris, meta) in self.listeners.items():
            if self.uri in uris or self.uri in self._subscribed.get(session, ()):
                event(writer, _notification("resources/updated", {"uri": self.uri, **meta}))

    def close_idle(self) -> None:
        """Close the connections that are kept for a next request, as servers do some time after the last."""
        for writer in self.connections - set(self.listeners):
            writer.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._connection(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(writer)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    start, *lines = head.decode("latin-1").split("\r\n")
                    headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
                    body = await reader.readexactly(int(headers.get("content-length", "0")))
                    await self._serve(start.partition(" ")[0], headers, body, reader, writer)
        finally:
            self.connections.discard(writer)
            writer.close()

    async def _serve(
        self, method: str, headers: dict[str, str], body: bytes, reader: asyncio.StreamReader, writer: Any
    ) -> None:
        session = headers.get("mcp-session-id", "")
        message: Json = json.loads(body) if body else {}
        if method == "DELETE":
            self.sessions.discard(session)
            self._subscribed.pop(session, None)
            reply(writer, 200)
        elif method == "GET" and (self.stateless or session not in self.sessions):
            reply(writer, 405 if self.stateless else 404)
        elif method == "GET":
            await self._stream(reader, writer, session, set(), {})
        elif self.stateless and META + "protocolVersion" not in message.get("params", {}).get("_meta", {}):
            reply(writer, 400, _error(message, -32022, supported=["2026-07-28"], requested="2025-11-25"))
        elif not self.stateless and message.get("method") != "initialize" and session not in self.sessions:
            reply(writer, 404 if session else 400, _error(message, -32000))
        elif (fault := self.faults.get(message.get("method", ""))) is not None:
            await fault(self, message, writer)
        elif "id" not in message or "method" not in message:
            reply(writer, 202)
        elif message["method"] == "subscriptions/listen":
            wanted = message["params"]["notifications"]
            meta = {"_meta": {META + "subscriptionId": message["id"]}}
            stream_head(writer)
            event(writer, _notification("subscriptions/acknowledged", {"notifications": wanted, **meta}))
            await self._stream(reader, writer, "", set(wanted.get("resourceSubscriptions", ())), meta, begun=True)
        elif message["method"] == "tools/call":
            self.calls += 1
            if isinstance(arguments := message["params"].get("arguments"), dict) and "nonce" in arguments:
                self.nonces.add(str(arguments["nonce"]))
            await _call(self, message, writer)
        else:
            self._answer(message, session, writer)
        await writer.drain()

    async def _stream(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        session: str,
        uris: set[str],
        meta: Json,
        *,
        begun: bool = False,
    ) -> None:
        if not begun:
            stream_head(writer)
            writer.write(b"3\r\n:\n\n\r\n")
        self.listeners[writer] = (session, uris, meta)
        try:
            await reader.read()  # until the other side closes the connection
        finally:
            del self.listeners[writer]
        raise ConnectionResetError

    def _answer(self, message: Json, session: str, writer: asyncio.StreamWriter) -> None:
        method, params = message["method"], message.get("params", {})
        me = {"name": self.name, "version": "1"}
        more = {}
        result: Json = {}
        if method == "initialize":
            self.initialized += 1
            session = f"{self.name}-{next(self._ids)}"
            self.sessions.add(session)
            more["mcp-session-id"] = session
            result = {"protocolVersion": "2025-11-25", "capabilities": CAPABILITIES, "serverInfo": me}
        elif method == "server/discover":
            result = {"supportedVersions": ["2026-07-28"], "capabilities": CAPABILITIES, **CACHE}
            result["_meta"] = {META + "serverInfo": me}
        elif method == "tools/list":
            text = f"version {self.version}"
            tools = [{"name": name, "description": text, "inputSchema": {"type": "object"}} for name in _TOOLS]
            result = {"tools": tools, **CACHE}
        elif method in ("resources/list", "resources/templates/list", "prompts/list"):
            kind = {"resources/list": "resources", "prompts/list": "prompts"}.get(method, "resourceTemplates")
            result = {kind: [{"uri": self.uri, "name": "item"}] if kind == "resources" else [], **CACHE}
        elif method == "resources/read":
            result = {"contents": [{"uri": self.uri, "text": f"version {self.version}"}], **CACHE}
        elif method == "resources/subscribe":
            self._subscribed.setdefault(session, set()).add(params["uri"])
        elif method == "resources/unsubscribe":
            self._subscribed.get(session, set()).discard(params["uri"])
        elif method != "ping":
            reply(writer, 404 if self.stateless else 200, _error(message, -32601))
            return
        reply(writer, 200, self.result(message, result), more)

    def result(self, message: Json, result: Json) -> Json:
        """Build a response."""
        return {"jsonrpc": "2.0", "id": message["id"], "result": {"resultType": "complete", **result}}


async def _call(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    params = message["params"]
    arguments, meta = (one if isinstance(one, dict) else {} for one in (params.get("arguments"), params.get("_meta")))
    result = upstream.result(message, {"content": [{"type": "text", "text": json.dumps(arguments)}]})
    if params["name"] == "echo":
        reply(writer, 200, result)
        return
    steps = arguments.get("steps")
    progress = {"progressToken": meta.get("progressToken"), "message": str(arguments.get("nonce"))}
    stream_head(writer)
    for step in range(min(steps, 10) if isinstance(steps, int) else 0):
        event(writer, _notification("progress", {**progress, "progress": step}))
        await asyncio.sleep(0)
    event(writer, result)
    writer.write(b"0\r\n\r\n")


_TOOLS = ("echo", "steps")


def _notification(name: str, params: Json) -> Json:
    return {"jsonrpc": "2.0", "method": f"notifications/{name}", "params": params}


def _error(message: Json, code: int, **data: Any) -> Json:
    error = {"code": code, "message": "No valid session ID provided" if code == -32000 else "refused", "data": data}
    return {"jsonrpc": "2.0", "id": message.get("id"), "error": error}


def reply(writer: asyncio.StreamWriter, status: int, body: Json | None = None, more: Json | None = None) -> None:
    """Send a whole answer."""
    data = b"" if body is None else json.dumps(body).encode()
    head = [f"HTTP/1.1 {status} X", f"content-length: {len(data)}", "content-type: application/json"]
    head += [f"{name}: {value}" for name, value in (more or {}).items()]
    writer.write("\r\n".join([*head, "", ""]).encode() + data)


def stream_head(writer: asyncio.StreamWriter) -> None:
    """Begin a stream of events, in chunks."""
    writer.write(b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")


def event(writer: asyncio.StreamWriter, message: Json) -> None:
    """Send an event, as a chunk."""
    data = b"data: " + json.dumps(message).encode() + b"\n\n"
    writer.write(b"%x\r\n%s\r\n" % (len(data), data))


@contextmanager
def in_thread(number: int, *, stateless: Callable[[int], bool]) -> Iterator[list[CheapUpstream]]:
    """Run the servers in a thread of their own, for tests that are no coroutines."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    upstreams = cheap_upstreams(number, stateless=stateless)
    try:
        yield asyncio.run_coroutine_threadsafe(upstreams.__aenter__(), loop).result(30)
        asyncio.run_coroutine_threadsafe(upstreams.__aexit__(None, None, None), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@asynccontextmanager
async def cheap_upstreams(number: int, *, stateless: Callable[[int], bool]) -> AsyncIterator[list[CheapUpstream]]:
    """Run this many servers; `stateless` says by their numbers which have no sessions."""
    upstreams = [CheapUpstream(one, stateless=stateless(one)) for one in range(number)]
    try:
        for upstream in upstreams:
            await upstream.start()
        yield upstreams
    finally:
        for upstream in upstreams:
            await upstream.stop()
