# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small MCP server without an MCP library, that counts what it is asked and misbehaves on demand.

It runs in a thread with an event loop of its own. What a tool does follows from its name (see `_TOOLS`); faults of the
whole server are attributes that a test sets.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from types import TracebackType
from typing import Any

from aiohttp import web

Json = dict[str, Any]
Answer = web.StreamResponse


def tool(name: str, **more: Any) -> Json:
    """Build a tool."""
    return {"name": name, "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}}, **more}


class RawUpstream:
    """The server; a context manager. `url` is its endpoint."""

    def __init__(
        self, *names: str, sessions: bool = True, list_changed: bool = False, tls: ssl.SSLContext | None = None
    ) -> None:
        self.tools = [tool(name) for name in names or ("echo",)]
        self.tools_for: dict[str, list[Json]] = {}
        """Other tools for requests with this Authorization header."""
        self.instructions: str | None = None
        self.page_size = 1000
        self.with_sessions = sessions
        self.list_changed = list_changed
        self.version = "2025-11-25"
        self.users: set[str] = set()
        """Authorization headers that the server knows; others are answered 401. Empty: any."""
        self.fail_status: int | None = None
        """HTTP status that every POST gets, when set."""
        self.initialize_delay = 0.0
        self.stale_status = 404
        """Status for an unknown session."""
        self.stillborn = 0
        """Sessions that are forgotten as soon as they have begun, of the next ones."""
        self._release = asyncio.Event()
        self.initialized = 0
        self.results: dict[str, Json] = {}
        """Results of methods that the server has no other answer for (`prompts/list`, ...); a capability is declared
        when one of its methods is here; `resources/subscribe` is a feature of one."""
        self.subscribed: list[str] = []
        """URIs that somebody is subscribed to; one that begins with `refused:` cannot be, the answer
        to one that begins with `held:` waits for `let_go`."""
        self.capabilities: list[Json] = []
        """What the client declared, of every initialize."""
        self.live: set[str] = set()
        self.deleted: list[str] = []
        self.calls: list[Json] = []
        """Every tools/call: its params, session and headers."""
        self.cancelled: list[Json] = []
        self.heard: list[tuple[str, Json]] = []
        """Other notifications, with their session."""
        self.dropped = 0
        """Calls whose connection was closed before their answer."""
        self.pings_answered = 0
        self.lists = 0
        self.list_ids: list[int | str] = []
        """Ids of the requests for tools."""
        self._numbers = count(1)
        self._tls = tls
        self._resumable: dict[str, Json] = {}
        self._streams: list[tuple[str, web.StreamResponse]] = []
        """Open GET streams, with their session."""
        self._asked: dict[str, asyncio.Future[Json]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.port = 0

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/mcp"

    def __enter__(self) -> RawUpstream:
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_go()
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def let_go(self) -> None:
        """Let the calls of `wait` end."""
        self._loop.call_soon_threadsafe(self._release.set)

    def hold(self) -> None:
        """Let the calls of `wait` that begin from now on wait again."""
        self._loop.call_soon_threadsafe(self._release.clear)

    async def released(self) -> None:
        """Wait for `let_go`."""
        await self._release.wait()

    def expire_sessions(self) -> None:
        """Forget all sessions, as a restarted server does."""
        self.live.clear()

    def push(self, message: Json) -> None:
        """Send a message on all open GET streams."""
        self._run(self._push(message))

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=20)

    async def _start(self) -> None:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/mcp", self._serve)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        await self._runner.cleanup()
        await asyncio.sleep(0)  # connections accepted at the last moment are closed now

    async def _serve(self, request: web.Request) -> Answer:
        if request.method == "GET":
            return await self._listen(request)
        session = request.headers.get("mcp-session-id", "")
        if request.method == "DELETE":
            self.deleted.append(session)
            self.live.discard(session)
            return web.Response()
        if self.fail_status is not None:
            return web.Response(status=self.fail_status, headers={"location": "http://elsewhere.test/mcp?key=1"})
        if self.users and request.headers.get("authorization") not in self.users:
            return web.Response(status=401)
        message = await request.json()
        method = message.get("method")
        if method == "initialize":
            return await self._initialize(message)
        if self.with_sessions and session not in self.live:
            error = {"code": -32000, "message": "Bad Request: No valid session ID provided"}
            return web.json_response({"jsonrpc": "2.0", "id": None, "error": error}, status=self.stale_status)
        if method == "notifications/initialized" and self.stillborn:
            self.stillborn -= 1
            self.live.discard(session)
        if method == "tools/list":
            self.list_ids.append(message["id"])
            return self._list(message, self.tools_for.get(request.headers.get("authorization", ""), self.tools))
        if method == "tools/call":
            headers = {name.lower(): value for name, value in request.headers.items()}
            self.calls.append({**message["params"], "id": message["id"], "session": session, "headers": headers})
            try:
                return await self._call(request, message)
            except asyncio.CancelledError:
                self.dropped += 1
                raise
        if method == "notifications/cancelled":
            self.cancelled.append(message["params"])
        elif isinstance(method, str) and method.startswith("notifications/"):
            self.heard.append((session, message))
        if method == "resources/subscribe" and message["params"]["uri"].startswith("refused:"):
            error = {"code": -32602, "message": "no such resource"}
            return web.json_response({"jsonrpc": "2.0", "id": message["id"], "error": error})
        if method == "resources/subscribe":
            self.subscribed.append(message["params"]["uri"])
            if message["params"]["uri"].startswith("held:"):
                await self._release.wait()
        if method == "resources/unsubscribe":
            self.subscribed.remove(message["params"]["uri"])
        if method in self.results:
            return web.json_response(_result(message, self.results[method]))
        if "method" not in message and message["id"] in self._asked:
            self._asked.pop(message["id"]).set_result(message)
        elif "result" in message:
            self.pings_answered += 1
        elif "id" in message and "method" in message:
            error = {"code": -32601, "message": "Method not found"}
            return web.json_response({"jsonrpc": "2.0", "id": message["id"], "error": error})
        return web.Response(status=202)

    async def _initialize(self, message: Json) -> Answer:
        self.initialized += 1
        self.capabilities.append(message["params"]["capabilities"])
        await asyncio.sleep(self.initialize_delay)
        headers = {}
        if self.with_sessions:
            session = f"session-{next(self._numbers)}"
            self.live.add(session)
            headers["Mcp-Session-Id"] = session
        result = {
            "protocolVersion": self.version,
            "capabilities": {
                **{method.partition("/")[0]: {} for method in self.results},
                **({"resources": {"subscribe": True}} if "resources/subscribe" in self.results else {}),
                "tools": {"listChanged": self.list_changed},
            },
            "serverInfo": {"name": "raw", "version": "1"},
        }
        if self.instructions is not None:
            result["instructions"] = self.instructions
        return web.json_response(_result(message, result), headers=headers)

    def _list(self, message: Json, tools: list[Json]) -> Answer:
        self.lists += 1
        start = int(message.get("params", {}).get("cursor", 0))
        end = start + self.page_size
        result: Json = {"tools": tools[start:end]}
        if end < len(tools):
            result["nextCursor"] = str(end)
        return web.json_response(_result(message, result))

    async def _call(self, request: web.Request, message: Json) -> Answer:
        name = message["params"]["name"]
        behaviour = _TOOLS.get(name.partition("-")[0], _echo)
        return await behaviour(self, request, message)

    async def ask(self, stream: web.StreamResponse, method: str, params: Json) -> Json:
        """Ask the client something on a stream; return its result, or its error as `{"error": ...}`."""
        request_id = f"question-{next(self._numbers)}"
        answer = self._asked[request_id] = asyncio.get_running_loop().create_future()
        await stream.write(_event({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}))
        response = await answer
        result: Json = response["result"] if "result" in response else {"error": response["error"]}
        return result

    def stream_of(self, session: str) -> web.StreamResponse:
        """Return the GET stream of a session that was opened last."""
        return [stream for owner, stream in self._streams if owner == session][-1]

    def keep(self, event_id: str, message: Json) -> None:
        """Answer a GET that resumes after this event with a message."""
        self._resumable[event_id] = message

    async def _listen(self, request: web.Request) -> Answer:
        resumed = self._resumable.pop(request.headers.get("last-event-id", ""), None)
        if resumed is not None:
            response = await _stream(request)
            await response.write(_event(resumed, "ev-2"))
            return response
        if not self.list_changed:
            return web.Response(status=405)
        response = await _stream(request)
        stream = (request.headers.get("mcp-session-id", ""), response)
        self._streams.append(stream)
        try:
            await asyncio.Event().wait()
        finally:
            self._streams.remove(stream)
        return response

    async def _push(self, message: Json) -> None:
        for _, stream in self._streams:
            with suppress(ConnectionError):
                await stream.write(_event(message))

    @property
    def listeners(self) -> int:
        """GET streams that are open."""
        return len(self._streams)


def _result(message: Json, result: Any) -> Json:
    return {"jsonrpc": "2.0", "id": message["id"], "result": result}


def _text(message: Json, text: str) -> Json:
    return _result(message, {"content": [{"type": "text", "text": text}], "xUnknown": {"kept": [1, None]}})


def _event(message: Any, event_id: str | None = None) -> bytes:
    data = message if isinstance(message, str) else json.dumps(message)
    return (f"id: {event_id}\n" if event_id else "").encode() + f"event: message\ndata: {data}\n\n".encode()


async def _stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    return response


async def _echo(upstream: RawUpstream, request: web.Request, message: Json) -> Answer:
    return web.json_response(_text(message, str(message["params"].get("arguments", {}).get("text", ""))))


async def _wait(upstream: RawUpstream, request: web.Request, message: Json) -> Answer:
    await upstream.released()
    return await _echo(upstream, request, message)


async def _sse(upstream: RawUpstream, request: web.Request, message: Json) -> Answer:
    token = message["params"].get("_meta", {}).get("progressToken")
    response = await _stream(request)
    for step in (1, 2):
        params = {"progressToken": token, "progress": step, "xUnknown": True}
        await response.write(_event({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}))
    log = {"level": "info", "data": "working"}
    await response.write(_event({"jsonrpc": "2.0", "method": "notifications/message", "params": log}))
    await response.write(_event({"jsonrpc": "2.0", "id": 77, "method": "ping"}))
    await response.write(_event(_text(message, "streamed")))
    return response


async def _ask(upstream: RawUpstream, request: web.Request, message: Json) -> Answer:
    """Ask the client what the arguments say, each list of `rounds` at once, and return its answers as text; an error
    when it cannot answer."""
    response = await _stream(request)
    token = message["params"].get("_meta", {}).get("progressToken")
    answers: list[Json] = []
    for number, questions in enumerate(message["params"]["arguments"]["rounds"], 1):
        if token is not None:
            params = {"progressToken": token, "progress": number}
            await response.write(_event({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}))
        answers += await asyncio.gather(*(upstream.ask(response, method, params) for method, params in questions))
    if message["params"]["arguments"].get("wait"):
        await upstream.released()
    result = _text(message, json.dumps(answers))
    result["result"]["isError"] = any("error" in answer for answer in answers)
    await response.write(_event(result))
    return response


async def _url(upstream: RawUpstream, request: web.Request, message: Json) -> Answer:
    wanted = {"mode": "url", "elicitationId": "e-1", "url": "https://login.example/", "message": "Log in"}
    error = {"code": -32042, "message": "log in first", "data": {"elicitations": [wanted]}}
    if len([call for call in upstream.calls if call["name"] == "url"]) > 1:
        return await _echo(upstream, request, message)
    return web.json_response({"jsonrpc": "2.0", "id": message["id"], "error": error})


async def _stream_only(upstream: RawUpstream, request: web.Request, message: Json) -> Answer:
    response = await _stream(request)
    await response.write(b": hello\r\n\r\nid: 1\r\ndata:\r\n\r\n" + _event(_text(message, "one event")))
    return response


async def _hang_stream(upstream: RawUpstream, request: web.Request, message: Json) -> Answer:
    response = await _stream(request)
    await response.write(_event({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info"}}))
    return await _wait(upstream, request, message)


async def _resume(upstream: RawUpstream, request: web.Request, message: Json) -> Answer:
    upstream.keep("ev-1", _text(message, "resumed"))
    response = await _stream(request)
    await response.write(b"id: ev-1\nretry: 50\ndata:\n\n")
    return response


def _plain(body: str, status: int = 200, content_type: str = "application/json") -> Callable[..., Awaitable[Answer]]:
    async def answer(upstream: RawUpstream, request: web.Request, message: Json) -> Answer:
        return web.Response(text=body, status=status, content_type=content_type)

    return answer


async def _rpc_error(upstream: RawUpstream, request: web.Request, message: Json) -> Answer:
    error = {"code": -32602, "message": f"refused {request.headers.get('authorization')}", "data": {"field": "text"}}
    return web.json_response({"jsonrpc": "2.0", "id": message["id"], "error": error}, status=400)


async def _aside(upstream: RawUpstream, request: web.Request, message: Json) -> Answer:
    """Ask the client on the session's own stream, as many servers do."""
    stream = upstream.stream_of(request.headers["mcp-session-id"])
    return web.json_response(_text(message, json.dumps(await upstream.ask(stream, "roots/list", {}))))


_TOOLS: dict[str, Callable[[RawUpstream, web.Request, Json], Awaitable[Answer]]] = {
    "wait": _wait,
    "sse": _sse,
    "ask": _ask,
    "aside": _aside,
    "url": _url,
    "stream_only": _stream_only,
    "hang_stream": _hang_stream,
    "resume": _resume,
    "error500": _plain("boom", 500, "text/plain"),
    "unauthorized": _plain("", 401),
    "rpc_error": _rpc_error,
}
