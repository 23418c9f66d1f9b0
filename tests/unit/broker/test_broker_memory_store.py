# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store that the workers of one replica share."""

from __future__ import annotations

import asyncio

import pytest
from broker.scripted import until
from mcpops_broker.bus import Bus, make_buses
from mcpops_broker.store import memory
from mcpops_broker.store.memory import MemoryStore


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return them."""
        return self.now


def stores(count: int) -> list[MemoryStore]:
    """Make the stores of so many workers, connected."""
    buses = make_buses(count) if count > 1 else [Bus()]
    made = [MemoryStore(bus) for bus in buses]
    for bus in buses:
        bus.connect()
    return made


async def test_a_value_is_kept_for_its_time() -> None:
    clock = Clock()
    store = MemoryStore(Bus(), clock)
    await store.set("a", b"\x00\xff", 10)
    clock.now += 9.9
    assert (await store.get("a"), await store.keys("")) == (b"\x00\xff", ["a"])
    clock.now += 0.1
    assert (await store.get("a"), await store.take("a"), await store.keys("")) == (None, None, [])

    store.sweep()

    assert len(store) == 0


async def test_a_value_of_one_worker_is_found_at_the_others() -> None:
    one, two, three = stores(3)
    await one.set("token:a", b"\x80", 60)
    await two.set("token:b", b"2", 60)
    await until(lambda: len(one) == len(two) == len(three) == 2, "all have both")

    assert await three.get("token:a") == b"\x80"
    assert sorted(await three.keys("token:")) == ["token:a", "token:b"]
    await three.delete("token:a")
    await until(lambda: len(one) == len(two) == 1, "the others have forgotten it")


async def test_one_of_many_takes_a_value() -> None:
    workers = stores(3)
    keys = [f"state:{number}" for number in range(20)]
    for key in keys:
        await workers[0].set(key, key.encode(), 60)
    await until(lambda: all(len(one) == 20 for one in workers), "all have all")

    for key in keys:
        taken = await asyncio.gather(*(worker.take(key) for worker in workers * 2))
        assert [one for one in taken if one is not None] == [key.encode()]

    await until(lambda: not any(map(len, workers)), "nobody has any")


async def test_one_of_many_adds_a_value_and_the_others_are_told_which() -> None:
    workers = stores(3)
    for key in (f"lock:{number}" for number in range(20)):
        found = await asyncio.gather(*(one.add(key, b"by %d" % at, 60) for at, one in enumerate(workers)))
        assert found.count(None) == 1
        winner = b"by %d" % found.index(None)
        assert {one for one in found if one is not None} == {winner}


async def test_a_worker_that_starts_is_told_everything() -> None:
    buses = make_buses(2)
    one = MemoryStore(buses[0])
    buses[0].connect()
    for number in range(1000):
        await one.set(f"token:{number}", b"x" * 200, 60)
    two = MemoryStore(buses[1])

    buses[1].connect()

    await until(lambda: len(two) == 1000, "it has everything")


async def test_a_worker_that_does_not_answer_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "PATIENCE", 0.05)
    buses = make_buses(2)
    store = MemoryStore(buses[0])  # nobody listens at the other end
    keys = [f"lock:{number}" for number in range(8)]

    assert [await store.add(key, b"1", 60) for key in keys] == [None] * 8
    assert [await store.take(key) for key in keys] == [b"1"] * 8


async def test_nothing_is_waited_for_from_the_predecessor_of_a_worker_that_starts() -> None:
    buses = make_buses(2)
    store = MemoryStore(buses[0])
    buses[0].connect()
    adding = [asyncio.ensure_future(store.add(f"lock:{number}", b"1", 60)) for number in range(8)]
    await until(lambda: sum(one.done() for one in adding) == 8 - len(store._waiting) < 8, "some wait")

    buses[1].connect()

    assert await asyncio.gather(*adding) == [None] * 8


async def test_the_oldest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST", 3)
    store = MemoryStore(Bus())
    for key in ("a", "b", "a", "c", "d"):
        await store.set(key, b"", 60)

    assert await store.keys("") == ["a", "c", "d"]
