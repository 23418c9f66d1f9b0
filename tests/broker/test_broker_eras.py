# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding out an upstream's era, and which era is spoken on behalf of whom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiohttp import web
from broker.scripted import (
    Json,
    ScriptedServer,
    TestExchange,
    connected,
    echo,
    running,
    session_client,
    stateless_client,
    until,
)
from mcpops_broker.config.model import BrokerOptions
from mcpops_broker.net.http1_client import Http1Client
from mcpops_broker.upstream import eras
from mcpops_broker.upstream.peer import Era
from mcpops_broker.upstream.upstream import State, Upstream


def error(status: int, code: int, data: Json | None = None) -> Callable[[Json], web.Response]:
    """Build a refusal of a request outside a session."""

    def refuse(message: Json) -> web.Response:
        problem = {"code": code, "message": "no", **({"data": data} if data else {})}
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], "error": problem}, status=status)

    return refuse


def plain(status: int, text: str = "") -> Callable[[Json], web.Response]:
    """Build a refusal without JSON."""
    return lambda message: web.Response(status=status, text=text)


@pytest.mark.parametrize(
    "refusal",
    [
        plain(400),
        plain(404),
        plain(405),
        plain(406),
        plain(202),
        plain(500, "Internal Server Error"),
        plain(200, "hello"),
        error(400, -32000),
        error(400, -32600),
        error(200, -32601),
        error(200, -32602),
        error(400, -32022, {"supported": ["2025-11-25"], "requested": "2026-07-28"}),
        lambda message: web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": {}}),
        lambda message: web.json_response(
            {"jsonrpc": "2.0", "id": message["id"], "result": {"supportedVersions": ["2025-11-25"]}}
        ),
    ],
)
async def test_a_server_that_does_not_know_the_stateless_era_is_spoken_to_in_sessions(
    refusal: Callable[[Json], web.Response],
) -> None:
    server = ScriptedServer("session")
    server.refusal = refusal
    server.tool("echo", echo)
    async with running(server), connected(server.url) as (upstream, _):
        assert upstream.peer is not None
        assert (upstream.peer.era, upstream.peer.version) == (Era.SESSION, "2025-11-25")
        assert upstream.peer.server_info == {"name": "scripted", "version": "1"}
        assert upstream.peer.instructions == "Be kind."
        assert [tool["name"] for tool in upstream.listed.tools] == ["echo"]


async def test_a_server_without_sessions_is_never_initialized_for_a_request() -> None:
    server = ScriptedServer("stateless")
    server.tool("echo", echo)
    async with running(server), connected(server.url) as (upstream, _):
        assert upstream.peer is not None
        assert (upstream.peer.era, upstream.peer.version) == (Era.STATELESS, "2026-07-28")
        asked = len(server.of("initialize"))
        for client in (session_client(), stateless_client()):
            reply = await upstream.request(TestExchange(client), "tools/call", {"name": "echo"})
            assert "result" in reply.message
        assert len(server.of("initialize")) == asked <= 1  # once, to find out whether it also has sessions


async def call_as(upstream: Upstream, server: ScriptedServer, **client: bool) -> str:
    """Call a tool and tell in which era the server was asked."""
    exchange = TestExchange(stateless_client() if client.get("stateless") else session_client())
    await upstream.request(exchange, "tools/call", {"name": "echo"})
    return "session" if "mcp-session-id" in server.of("tools/call")[-1].headers else "stateless"


async def test_a_server_of_both_eras_is_spoken_to_in_the_era_of_each_client() -> None:
    server = ScriptedServer("session", "stateless")
    server.tool("echo", echo)
    async with running(server), connected(server.url) as (upstream, _):
        assert upstream.peer is not None
        assert upstream.peer.era is Era.STATELESS
        await until(lambda: not server.sessions, "the session that was opened to find out has ended")
        assert await call_as(upstream, server) == "session"
        assert await call_as(upstream, server, stateless=True) == "stateless"


async def test_sessions_that_the_server_does_not_keep_are_no_reason_to_use_them() -> None:
    server = ScriptedServer("session", "stateless")
    server.keeps_sessions = False
    server.tool("echo", echo)
    async with running(server), connected(server.url) as (upstream, _):
        assert await call_as(upstream, server) == "stateless"


@pytest.mark.parametrize(("protocol", "era"), [("session", "session"), ("stateless", "stateless")])
async def test_a_configured_era_is_spoken_with_everybody(protocol: str, era: str) -> None:
    server = ScriptedServer("session", "stateless")
    server.tool("echo", echo)
    async with running(server), connected(server.url, protocol=protocol) as (upstream, _):
        assert len(server.of("server/discover" if era == "session" else "initialize")) == 0
        assert await call_as(upstream, server) == era
        assert await call_as(upstream, server, stateless=True) == era


@pytest.mark.parametrize(
    ("refusal", "problem"),
    [
        (plain(401), "refused the configured credential (HTTP 401)"),
        (error(400, -32020), "no (JSON-RPC error -32020)"),
        (error(400, -32022, {"supported": ["2027-01-01"], "requested": "2026-07-28"}), "no (JSON-RPC error -32022)"),
        (lambda message: web.Response(status=307, headers={"location": "http://x.test/"}), "answered with a redirect"),
    ],
)
async def test_what_says_nothing_of_the_era_is_no_reason_to_try_the_other(
    refusal: Callable[[Json], web.Response], problem: str
) -> None:
    server = ScriptedServer("session")
    server.refusal = refusal
    async with running(server), connected(server.url, ready=False) as (upstream, _):
        assert upstream.state is State.FAILED
        assert problem in str(upstream.problem)
        assert server.of("initialize") == []


async def test_a_known_era_is_not_asked_for_again_until_it_does_not_hold() -> None:
    server = ScriptedServer("session", capabilities={"tools": {}})
    server.tool("echo", echo)
    async with running(server), connected(server.url, BrokerOptions(check_interval=0.05)) as (upstream, _):
        handlers, server.eras = server.eras, ()
        await until(lambda: upstream.state is State.FAILED, "the failure is seen")
        server.eras = handlers
        await until(lambda: upstream.state is State.READY, "it is back")
        probes = len(server.of("server/discover"))
        server.sessions.clear()
        server.eras = ("stateless",)
        await until(lambda: upstream.peer is not None and upstream.peer.era is Era.STATELESS, "the new era is found")

    assert probes <= 2


async def test_requests_are_carried_out_while_an_upstream_is_connected_with_new_settings() -> None:
    server = ScriptedServer("stateless")
    server.tool("echo", echo)
    http = Http1Client()
    async with running(server), connected(server.url) as (old, _):
        new = Upstream(old.server, http, BrokerOptions(), None, changed=print, updated=print)
        new.take_over(old)
        reply = await new.request(TestExchange(session_client()), "tools/call", {"name": "echo"})
    await http.close()

    assert "result" in reply.message
    assert [tool["name"] for tool in new.listed.tools] == ["echo"]


async def test_revisions_of_the_future_are_named() -> None:
    server = ScriptedServer("session")
    server.refusal = lambda message: web.json_response(
        {"jsonrpc": "2.0", "id": message["id"], "result": {"supportedVersions": ["2031-01-01"]}}
    )
    async with running(server), connected(server.url, ready=False) as (upstream, _):
        assert upstream.problem == "upstream ns/up: speaks MCP 2031-01-01, which this broker does not"


async def test_a_server_that_says_nothing_to_what_it_does_not_know_is_spoken_to_in_sessions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(eras, "PROBE_TIMEOUT", 0.1)
    server = ScriptedServer("session")
    serve = server.serve

    async def silent(request: web.Request) -> web.StreamResponse:
        if b"server/discover" in await request.read():
            await asyncio.Event().wait()
        return await serve(request)

    server.serve = silent  # type: ignore[method-assign]
    async with running(server), connected(server.url) as (upstream, _):
        assert upstream.peer is not None
        assert upstream.peer.era is Era.SESSION


@pytest.mark.parametrize(("era", "method"), [("session", "ping"), ("stateless", "server/discover")])
async def test_a_server_that_offers_nothing_to_list_is_still_watched(era: str, method: str) -> None:
    server = ScriptedServer(era, capabilities={})
    async with running(server), connected(server.url, BrokerOptions(check_interval=0.05)) as (upstream, _):
        asked = len(server.of(method))
        await until(lambda: len(server.of(method)) > asked, "it is asked again")
        server.sessions.clear()
        server.eras = ()
        await until(lambda: upstream.state is State.FAILED, "the failure is seen")
