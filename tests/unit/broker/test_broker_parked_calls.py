# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls that wait for their clients: how long, how many, and at which worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from mcpops_broker.background import Background
from mcpops_broker.bus import Bus
from mcpops_broker.mcp import parked
from mcpops_broker.mcp.parked import ParkedCalls
from mcpops_broker.mcp.request_state import RequestState, StateSealer, digest_of
from mcpops_broker.protocol.jsonrpc import RpcError
from mcpops_broker.upstream.errors import UpstreamError
from mcpops_broker.upstream.exchange import Reply

SECRET = b"0123456789abcdef0123456789abcdef"


class WireBus(Bus):
    """A bus whose messages reach other buses of this process soon."""

    def __init__(self, here: str, group: dict[str, WireBus]) -> None:
        super().__init__(here)
        self._group = group
        group[here] = self

    def send(self, kind: str, value: Any, to: str | None = None) -> None:
        sent = orjson.dumps([kind, value])
        for address in [to] if to is not None else self.others:
            asyncio.get_running_loop().call_soon(self._group[address]._received, sent, self.here)

    @property
    def others(self) -> list[str]:
        return [address for address in self._group if address != self.here]


class FakeUpstream:
    """Counts what it is told to cancel."""

    def __init__(self) -> None:
        self.server = SimpleNamespace(name="up")
        self.cancelled: list[str | None] = []

    async def cancel(self, exchange: object, reason: str | None) -> None:
        self.cancelled.append(reason)


class FakeExchange:
    """A request of a client."""

    def __init__(self, owner: bytes = b"p" * 16) -> None:
        self.owner = owner
        self.call: Any = None
        self.delivered: list[bytes] = []

    async def deliver(self, raw: bytes) -> None:
        self.delivered.append(raw)


class Worker:
    """One worker with its parked calls."""

    def __init__(self, address: str = "0", group: dict[str, WireBus] | None = None) -> None:
        self.calls = ParkedCalls([SECRET], WireBus(address, {} if group is None else group), Background())
        self.upstream: Any = FakeUpstream()

    async def begin(self, work: Callable[[FakeExchange], Any], owner: bytes = b"p" * 16) -> Reply:
        exchange: Any = FakeExchange(owner)
        return await self.calls.begin(exchange, self.upstream, "tools/call", {"name": "t"}, lambda *_: work(exchange))

    async def go_on(self, reply: Reply, answers: Any, exchange: Any = None) -> Reply:
        result = reply.message["result"]
        keyed = dict(zip(result["inputRequests"], answers, strict=True))
        turn: Any = exchange or FakeExchange()
        params = {"name": "t"}
        return await self.calls.resume(
            turn, self.upstream, "tools/call", params, state=result["requestState"], answers=keyed
        )


def reply(**result: Any) -> Reply:
    message = {"jsonrpc": "2.0", "id": 1, "result": result}
    return Reply(orjson.dumps(message), message)


async def one_question(exchange: FakeExchange) -> Reply:
    answer = await exchange.call.ask("roots/list", {})
    await exchange.call.turn.deliver(b"working")
    return reply(answer=answer)


async def test_a_call_that_asks_nothing_is_not_parked() -> None:
    worker = Worker()

    async def work(exchange: FakeExchange) -> Reply:
        return reply(done=True)

    assert (await worker.begin(work)).message["result"] == {"done": True}
    assert len(worker.calls) == 0


async def test_a_call_goes_on_at_any_worker() -> None:
    group: dict[str, WireBus] = {}
    one, two = Worker("1", group), Worker("2", group)
    asked = await one.begin(one_question)
    here, turn = len(one.calls), FakeExchange()

    answered = await two.go_on(asked, [{"roots": []}], turn)

    assert (here, len(one.calls), len(two.calls)) == (1, 0, 0)
    assert answered.message["result"] == {"answer": {"roots": []}}
    assert turn.delivered == [b"working"]


async def test_another_workers_refusals_and_failures_come_back() -> None:
    group: dict[str, WireBus] = {}
    one, two = Worker("1", group), Worker("2", group)

    async def fails(exchange: FakeExchange) -> Reply:
        await exchange.call.ask("roots/list", {})
        raise UpstreamError("up", "timeout", "no complete answer within 1 s")

    asked = await one.begin(fails)
    with pytest.raises(RpcError, match="upstream up: no complete answer") as caught:
        await two.go_on(asked, [{}])
    assert caught.value.data == {"upstream": "up", "reason": "timeout"}
    with pytest.raises(RpcError, match="requestState belongs to no request"):
        await two.go_on(asked, [{}])


async def test_a_worker_that_dies_lets_nobody_wait() -> None:
    group: dict[str, WireBus] = {}
    one, two = Worker("1", group), Worker("2", group)

    async def never(exchange: FakeExchange) -> Reply:
        await exchange.call.ask("roots/list", {})
        return await asyncio.get_running_loop().create_future()

    going_on = asyncio.create_task(two.go_on(await one.begin(never), [{}]))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not going_on.done()

    two.calls.worker_gone("1")

    with pytest.raises(RpcError, match="requestState belongs to no request"):
        await going_on


async def test_a_client_that_leaves_another_worker_cancels() -> None:
    group: dict[str, WireBus] = {}
    one, two = Worker("1", group), Worker("2", group)
    ended = asyncio.Event()

    async def never(exchange: FakeExchange) -> Reply:
        await exchange.call.ask("roots/list", {})
        try:
            return await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    going_on = asyncio.create_task(two.go_on(await one.begin(never), [{}]))
    for _ in range(5):
        await asyncio.sleep(0)

    going_on.cancel()

    await asyncio.wait_for(ended.wait(), 10)
    assert one.upstream.cancelled == ["the client closed the connection"]


async def test_a_call_is_ended_when_its_client_does_not_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parked, "PARKED_FOR", 0.01)
    worker = Worker()
    ended = asyncio.Event()

    async def asks(exchange: FakeExchange) -> Reply:
        try:
            return reply(answer=await exchange.call.ask("roots/list", {}))
        finally:
            ended.set()

    await worker.begin(asks)

    await asyncio.wait_for(ended.wait(), 10)
    assert worker.upstream.cancelled == ["the client did not answer"]
    assert len(worker.calls) == 0


async def test_the_call_that_waits_longest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parked, "MAX_PARKED", 2)
    worker = Worker()
    first, second, third = [await worker.begin(one_question) for _ in range(3)]

    assert len(worker.calls) == 2
    with pytest.raises(RpcError, match="requestState belongs to no request"):
        await worker.go_on(first, [{}])
    for kept in (second, third):
        assert (await worker.go_on(kept, [{"roots": []}])).message["result"] == {"answer": {"roots": []}}


async def test_two_requests_cannot_go_on_with_one_call() -> None:
    worker = Worker()
    begun = asyncio.Event()
    release = asyncio.Event()

    async def slow(exchange: FakeExchange) -> Reply:
        await exchange.call.ask("roots/list", {})
        begun.set()
        await release.wait()
        return reply(done=True)

    asked = await worker.begin(slow)
    first = asyncio.create_task(worker.go_on(asked, [{}]))
    await begun.wait()

    with pytest.raises(RpcError, match="requestState belongs to no request"):
        await worker.go_on(asked, [{}])
    release.set()
    assert (await first).message["result"] == {"done": True}


async def test_a_broker_that_stops_asks_nobody() -> None:
    worker = Worker()
    await worker.begin(one_question)

    worker.calls.drain()

    with pytest.raises(RpcError, match="stops"):
        await worker.begin(one_question)
    assert len(worker.calls) == 0


STATE = RequestState("3", b"c" * 16, b"p" * 16, digest_of("tools/call", {"a": 1}), 2_000_000_000)


def test_a_state_says_what_was_put_into_it_to_whoever_has_the_key() -> None:
    assert StateSealer([SECRET]).open(StateSealer([SECRET]).seal(STATE)) == STATE
    assert StateSealer([SECRET[::-1]]).open(StateSealer([SECRET]).seal(STATE)) is None


def test_no_changed_state_is_accepted() -> None:
    sealer = StateSealer([SECRET])
    text = sealer.seal(STATE)

    for place in range(len(text)):
        changed = text[:place] + ("B" if text[place] == "A" else "A") + text[place + 1 :]
        assert sealer.open(changed) is None, place
    for odd in ("", text + "=", text + "-TAMPERED", text[:-1], " " + text, "\u00fc" * 80, 5, None, {}, "A" * 5000):
        assert sealer.open(odd) is None, odd


def test_a_state_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    sealer = StateSealer([SECRET])
    text = sealer.seal(STATE)
    monkeypatch.setattr(time, "time", lambda: STATE.expires - 1.0)
    assert sealer.open(text) == STATE

    monkeypatch.setattr(time, "time", lambda: float(STATE.expires))
    assert sealer.open(text) is None


def test_digests_do_not_depend_on_the_order_of_keys() -> None:
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    assert digest_of("a", "bc") != digest_of("ab", "c")
