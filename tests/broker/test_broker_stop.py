# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGTERM: requests in flight end, streams are closed cleanly, the exit code is 0."""

from __future__ import annotations

import contextlib
import http.client
import signal
import threading
import time
from urllib.parse import urlsplit

import pytest
from broker.conftest import StartBroker, StartUpstream
from broker.harness import Json, server, wait_until
from broker.session_client import calling, start
from broker.test_broker_reload import listen

from broker import stateless


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_call_in_flight_ends_and_streams_are_closed(
    broker: StartBroker, upstream: StartUpstream, workers: str
) -> None:
    raw = upstream("wait")
    running = broker({"servers": [server("a", raw.url)]}, "--workers", workers)
    running.wait_ready("a")
    running.initialize()
    _, stream = listen(running)
    answers: list[object] = []
    call = threading.Thread(target=lambda: answers.append(running.call("wait", {"text": "done"})))
    call.start()
    wait_until(lambda: raw.calls, "the call has reached the upstream")

    running.process.send_signal(signal.SIGTERM)
    stream.join(timeout=60)
    assert not stream.is_alive()
    assert running.process.poll() is None
    raw.let_go()
    call.join(timeout=60)

    assert "done" in str(answers)
    assert running.process.wait(timeout=60) == 0
    assert "stopped" in running.log
    assert raw.live == set(), "the sessions at the upstream are ended"


def test_a_call_that_does_not_end_is_given_up_after_the_set_time(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("wait")
    running = broker({"servers": [server("a", raw.url)], "broker": {"drain": 1}})
    running.wait_ready("a")
    running.initialize()

    answers: list[Json] = []
    call = threading.Thread(target=lambda: answers.append(running.call("wait")))
    call.start()
    wait_until(lambda: raw.calls, "the call has reached the upstream")

    started = time.monotonic()
    assert running.stop() == 0

    call.join(timeout=30)
    assert answers[0]["error"]["message"] == "The broker is stopping: send the request again"
    assert "Traceback" not in running.log
    assert 0.9 < time.monotonic() - started < 15


def test_a_call_without_a_session_is_given_up_with_an_answer_too(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("wait")
    running = broker({"servers": [server("a", raw.url)], "broker": {"drain": 1}})
    running.wait_ready("a")

    answers: list[stateless.Reply] = []
    sent = stateless.message("tools/call", {"name": "wait", "arguments": {}})
    call = threading.Thread(target=lambda: answers.append(stateless.send(running, sent)))
    call.start()
    wait_until(lambda: raw.calls, "the call has reached the upstream")

    assert running.stop() == 0

    call.join(timeout=30)
    assert answers[0].status == 200
    assert answers[0].json["error"]["message"] == "The broker is stopping: send the request again"
    assert "Exception" not in running.log


def test_a_question_that_nobody_can_answer_any_more_ends_at_once(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("ask")
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")
    start(running, roots={})

    with calling(running, "ask", rounds=[[["roots/list", {}]]]) as stream:
        stream.message()
        assert stream.message()["method"] == "roots/list"
        running.process.send_signal(signal.SIGTERM)
        messages = stream.rest()

    assert "The broker is stopping" in str(messages[-1])
    assert running.process.wait(timeout=60) == 0
    assert "Traceback" not in running.log


@pytest.mark.parametrize("workers", ["1", "2"])
def test_connections_that_were_made_before_are_answered(broker: StartBroker, workers: str) -> None:
    running = broker({"servers": []}, "--workers", workers)
    address = urlsplit(running.url)
    assert address.hostname and address.port
    running.wait_ready()
    made = [http.client.HTTPConnection(address.hostname, address.port, timeout=30) for _ in range(50)]
    for one in made:
        one.connect()

    def refused() -> bool:
        with contextlib.closing(http.client.HTTPConnection(str(address.hostname), address.port)) as late:
            try:
                late.connect()
            except ConnectionRefusedError:
                return True
            return False

    running.process.send_signal(signal.SIGTERM)
    wait_until(refused, "it takes no more connections")
    for one in made:
        one.request("GET", "/healthz")

    assert {one.getresponse().status for one in made} == {200}
    assert running.process.wait(timeout=60) == 0
    assert "timeout" not in running.log, "nothing was waited for that does not end"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_broker_stops_at_once(broker: StartBroker, number: int) -> None:
    running = broker({"servers": []})
    running.initialize()

    started = time.monotonic()
    assert running.stop(number) == 0

    assert time.monotonic() - started < 10
    assert "Traceback" not in running.log


def test_an_upstream_that_hangs_does_not_delay_the_end(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    raw.initialize_delay = 60
    running = broker({"servers": [server("a", raw.url)]})
    wait_until(lambda: raw.initialized, "the broker is connecting")

    started = time.monotonic()
    assert running.stop() == 0

    assert time.monotonic() - started < 15
