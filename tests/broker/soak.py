# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many clients of both eras with open streams, that count what they are told."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
from broker.cheap_upstreams import META, CheapUpstream
from broker.harness import BrokerProcess, Json, rpc, wait_until

CHANGED = "notifications/tools/list_changed"
UPDATED = "notifications/resources/updated"
PATIENCE = 60.0
"""Seconds after which a notification counts as lost."""
USED = 5
"""Upstreams that each client calls, in turn."""
AT_ONCE = 50
"""Clients that connect at the same time, and clients that call at the same time in a round."""


class Inbox:
    """What a client has been told, by method and, of resources, by their address."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._news = asyncio.Event()

    def put(self, message: Json) -> None:
        """Count a notification."""
        method = message.get("method", "")
        self.counts[message["params"]["uri"] if method == UPDATED else method] += 1
        self._news.set()

    async def wait(self, key: str, number: int) -> None:
        """Return when there are this many."""
        while self.counts[key] < number:
            self._news.clear()
            await self._news.wait()


class SoakClient:
    """A client with sessions (2025-11-25): a GET stream, and one subscription."""

    def __init__(self, url: str, http: aiohttp.ClientSession, subscribed: CheapUpstream) -> None:
        self.url = f"{url}/mcp"
        self.http = http
        self.subscribed = subscribed
        self.inbox = Inbox()
        self.headers = {"accept": "application/json, text/event-stream"}
        self.ids = count(1)
        self._stream: aiohttp.ClientResponse | None = None
        self._reader: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin a session and open its stream."""
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "soak", "version": "1"}}
        async with self.http.post(self.url, json=rpc("initialize", params), headers=self.headers) as answer:
            self.headers["mcp-session-id"] = answer.headers["mcp-session-id"]
        self.follow(await self.http.get(self.url, headers=self.headers))

    async def subscribe(self) -> None:
        """Subscribe to the resource."""
        (answer,) = await self.request("resources/subscribe", {"uri": self.subscribed.uri})
        assert "result" in answer, answer

    async def stop(self) -> None:
        """Close the stream and end the session."""
        await self.unfollow()
        async with self.http.delete(self.url, headers=self.headers) as answer:
            assert answer.status == 200

    def follow(self, stream: aiohttp.ClientResponse) -> None:
        """Count what comes on an open stream."""
        assert stream.status == 200, stream
        self._stream, self._reader = stream, asyncio.get_running_loop().create_task(self._read(stream))

    async def unfollow(self) -> None:
        """Close the stream; fail if the broker had closed it before."""
        assert self._reader is not None
        assert not self._reader.done(), "the broker has closed the stream"
        await self.drop()

    async def drop(self) -> None:
        """Close the stream, whatever has become of it."""
        if self._stream is not None and self._reader is not None:
            self._stream.close()
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    async def call(self, upstream: CheapUpstream, steps: int, **more: Any) -> None:
        """Call the tool that makes progress; fail unless every notification of it arrives, in order, and the result."""
        arguments = {"steps": steps, **more}
        params = {"name": f"{upstream.name}_steps", "arguments": arguments, "_meta": {"progressToken": "t"}}
        messages = await self.request("tools/call", params)
        assert [one["params"]["progress"] for one in messages[:-1]] == list(range(steps)), messages
        assert "result" in messages[-1], messages

    async def request(self, method: str, params: Json) -> list[Json]:
        """Send a request and return all messages of its answer."""
        message = rpc(method, params, next(self.ids))
        async with self.http.post(self.url, json=message, headers=self.request_headers(message)) as answer:
            assert answer.status == 200, await answer.text()
            if answer.content_type == "application/json":
                return [await answer.json()]
            return [one async for one in events(answer)]

    def request_headers(self, message: Json) -> dict[str, str]:
        """Return the headers of a request."""
        return self.headers

    async def _read(self, stream: aiohttp.ClientResponse) -> None:
        async for message in events(stream):
            self.inbox.put(message)


class StatelessSoakClient(SoakClient):
    """A client without sessions (2026-07-28): one `subscriptions/listen`."""

    async def start(self) -> None:
        """Open the stream with the subscription."""
        wanted = {"toolsListChanged": True, "resourceSubscriptions": [self.subscribed.uri]}
        message = rpc("subscriptions/listen", {"notifications": wanted}, next(self.ids))
        headers = self.request_headers(message)
        self.follow(await self.http.post(self.url, json=message, headers=headers))
        async with asyncio.timeout(PATIENCE):
            await self.inbox.wait("notifications/subscriptions/acknowledged", 1)

    async def subscribe(self) -> None:
        """Do nothing: the stream was opened with the subscription."""

    async def stop(self) -> None:
        """Close the stream."""
        await self.unfollow()

    def request_headers(self, message: Json) -> dict[str, str]:
        """Return the headers that mirror the body, after adding what the body of every request must have."""
        version, params = "2026-07-28", message["params"]
        own = {META + "protocolVersion": version, META + "clientCapabilities": {}}
        params["_meta"] = {**params.get("_meta", {}), **own}
        name = {"mcp-name": params["name"]} if "name" in params else {}
        return {**self.headers, "mcp-protocol-version": version, "mcp-method": message["method"], **name}


async def events(answer: aiohttp.ClientResponse) -> AsyncIterator[Json]:
    """Iterate over the messages of a stream."""
    with suppress(aiohttp.ClientConnectionError):  # the stream is closed by this side
        async for line in answer.content:
            if line.startswith(b"data: {"):
                yield json.loads(line[6:])


@dataclass
class Told:
    """What one run delivered."""

    expected: int = 0
    delays: list[float] = field(default_factory=list)
    """Seconds from an upstream's notification to the client's reading it, of each one that had to arrive."""
    calls: int = 0
    rounds: int = 0

    async def all_hear(self, clients: Iterable[SoakClient], key: str, before: dict[SoakClient, int]) -> None:
        """Wait until every client has been told once more than before."""
        started = time.monotonic()

        async def one(client: SoakClient) -> None:
            self.expected += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await client.inbox.wait(key, before[client] + 1)
                    self.delays.append(time.monotonic() - started)

        await asyncio.gather(*map(one, clients))


async def soak(url: str, number: int, upstreams: list[CheapUpstream], seconds: float) -> Told:
    """Connect so many clients, of either kind in turn, let upstreams change and clients call for some seconds, and
    disconnect all."""
    kinds = (SoakClient, StatelessSoakClient)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
    ) as http:
        clients = [kinds[at % 2](url, http, upstreams[at // 2 % len(upstreams)]) for at in range(number)]
        return await _soak(clients, upstreams, seconds)


async def _soak(clients: list[SoakClient], upstreams: list[CheapUpstream], seconds: float) -> Told:
    told = Told()
    await in_groups([client.start() for client in clients])
    await in_groups([client.subscribe() for client in clients])
    end = time.monotonic() + seconds
    groups = -(-len(clients) // AT_ONCE)
    while time.monotonic() < end or told.rounds < groups * USED:
        upstream = upstreams[told.rounds * 7 % len(upstreams)]
        before = {client: client.inbox.counts[CHANGED] for client in clients}
        upstream.change()
        await told.all_hear(clients, CHANGED, before)
        for one in (clients[told.rounds % len(clients)].subscribed, upstream):
            subscribers = [client for client in clients if client.subscribed is one]
            before = {client: client.inbox.counts[one.uri] for client in subscribers}
            one.update()
            await told.all_hear(subscribers, one.uri, before)
        turn, group = divmod(told.rounds, groups)
        callers = range(len(clients))[group * AT_ONCE : (group + 1) * AT_ONCE]
        used = [upstreams[(caller + turn % USED) % len(upstreams)] for caller in callers]
        await asyncio.gather(*(clients[at].call(one, 3) for at, one in zip(callers, used, strict=True)))
        told.calls += len(callers)
        told.rounds += 1
    await in_groups([client.stop() for client in clients])
    return told


async def in_groups(work: list[Awaitable[Any]]) -> None:
    """Await everything, so many at once."""
    for start in range(0, len(work), AT_ONCE):
        await asyncio.gather(*work[start : start + AT_ONCE])


@dataclass(frozen=True)
class Use:
    """What a broker takes when nobody uses it."""

    memory: float
    """Resident set, MiB."""
    sockets: int
    tasks: int


async def use_at_rest(running: BrokerProcess, upstreams: list[CheapUpstream], goal: Use | None = None) -> Use:
    """Wait until all upstreams are ready and nobody is connected, have the upstreams close what is open beside each
    one's stream of notifications, and return what the broker takes once that no longer changes, or is back to
    `goal`."""
    loop = asyncio.get_running_loop()
    last = Use(0, 0, 0)

    def quiet() -> bool:
        status = running.status()
        used = status["sessions"] or status["streams"] or status["healthyServers"] < len(upstreams)
        return not used and all(len(one.listeners) == 1 for one in upstreams)

    def settled() -> bool:
        nonlocal last
        for upstream in upstreams:
            loop.call_soon_threadsafe(upstream.close_idle)
        time.sleep(0.2)
        before, last = goal or last, _use(running)
        same = before.tasks == last.tasks and before.sockets == last.sockets
        return same or (goal is not None and before.tasks >= last.tasks and before.sockets >= last.sockets)

    await asyncio.to_thread(wait_until, quiet, "the broker is at rest")
    try:
        await asyncio.to_thread(wait_until, settled, "what the broker takes does not change")
    except AssertionError as error:
        raise AssertionError(f"{error}: {last}, not {goal}; log:\n{running.log[-2000:]}") from None
    return last


def _use(running: BrokerProcess) -> Use:
    directory = Path(f"/proc/{running.process.pid}")
    tasks = running.status()["tasks"]
    pages = int((directory / "statm").read_text().split()[1])
    sockets = 0
    for link in (directory / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            sockets += str(link.readlink()).startswith("socket:")
    return Use(pages * 4096 / (1 << 20), sockets, tasks)
