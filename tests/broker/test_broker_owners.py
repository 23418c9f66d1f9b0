# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests of several clients at once, alike in everything but their secret: nobody gets what is another's.

Clients with sessions and without, of two authorizations, call upstreams of both eras with the same ids and the same
progress tokens; each request carries a secret that its upstream repeats in notifications and in the result.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp
import pytest
from broker.cheap_upstreams import CheapUpstream, in_thread
from broker.fuzz import examples
from broker.harness import BrokerProcess, Json, run_broker
from broker.soak import SoakClient, StatelessSoakClient, events
from hypothesis import given
from hypothesis import strategies as st

PATIENCE = 30.0
SECRET = re.compile(r"secret-\d+")


@dataclass(frozen=True)
class Ask:
    """One request."""

    client: int
    upstream: int
    tool: str
    request_id: str | int
    token: str | int
    steps: int
    cancel: bool
    """Whether all other clients with sessions cancel a request of this id meanwhile."""


ASKS = st.builds(
    Ask,
    client=st.integers(0, 4),
    upstream=st.integers(0, 2),
    tool=st.sampled_from(["echo", "steps"]),
    request_id=st.sampled_from([1, "1", "broker:tools/list"]),
    token=st.sampled_from([1, "1"]),
    steps=st.integers(0, 4),
    cancel=st.booleans(),
)


@dataclass
class World:
    """A broker with its clients: two with sessions, two without whose authorization is the same, one of another."""

    running: BrokerProcess
    upstreams: list[CheapUpstream]
    runner: asyncio.Runner
    clients: list[SoakClient] = field(default_factory=list)
    secrets: Iterator[int] = field(default_factory=count)

    async def start(self) -> None:
        http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        kinds = [SoakClient, SoakClient, StatelessSoakClient, StatelessSoakClient, StatelessSoakClient]
        for kind, authorization in zip(
            kinds, ["Bearer a", "Bearer b", "Bearer a", "Bearer a", "Bearer b"], strict=True
        ):
            client = kind(self.running.url, http, self.upstreams[0])
            client.headers["authorization"] = authorization
            await client.start()
            self.clients.append(client)

    async def stop(self) -> None:
        for client in self.clients:
            await client.stop()
        await self.clients[0].http.close()

    async def carry_out(self, ask: Ask) -> None:
        client, secret = self.clients[ask.client], f"secret-{next(self.secrets)}"
        params = {
            "name": f"u{ask.upstream}_{ask.tool}",
            "arguments": {"nonce": secret, "steps": ask.steps},
            "_meta": {"progressToken": ask.token},
        }
        message = {"jsonrpc": "2.0", "id": ask.request_id, "method": "tools/call", "params": params}
        async with asyncio.timeout(PATIENCE):
            status, text, messages = await send(client, message)
        assert status == 200, text
        assert set(SECRET.findall(text)) == {secret}, text
        *progress, response = messages
        assert (response["id"], type(response["id"])) == (ask.request_id, type(ask.request_id)), text
        assert "result" in response, text
        steps = ask.steps if ask.tool == "steps" else 0
        expected = [(ask.token, step) for step in range(steps)]
        assert [(one["params"]["progressToken"], one["params"]["progress"]) for one in progress] == expected, text
        assert all(type(one["params"]["progressToken"]) is type(ask.token) for one in progress), text

    async def cancel(self, ask: Ask) -> None:
        params = {"requestId": ask.request_id, "reason": "not mine"}
        for number, client in enumerate(self.clients[:2]):
            if ask.cancel and number != ask.client:
                await send(client, {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})


async def send(client: SoakClient, message: Json) -> tuple[int, str, list[Any]]:
    async with client.http.post(client.url, json=message, headers=client.request_headers(message)) as answer:
        if answer.content_type == "text/event-stream":
            messages = [one async for one in events(answer)]
            return answer.status, json.dumps(messages), messages
        text = await answer.text()
        return answer.status, text, [json.loads(text)] if text else []


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with in_thread(3, stateless=lambda number: number == 1) as upstreams, asyncio.Runner() as runner:
        config = {"servers": [one.config for one in upstreams]}
        with run_broker(tmp_path_factory.mktemp("owners"), config) as running:
            running.wait_ready("u0", "u1", "u2")
            world = World(running, upstreams, runner)
            runner.run(world.start())
            yield world
            runner.run(world.stop())


def test_nobody_gets_what_is_anothers(world: World) -> None:
    async def together(asks: list[Ask]) -> None:
        mine = {(ask.client, ask.request_id): ask for ask in asks if ask.client < 2}  # ids are unique in a session
        free = [ask for ask in asks if ask.client >= 2]
        chosen = [*mine.values(), *free]
        held = {(ask.client, ask.request_id) for ask in chosen}
        harmless = [
            ask for ask in chosen if not any((other, ask.request_id) in held for other in (0, 1) if other != ask.client)
        ]
        await asyncio.gather(*map(world.carry_out, chosen), *map(world.cancel, harmless))

    @examples(100)
    @given(st.lists(ASKS, min_size=2, max_size=8))
    def property_(asks: list[Ask]) -> None:
        world.runner.run(together(asks))

    property_()
    heard = [client.inbox.counts for client in world.clients]
    assert not any("progress" in name or "message" in name for counts in heard for name in counts), heard
