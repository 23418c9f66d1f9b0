# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many clients with open streams on many upstreams: every notification arrives, and nothing is left behind.

The short form takes some seconds. The full one, 500 clients on 200 upstreams for two minutes, prints its figures:

    MCPOPS_SOAK=full python -m pytest -s tests/broker/test_broker_soak.py
"""

from __future__ import annotations

import asyncio
import os
from statistics import quantiles

from broker.cheap_upstreams import cheap_upstreams
from broker.conftest import StartBroker
from broker.soak import Told, Use, soak, use_at_rest

FULL = os.environ.get("MCPOPS_SOAK") == "full"
CLIENTS, UPSTREAMS, SECONDS = (500, 200, 120.0) if FULL else (40, 20, 1.0)
NOISE = 12
"""MiB by which the resident set may grow over a run that leaves nothing behind: holes of the allocator."""


async def test_every_notification_arrives_and_nothing_is_left_behind(broker: StartBroker) -> None:
    async with cheap_upstreams(UPSTREAMS, stateless=lambda number: number % 2 == 1) as upstreams:
        running = await asyncio.to_thread(broker, {"servers": [one.config for one in upstreams]})
        await use_at_rest(running, upstreams)
        await soak(running.url, CLIENTS, upstreams, SECONDS / 2)  # fills what is kept for a while: caches, replay
        before = await use_at_rest(running, upstreams)

        told = await soak(running.url, CLIENTS, upstreams, SECONDS)

        after = await use_at_rest(running, upstreams, before)
        show(told, before, after)
        assert len(told.delays) == told.expected
        assert after.memory <= before.memory + NOISE
        assert "Traceback" not in running.log


def show(told: Told, before: Use, after: Use) -> None:
    cuts = quantiles(told.delays, n=100)
    print(
        f"\n{CLIENTS} clients, {UPSTREAMS} upstreams, {told.rounds} rounds: {len(told.delays)} of {told.expected} "
        f"notifications arrived, p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms; {told.calls} calls with "
        f"progress; memory {before.memory:.0f} -> {after.memory:.0f} MiB, sockets {before.sockets} -> {after.sockets}, "
        f"tasks {before.tasks} -> {after.tasks}"
    )
