# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker that takes the place of one that died has its address; answers for the dead one are not for it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

from mcpops_broker.background import Background
from mcpops_broker.bus import Bus, home_of
from mcpops_broker.gather import Gather
from mcpops_broker.homes import Homes
from mcpops_broker.upstream.exchange import Client


class Wire(Bus):
    """The bus of worker 0 of two: what it asks is kept, and the test answers."""

    def __init__(self) -> None:
        super().__init__("0")
        self.sent: asyncio.Queue[Any] = asyncio.Queue()

    @property
    def others(self) -> Collection[str]:
        return ("1",)

    def send(self, kind: str, value: Any, to: str | None = None) -> None:
        self.sent.put_nowait(value)


async def test_a_client_never_gets_the_session_that_the_predecessor_asked_for() -> None:
    upstream: Any = SimpleNamespace(server=SimpleNamespace(name="s"))
    wires = Wire(), Wire()
    questions, numbers = [], []
    for wire, name in zip(wires, ("ann", "bob"), strict=True):
        who = next(f"{name}{number}" for number in range(99) if home_of(wire, f"s {name}{number}") == "1")
        homes = Homes(wire, Background(), dict)
        questions.append(asyncio.create_task(homes.find(upstream, Client(who, "2025-11-25"), None)))
        numbers.append((await wire.sent.get())[0])

    successor = wires[1]
    successor._deliver("session.open", [numbers[0], {"id": "of ann"}], "1")
    successor._deliver("session.open", [numbers[1], {"id": "of bob"}], "1")

    assert await questions[1] == {"id": "of bob"}
    questions[0].cancel()


async def test_what_workers_answered_to_the_predecessor_is_not_gathered() -> None:
    wires = Wire(), Wire()
    questions, numbers = [], []
    for wire in wires:
        questions.append(asyncio.create_task(Gather(wire, "known", lambda: "own").ask()))
        numbers.append(await wire.sent.get())

    wires[1]._deliver("known", [numbers[0], "old"], "1")
    wires[1]._deliver("known", [numbers[1], "new"], "1")

    assert await questions[1] == (["own", "new"], 0)
    questions[0].cancel()
