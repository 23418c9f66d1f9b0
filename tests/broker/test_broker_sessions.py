# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client sessions and the sessions at the upstreams that belong to them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from broker.conftest import StartBroker, StartUpstream
from broker.harness import BrokerProcess, rpc, server, wait_until

from broker import stateless

KEY = {"GATEWAY_SIGNING_KEY": "0123456789abcdef" * 4}


def call_from_many_threads(broker: BrokerProcess, count: int, tool: str) -> list[str]:
    with ThreadPoolExecutor(count) as pool:
        answers = pool.map(lambda number: broker.call(tool, {"text": str(number)}), range(count))
        return [answer["result"]["content"][0]["text"] for answer in answers]


def test_concurrent_first_calls_share_one_upstream_session(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")
    own = raw.initialized
    raw.initialize_delay = 0.2
    running.initialize()

    assert call_from_many_threads(running, 16, "echo") == [str(number) for number in range(16)]

    assert raw.initialized == own + 1
    assert len({call["session"] for call in raw.calls}) == 1


def test_every_client_session_has_an_upstream_session_of_its_own(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")

    for _ in range(3):
        running.initialize()
        running.call("echo")
        running.call("echo")

    sessions = [call["session"] for call in raw.calls]
    assert len(set(sessions)) == 3
    assert sessions[0] == sessions[1]


def test_an_upstream_without_sessions_is_initialized_once(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo", sessions=False)
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")

    for _ in range(3):
        running.initialize()
        running.call("echo")

    assert raw.initialized == 1
    assert all("mcp-session-id" not in call["headers"] for call in raw.calls)


def test_the_clients_session_id_never_reaches_an_upstream(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")
    session = running.initialize()

    running.call("echo", headers={"authorization": "Bearer of-the-client", "cookie": "a=b"})

    assert session not in str(raw.calls)
    assert "of-the-client" not in str(raw.calls)
    assert "a=b" not in str(raw.calls)


@pytest.mark.parametrize("status", [404, 400])
def test_a_stale_upstream_session_is_replaced_and_the_call_repeated(
    broker: StartBroker, upstream: StartUpstream, status: int
) -> None:
    raw = upstream("echo")
    raw.stale_status = status
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")
    running.initialize()
    running.call("echo")
    before = raw.initialized
    raw.expire_sessions()

    assert running.call("echo", {"text": "again"})["result"]["content"][0]["text"] == "again"

    assert raw.initialized == before + 1
    assert len(raw.calls) == 2


@pytest.mark.parametrize(("times", "carried_out"), [(1, True), (2, False)])
def test_a_call_outlives_two_forgotten_sessions_but_not_a_server_that_forgets_all(
    broker: StartBroker, upstream: StartUpstream, times: int, carried_out: bool
) -> None:
    raw = upstream("echo")
    running = broker({"servers": [server("a", raw.url)], "broker": {"checkInterval": 3600}})
    running.wait_ready("a")
    running.initialize()
    running.call("echo")
    before = raw.initialized
    raw.expire_sessions()
    raw.stillborn = times

    response = running.call("echo", {"text": "again"})

    assert ("result" in response) == carried_out
    assert raw.initialized == before + 2
    assert len(raw.calls) == 1 + carried_out


def test_many_calls_that_meet_a_stale_session_replace_it_once(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")
    running.initialize()
    running.call("echo")
    before = raw.initialized
    raw.initialize_delay = 0.2
    raw.expire_sessions()

    call_from_many_threads(running, 12, "echo")

    assert raw.initialized == before + 1


def test_a_failed_initialize_is_tried_again_by_the_next_call(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")
    running.initialize()
    raw.fail_status = 500

    refused = running.call("echo")
    raw.fail_status = None

    assert refused["error"]["message"] == "upstream a: answered HTTP 500"
    assert running.call("echo", {"text": "fine"})["result"]["content"][0]["text"] == "fine"


def test_delete_ends_the_sessions_at_the_upstreams(broker: StartBroker, upstream: StartUpstream) -> None:
    one, two = upstream("echo"), upstream("echo")
    running = broker({"servers": [server("a", one.url, "a_"), server("b", two.url, "b_")]})
    running.wait_ready("a", "b")
    session = running.initialize()
    running.call("a_echo")

    running.request("DELETE", headers={"mcp-session-id": session})

    wait_until(lambda: one.deleted == [one.calls[0]["session"]], "the upstream's session is deleted")
    assert two.deleted == []


def test_idle_sessions_leave_the_upstreams_but_go_on(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    config = {"servers": [server("a", raw.url)], "broker": {"limits": {"sessions": 1}}}
    running = broker(config)
    running.wait_ready("a")
    first = running.initialize()
    running.call("echo")

    running.initialize()
    running.call("echo")

    wait_until(lambda: raw.deleted == [raw.calls[0]["session"]], "the first session made room")
    running.session = first
    assert running.call("echo", {"text": "back"})["result"]["content"][0]["text"] == "back"


def test_sessions_expire(broker: StartBroker) -> None:
    running = broker({"servers": [], "broker": {"sessionLength": 1}})
    running.initialize()
    assert running.post(rpc("ping")).status == 200

    wait_until(lambda: running.post(rpc("ping")).status == 404, "the session has expired")


def test_sessions_survive_a_restart_with_the_same_key(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    config = {"servers": [server("a", raw.url)]}
    first = broker(config, env=KEY)
    session = first.initialize("2025-03-26")
    first.stop()

    second = broker(config, env=KEY)
    second.wait_ready("a")
    second.session = session

    assert second.call("echo", {"text": "still"})["result"]["content"][0]["text"] == "still"
    assert second.post([rpc("ping")]).status == 200  # the revision came along: 2025-03-26 has batches


def test_sessions_of_another_key_are_unknown(broker: StartBroker) -> None:
    first, second = broker({"servers": []}), broker({"servers": []})

    session = first.initialize()

    assert second.post(rpc("ping"), session=session).status == 404


def test_the_key_may_stand_in_the_file(broker: StartBroker) -> None:
    config = {"servers": [], "broker": {"signingKey": "k" * 32}}
    first, second = broker(config), broker(config)

    session = first.initialize()

    assert second.post(rpc("ping"), session=session).status == 200


def test_any_worker_serves_any_session(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    running = broker({"servers": [server("a", raw.url)]}, "--workers", "2")
    # every request opens a connection of its own, so both workers get some
    running.wait_ready("a")
    running.initialize()

    texts = call_from_many_threads(running, 24, "echo")

    assert texts == [str(number) for number in range(24)]
    assert len({call["session"] for call in raw.calls}) == 1, "the workers share the client's session at the upstream"


def test_a_session_deleted_at_one_worker_is_gone_at_all(broker: StartBroker) -> None:
    running = broker({"servers": []}, "--workers", "2")
    session = running.initialize()
    assert {running.post(rpc("ping")).status for _ in range(16)} == {200}

    running.request("DELETE", headers={"mcp-session-id": session})

    wait_until(lambda: {running.post(rpc("ping")).status for _ in range(16)} == {404}, "all workers know")


def test_a_call_is_cancelled_whichever_worker_hears_of_it(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("wait")
    running = broker({"servers": [server("a", raw.url)]}, "--workers", "2")
    running.wait_ready("a")
    running.initialize()

    for number in range(6):
        threading.Thread(target=running.post, args=(rpc("tools/call", {"name": "wait"}, number),), daemon=True).start()
    wait_until(lambda: len(raw.calls) == 6, "the calls have reached the upstream")
    for number in range(6):
        cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}}
        assert running.post(cancel).status == 202

    wait_until(lambda: sorted(one["requestId"] for one in raw.cancelled) == list(range(6)), "all were cancelled")


def test_workers_end_when_their_parent_is_killed(broker: StartBroker) -> None:
    running = broker({"servers": []}, "--workers", "2")
    wait_until(lambda: len(psutil.Process(running.process.pid).children()) == 2, "both workers were started")
    workers = psutil.Process(running.process.pid).children()
    session = running.initialize()
    assert {running.post(rpc("ping"), session=session).status for _ in range(8)} == {200}

    running.process.kill()

    assert psutil.wait_procs(workers, timeout=30)[1] == []


def test_a_worker_that_dies_is_started_again(broker: StartBroker) -> None:
    running = broker({"servers": []}, "--workers", "2")
    session = running.initialize()
    parent = psutil.Process(running.process.pid)
    workers = wait_until(lambda: len(parent.children()) == 2 and parent.children(), "both workers were started")

    workers[0].kill()

    wait_until(lambda: "worker.died" in running.log, "the death is logged")
    wait_until(lambda: len(psutil.Process(running.process.pid).children()) == 2, "there are two again")
    assert {running.post(rpc("ping"), session=session).status for _ in range(16)} == {200}


def test_a_session_that_ends_while_it_subscribes_leaves_nothing_behind(
    broker: StartBroker, upstream: StartUpstream
) -> None:
    raw = upstream("echo")
    raw.results = {"resources/subscribe": {}, "resources/unsubscribe": {}}
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")
    session = running.initialize()
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(running.post, rpc("resources/subscribe", {"uri": "held:a"}))
        wait_until(lambda: raw.subscribed, "the upstream has the subscription")
        assert running.request("DELETE", "/mcp", headers={"mcp-session-id": session}).status == 200
        raw.let_go()
        assert answer.result().status == 200

    wait_until(lambda: not raw.subscribed, "the subscription ends, since nobody can hear of it")


def test_a_client_that_makes_room_keeps_its_session_while_a_call_is_in_flight(
    broker: StartBroker, upstream: StartUpstream
) -> None:
    raw = upstream("wait", "echo")
    running = broker({"servers": [server("a", raw.url)], "broker": {"limits": {"sessions": 1}}})
    running.wait_ready("a")

    def call(tool: str, user: str) -> stateless.Reply:
        sent = stateless.message("tools/call", {"name": tool, "arguments": {"text": "done"}})
        return stateless.send(running, sent, {"authorization": user})

    with ThreadPoolExecutor() as pool:
        first = pool.submit(call, "wait", "Bearer one")
        wait_until(lambda: raw.calls, "the call has reached the upstream")
        assert "result" in call("echo", "Bearer two").json
        assert "result" in call("echo", "Bearer three").json
        wait_until(lambda: raw.deleted, "the session of the second client has made room")
        deleted = list(raw.deleted)
        raw.let_go()
        assert "result" in first.result().json
    assert raw.calls[0]["session"] not in deleted
