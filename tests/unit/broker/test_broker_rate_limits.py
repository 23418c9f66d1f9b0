# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rate limits and quotas: what is counted, how it is earned back, and what workers tell one another."""

from __future__ import annotations

import asyncio
import calendar
from collections.abc import Callable
from typing import Any

import pytest
from broker.harness import wait_until
from mcpops_broker.access import counters
from mcpops_broker.access.counters import Counters, period_end
from mcpops_broker.access.kept_quotas import PARTS, KeptQuotas
from mcpops_broker.access.limits import RateLimits
from mcpops_broker.bus import Bus, make_buses
from mcpops_broker.config.limits import METHODS, STREAM, Per, Period, RateLimit
from mcpops_broker.config.model import Config
from mcpops_broker.config.parse import ConfigError, parse
from mcpops_broker.mcp import methods, session_methods, tasks
from mcpops_broker.principal import How, Principal
from mcpops_broker.protocol.jsonrpc import RefusalError
from mcpops_broker.store.memory import MemoryStore

NOON = float(calendar.timegm((2026, 11, 22, 12, 0, 0)))
ANN = Principal("key:ann", How.KEY, "ann", groups=frozenset({"dev"}))
BOB = Principal("key:bob", How.KEY, "bob")


class Clock:
    """A clock that a test turns on."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def limits(*limit: RateLimit, clock: Clock | None = None, bus: Bus | None = None) -> RateLimits:
    clock = clock or Clock()
    return RateLimits(Counters(bus or Bus(), clock, clock), limit)


def made(**options: Any) -> RateLimit:
    return RateLimit("one", **{key: frozenset(value) if key == "per" else value for key, value in options.items()})


def calling(of: RateLimits, who: Principal = ANN, server: str = "ns/a", tool: str = "t") -> Callable[[], None]:
    def call() -> None:
        of.request(who, "tools/call")
        of.call(who, "tools/call", server, tool)

    return call


def allowed(call: Callable[[], None], most: int = 100) -> int:
    """Return how often a call is allowed at once."""
    for number in range(most):
        try:
            call()
        except RefusalError:
            return number
    return most


def refusal(call: Callable[[], None]) -> RefusalError:
    with pytest.raises(RefusalError) as caught:
        call()
    return caught.value


def test_a_burst_is_allowed_and_then_what_is_earned_back() -> None:
    clock = Clock()
    call = calling(limits(made(rate=2.0, burst=5), clock=clock))

    assert allowed(call) == 5
    clock.now += 1.0
    assert allowed(call) == 2
    clock.now += 3600.0
    assert allowed(call) == 5


def test_a_refusal_says_which_limit_and_when_to_come_again() -> None:
    clock = Clock()
    call = calling(limits(made(rate=0.1, burst=1), clock=clock))
    call()

    error = refusal(call)

    assert (error.status, error.code, error.headers) == (429, 429, ((b"retry-after", b"10"),))
    assert error.data == {"limit": "one", "retryAfter": 10}
    assert error.message == (
        "Too many requests: limit 'one' allows 0.1 requests a second, 1 at once for each principal; try again in 10 s"
    )
    clock.now += 10.0
    assert allowed(call) == 1


def test_a_refusal_may_have_the_status_of_an_answer() -> None:
    call = calling(limits(made(quota=1, status=200)))
    call()

    error = refusal(call)

    assert (error.status, error.code, error.headers[0][0]) == (200, 429, b"retry-after")


def test_who_keeps_asking_waits_no_longer() -> None:
    clock = Clock()
    call = calling(limits(made(rate=1.0, burst=1), clock=clock))
    call()
    for _ in range(50):
        refusal(call)

    clock.now += 1.0

    assert allowed(call) == 1


@pytest.mark.parametrize(
    ("period", "start", "seconds"),
    [
        (Period.MINUTE, NOON + 59, 1),
        (Period.HOUR, NOON, 3600),
        (Period.DAY, NOON, 43_200),
        (Period.MONTH, NOON, 8.5 * 86_400),
    ],
)
def test_a_quota_is_for_a_period_of_the_calendar(period: Period, start: float, seconds: float) -> None:
    clock = Clock(start)
    call = calling(limits(made(quota=3, period=period), clock=clock))

    assert allowed(call) == 3
    assert refusal(call).data == {"limit": "one", "retryAfter": seconds}
    clock.now += seconds
    assert allowed(call) == 3


def test_the_year_ends_with_december() -> None:
    december = float(calendar.timegm((2026, 12, 31, 23, 59, 59)))

    assert period_end(Period.MONTH, december) == calendar.timegm((2027, 1, 1, 0, 0, 0))


@pytest.mark.parametrize(
    ("per", "apart"),
    [
        ((), (0, 0, 0)),
        ((Per.PRINCIPAL,), (1, 0, 0)),
        ((Per.SERVER,), (0, 1, 0)),
        ((Per.TOOL,), (0, 0, 1)),
        ((Per.PRINCIPAL, Per.TOOL), (1, 0, 1)),
    ],
)
def test_what_is_counted_apart(per: tuple[Per, ...], apart: tuple[int, int, int]) -> None:
    of = limits(made(per=per, quota=1))
    calling(of)()

    others = calling(of, who=BOB), calling(of, server="ns/b"), calling(of, tool="u")

    assert tuple(allowed(call, 1) for call in others) == apart


@pytest.mark.parametrize(
    ("limit", "who", "ask", "counts"),
    [
        (made(quota=1), ANN, ("tools/call", "ns/a", "t"), True),
        (made(quota=1), ANN, ("tools/list", "", ""), False),
        (made(quota=1, methods=frozenset({"*"})), ANN, ("tools/list", "", ""), True),
        (made(quota=1, tools=("weather_*",)), ANN, ("tools/call", "ns/a", "weather_today"), True),
        (made(quota=1, tools=("weather_*",)), ANN, ("tools/call", "ns/a", "time_now"), False),
        (made(quota=1, tools=("a[b]?",)), ANN, ("tools/call", "ns/a", "a[b]?"), True),
        (made(quota=1, tools=("a[b]?",)), ANN, ("tools/call", "ns/a", "abc"), False),
        (made(quota=1, servers=frozenset({"ns/a"})), ANN, ("tools/call", "ns/a", "t"), True),
        (made(quota=1, servers=frozenset({"ns/a"})), ANN, ("tools/call", "ns/b", "t"), False),
        (made(quota=1, groups=frozenset({"dev"})), ANN, ("tools/call", "ns/a", "t"), True),
        (made(quota=1, groups=frozenset({"dev"})), BOB, ("tools/call", "ns/a", "t"), False),
        (made(quota=1, principals=frozenset({"key:bob"})), BOB, ("tools/call", "ns/a", "t"), True),
        (made(quota=1, principals=frozenset({"key:bob"})), ANN, ("tools/call", "ns/a", "t"), False),
    ],
)
def test_what_a_limit_is_for(limit: RateLimit, who: Principal, ask: tuple[str, str, str], counts: bool) -> None:
    of = limits(limit)
    method, server, tool = ask

    def request() -> None:
        of.request(who, method)
        if server:
            of.call(who, method, server, tool)

    assert allowed(request, 3) == (1 if counts else 3)


def test_a_call_that_one_limit_refuses_uses_up_no_other() -> None:
    clock = Clock()
    slow = RateLimit("slow", rate=1.0, burst=1)
    of = limits(slow, RateLimit("daily", quota=2), clock=clock)
    call = calling(of)
    call()
    assert refusal(call).data["limit"] == "slow"

    clock.now += 1.0

    assert allowed(call) == 1
    assert of.refused == {"slow": 2, "daily": 1}


def test_of_two_refusals_the_longer_wait_is_told() -> None:
    of = limits(RateLimit("rate", rate=1.0, burst=1), RateLimit("daily", quota=1))
    call = calling(of)
    call()

    error = refusal(call)

    assert error.data == {"limit": "daily", "retryAfter": 43_200}


def test_other_limits_keep_what_was_used_of_those_that_stay() -> None:
    kept, changed = RateLimit("kept", quota=2, methods=frozenset({"ping"})), made(rate=1.0, burst=1)
    of = limits(kept, changed)
    of.request(ANN, "ping")
    calling(of)()

    of.configure((kept, made(rate=1.0, burst=2)))

    assert allowed(lambda: of.request(ANN, "ping")) == 1
    assert allowed(calling(of)) == 2


def test_what_makes_no_difference_any_more_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    of = limits(RateLimit("rate", rate=1.0, burst=2), RateLimit("daily", quota=5), clock=clock)
    calling(of)()
    of.counters.sweep()
    assert len(of.counters) == 2
    clock.now += 2
    of.counters.sweep()
    assert len(of.counters) == 1
    clock.now += 86_400
    of.counters.sweep()
    assert len(of.counters) == 0

    monkeypatch.setattr(counters, "MOST", 10)
    for number in range(50):
        of.request(Principal(f"key:{number}", How.KEY, ""), "tools/call")
    assert len(of.counters) == 20


def test_what_clients_call_methods_and_tools_is_not_kept() -> None:
    of = limits(made(quota=3, methods=frozenset({"*"})), RateLimit("tools", quota=3, per=frozenset({Per.TOOL})))
    big = "x" * 1_000_000

    assert allowed(lambda: of.request(ANN, big)) == 3
    assert allowed(lambda: of.call(ANN, "tools/call", "ns/a", big)) == 3

    assert max(len(part) for kind in of._by_kind for part in kind) <= 256
    assert max(len(part) for quota in of.counters.quotas() for part in quota[:-2]) <= 256


def test_every_method_can_be_limited() -> None:
    served = {*methods.HANDLERS, *session_methods._HANDLERS, *tasks.METHODS, "server/discover", "subscriptions/listen"}

    assert served | {STREAM} == METHODS


async def test_workers_count_together() -> None:
    limit, clock = (RateLimit("daily", quota=10), RateLimit("rate", rate=1.0, burst=8)), Clock()
    buses = make_buses(2)
    one, two = (limits(*limit, clock=clock, bus=bus) for bus in buses)
    for bus in buses:
        bus.connect()
    for _ in range(6):
        calling(one)()
    assert allowed(calling(two, who=BOB)) == 8

    await asyncio.to_thread(wait_until, lambda: len(two.counters) == 4, "the other has told")

    assert allowed(calling(two)) == 2
    clock.now += 60.0
    assert allowed(calling(two)) == 2  # of the quota, the rate allows 8


async def test_quotas_outlive_all_workers_in_a_store() -> None:
    limit, clock = (RateLimit("daily", quota=10), RateLimit("rate", rate=1.0, burst=8)), Clock()
    store = MemoryStore(Bus())
    before, beside, after = (limits(*limit, clock=clock) for _ in range(3))
    for _ in range(3):
        calling(before)()
    calling(beside, who=BOB)()

    for one in (before, beside, before, after):
        await KeptQuotas(one.counters, store).save()

    clock.now += 60.0
    assert (allowed(calling(after)), allowed(calling(after, who=BOB))) == (7, 8)
    clock.now += 86_400.0
    await KeptQuotas(after.counters, store).save()
    assert allowed(calling(after)) == 8


class CountingStore(MemoryStore):
    """A store that counts what it is asked; a write to `gate`, if that is set, waits for it."""

    def __init__(self) -> None:
        super().__init__(Bus())
        self.read: list[str] = []
        self.written: list[int] = []
        self.gate: asyncio.Event | None = None

    async def get(self, key: str) -> bytes | None:
        self.read.append(key)
        return await super().get(key)

    async def set(self, key: str, value: bytes, ttl: float) -> None:
        if self.gate is not None:
            await self.gate.wait()
        self.written.append(len(value))
        await super().set(key, value, ttl)


async def test_only_quotas_that_have_changed_are_stored_in_small_parts() -> None:
    limit, clock, store = RateLimit("daily", quota=10, per=frozenset({Per.PRINCIPAL})), Clock(), CountingStore()
    buses = make_buses(2)
    one, other = (limits(limit, clock=clock, bus=bus) for bus in buses)
    kept = KeptQuotas(one.counters, store)
    everybody = [Principal(f"key:{number}", How.KEY, "") for number in range(2000)]
    for who in everybody:
        calling(one, who)()
    await kept.save()
    assert len(store.read) == len(store.written) == PARTS
    assert max(store.written) < sum(store.written) / 16

    await kept.save()
    assert len(store.read) == PARTS, "nothing was used"
    calling(one, everybody[7])()
    await kept.save()
    assert len(store.read) == len(store.written) == PARTS + 1

    for bus in buses:
        bus.connect()
    calling(other, everybody[8])()
    calling(other, BOB)()
    await asyncio.to_thread(wait_until, lambda: len(one.counters) == 2001, "the other has told")
    await kept.save()
    after = limits(limit, clock=clock)
    await KeptQuotas(after.counters, store).save()
    assert [allowed(calling(after, who)) for who in (*everybody[6:9], BOB)] == [9, 8, 8, 9]


async def test_what_a_stop_interrupts_is_stored_all_the_same() -> None:
    limit, store = RateLimit("daily", quota=10), CountingStore()
    one = limits(limit, clock=Clock())
    for number in range(100):
        calling(one, Principal(f"key:{number}", How.KEY, ""))()
    store.gate = asyncio.Event()
    keeping = asyncio.create_task(KeptQuotas(one.counters, store).run())
    await asyncio.sleep(0)

    keeping.cancel()
    store.gate.set()
    await asyncio.gather(keeping, return_exceptions=True)

    after = limits(limit, clock=Clock())
    await KeptQuotas(after.counters, store).save()
    assert len(after.counters) == 100


async def test_a_worker_that_starts_again_learns_what_was_used() -> None:
    limit, clock = (RateLimit("daily", quota=10), RateLimit("rate", rate=1.0, burst=8)), Clock()
    buses = make_buses(2)
    one, successor = (limits(*limit, clock=clock, bus=bus) for bus in buses)
    for bus in buses:
        bus.connect()
    for _ in range(7):
        calling(one)()

    one.counters.worker_started("1")
    one.counters.worker_started("1")

    await asyncio.to_thread(wait_until, lambda: len(successor.counters) == 2, "the other has told")
    assert allowed(calling(successor)) == 1
    clock.now += 60.0
    assert allowed(calling(successor)) == 2


def test_limits_are_read() -> None:
    assert read("[{name: a, rate: 2.5}]") == (RateLimit("a", rate=2.5, burst=2),)
    assert read("[{name: a, quota: 9, per: [principal, tool], tools: ['w_*'], servers: [x/y]}]") == (
        RateLimit("a", quota=9, per=frozenset({Per.PRINCIPAL, Per.TOOL}), tools=("w_*",), servers=frozenset({"x/y"})),
    )
    assert read("[{name: a, quota: 1, period: month, per: [], methods: '*', groups: [g], principals: [p]}]") == (
        RateLimit(
            "a",
            quota=1,
            period=Period.MONTH,
            per=frozenset(),
            methods=frozenset({"*"}),
            groups=frozenset({"g"}),
            principals=frozenset({"p"}),
        ),
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[{rate: 1}]", "broker.rateLimits[0]: key 'name' has the value None: every limit needs a name of 1 to 64"),
        ("[{name: a, rate: 1}, {name: a, rate: 1}]", "key 'name' has the value 'a': another limit has this name"),
        ("[{name: a}]", "broker.rateLimits[0] (a): key 'rate' has the value None: a limit has either a 'rate'"),
        ("[{name: a, rate: 1, quota: 1}]", "a limit has either a 'rate' (a second) or a 'quota' (a period)"),
        ("[{name: a, rate: 0}]", "key 'rate' has the value 0: it must be a number from 1e-06"),
        ("[{name: a, rate: 1, period: day}]", "key 'period' has the value 'day': it has a meaning together with"),
        ("[{name: a, quota: 1, burst: 1}]", "key 'burst' has the value 1: it has a meaning together with 'rate' only"),
        ("[{name: a, quota: 1, period: week}]", "it must be one of minute, hour, day, month"),
        ("[{name: a, quota: 1, per: [user]}]", "key 'per' has the value ['user']: it must be of principal, server"),
        ("[{name: a, quota: 1, methods: [tool/call]}]", "key 'methods' has the value ['tool/call']: it must be of *"),
        ("[{name: a, quota: 1, methods: []}]", "key 'methods' has the value []: it must name methods"),
        ("[{name: a, quota: 1, tools: [x], methods: '*'}]", "it is for the method tools/call only"),
        ("[{name: a, quota: 1, status: 300}]", "key 'status' has the value 300: it must be 429 (RFC 6585), or 200"),
        ("[{name: a, quota: 1, toolz: [x]}]", "key 'toolz' is not known; known are burst, groups"),
        ("{name: a}", "broker: key 'rateLimits' has the value {'name': 'a'}: it must be a list"),
    ],
)
def test_mistakes_are_named(text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)

    assert any(problem in found for found in caught.value.problems), caught.value.problems


def read(text: str) -> tuple[RateLimit, ...]:
    config: Config = parse(f"broker: {{rateLimits: {text}}}")
    return config.broker.rate_limits
