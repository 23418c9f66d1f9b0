# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An MCP server of either era or both, in the test's own event loop, whose answers the test writes.

`tools` maps names to handlers; what a handler returns is the result. Everything received is kept.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import web
from mcpops_broker.config.model import BrokerOptions, Server
from mcpops_broker.net.http1_client import Http1Client
from mcpops_broker.principal import ANONYMOUS, Principal
from mcpops_broker.protocol.jsonrpc import RpcError
from mcpops_broker.upstream.exchange import Client, Exchange
from mcpops_broker.upstream.session import UpstreamSession
from mcpops_broker.upstream.upstream import State, Upstream

Json = dict[str, Any]
VERSION = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"


@dataclass(eq=False)
class Received:
    """A message that the server got."""

    message: Json
    headers: dict[str, str]
    stream: web.StreamResponse | None = None
    request: web.Request | None = field(default=None, repr=False)

    @property
    def params(self) -> Json:
        """Its parameters."""
        params: Json = self.message.get("params", {})
        return params

    async def send(self, message: Json | str) -> None:
        """Send a message (or raw lines of events) before the response; the answer becomes a stream."""
        if self.stream is None:
            assert self.request is not None
            self.stream = web.StreamResponse(headers={"content-type": "text/event-stream"})
            await self.stream.prepare(self.request)
        text = message if isinstance(message, str) else f"data: {json.dumps(message)}\n\n"
        await self.stream.write(text.encode())

    async def notify(self, method: str, **params: Any) -> None:
        """Send a notification before the response."""
        await self.send({"jsonrpc": "2.0", "method": method, "params": params})


Handler = Callable[[Received], Awaitable[Json]]


class ScriptedServer:
    """The server."""

    def __init__(self, *eras: str, capabilities: Json | None = None) -> None:
        self.eras = eras or ("session",)
        self.capabilities = {"tools": {"listChanged": True}} if capabilities is None else capabilities
        self.lists: dict[str, list[Json]] = {"tools": []}
        self.handlers: dict[str, Handler] = {}
        self.refusal: Callable[[Json], web.Response] | None = None
        """What the server of the session era says to a request outside a session; None: HTTP 400."""
        self.keeps_sessions = True
        self.offers_streams = True
        self.silent_streams = False
        """Whether GET requests get no answer, nor do requests to listen for resources."""
        self.gets = 0
        """GET requests."""
        self.received: list[Received] = []
        self.sessions: dict[str, Json] = {}
        """What each session that lives was initialized with."""
        self.streams: dict[web.StreamResponse, asyncio.Event] = {}
        """GET or listen streams that are open, and what ends them."""
        self.session_streams: dict[str, web.StreamResponse] = {}
        """The last GET stream of each session."""
        self.dropped = 0
        """Requests whose connection was closed before their answer."""
        self._numbers = count(1)
        self._answers: dict[int, asyncio.Future[Json]] = {}
        self.url = ""

    def tool(self, name: str, handler: Handler, **more: Any) -> None:
        """Offer a tool."""
        self.lists["tools"].append({"name": name, "inputSchema": {"type": "object"}, **more})
        self.handlers[name] = handler

    def of(self, method: str) -> list[Received]:
        """Return what was received of a method."""
        return [one for one in self.received if one.message.get("method") == method]

    async def ask(self, received: Received, method: str, **params: Any) -> Json:
        """Ask the client something inside an answer (session era); return the response."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await received.send({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        return await answer

    async def ask_on_stream(self, received: Received, method: str, **params: Any) -> Json:
        """Ask the client something on the stream of the call's session instead."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        stream = self.session_streams[received.headers["mcp-session-id"]]
        await stream.write(f"data: {json.dumps(message)}\n\n".encode())
        return await answer

    async def push(self, method: str, **params: Any) -> None:
        """Send a notification on all open streams."""
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        for stream in self.streams:
            await stream.write(f"data: {json.dumps(message)}\n\n".encode())

    def end_streams(self) -> None:
        """End all open streams."""
        for end in self.streams.values():
            end.set()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Handle one HTTP request."""
        if request.method == "GET":
            return await self._listen(request)
        if request.method == "DELETE":
            self.sessions.pop(request.headers.get("mcp-session-id", ""), None)
            return web.Response()
        message = json.loads(await request.read())
        headers = {name.lower(): value for name, value in request.headers.items()}
        received = Received(message, headers, None, request)
        self.received.append(received)
        if "method" not in message:
            self._answers.pop(message["id"]).set_result(message)
            return web.Response(status=202)
        meta = message.get("params", {}).get("_meta", {})
        if VERSION in meta and "stateless" in self.eras:
            return await self._stateless(received, meta)
        if "session" not in self.eras:
            return web.Response(status=400)
        return await self._session(received)

    async def _stateless(self, received: Received, meta: Json) -> web.StreamResponse:
        message, headers = received.message, received.headers
        assert headers["mcp-protocol-version"] == meta[VERSION] == "2026-07-28"
        assert headers["mcp-method"] == message["method"]
        assert isinstance(meta[CAPABILITIES], dict)
        assert "mcp-session-id" not in headers
        if message["method"] == "server/discover":
            result = {"supportedVersions": ["2026-07-28"], "capabilities": self.capabilities, "ttlMs": 0}
            return self._result(message, {"resultType": "complete", "cacheScope": "public", **result})
        if message["method"] == "subscriptions/listen":
            return await self._subscriptions(received)
        return await self._answer(received)

    async def _session(self, received: Received) -> web.StreamResponse:
        message = received.message
        session = received.headers.get("mcp-session-id", "")
        if message["method"] == "initialize":
            headers = {}
            if self.keeps_sessions:
                session = headers["mcp-session-id"] = f"session-{next(self._numbers)}"
                self.sessions[session] = received.params
            result = {"protocolVersion": "2025-11-25", "capabilities": self.capabilities}
            info = {"name": "scripted", "version": "1"}
            return self._result(message, {**result, "serverInfo": info, "instructions": "Be kind."}, headers)
        if self.keeps_sessions and session not in self.sessions:
            if session:
                return web.Response(status=404)
            return self.refusal(message) if self.refusal else web.Response(status=400)
        if "id" not in message:
            return web.Response(status=202)
        return await self._answer(received)

    async def _answer(self, received: Received) -> web.StreamResponse:
        message = received.message
        try:
            result = await self._carry_out(received)
        except RpcError as error:
            problem = {"code": error.code, "message": error.message}
            return web.json_response({"jsonrpc": "2.0", "id": message["id"], "error": problem}, status=error.status)
        except asyncio.CancelledError:
            self.dropped += 1
            raise
        if received.stream is None:
            return self._result(message, result)
        await received.send({"jsonrpc": "2.0", "id": message["id"], "result": result})
        return received.stream

    async def _carry_out(self, received: Received) -> Json:
        method = received.message["method"]
        if method in self.handlers:
            return await self.handlers[method](received)
        for key in ("tools", "prompts", "resources", "resourceTemplates"):
            if method == {"resourceTemplates": "resources/templates/list"}.get(key, f"{key}/list"):
                if key not in self.lists:
                    raise RpcError(-32601, "Method not found")
                return {key: self.lists[key]}
        if method == "tools/call":
            return await self.handlers[received.params["name"]](received)
        return {}

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        self.gets += 1
        if self.silent_streams:
            await asyncio.Event().wait()
        if (
            not self.offers_streams
            or "session" not in self.eras
            or request.headers.get("mcp-session-id") not in self.sessions
        ):
            return web.Response(status=405)
        stream = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await stream.prepare(request)
        self.session_streams[request.headers["mcp-session-id"]] = stream
        return await self._hold(stream)

    async def _subscriptions(self, received: Received) -> web.StreamResponse:
        subset = received.params["notifications"]
        if self.silent_streams and subset.get("resourceSubscriptions"):
            await asyncio.Event().wait()
        await received.notify("notifications/subscriptions/acknowledged", notifications=subset)
        assert received.stream is not None
        return await self._hold(received.stream)

    async def _hold(self, stream: web.StreamResponse) -> web.StreamResponse:
        end = self.streams[stream] = asyncio.Event()
        try:
            await end.wait()
        finally:
            del self.streams[stream]
        return stream

    @staticmethod
    def _result(message: Json, result: Json, headers: dict[str, str] | None = None) -> web.Response:
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": result}, headers=headers)


class TestExchange(Exchange):
    """A client's request; `answers` are given to what it is asked, in the order of its methods."""

    __test__ = False

    def __init__(self, client: Client, request_id: int | str = 1, **answers: Any) -> None:
        self.client = client
        self.principal: Principal = ANONYMOUS
        self.request_id = request_id
        self.resolves_input = not client.stateless
        self.headers = {}
        self.notified: list[Json] = []
        self.asked: list[tuple[str, Json]] = []
        self.answer: Callable[[str, Json], Awaitable[Json]] = self._refuse

    async def notify(self, raw: bytes) -> None:
        self.notified.append(json.loads(raw))

    async def ask(self, method: str, params: Json) -> Json:
        self.asked.append((method, params))
        return await self.answer(method, params)

    @staticmethod
    async def _refuse(method: str, params: Json) -> Json:
        raise RpcError(-32601, f"cannot answer {method}")


class Elsewhere:
    """Stands for the other workers: clients' sessions are those of another upstream object, if there is one."""

    def __init__(self, home: Upstream | None = None) -> None:
        self._home = home

    async def find(self, client: Client, stale: str | None) -> Json | None:
        return None if self._home is None else await self._home.session_for(client, stale)

    def opened(self, client: Client, session: UpstreamSession) -> None:
        """Nobody else is told."""

    def failed(self, client: Client) -> None:
        """Nobody else is told."""

    async def may_end(self, identity: str, session: UpstreamSession) -> bool:
        return True


def session_client(identity: str = "a", **more: Any) -> Client:
    """Build a client of the session era."""
    return Client(identity, "2025-11-25", **more)


def stateless_client(identity: str = "shared", **more: Any) -> Client:
    """Build a client of the stateless era."""
    return Client(identity, "2026-07-28", stateless=True, **more)


async def until(condition: Callable[[], object], what: str) -> None:
    """Wait until something is true."""
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"not in time: {what}")


@asynccontextmanager
async def running(server: ScriptedServer) -> AsyncIterator[ScriptedServer]:
    """Run a server until the block ends."""
    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/mcp", server.serve)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/mcp"
    try:
        yield server
    finally:
        await runner.cleanup()


@dataclass(eq=False)
class Seen:
    """What an upstream has reported."""

    changes: int = 0
    updates: list[str] = field(default_factory=list)

    def changed(self) -> None:
        """Count a change of the lists."""
        self.changes += 1

    def updated(self, upstream: Upstream, uri: str) -> None:
        """Keep the URI of a changed resource."""
        self.updates.append(uri)


@asynccontextmanager
async def connected(
    url: str, options: BrokerOptions | None = None, *, protocol: str = "auto", ready: bool = True, **more: Any
) -> AsyncIterator[tuple[Upstream, Seen]]:
    """Connect to a server until the block ends; `ready`: wait until its lists are read; `more`: its configuration."""
    seen = Seen()
    http = Http1Client()
    upstream = Upstream(
        Server("ns/up", url, protocol=protocol, **more),
        http,
        options or BrokerOptions(),
        None,
        changed=seen.changed,
        updated=seen.updated,
    )
    upstream.start()
    try:
        await until(lambda: upstream.state is not State.CONNECTING, "the upstream was reached or has failed")
        assert not ready or upstream.state is State.READY, upstream.problem
        yield upstream, seen
    finally:
        await upstream.close(1)
        await http.close()


async def echo(received: Received) -> Json:
    """Answer a call with its arguments."""
    return {"content": [{"type": "text", "text": json.dumps(received.params.get("arguments"))}]}
