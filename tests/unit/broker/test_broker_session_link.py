# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions at an upstream while several things happen to them at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import orjson
import pytest
from mcpops_broker.config.credentials import Passthrough
from mcpops_broker.config.model import BrokerOptions, Server, Timeouts
from mcpops_broker.net.client import Target
from mcpops_broker.principal import ANONYMOUS, How, Principal
from mcpops_broker.upstream.errors import UpstreamError
from mcpops_broker.upstream.exchange import Client, Exchange
from mcpops_broker.upstream.lister import read_listing
from mcpops_broker.upstream.peer import Era, Peer
from mcpops_broker.upstream.upstream import State, Upstream

LISTS: dict[str, Any] = {"tools": {}, "prompts": {}, "resources": {}}
"""Capabilities of a server whose four lists are read."""


class Answered:
    """An answer that has arrived whole."""

    idle: float | None = None

    def __init__(self, status: int, message: Any = None, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self._body = b"" if message is None else orjson.dumps(message)
        self._headers = {"content-type": "application/json", **(headers or {})}

    def header(self, name: str) -> str | None:
        return self._headers.get(name)

    async def read(self, limit: int) -> bytes:
        return self._body

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self._body

    def close(self) -> None:
        """There is no connection."""

    def leave(self, within: float) -> None:
        """There is no connection."""


class Sessions:
    """A server with sessions, and the way to it."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.deleted: list[str] = []
        self.known: set[str] = set()
        self.refused = 0
        """Requests in sessions that it does not know."""
        self.called: list[tuple[str, str | None]] = []
        """Names of the tools called, and with which authorization."""
        self.gates: dict[str, asyncio.Event] = {}
        """What is answered once an event is set, by MCP method or `GET`."""

    async def request(
        self,
        method: str,
        target: Target,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        first_byte: float | None,
        idle: float | None,
    ) -> Answered:
        await asyncio.sleep(0)  # it is somewhere else
        message = orjson.loads(body) if body else {"method": method}
        if message["method"] in self.gates:
            await self.gates[message["method"]].wait()
        session = headers.get("mcp-session-id", "")
        if method == "GET":
            return Answered(405)
        if method == "DELETE":
            self.deleted.append(session)
            self.known.discard(session)
            return Answered(200)
        if message["method"] == "initialize":
            return self._initialize(message)
        if session not in self.known:
            self.refused += 1
            return Answered(404)
        if "id" not in message:
            return Answered(202)
        if message["method"] == "tools/call":
            self.called.append((message["params"]["name"], headers.get("authorization")))
        lists = {"tools": [], "prompts": [], "resources": [], "resourceTemplates": [], "content": []}
        return Answered(200, {"jsonrpc": "2.0", "id": message["id"], "result": lists})

    def _initialize(self, message: Any) -> Answered:
        session = f"s{len(self.opened)}"
        self.opened.append(session)
        self.known.add(session)
        result = {
            "protocolVersion": "2025-11-25",
            "capabilities": LISTS,
            "serverInfo": {"name": "x", "version": "1"},
        }
        return Answered(
            200, {"jsonrpc": "2.0", "id": message["id"], "result": result}, headers={"mcp-session-id": session}
        )

    async def close(self) -> None:
        """There is no connection."""


class Call(Exchange):
    """A call by somebody who can be asked."""

    resolves_input = False
    headers: Mapping[str, str] = {}
    request_id = 1

    def __init__(self, client: Client, principal: Principal = ANONYMOUS) -> None:
        self.client = client
        self.principal = principal

    async def notify(self, raw: bytes) -> None:
        raise NotImplementedError

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError


def make(http: Sessions, total: float = 600.0, **settings: Any) -> Upstream:
    """Return an upstream before it is started; its requests may take `total` seconds."""
    server = Server("ns/x", "http://127.0.0.1:9/mcp", protocol="session", **settings)
    options = BrokerOptions(timeouts=Timeouts(total=total))
    return Upstream(server, http, options, None, changed=lambda: None, updated=lambda upstream, uri: None)


async def lending(http: Sessions, total: float) -> Upstream:
    """Return an upstream that runs, with a session that another worker has asked for."""
    upstream = make(http, total)
    upstream.start()
    await upstream.asked.wait()
    assert (await upstream.session_for(Client("ann", "2025-11-25"), None))["id"] == "s1"
    return upstream


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)


async def test_each_call_carries_its_own_token_whoever_else_uses_the_session() -> None:
    http = Sessions()
    http.gates["GET"] = asyncio.Event()
    upstream = make(http, auth=Passthrough())
    client = Client("ann", "2026-07-28", stateless=True, capabilities={"elicitation": {}})

    def call(token: str) -> asyncio.Task[Any]:
        by = Call(client, Principal("ann", How.TOKEN, "ann", token=token))
        return asyncio.create_task(upstream.request(by, "tools/call", {"name": token}))

    calls = [call("old")]
    await until(lambda: (session := upstream.client_sessions.peek("ann")) is not None and session.active)
    calls.append(call("new"))
    await until(lambda: (session := upstream.client_sessions.peek("ann")) is not None and session.active == 2)
    http.gates["GET"].set()
    await asyncio.gather(*calls)

    assert sorted(http.called) == [("new", "Bearer new"), ("old", "Bearer old")]
    await upstream.close(1)


async def test_lists_that_all_find_the_session_forgotten_open_one_new_session() -> None:
    http = Sessions()
    upstream = make(http)
    upstream.start()
    await upstream.asked.wait()
    upstream.asked.clear()

    http.known.clear()
    http.gates["initialize"] = asyncio.Event()
    upstream.refresh()
    await until(lambda: http.refused == 4)
    http.gates["initialize"].set()
    await upstream.asked.wait()

    assert (upstream.state, upstream.last_failure) == (State.READY, None)
    assert (http.opened, http.known, http.deleted) == (["s0", "s1"], {"s1"}, [])
    await upstream.close(1)
    assert http.known == set()


async def test_a_session_that_another_one_replaces_is_ended() -> None:
    http = Sessions()
    http.gates["initialize"] = asyncio.Event()
    link = make(http)._eras.sessions
    both = asyncio.gather(link.connect(), link.connect())
    http.gates["initialize"].set()
    await both

    await until(lambda: http.deleted)
    assert (http.deleted, http.known) == (["s0"], {"s1"})


async def test_a_list_that_fails_ends_the_reading_of_the_others() -> None:
    ended: list[str] = []

    async def call(method: str, params: dict[str, Any]) -> dict[str, Any]:
        if method == "tools/list":
            await asyncio.sleep(0)
            raise UpstreamError("ns/x", "server", "answered HTTP 500")
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(method)
        raise NotImplementedError

    with pytest.raises(UpstreamError, match="HTTP 500"):
        await read_listing("ns/x", Peer(Era.SESSION, "2025-11-25", LISTS), call)

    assert sorted(ended) == ["prompts/list", "resources/list", "resources/templates/list"]


async def test_a_server_with_new_settings_keeps_the_old_session_for_calls_of_other_workers() -> None:
    http = Sessions()
    upstream = await lending(http, total=600)

    retiring = asyncio.create_task(upstream.retire(1))
    await until(lambda: http.deleted)
    assert http.deleted == ["s0"], "the broker's own session only"

    retiring.cancel()  # the broker stops
    await asyncio.wait([retiring])
    assert http.deleted == ["s0", "s1"]


async def test_sessions_of_other_workers_are_ended_when_their_calls_have_had_their_time() -> None:
    http = Sessions()
    upstream = await lending(http, total=0.01)

    await upstream.retire(1)

    assert http.deleted == ["s0", "s1"]


async def test_a_session_that_nobody_else_uses_ends_at_once() -> None:
    http = Sessions()
    upstream = make(http)
    await upstream.request(Call(Client("ann", "2025-11-25")), "tools/call", {"name": "t"})

    await upstream.retire(1)

    assert (http.opened, http.deleted) == (["s0"], ["s0"])
