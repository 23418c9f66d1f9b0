# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages between workers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from mcpops_broker import bus
from mcpops_broker.bus import Bus, make_buses


class Inbox:
    """What one worker hears."""

    def __init__(self, end: Bus, *kinds: str) -> None:
        self.heard: list[tuple[str, Any, str]] = []
        self._more = asyncio.Event()
        for kind in kinds:
            end.on(kind, lambda value, sender, kind=kind: self._take(kind, value, sender))
        end.connect()

    def _take(self, kind: str, value: Any, sender: str) -> None:
        self.heard.append((kind, value, sender))
        self._more.set()

    async def wait_for(self, count: int) -> list[tuple[str, Any, str]]:
        """Return what was heard once these are so many."""
        async with asyncio.timeout(10):
            while len(self.heard) < count:
                self._more.clear()
                await self._more.wait()
        return self.heard


async def test_a_message_reaches_all_others_or_the_one_that_it_is_for() -> None:
    buses = make_buses(3)
    inboxes = [Inbox(one, "said") for one in buses]

    buses[1].send("said", "to all")
    buses[1].send("said", "to one", "2")

    assert await inboxes[2].wait_for(2) == [("said", "to all", "1"), ("said", "to one", "1")]
    assert await inboxes[0].wait_for(1) == [("said", "to all", "1")]
    assert inboxes[1].heard == []


async def test_messages_arrive_whole_and_in_order_however_large_and_many() -> None:
    one, two = make_buses(2)
    inbox = Inbox(two, "said")
    sizes = [1, 59_990, 60_001, 5_000_000, 0, 130_000] * 4

    for size in sizes:
        one.send("said", "x" * size)

    assert [len(text) for _, text, _ in await inbox.wait_for(len(sizes))] == sizes


async def test_who_connects_tells_the_others() -> None:
    one, two = make_buses(2)
    inbox = Inbox(one, bus.STARTED)

    two.connect()

    assert await inbox.wait_for(1) == [(bus.STARTED, None, "1")]


async def test_the_rest_of_a_message_to_a_worker_that_died_is_skipped() -> None:
    one, two = make_buses(2)
    one.send("said", "x" * 100_000)
    two._inbox.recv(100_000)  # the predecessor read the first piece and died
    inbox = Inbox(two, "said")

    one.send("said", "next")

    assert await inbox.wait_for(1) == [("said", "next", "0")]


async def test_a_worker_that_never_reads_costs_a_bounded_amount(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "LARGEST_QUEUE", 2_000_000)
    one, two = make_buses(2)
    for number in range(100):
        one.send("said", [number, "x" * 100_000])

    inbox = Inbox(two, "said")

    numbers = [value[0] for _, value, _ in await inbox.wait_for(20)]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) < 40


async def test_one_bad_message_does_not_stop_the_others() -> None:
    one, two = make_buses(2)
    inbox = Inbox(two, "said")
    two.on("bad", lambda value, sender: value["missing"])

    one.send("bad", {})
    one.send("unknown", {})
    one.send("said", "still")

    assert await inbox.wait_for(1) == [("said", "still", "0")]


async def test_a_worker_alone_sends_to_nobody() -> None:
    alone = Bus()
    inbox = Inbox(alone, "said")

    alone.send("said", 1)

    assert inbox.heard == []
    assert "0" not in alone.others
