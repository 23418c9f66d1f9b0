# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One session at an upstream for a client session, whichever of several workers carries its requests."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from broker.conftest import StartBroker, StartUpstream
from broker.harness import Json, rpc, server, wait_until
from broker.scripted import ScriptedServer, TestExchange, connected, echo, session_client, until
from broker.scripted import running as served
from mcpops_broker import homes
from mcpops_broker.background import Background
from mcpops_broker.bus import Bus, make_buses
from mcpops_broker.homes import Homes
from mcpops_broker.upstream.upstream import Upstream


def test_all_workers_use_one_session_of_a_client_at_an_upstream(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    running = broker({"servers": [server("a", raw.url)]}, "--workers", "3")
    wait_until(lambda: raw.initialized == 3, "every worker has a session of its own for lists")
    running.initialize()
    wait_until(lambda: "echo" in running.tools(), "the tool is listed")

    def call(number: int) -> Json:
        answer: Json = running.post(rpc("tools/call", {"name": "echo"}, number)).json
        return answer

    with ThreadPoolExecutor(8) as clients:
        first = list(clients.map(call, range(60)))
        raw.expire_sessions()
        second = list(clients.map(call, range(60, 120)))

    assert all("result" in answer for answer in first + second)
    sessions = [recorded["session"] for recorded in raw.calls]
    used = set(sessions)
    assert len(used) == 2, "one session, and one after it had expired"
    running.request("DELETE", headers={"mcp-session-id": str(running.session)})
    wait_until(lambda: used & set(raw.deleted), "the session has ended at the upstream")
    assert len([one for one in raw.deleted if one in used]) == 1, "its home alone ends it"


def join(bus: Bus, upstream: Upstream) -> Homes:
    """Make an upstream that of a worker of several."""
    made = Homes(bus, Background(), lambda: {upstream.server.name: upstream})
    made.serve(upstream)
    bus.connect()
    return made


async def test_a_home_hears_that_its_session_is_still_used() -> None:
    scripted = ScriptedServer("session")
    scripted.tool("t", echo)
    buses = make_buses(2)
    async with served(scripted), connected(scripted.url) as (one, _), connected(scripted.url) as (two, _):
        both = [join(buses[0], one), join(buses[1], two)]
        for number in range(8):
            client = session_client(f"client-{number}")
            await one.request(TestExchange(client), "tools/call", {"name": "t"})
        lent = one.borrowed()
        assert 0 < len(lent) < 8, "both workers are homes"
        pool = two._eras.sessions.sessions
        for identity in lent:
            session = pool.peek(identity)
            assert session is not None
            session.used = 0.0

        both[0].sweep()

        await until(lambda: all(one.used > 0 for one in map(pool.peek, lent) if one), "the home has heard")


async def test_a_home_that_does_not_answer_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homes, "PATIENCE", 0.05)
    scripted = ScriptedServer("session")
    scripted.tool("t", echo)
    buses = make_buses(2)
    async with served(scripted), connected(scripted.url) as (one, _):
        join(buses[0], one)  # nobody listens at the other end
        for number in range(8):
            exchange = TestExchange(session_client(f"client-{number}"))
            assert "result" in (await one.request(exchange, "tools/call", {"name": "t"})).message

        assert one.borrowed() == []


async def test_a_home_that_was_started_again_has_forgotten_what_it_was_asked() -> None:
    scripted = ScriptedServer("session")
    scripted.tool("t", echo)
    buses = make_buses(2)
    async with served(scripted), connected(scripted.url) as (one, _):
        here = join(buses[0], one)
        calls = [
            one.request(TestExchange(session_client(f"client-{number}")), "tools/call", {"name": "t"})
            for number in range(8)
        ]
        waiting = [asyncio.ensure_future(call) for call in calls]
        await until(lambda: len(here._waiting) == sum(not call.done() for call in waiting) > 0, "some wait")

        here.worker_gone("1")

        assert all("result" in reply.message for reply in await asyncio.gather(*waiting))
