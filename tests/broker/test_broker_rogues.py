# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault of an upstream at the same time, each at an upstream of its own: each is named, none harms another."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from broker.cheap_upstreams import CheapUpstream, Fault, in_thread
from broker.harness import BrokerProcess, run_broker, wait_until
from broker.rogue import FAULTS, pings, silent

OPTIONS = {
    "checkInterval": 0.5,
    "timeouts": {"connect": 5, "firstByte": 1, "total": 2},
    "limits": {"response": 1_000_000},
}


@pytest.fixture(scope="module")
def upstreams() -> Iterator[list[CheapUpstream]]:
    """Two healthy servers, then one of either era for each fault."""
    with in_thread(2 + 2 * len(FAULTS), stateless=lambda number: number % 2 == 1) as started:
        yield started


@pytest.fixture(scope="module")
def running(upstreams: list[CheapUpstream], tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    config = {"servers": [one.config for one in upstreams], "broker": OPTIONS}
    with run_broker(tmp_path_factory.mktemp("rogues"), config) as broker:
        broker.wait_ready(*(one.name for one in upstreams))
        broker.initialize()
        yield broker
        for unexpected in ("request.failed", "task.failed", "upstream.bug", "Traceback", "s3cr3t"):
            assert unexpected not in broker.log


def rogues(upstreams: list[CheapUpstream], method: str) -> Iterator[tuple[CheapUpstream, Fault, str]]:
    """Make all but the first two fail when they are asked for this; return each with what must be said of it."""
    for number, (fault, problem) in enumerate(FAULTS.items()):
        for upstream in upstreams[2 + 2 * number : 4 + 2 * number]:
            upstream.faults[method] = fault
            yield upstream, fault, problem


def test_failed_calls_are_errors_that_name_the_upstream(running: BrokerProcess, upstreams: list[CheapUpstream]) -> None:
    failing = list(rogues(upstreams, "tools/call"))

    with ThreadPoolExecutor(len(failing)) as threads:
        calls = [threads.submit(running.call, f"{upstream.name}_echo") for upstream, _, _ in failing]
        for upstream in upstreams[:2]:
            assert "result" in running.call(f"{upstream.name}_echo")
        answers = [call.result() for call in calls]

    for (upstream, fault, problem), answer in zip(failing, answers, strict=True):
        error = answer["error"]
        assert error["code"] == -32603, fault
        assert error["message"].startswith(f"upstream {upstream.name}: "), (fault, error)
        assert problem in error["message"], (fault, error)
        assert error["data"]["upstream"] == upstream.name, fault
        upstream.faults.clear()
    for upstream, fault, _ in failing:
        name = f"{upstream.name}_echo"
        wait_until(lambda name=name: "result" in running.call(name), f"{upstream.name} answers after {fault}")  # type: ignore[misc]


def test_lists_that_fail_do_not_touch_those_of_others(running: BrokerProcess, upstreams: list[CheapUpstream]) -> None:
    failing = list(rogues(upstreams, "tools/list"))
    healthy = [f"{upstream.name}_{tool}" for upstream in upstreams[:2] for tool in ("echo", "steps")]

    for upstream, fault, problem in failing:
        wait_until(
            lambda name=upstream.name, problem=problem: problem in running.server(name)["message"],  # type: ignore[misc]
            f"{fault} is named",
        )
    wait_until(lambda: running.tools() == sorted(healthy), "only the healthy upstreams' tools are listed")
    for name in healthy:
        assert "result" in running.call(name)

    for upstream, _, _ in failing:
        upstream.faults.clear()
    running.wait_ready(*(one.name for one in upstreams))
    assert len(running.tools()) == 2 * len(upstreams)


def test_an_upstream_that_asks_without_end_and_takes_no_answer_gets_few_connections(
    running: BrokerProcess, upstreams: list[CheapUpstream]
) -> None:
    rogue = upstreams[2]
    rogue.faults.update({"tools/call": pings, "": silent})

    error = running.call(f"{rogue.name}_echo")["error"]

    assert "no complete answer within 2 s" in error["message"]
    # 250 at a time, each given up after a second, in the two seconds that the call takes; it were thousands
    assert len(rogue.connections) < 800
    rogue.faults.clear()
    wait_until(lambda: "result" in running.call(f"{rogue.name}_echo"), "it is used again")
