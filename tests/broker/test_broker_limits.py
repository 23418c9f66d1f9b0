# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rate limits and quotas, as clients of every kind meet them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from broker.conftest import StartBroker, StartUpstream
from broker.harness import BrokerProcess, Json, Reply, rpc, run_broker, server, wait_until
from broker.raw_upstream import RawUpstream
from broker.replicas import run_replicas
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError

from broker import stateless

TOOLS = ("echo", "echo_soft", "echo_flood", "echo_bare", "echo_batch", "echo_sdk")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[BrokerProcess, RawUpstream]]:
    """One broker for the tests that use a tool of their own each, and the server behind it."""
    limits: list[Json] = [
        {"name": "flood", "tools": ["r_*_flood"], "rate": 0.001, "burst": 7},
        {"name": "bare", "tools": ["r_echo_bare"], "quota": 2, "period": "month"},
        {"name": "batch", "tools": ["r_echo_batch"], "quota": 3, "period": "month"},
        {"name": "soft", "tools": ["r_echo_soft"], "quota": 1, "period": "month", "status": 200},
        {"name": "sdk", "tools": ["r_echo_sdk"], "quota": 1, "period": "month"},
    ]
    with (
        RawUpstream(*TOOLS) as upstream,
        run_broker(tmp_path_factory.mktemp("limits"), configuration(upstream.url, *limits)) as broker,
    ):
        broker.wait_ready("ns/raw")
        yield broker, upstream


@pytest.fixture
def running(shared: tuple[BrokerProcess, RawUpstream]) -> BrokerProcess:
    """Every test has a session of its own."""
    shared[0].initialize()
    return shared[0]


def configuration(url: str, *limits: Json) -> Json:
    return {"servers": [server("ns/raw", url, "r_")], "broker": {"rateLimits": list(limits)}}


def call(tool: str = "r_echo") -> Json:
    return rpc("tools/call", {"name": tool, "arguments": {"text": "x"}})


def refused(reply: Reply) -> bool:
    if reply.status == 200:
        assert "result" in reply.json
        return False
    assert (reply.status, reply.error["code"]) == (429, 429)
    return True


def test_a_flood_gets_what_is_allowed_and_429_for_the_rest(
    running: BrokerProcess, shared: tuple[BrokerProcess, RawUpstream]
) -> None:
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda _: running.post(call("r_echo_flood")), range(60)))

    assert Counter(map(refused, replies)) == {False: 7, True: 53}
    assert len([one for one in shared[1].calls if one["name"] == "echo_flood"]) == 7
    last = next(reply for reply in replies if reply.status == 429)
    assert 900 <= int(last.headers["retry-after"]) <= 1000
    assert last.error["data"] == {"limit": "flood", "retryAfter": int(last.headers["retry-after"])}
    assert not refused(running.post(call()))
    told = running.status()["rateLimits"]["flood"]
    assert told == {"allows": "0.001 requests a second, 7 at once", "refused": 53}


def test_clients_without_sessions_are_counted_as_well(running: BrokerProcess) -> None:
    bare = stateless.message("tools/call", {"name": "r_echo_bare", "arguments": {}})

    assert [refused(stateless.send(running, bare)) for _ in range(3)] == [False, False, True]
    assert refused(running.post(call("r_echo_bare"))), "the same principal, now with a session"


def test_the_parts_of_a_batch_are_counted(running: BrokerProcess) -> None:
    running.initialize("2025-03-26")

    reply = running.post([{**call("r_echo_batch"), "id": number} for number in range(5)])

    assert reply.status == 200
    assert sum("result" in answer for answer in reply.json) == 3
    assert [answer["error"]["code"] for answer in reply.json if "error" in answer] == [429, 429]


def test_a_client_that_does_not_stand_429_gets_the_error_only(running: BrokerProcess) -> None:
    bare = stateless.message("tools/call", {"name": "r_echo_soft", "arguments": {}})
    assert not refused(running.post(call("r_echo_soft")))

    for reply in (running.post(call("r_echo_soft")), stateless.send(running, bare)):
        assert (reply.status, reply.error["code"]) == (200, 429)
        assert int(reply.headers["retry-after"]) == reply.error["data"]["retryAfter"]


async def test_the_official_client_learns_why_and_goes_on(running: BrokerProcess) -> None:
    async with Client(running.url + "/mcp") as client:
        await client.call_tool("r_echo_sdk", {"text": "x"})
        with pytest.raises(MCPError, match="Too many requests: limit 'sdk'"):
            await client.call_tool("r_echo_sdk", {"text": "x"})
        assert not (await client.call_tool("r_echo", {"text": "x"})).is_error


def test_any_request_can_be_limited_and_limits_change_while_the_broker_runs(
    broker: StartBroker, upstream: StartUpstream
) -> None:
    raw = upstream("echo")
    running = broker(configuration(raw.url))
    running.wait_ready("ns/raw")

    running.configure(configuration(raw.url, {"name": "all", "rate": 0.001, "burst": 5, "methods": "*"}))
    wait_until(lambda: running.status()["rateLimits"], "there is a limit")
    running.initialize()
    methods = ["tools/list", "ping", "no/such", "resources/list"]
    assert [running.post(rpc(method)).status for method in methods] == [200] * 4
    assert running.post(rpc("ping")).status == 429
    stream = {"mcp-session-id": running.session or "", "accept": "text/event-stream"}
    assert running.request("GET", "/mcp", None, stream).status == 429
    assert running.post(rpc("initialize", {"protocolVersion": "2025-11-25"}), session="").status == 429
    assert stateless.send(running, stateless.message("server/discover")).status == 429

    running.configure(configuration(raw.url))
    wait_until(lambda: running.status()["rateLimits"] == {}, "there is no limit")
    assert not any(refused(running.post(call())) for _ in range(7))


def test_workers_count_together(broker: StartBroker, upstream: StartUpstream) -> None:
    limit = {"name": "daily", "quota": 40, "period": "month"}
    running = broker(configuration(upstream("echo").url, limit), "--workers", "3")
    running.wait_ready("ns/raw")
    running.initialize()

    def all_refuse() -> bool:
        return {refused(running.post(call())) for _ in range(12)} == {True}

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: running.post(call()), range(30)))
    assert not any(map(refused, replies))
    wait_until(all_refuse, "every worker has heard of the others' use")


def test_replicas_count_together_and_quotas_outlive_them(tmp_path: Path) -> None:
    limit = {"name": "monthly", "quota": 6, "period": "month"}
    with (
        RawUpstream("echo") as upstream,
        run_replicas(tmp_path, configuration(upstream.url, limit), 2) as (replicas, _),
    ):
        one, other = replicas.all
        for each in (one, other):
            each.wait_ready("ns/raw")
            each.initialize()
        assert [refused(one.post(call())) for _ in range(6)] == [False] * 6
        wait_until(lambda: refused(other.post(call())), "the other replica has heard of it")

        for each in (one, other):
            replicas.remove(each)
            each.stop()
        successor = replicas.add()
        successor.wait_ready("ns/raw")
        successor.initialize()

        assert refused(successor.post(call()))
