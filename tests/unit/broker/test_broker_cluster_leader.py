# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One of several brokers writes status: who holds the lease, and when another one takes it."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import pytest
from mcpops_broker import background
from mcpops_broker.cluster import leader
from mcpops_broker.cluster.api import ApiProblem
from mcpops_broker.cluster.leader import Leader
from mcpops_broker.cluster.source import Cluster

PLACE = ("mcp-system", "mcp-broker")


class Server:
    """An API server that knows leases only; `down` is what it answers instead, after `takes` seconds."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.down: ApiProblem | None = None
        self.takes = 0.0

    async def get(self, kind: object, key: object) -> dict[str, Any] | None:
        await asyncio.sleep(self.takes)
        if self.down:
            raise self.down
        return deepcopy(self.lease)

    async def create(self, kind: object, obj: dict[str, Any]) -> None:
        if self.lease is not None:
            raise ApiProblem(409, "it exists")
        self._store(obj)

    async def replace(self, kind: object, obj: dict[str, Any]) -> None:
        if self.down:
            raise self.down
        if self.lease is None or obj["metadata"]["resourceVersion"] != str(self.version):
            raise ApiProblem(409, "somebody else was faster")
        self._store(obj)

    async def close(self) -> None:
        pass

    def _store(self, obj: dict[str, Any]) -> None:
        self.version += 1
        self.lease = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.version)}}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that leaders see."""
    now = [1000.0]
    monkeypatch.setattr(leader, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(leader, "PAUSE", 0.0)
    return now


def candidate(server: Server, began: list[str], name: str) -> Leader:
    return Leader(server, PLACE, lambda: began.append(name))  # type: ignore[arg-type]


async def rounds(*tasks: asyncio.Task[None]) -> None:
    """Let candidates look a few times."""
    for _ in range(20):
        await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)


async def end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_one_of_two_leads_and_letting_go_makes_the_other_lead(clock: list[float]) -> None:
    server, began = Server(), []
    first, second = candidate(server, began, "first"), candidate(server, began, "second")
    one, two = asyncio.create_task(first.run()), asyncio.create_task(second.run())
    await rounds(one, two)
    assert (first.is_leader, second.is_leader, began) == (True, False, ["first"])
    assert second.holder == first.identity

    await end(one)
    await first.release()
    await rounds(two)

    assert second.is_leader and began == ["first", "second"]
    assert server.lease is not None and server.lease["spec"]["leaseTransitions"] == 1
    await end(two)


async def test_one_that_was_killed_is_followed_when_its_lease_has_run_out(clock: list[float]) -> None:
    server, began = Server(), []
    first, second = candidate(server, began, "first"), candidate(server, began, "second")
    await first._step()  # and then it is killed
    two = asyncio.create_task(second.run())
    await rounds(two)
    assert not second.is_leader

    clock[0] += leader.LENGTH - 1
    await rounds(two)
    assert not second.is_leader and began == []

    clock[0] += 2
    await rounds(two)
    assert second.is_leader and not first.is_leader
    await end(two)


async def test_one_that_cannot_renew_stops_before_another_one_may_begin(clock: list[float]) -> None:
    server = Server()
    only = candidate(server, [], "only")
    task = asyncio.create_task(only.run())
    await rounds(task)
    server.down = ApiProblem(0, "no answer of the API server")

    await rounds(task)
    assert only.is_leader and only.problem == "no answer of the API server"
    clock[0] += leader.DEADLINE + 0.1
    assert not only.is_leader
    assert leader.DEADLINE < leader.LENGTH

    server.down = None
    await rounds(task)
    assert only.is_leader and only.problem == ""
    await end(task)


async def test_a_clock_that_is_wrong_does_not_matter(clock: list[float]) -> None:
    server = Server()
    first, second = candidate(server, [], "first"), candidate(server, [], "second")
    await first._step()
    assert server.lease is not None
    server.lease["spec"]["renewTime"] = "1999-01-01T00:00:00.000000Z"

    await second._step()

    assert not second.is_leader


async def test_a_slow_server_is_waited_for_when_the_lease_is_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "CANCEL_AGAIN", 0.01)
    server, cluster, leads = Server(), Cluster(()), asyncio.Event()
    cluster._api = server  # type: ignore[assignment]  # what is used of an Api here
    cluster.leader = Leader(server, PLACE, leads.set)  # type: ignore[arg-type]  # the same
    cluster._background.start(cluster.leader.run(), "lead")
    await leads.wait()
    server.takes = 0.1

    await cluster.close()

    assert server.lease is not None and server.lease["spec"]["holderIdentity"] == ""
    assert not cluster.leader.is_leader
