# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three replicas that are restarted, killed, and lose their store, while clients go on calling."""

from __future__ import annotations

import http.client
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from broker.harness import BrokerProcess, Json, Reply, rpc, server, wait_until
from broker.raw_upstream import RawUpstream
from broker.replicas import Replicas, run_replicas
from broker.session_client import calling, listening, start

FORM = {"message": "Who?", "requestedSchema": {"type": "object", "properties": {}}}
CLIENTS = 6


@pytest.fixture(scope="module")
def raw() -> Iterator[RawUpstream]:
    with RawUpstream("ask", "wait", "echo", list_changed=True) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def both(raw: RawUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Replicas, BrokerProcess]]:
    quota = {"name": "few", "tools": ["limited*"], "quota": 10, "period": "day"}
    config = {"servers": [server("a", raw.url)], "broker": {"rateLimits": [quota]}}
    with run_replicas(Path(tmp_path_factory.mktemp("replicas")), config, 3) as running:
        yield running


@pytest.fixture
def replicas(both: tuple[Replicas, BrokerProcess]) -> Replicas:
    """The replicas; always three."""
    while len(both[0].all) < 3:
        both[0].add()
    return both[0]


@pytest.fixture
def running(both: tuple[Replicas, BrokerProcess], replicas: Replicas) -> BrokerProcess:
    """All of them, behind the balancer."""
    return both[1]


class Load:
    """Clients that call a tool again and again, each in a session of its own; every call opens a connection."""

    def __init__(self, running: BrokerProcess) -> None:
        self._running = running
        self._stop = threading.Event()
        self.done = [0] * CLIENTS
        self.failed: list[str] = []
        self.broken = 0
        """Calls whose connection was closed before their answer."""
        self._threads = [threading.Thread(target=self._call, args=(number,)) for number in range(CLIENTS)]
        self.sessions = [running.initialize() for _ in range(CLIENTS)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        self.go_on()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def go_on(self) -> None:
        """Wait until every client has made some more calls."""
        before = list(self.done)
        wait_until(lambda: all(now >= then + 5 for now, then in zip(self.done, before, strict=True)), "calls go on")

    def _call(self, client: int) -> None:
        while not self._stop.is_set():
            text = f"{client}-{self.done[client]}"
            params = {"name": "echo", "arguments": {"text": text}}
            try:
                reply = self._running.post(rpc("tools/call", params), session=self.sessions[client])
            except (http.client.HTTPException, OSError):
                self.broken += 1
                continue
            if reply.status != 200 or text not in str(reply.json.get("result")):
                self.failed.append(f"{reply.status} {reply.body!r}")
            self.done[client] += 1


def is_connected(replicas: Replicas, expected: bool) -> Callable[[], bool]:
    """Build the condition that all replicas reach the store, or that none does."""
    return lambda: all(one.status()["store"]["connected"] is expected for one in replicas.all)


def in_session(raw: RawUpstream, after: int) -> list[str]:
    """Return the sessions of the calls that came to the upstream after so many."""
    return [str(call["session"]) for call in raw.calls[after:]]


def test_a_client_has_one_session_at_a_server_and_ends_it_anywhere(raw: RawUpstream, running: BrokerProcess) -> None:
    running.initialize()
    before = len(raw.calls)

    def call(number: int) -> Reply:
        return running.post(rpc("tools/call", {"name": "echo"}, number))

    with ThreadPoolExecutor(8) as clients:
        first = list(clients.map(call, range(40)))
        raw.expire_sessions()
        second = list(clients.map(call, range(40, 80)))

    assert all("result" in reply.json for reply in first + second)
    used = set(in_session(raw, before))
    assert len(used) == 2, "one, and one after it had expired"
    assert running.request("DELETE", headers={"mcp-session-id": str(running.session)}).status == 200
    wait_until(lambda: used & set(raw.deleted), "it has ended at the server")
    wait_until(lambda: {call(number).status for number in range(6)} == {404}, "it has ended at every replica")
    assert len([one for one in raw.deleted if one in used]) == 1


def test_a_change_is_told_to_clients_of_every_replica_once(
    raw: RawUpstream, replicas: Replicas, running: BrokerProcess
) -> None:
    with ExitStack() as stack:
        streams = []
        for _ in replicas.all:
            running.initialize()
            streams.append(stack.enter_context(listening(running)))
        raw.tools.append({"name": "new", "inputSchema": {"type": "object"}})
        raw.push({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})

        told = [stream.message()["method"] for stream in streams]

        assert told == ["notifications/tools/list_changed"] * len(streams)
        assert all("new" in one.tools({"mcp-session-id": str(running.session)}) for one in replicas.all)


def test_a_quota_is_that_of_all_replicas(raw: RawUpstream, replicas: Replicas) -> None:
    raw.tools.append({"name": "limited", "inputSchema": {"type": "object"}})
    raw.push({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
    for one in replicas.all:
        one.initialize()
        wait_until(lambda one=one: "limited" in one.tools(), "it is listed")  # type: ignore[misc]

    first, second, third = replicas.all
    assert [one.post(rpc("tools/call", {"name": "limited"})).status for one in (first, second) * 5] == [200] * 10

    wait_until(lambda: third.post(rpc("tools/call", {"name": "limited"})).status == 429, "the third has heard")


def test_a_rolling_restart_fails_no_call_and_keeps_the_sessions(
    raw: RawUpstream, replicas: Replicas, running: BrokerProcess
) -> None:
    with Load(running) as load:
        before = len(raw.calls)
        for old in list(replicas.all):
            replicas.add()
            replicas.remove(old)
            assert old.stop() == 0
            load.go_on()

    assert (load.failed, load.broken) == ([], 0)
    assert len(set(in_session(raw, before))) == CLIENTS, "each client has kept its session at the server"
    replicas.meet()


def test_a_replica_that_is_killed_takes_only_its_own_calls_along(
    raw: RawUpstream, replicas: Replicas, running: BrokerProcess
) -> None:
    with Load(running) as load:
        before = len(raw.calls)
        victim = replicas.all[0]
        victim.stop(signal.SIGKILL)
        wait_until(lambda: load.broken > 0, "calls to it fail")
        replicas.remove(victim)
        load.go_on()
        broken = load.broken
        load.go_on()
        assert load.broken == broken, "and no others"

    assert load.failed == []
    assert len(set(in_session(raw, before))) == CLIENTS


def test_what_runs_while_the_store_is_lost_ends_well(
    raw: RawUpstream, replicas: Replicas, running: BrokerProcess
) -> None:
    asking, answering, _ = replicas.all
    start(asking, elicitation={})
    with Load(running) as load, calling(asking, "ask", rounds=[[["elicitation/create", FORM]]]) as stream:
        stream.message()
        question = stream.message()
        replicas.store.kill()
        wait_until(is_connected(replicas, False), "the loss is seen")
        assert all("store.lost" in one.log for one in replicas.all)
        load.go_on()
        running.initialize()
        assert "result" in running.call("echo"), "a new client is served"
        response: Json = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "decline"}}
        assert answering.post(response, session=asking.session).status == 202
        assert answering.status()["store"]["problem"] == "it cannot be reached"

        replicas.store.start()
        wait_until(is_connected(replicas, True), "it is back")

        assert "decline" in str(stream.message()["result"]), "the answer has come, late"
        load.go_on()

    assert (load.failed, load.broken) == ([], 0)
    replicas.meet()
