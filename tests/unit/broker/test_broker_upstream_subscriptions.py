# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Counting who wants to hear of which resource of an upstream."""

from __future__ import annotations

import asyncio

import pytest
from mcpops_broker.upstream.errors import UpstreamError
from mcpops_broker.upstream.subscriptions import Subscriptions


class Server:
    """Takes note of what it is asked; it answers for `slow` when it is let."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.let = asyncio.Event()

    async def begin(self, uri: str) -> None:
        self.asked.append(f"begin {uri}")
        if uri == "refused":
            raise UpstreamError("up", "unsupported", "no")
        if uri == "slow":
            await self.let.wait()

    async def end(self, uri: str) -> None:
        self.asked.append(f"end {uri}")


async def test_the_first_and_the_last_of_a_resource_are_told() -> None:
    counted, server = Subscriptions(), Server()
    for _ in range(3):
        await counted.add("a", server.begin)
    for _ in range(4):
        await counted.remove("a", server.end)

    assert (server.asked, list(counted)) == (["begin a", "end a"], [])


async def test_a_slow_answer_for_one_keeps_nobody_from_another() -> None:
    counted, server = Subscriptions(), Server()
    slow = [asyncio.ensure_future(counted.add("slow", server.begin)) for _ in range(2)]
    await asyncio.sleep(0)

    async with asyncio.timeout(5):
        await counted.add("a", server.begin)
        await counted.remove("a", server.end)

    server.let.set()
    await asyncio.gather(*slow)
    assert server.asked == ["begin slow", "begin a", "end a"]
    assert (list(counted), counted._turns) == (["slow"], {})


async def test_what_is_refused_or_given_up_is_not_counted() -> None:
    counted, server = Subscriptions(), Server()
    with pytest.raises(UpstreamError):
        await counted.add("refused", server.begin)
    slow = asyncio.ensure_future(counted.add("slow", server.begin))
    await asyncio.sleep(0)
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)

    assert (len(counted), counted._turns) == (0, {})


async def test_what_clients_have_already_is_expected() -> None:
    counted, server = Subscriptions(), Server()
    counted.expect(["a", "a", "b"])
    assert sorted(counted) == ["a", "b"]

    await counted.remove("a", server.end)
    await counted.remove("a", server.end)

    assert (server.asked, list(counted)) == (["end a"], ["b"])
