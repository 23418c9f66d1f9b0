# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests of clients of both eras to upstreams of both eras: ids, tokens, headers, levels, cancels."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp import web
from broker.scripted import (
    Elsewhere,
    Json,
    Received,
    ScriptedServer,
    TestExchange,
    connected,
    echo,
    running,
    session_client,
    stateless_client,
    until,
)
from mcpops_broker.protocol.jsonrpc import RpcError
from mcpops_broker.upstream import breaker
from mcpops_broker.upstream.errors import UpstreamError

ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {"sampling": {}},
    "io.modelcontextprotocol/clientInfo": {"name": "theirs", "version": "3"},
}


async def test_a_request_of_a_session_gets_what_the_stateless_era_demands() -> None:
    server = ScriptedServer("stateless")
    region = {"type": "string", "x-mcp-header": "Region"}
    server.tool("t", echo, inputSchema={"type": "object", "properties": {"region": region}})
    async with running(server), connected(server.url) as (upstream, _):
        client = session_client(capabilities={"sampling": {}, "tasks": {}})
        params = {"name": "t", "arguments": {"region": "Zürich"}, "_meta": {"a/b": 1}}
        await upstream.request(TestExchange(client, 9), "tools/call", params)
        await upstream.request(TestExchange(client, 10), "resources/read", {"uri": "test://a"})

    call, read = server.of("tools/call")[0], server.of("resources/read")[0]
    assert (call.message["id"], call.headers["mcp-name"]) == (9, "t")
    assert call.headers["mcp-param-region"] == "=?base64?WsO8cmljaA==?="
    assert read.headers["mcp-name"] == "test://a"
    meta = call.params["_meta"]
    assert meta["a/b"] == 1
    assert meta["io.modelcontextprotocol/clientCapabilities"] == {"sampling": {}}
    assert meta["io.modelcontextprotocol/clientInfo"]["name"] == "mcpops-broker"
    assert meta["io.modelcontextprotocol/logLevel"] == "info"
    assert params["_meta"] == {"a/b": 1}, "the caller's parameters are not changed"


async def test_a_stateless_request_reaches_a_stateless_upstream_as_it_is() -> None:
    server = ScriptedServer("stateless")
    server.tool("t", echo)
    async with running(server), connected(server.url) as (upstream, _):
        client = stateless_client(capabilities={"sampling": {}, "extensions": {"x/y": {}}}, log_level="debug")
        exchange = TestExchange(client, "their-id")
        exchange.headers = {"mcp-param-other": "kept"}
        await upstream.request(exchange, "tools/call", {"name": "t", "_meta": {**ENVELOPE, "progressToken": "p"}})

    (call,) = server.of("tools/call")
    assert call.message["id"] == "their-id"
    assert call.headers["mcp-param-other"] == "kept"
    assert call.params["_meta"] == {
        **ENVELOPE,
        "io.modelcontextprotocol/clientCapabilities": {"sampling": {}, "extensions": {"x/y": {}}},
        "io.modelcontextprotocol/logLevel": "debug",
        "progressToken": "p",
    }


async def test_stateless_clients_share_a_session_without_sharing_ids_or_tokens() -> None:
    server = ScriptedServer("session")
    both = asyncio.Barrier(2)

    async def work(received: Received) -> Json:
        await both.wait()
        token = received.params["_meta"]["progressToken"]
        await received.notify("notifications/progress", progressToken=token, progress=1)
        await received.notify("notifications/elicitation/complete", elicitationId="e")
        return {"content": [], "for": received.params["arguments"]}

    server.tool("t", work)
    async with running(server), connected(server.url) as (upstream, _):
        exchanges = [TestExchange(stateless_client(), 1), TestExchange(stateless_client(), 1)]
        replies = await asyncio.gather(
            *(
                upstream.request(
                    exchange,
                    "tools/call",
                    {"name": "t", "arguments": {"of": number}, "_meta": {**ENVELOPE, "progressToken": "same"}},
                )
                for number, exchange in enumerate(exchanges)
            )
        )

    calls = server.of("tools/call")
    assert len({call.headers["mcp-session-id"] for call in calls}) == 1
    assert len({call.message["id"] for call in calls}) == 2
    assert len({call.params["_meta"]["progressToken"] for call in calls}) == 2
    assert all(set(call.params["_meta"]) == {"progressToken"} for call in calls), "no envelope in a session"
    for number, (exchange, reply) in enumerate(zip(exchanges, replies, strict=True)):
        assert b'"id":1' in reply.for_request(1).replace(b" ", b"")
        assert reply.message["result"]["for"] == {"of": number}
        assert exchange.notified == [
            {
                "jsonrpc": "2.0",
                "method": "notifications/progress",
                "params": {"progressToken": "same", "progress": 1},
            }
        ]


@pytest.mark.parametrize("personal", [False, True])
async def test_an_upstream_without_session_ids_sees_no_id_or_token_twice(personal: bool) -> None:
    server = ScriptedServer("session")
    server.keeps_sessions = False
    both = asyncio.Barrier(2)

    async def work(received: Received) -> Json:
        await both.wait()
        token = received.params["_meta"]["progressToken"]
        await received.notify("notifications/progress", progressToken=token, progress=1)
        await both.wait()
        return {"content": [], "for": received.params["arguments"]}

    server.tool("t", work)
    async with running(server), connected(server.url, user_specific=personal) as (upstream, _):
        exchanges = [TestExchange(session_client("a"), 1), TestExchange(session_client("b"), 1)]
        replies = await asyncio.gather(
            *(
                upstream.request(
                    exchange,
                    "tools/call",
                    {"name": "t", "arguments": {"of": number}, "_meta": {"progressToken": 1, "other": 2}},
                )
                for number, exchange in enumerate(exchanges)
            )
        )
        await upstream.cancel(exchanges[1], None)

    calls = sorted(server.of("tools/call"), key=lambda call: call.params["arguments"]["of"])
    assert calls[0].message["id"] != calls[1].message["id"]
    assert calls[0].params["_meta"]["progressToken"] != calls[1].params["_meta"]["progressToken"]
    assert [call.params["_meta"]["other"] for call in calls] == [2, 2]
    assert [note.params["requestId"] for note in server.of("notifications/cancelled")] == [calls[1].message["id"]]
    for number, (exchange, reply) in enumerate(zip(exchanges, replies, strict=True)):
        assert b'"id":1' in reply.for_request(1).replace(b" ", b"")
        assert reply.message["result"]["for"] == {"of": number}
        assert [note["params"] for note in exchange.notified] == [{"progressToken": 1, "progress": 1}]


async def test_clients_of_other_capabilities_or_sessions_have_sessions_of_their_own() -> None:
    server = ScriptedServer("session")
    server.tool("t", echo)
    async with running(server), connected(server.url) as (upstream, _):
        for client in (session_client("a"), session_client("b"), stateless_client("c"), stateless_client("c")):
            await upstream.request(TestExchange(client), "tools/call", {"name": "t"})

        assert len({call.headers["mcp-session-id"] for call in server.of("tools/call")}) == 3
        upstream.end_session("b")
        await until(lambda: len(server.sessions) == 3, "the session of b has ended, the broker's own has not")


async def test_an_expired_session_is_replaced_and_the_request_sent_once_more() -> None:
    server = ScriptedServer("session")
    server.tool("t", echo)
    async with running(server), connected(server.url) as (upstream, _):
        client = session_client(capabilities={"roots": {}})
        await upstream.request(TestExchange(client), "tools/call", {"name": "t"})
        server.sessions.clear()
        replies = await asyncio.gather(
            *(upstream.request(TestExchange(client, number), "tools/call", {"name": "t"}) for number in range(20))
        )

        assert all("result" in reply.message for reply in replies)
        opened = [one.params["capabilities"] for one in server.of("initialize")]
        assert opened.count({"roots": {}}) == 2, "one new session, however many requests met the old one"


async def test_a_session_that_ends_while_its_stream_is_opened_ends_no_request() -> None:
    server = ScriptedServer("session", capabilities={"tools": {}})
    server.tool("t", echo)
    server.silent_streams = True
    async with running(server), connected(server.url) as (upstream, _):
        exchange = TestExchange(session_client(capabilities={"roots": {}}))
        request = asyncio.ensure_future(upstream.request(exchange, "tools/call", {"name": "t"}))
        await until(lambda: server.gets, "the stream is being opened")
        server.silent_streams = False

        upstream.end_session("a")

        assert "result" in (await request).message


async def test_a_session_opened_by_another_worker_is_used() -> None:
    server = ScriptedServer("session")
    server.tool("t", echo)
    async with running(server), connected(server.url) as (home, _), connected(server.url) as (other, _):
        other.keep_sessions_by(Elsewhere(home))
        client = session_client()
        await home.request(TestExchange(client), "tools/call", {"name": "t"})
        await other.request(TestExchange(client), "tools/call", {"name": "t"})
        used = [call.headers["mcp-session-id"] for call in server.of("tools/call")]
        assert used[0] == used[1]

        del server.sessions[used[0]]
        await other.request(TestExchange(client), "tools/call", {"name": "t"})
        await home.request(TestExchange(client), "tools/call", {"name": "t"})
        used = [call.headers["mcp-session-id"] for call in server.of("tools/call")]
        assert used[-1] == used[-2] != used[0]


@pytest.mark.parametrize("era", ["session", "stateless"])
async def test_a_cancelled_request_ends_at_the_upstream(era: str) -> None:
    server = ScriptedServer(era)

    async def wait(received: Received) -> Json:
        await asyncio.Event().wait()
        return {}

    server.tool("t", wait)
    async with running(server), connected(server.url) as (upstream, _):
        exchange = TestExchange(stateless_client(), 1)
        call = asyncio.create_task(upstream.request(exchange, "tools/call", {"name": "t"}))
        await until(lambda: server.of("tools/call"), "the call has reached the upstream")
        await upstream.cancel(exchange, "enough")
        if era == "session":
            (told,) = server.of("notifications/cancelled")
            assert told.params == {"requestId": server.of("tools/call")[0].message["id"], "reason": "enough"}
            call.cancel()
            await asyncio.wait([call])
        else:
            with pytest.raises(UpstreamError, match="the request was cancelled"):
                await call
            assert server.of("notifications/cancelled") == []
        await until(lambda: server.dropped == 1, "the connection is closed")
        await upstream.cancel(exchange, None)
        assert upstream.active == 0


async def test_log_levels_reach_an_upstream_with_sessions() -> None:
    server = ScriptedServer("session", capabilities={"tools": {}, "logging": {}})
    server.tool("t", echo)
    async with running(server), connected(server.url) as (upstream, _):
        for client in (
            session_client("a", log_level="error"),
            session_client("a", log_level="error"),
            session_client("a", log_level="debug"),
            session_client("b"),
            stateless_client("c", log_level="info"),
            stateless_client("c", log_level="error"),  # others on this session want more
            stateless_client("c", log_level="debug"),
        ):
            await upstream.request(TestExchange(client), "tools/call", {"name": "t"})

    assert [one.params["level"] for one in server.of("logging/setLevel")] == ["error", "debug", "info", "debug"]


@pytest.mark.parametrize("era", ["session", "stateless"])
@pytest.mark.parametrize("status", [200, 400, 404])
async def test_an_error_response_is_a_response(era: str, status: int) -> None:
    server = ScriptedServer(era)
    server.keeps_sessions = False

    async def fail(received: Received) -> Json:
        raise RpcError(-32602, "bad arguments", status=status)

    server.tool("t", fail)
    async with running(server), connected(server.url) as (upstream, _):
        reply = await upstream.request(TestExchange(session_client(), 4), "tools/call", {"name": "t"})

    assert json.loads(reply.for_request(4)) == {
        "jsonrpc": "2.0",
        "id": 4,
        "error": {"code": -32602, "message": "bad arguments"},
    }


async def test_headers_that_do_not_fit_any_more_make_the_lists_be_read_again() -> None:
    server = ScriptedServer("stateless", capabilities={"tools": {}})

    async def strict(received: Received) -> Json:
        if received.headers.get("mcp-param-zone") != "z":
            raise RpcError(-32020, "Mcp-Param-Zone is missing", status=400)
        return {"content": []}

    server.tool("t", strict)
    async with running(server), connected(server.url) as (upstream, _):
        zone = {"type": "object", "properties": {"zone": {"type": "string", "x-mcp-header": "Zone"}}}
        server.lists["tools"][0]["inputSchema"] = zone
        params = {"name": "t", "arguments": {"zone": "z"}}
        with pytest.raises(UpstreamError, match="did not accept the headers"):
            await upstream.request(TestExchange(session_client()), "tools/call", dict(params))
        await until(lambda: upstream.listed.tools[0]["inputSchema"] == zone, "the lists are read again")
        reply = await upstream.request(TestExchange(session_client()), "tools/call", dict(params))

    assert "result" in reply.message


async def test_an_upstream_that_fails_again_and_again_is_left_alone_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = ScriptedServer("session")
    works = False

    async def fail(received: Received) -> Json:
        if not works:
            raise web.HTTPBadGateway
        return {"content": []}

    server.tool("t", fail)
    async with running(server), connected(server.url) as (upstream, _):
        monkeypatch.setattr(breaker, "FIRST_PAUSE", 3600)
        upstream.breaker.answered()
        for _ in range(breaker.OPEN_AFTER):
            with pytest.raises(UpstreamError, match="answered HTTP 502"):
                await upstream.request(TestExchange(session_client()), "tools/call", {"name": "t"})
        with pytest.raises(UpstreamError, match="the last 5 requests failed") as caught:
            await upstream.request(TestExchange(session_client()), "tools/call", {"name": "t"})
        assert caught.value.reason == "unavailable"
        assert len(server.of("tools/call")) == breaker.OPEN_AFTER
        works = True
        upstream.breaker._retry_at = 0.0
        await upstream.request(TestExchange(session_client()), "tools/call", {"name": "t"})
        assert upstream.breaker.circuit is breaker.Circuit.CLOSED
