# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an upstream does wrong changes no other upstream's latency.

Calls to an upstream are timed in turns: while eight clients call a healthy second one, and while they call a faulty
third one. The ratio of the two is what counts. More turns, with the figures:

    MCPOPS_SOAK=full python -m pytest -s tests/broker/test_broker_isolation.py
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from statistics import median, quantiles
from urllib.parse import urlsplit

import aiohttp
from broker.cheap_upstreams import CheapUpstream, Fault, Json, cheap_upstreams, reply
from broker.conftest import StartBroker
from broker.soak import SoakClient

from broker import rogue, timed_client

FULL = os.environ.get("MCPOPS_SOAK") == "full"
TURNS, CALLS = (12, 200) if FULL else (3, 40)
CALLERS = 8
PAUSE = 0.02
"""Seconds between two calls of one of the clients that are not timed."""
MUCH = 3.0
"""Ratio of medians that no fault may reach in every turn; in one, something else may have been slow."""
OPTIONS = {"checkInterval": 1, "timeouts": {"connect": 5, "firstByte": 1, "total": 2}}
CALL_FAULTS = [
    rogue.silent, rogue.vanishes, rogue.slow_body, rogue.chatters, rogue.huge_chunks, rogue.huge_event, rogue.bomb,
    rogue.malformed, rogue.redirect, rogue.error_500,
]  # fmt: skip


async def forgets(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """Forget every session."""
    upstream.sessions.clear()
    reply(writer, 404)


async def many_tools(upstream: CheapUpstream, message: Json, writer: asyncio.StreamWriter) -> None:
    """List a thousand tools, other ones each time."""
    upstream.version += 1
    tool = {"description": f"version {upstream.version}", "inputSchema": {"type": "object"}}
    reply(writer, 200, upstream.result(message, {"tools": [{"name": f"t{at}", **tool} for at in range(1000)]}))


@contextmanager
def failing(upstream: CheapUpstream, method: str, fault: Fault) -> Iterator[None]:
    upstream.faults[method] = fault
    yield
    upstream.faults.clear()


@asynccontextmanager
async def announcing(upstream: CheapUpstream) -> AsyncIterator[None]:
    """Say again and again that the list has changed."""

    async def announce() -> None:
        while True:
            upstream.change()
            await asyncio.sleep(PAUSE)

    task = asyncio.create_task(announce())
    yield
    task.cancel()


class Timed:
    """The client that is timed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def seconds(self) -> list[float]:
        """Make the calls of a turn."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"%d\n" % CALLS)
        seconds: list[float] = json.loads(await self._process.stdout.readline())
        return seconds


@asynccontextmanager
async def timed(url: str, tool: str) -> AsyncIterator[Timed]:
    parts = urlsplit(url)
    command = [sys.executable, timed_client.__file__, str(parts.hostname), str(parts.port), tool]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    try:
        yield Timed(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


@asynccontextmanager
async def calling(clients: list[SoakClient], upstream: CheapUpstream) -> AsyncIterator[None]:
    """Have clients call an upstream all the time."""

    async def call(client: SoakClient) -> None:
        while True:
            with suppress(aiohttp.ClientError):
                await client.request("tools/call", {"name": f"{upstream.name}_echo", "arguments": {}})
            await asyncio.sleep(PAUSE)

    tasks = [asyncio.create_task(call(client)) for client in clients]
    await asyncio.sleep(2 * PAUSE)
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def compare(
    name: str, client: Timed, clients: list[SoakClient], other: CheapUpstream, bad: CheapUpstream
) -> None:
    """Time the calls in turns; fail when the fault makes them slower."""
    usual, faulty, ratios = [], [], []
    for _ in range(TURNS):
        async with calling(clients, other):
            before = await client.seconds()
        async with calling(clients, bad):
            after = await client.seconds()
        usual += before
        faulty += after
        ratios.append(median(after) / median(before))
    print(
        f"\n{name:12} median {median(usual) * 1e3:.2f} -> {median(faulty) * 1e3:.2f} ms, "
        f"p99 {quantiles(usual, n=100)[98] * 1e3:.1f} -> {quantiles(faulty, n=100)[98] * 1e3:.1f} ms, "
        f"ratio {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
        end="",
    )
    if name != "chatters":  # what it says is relayed, which takes processor time: measured, but no fault
        assert min(ratios) < MUCH, (name, ratios)


async def test_a_faulty_upstream_does_not_slow_another(broker: StartBroker) -> None:
    async with (
        cheap_upstreams(5 + len(CALL_FAULTS), stateless=lambda number: False) as upstreams,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        good, other, dead, lists, sessions, *bad = upstreams
        running = await asyncio.to_thread(broker, {"servers": [one.config for one in upstreams], "broker": OPTIONS})
        await asyncio.to_thread(running.wait_ready, *(one.name for one in upstreams))
        clients = [SoakClient(running.url, http, good) for _ in range(CALLERS)]
        for one in clients:
            await one.start()
        async with timed(running.url, f"{good.name}_echo") as client:
            for upstream, fault in zip(bad, CALL_FAULTS, strict=True):
                with failing(upstream, "tools/call", fault):
                    await compare(fault.__name__, client, clients, other, upstream)
            with failing(sessions, "tools/call", forgets):
                await compare("forgets", client, clients, other, sessions)
            with failing(lists, "tools/list", many_tools):
                async with announcing(lists):
                    await compare("many_tools", client, clients, other, lists)
            await dead.stop()
            await compare("dead", client, clients, other, dead)
        for one in clients:
            await one.stop()
