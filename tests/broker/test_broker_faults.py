# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upstreams that are broken, slow or gone, and what clients see of it."""

from __future__ import annotations

import threading
import time

from broker.conftest import StartBroker, StartUpstream
from broker.harness import rpc, server, wait_until
from broker.raw_upstream import tool

FAST = {"checkInterval": 0.2, "limits": {"response": 1_000_000}}
SHORT = {**FAST, "timeouts": {"connect": 5, "firstByte": 0.5, "total": 1}}


def test_a_stream_that_an_upstream_closes_early_is_resumed(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("resume")
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")
    running.initialize()

    assert running.call("resume")["result"]["content"][0]["text"] == "resumed"
    assert len(raw.calls) == 1


def test_a_call_that_timed_out_is_cancelled_at_the_upstream(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("wait")
    running = broker({"servers": [server("a", raw.url)], "broker": SHORT})
    running.wait_ready("a")
    running.initialize()

    running.call("wait")

    wait_until(lambda: raw.cancelled == [{"requestId": 1, "reason": "timeout"}], "the upstream was told")


def test_one_broken_upstream_does_not_harm_the_others(broker: StartBroker, upstream: StartUpstream) -> None:
    good, hanging = upstream("echo"), upstream("wait")
    config = {
        "servers": [
            server("good", good.url, "g_"),
            server("hangs", hanging.url, "h_"),
            server("gone", "http://127.0.0.1:9/mcp"),
        ],
        "broker": {"limits": {"callsPerUpstream": 5}},
    }
    running = broker(config)
    running.wait_ready("good", "hangs")
    running.initialize()
    for number in range(5):
        threading.Thread(
            target=running.post, args=(rpc("tools/call", {"name": "h_wait"}, number),), daemon=True
        ).start()
    wait_until(lambda: len(hanging.calls) == 5, "five calls hang")

    refused = running.call("h_wait")["error"]
    started = time.monotonic()
    for _ in range(20):
        assert "result" in running.call("g_echo")

    assert time.monotonic() - started < 15
    assert refused["data"] == {"upstream": "hangs", "reason": "busy"}
    status = running.status()
    assert (status["healthyServers"], status["unHealthyServers"], status["overallValid"]) == (2, 1, False)
    assert running.request("GET", "/readyz").status == 200


def test_too_many_requests_at_once_are_refused(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("wait")
    running = broker({"servers": [server("a", raw.url)], "broker": {"limits": {"requests": 3}}})
    running.wait_ready("a")
    running.initialize()
    for number in range(3):
        threading.Thread(target=running.post, args=(rpc("tools/call", {"name": "wait"}, number),), daemon=True).start()
    wait_until(lambda: len(raw.calls) == 3, "three calls hang")

    reply = running.post(rpc("ping"))

    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    raw.let_go()
    wait_until(lambda: running.post(rpc("ping")).status == 200, "requests are taken again")


def test_an_upstream_that_comes_back_is_found_and_one_that_goes_is_dropped(
    broker: StartBroker, upstream: StartUpstream
) -> None:
    raw = upstream("echo")
    raw.fail_status = 503
    running = broker({"servers": [server("a", raw.url)], "broker": FAST})
    running.initialize()
    wait_until(lambda: running.server("a")["state"] == "failed", "the failure is seen")
    assert running.server("a")["message"] == "upstream a: answered HTTP 503"
    assert running.request("GET", "/readyz").status == 503

    raw.fail_status = None
    running.wait_ready("a")
    assert running.tools() == ["echo"]

    raw.fail_status = 503
    wait_until(lambda: running.tools() == [], "its tools are dropped after three failures")
    raw.fail_status = None
    wait_until(lambda: running.tools() == ["echo"], "its tools are back")


def test_a_client_that_goes_away_drops_the_upstreams_connection(broker: StartBroker, upstream: StartUpstream) -> None:
    import socket

    raw = upstream("wait")
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")
    session = running.initialize()
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wait"}}'
    head = (
        f"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nmcp-session-id: {session}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", int(running.url.rpartition(":")[2]))) as connection:
        connection.sendall(head.encode() + body)
        wait_until(lambda: raw.calls, "the call has reached the upstream")

    wait_until(lambda: raw.dropped == 1, "the connection to the upstream is closed")
    assert raw.cancelled == []  # losing a connection is no cancellation (MCP basic/transports)
    wait_until(lambda: running.status()["requestsInFlight"] == 0, "the request is forgotten")


def test_a_storm_of_list_changed_does_not_become_a_storm_of_lists(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo", list_changed=True)
    running = broker({"servers": [server("a", raw.url)], "broker": {"checkInterval": 3600}})
    running.wait_ready("a")
    wait_until(lambda: raw.listeners == 1, "the broker listens")
    before = raw.lists

    started = time.monotonic()
    for number in range(200):
        raw.tools = [tool(f"t{number}")]
        raw.push({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
    running.initialize()
    wait_until(lambda: running.tools() == ["t199"], "the last list is there")

    assert raw.lists - before <= 3 + (time.monotonic() - started) / 0.25
