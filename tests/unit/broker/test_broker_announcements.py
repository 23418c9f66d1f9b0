# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients hear of a change once every worker answers with the new lists."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from mcpops_broker.bus import Bus
from mcpops_broker.catalogue.catalogue import Catalogue
from mcpops_broker.config.model import VirtualServer
from mcpops_broker.mcp import announcements
from mcpops_broker.mcp.announcements import Announcements

Told = list[tuple[Catalogue, Catalogue]]


class Wire:
    """Carries messages between workers when it is told to."""

    def __init__(self) -> None:
        self.ends: dict[str, End] = {}
        self.waiting: list[tuple[str, str, Any, str]] = []

    def carry(self) -> None:
        while self.waiting:
            to, kind, value, sender = self.waiting.pop(0)
            self.ends[to].receive(kind, value, sender)


class End(Bus):
    def __init__(self, here: str, wire: Wire) -> None:
        super().__init__(here)
        self._wire = wire
        wire.ends[here] = self

    @property
    def others(self) -> Iterable[str]:
        return [here for here in self._wire.ends if here != self.here]

    def send(self, kind: str, value: Any, to: str | None = None) -> None:
        self._wire.waiting += [(one, kind, value, self.here) for one in ([to] if to else self.others)]

    def receive(self, kind: str, value: Any, sender: str) -> None:
        self._deliver(kind, value, sender)


def catalogue(name: str) -> Catalogue:
    """Make a catalogue that differs from those of other names."""
    return Catalogue([], [VirtualServer(name)])


def workers(count: int) -> tuple[Wire, list[Announcements], list[Told]]:
    wire, told = Wire(), [[] for _ in range(count)]
    ends = [End(str(number), wire) for number in range(count)]
    made = [
        Announcements(end, lambda old, new, mine=mine: mine.append((old, new)))
        for end, mine in zip(ends, told, strict=True)
    ]
    return wire, made, told


def test_a_worker_that_is_alone_tells_at_once() -> None:
    told: Told = []
    new = catalogue("new")

    Announcements(Bus(), lambda *change: told.append(change)).changed(new)

    assert [change[1] for change in told] == [new]


async def test_the_first_worker_that_knows_waits_for_the_last() -> None:
    wire, (first, second), told = workers(2)
    new, same = catalogue("new"), catalogue("new")

    first.changed(new)
    wire.carry()
    assert told == [[], []]
    second.changed(same)
    wire.carry()

    assert [[change[1] for change in mine] for mine in told] == [[new], [same]]


async def test_what_changes_twice_before_all_know_it_is_told_once() -> None:
    wire, (first, second), told = workers(2)
    newest = catalogue("newest")

    first.changed(catalogue("new"))
    first.changed(newest)
    second.changed(catalogue("newest"))
    wire.carry()

    assert [new for _, new in told[0]] == [newest]
    assert told[0][0][0].digest() != newest.digest()


async def test_clients_are_told_early_and_again_when_a_worker_stays_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcements, "PATIENCE", 0.0)
    wire, (first, second), told = workers(2)
    new = catalogue("new")

    first.changed(new)
    wire.carry()
    for _ in range(3):  # rounds of the event loop: a timer without delay is due in the next one
        await asyncio.sleep(0)
    second.changed(catalogue("new"))
    wire.carry()

    assert [change[1] for change in told[0]] == [new, new]
    assert len(told[1]) == 1


async def test_a_new_worker_learns_where_the_others_are() -> None:
    wire, (first, second), told = workers(2)
    first.changed(catalogue("new"))
    wire.waiting.clear()

    first.worker_started("1")
    second.changed(catalogue("new"))
    wire.carry()

    assert len(told[0]) == len(told[1]) == 1
