# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to everybody at once, while many clients call: forgotten sessions, lists that never rest, the end of a
worker, the end of the broker."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import aiohttp
import pytest
from broker.cheap_upstreams import CheapUpstream, cheap_upstreams
from broker.conftest import StartBroker
from broker.harness import BrokerProcess, wait_until
from broker.soak import SoakClient, StatelessSoakClient

CLIENTS = 12
AT_ONCE = 3
"""Calls that each client has in flight."""


class Load:
    """Clients that call all the time; `answered` counts, `failed` has what was no result."""

    def __init__(self, clients: list[SoakClient], upstreams: list[CheapUpstream]) -> None:
        self.clients = clients
        self.answered = 0
        self.failed: list[str] = []
        self.refused = 0
        """Requests that could not be sent, or whose connection was closed without a byte of an answer."""
        self._upstreams = upstreams
        self._answered = asyncio.Event()

    async def more(self, number: int) -> None:
        """Wait until this many more calls have been answered."""
        goal = self.answered + number
        async with asyncio.timeout(60):
            while self.answered < goal:
                self._answered.clear()
                await self._answered.wait()

    async def call(self, client: SoakClient, first: int) -> None:
        """Call the upstreams in turn until cancelled."""
        for number in count(first):
            upstream, nonce = self._upstreams[number % len(self._upstreams)], f"{id(client)}-{first}-{number}"
            try:
                await client.call(upstream, 2, nonce=nonce)
            except aiohttp.ClientConnectionError:
                self.refused += 1
                if nonce in upstream.nonces:
                    self.failed.append("a call that its upstream has got was not answered")
                await asyncio.sleep(0.05)
            except (aiohttp.ClientError, AssertionError) as error:
                self.failed.append(f"{type(error).__name__} {error}")
            else:
                self.answered += 1
                self._answered.set()


@asynccontextmanager
async def load(running: BrokerProcess, upstreams: list[CheapUpstream]) -> AsyncIterator[Load]:
    """Let clients of both eras call, each several tools at once, for as long as the block runs."""
    kinds = (SoakClient, StatelessSoakClient)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        clients = [kinds[number % 2](running.url, http, upstreams[0]) for number in range(CLIENTS)]
        for client in clients:
            await client.start()
        made = Load(clients, upstreams)
        tasks = [
            asyncio.create_task(made.call(client, number + other))
            for number, client in enumerate(clients)
            for other in range(AT_ONCE)
        ]
        try:
            yield made
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, *(client.drop() for client in clients), return_exceptions=True)


async def start(broker: StartBroker, upstreams: list[CheapUpstream], *arguments: str) -> BrokerProcess:
    running = await asyncio.to_thread(broker, {"servers": [one.config for one in upstreams]}, *arguments)
    await all_ready(running, upstreams)
    return running


async def all_ready(running: BrokerProcess, upstreams: list[CheapUpstream]) -> None:
    await asyncio.to_thread(running.wait_ready, *(one.config["name"] for one in upstreams))


async def test_sessions_that_are_all_forgotten_at_once_are_replaced_unseen(broker: StartBroker) -> None:
    async with cheap_upstreams(4, stateless=lambda number: False) as upstreams:
        running = await start(broker, upstreams)
        async with load(running, upstreams) as calls:
            await calls.more(CLIENTS * AT_ONCE * len(upstreams))
            for _ in range(3):
                before = [one.initialized for one in upstreams]
                for one in upstreams:
                    one.sessions.clear()
                await calls.more(CLIENTS * AT_ONCE * len(upstreams) * 2)
                begun = [one.initialized - was for one, was in zip(upstreams, before, strict=True)]
                # one a client session, one for all clients without sessions, and the broker's own two
                assert max(begun) <= CLIENTS // 2 + 3, begun

        assert calls.failed == []
        assert calls.refused == 0


async def test_a_list_that_never_rests_is_never_seen_half(broker: StartBroker) -> None:
    async with cheap_upstreams(3, stateless=lambda number: number == 1) as upstreams:
        running = await start(broker, upstreams)
        async with load(running, upstreams) as calls:
            seen: set[tuple[str, ...]] = set()

            async def change() -> None:
                while True:
                    for one in upstreams:
                        one.change()
                    await asyncio.sleep(0.02)

            changing = asyncio.create_task(change())
            async with asyncio.timeout(60):
                while len(seen) < 5:
                    (answer,) = await calls.clients[0].request("tools/list", {})
                    tools = {tool["name"]: tool["description"] for tool in answer["result"]["tools"]}
                    assert len(tools) == 2 * len(upstreams)
                    for one in upstreams:
                        assert tools[f"{one.name}_echo"] == tools[f"{one.name}_steps"]
                    seen.add(tuple(tools.values()))
            changing.cancel()
            last = {f"version {one.version}" for one in upstreams}
            async with asyncio.timeout(60):
                while True:
                    (answer,) = await calls.clients[0].request("tools/list", {})
                    if {tool["description"] for tool in answer["result"]["tools"]} == last:
                        break
        assert calls.failed == []


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_no_call_is_cut_off_when_the_broker_is_told_to_stop(broker: StartBroker, workers: str) -> None:
    async with cheap_upstreams(3, stateless=lambda number: number == 1) as upstreams:
        running = await start(broker, upstreams, "--workers", workers)
        async with load(running, upstreams) as calls:
            await calls.more(CLIENTS * AT_ONCE)
            running.process.send_signal(signal.SIGTERM)
            code = await asyncio.to_thread(running.process.wait, 60)

        assert code == 0
        assert calls.failed == []
        assert "Traceback" not in running.log


async def test_the_death_of_a_worker_costs_the_requests_that_it_had(broker: StartBroker) -> None:
    async with cheap_upstreams(3, stateless=lambda number: number == 1) as upstreams:
        running = await start(broker, upstreams, "--workers", "2")
        children = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children")
        async with load(running, upstreams) as calls:
            for killed in range(2):
                await asyncio.to_thread(wait_until, lambda: len(children.read_text().split()) == 2, "two workers run")
                await all_ready(running, upstreams)
                worker = int((await asyncio.to_thread(children.read_text)).split()[killed])
                before = len(calls.failed)
                os.kill(worker, signal.SIGKILL)
                await calls.more(4 * CLIENTS * AT_ONCE)
                assert len(calls.failed) <= before + CLIENTS * AT_ONCE, calls.failed

        assert running.log.count("worker.died") == 2
