# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sessions clients have at upstreams, as all replicas know it: in a real Valkey, by a user with the least
rights."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from broker.scripted import until
from broker.valkey_server import Valkey, running
from mcpops_broker.bus import Bus
from mcpops_broker.config.store import StoreOptions
from mcpops_broker.replicas import Replicas
from mcpops_broker.store.session_register import Opening, Place, SessionRegister

README = Path(__file__).resolve().parents[2] / "broker/README.md"
PLACE = Place("upstream", "client")
FIRST: dict[str, Any] = {"id": "first", "version": "2025-11-25", "capabilities": {"tools": {}}}
SECOND = {**FIRST, "id": "second"}
IDLE = 60.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A server with a user that may do what the README says and nothing else."""
    rights = re.search(r"A user of the store needs `([^`]+)`", README.read_text())
    assert rights is not None
    with running(tmp_path_factory.mktemp("valkey")) as valkey, valkey.client() as client:
        keys = ("~mcpops:*", "resetchannels", "&mcpops:*", "-@all")
        client.execute_command("ACL", "SETUSER", "least", "on", ">right", *keys, *rights[1].split())
        yield valkey


@pytest.fixture
async def both(server: Valkey) -> AsyncIterator[list[Replicas]]:
    """Two replicas."""
    with server.client() as client:
        client.flushall()
    options = StoreOptions("127.0.0.1", server.port, username="least", password="right")
    async with AsyncExitStack() as stack:
        made = [Replicas(options, [b"of both replicas, at least 32 bytes"], Bus(name)) for name in ("a", "b")]
        for one in made:
            stack.push_async_callback(one.close)
            one.bus.connect()
        await until(lambda: all(one.bus.others for one in made), "they have met")
        yield made
        assert [one.store.health.problem for one in made] == ["", ""]


def registers(both: list[Replicas]) -> tuple[SessionRegister, SessionRegister]:
    """Return the view of each replica."""
    one, two = (SessionRegister(one.link, one.keys, one.bus.here) for one in both)
    return one, two


async def opened(replicas: Replicas, register: SessionRegister, about: dict[str, Any], idle: float = IDLE) -> bool:
    """Record a session that was opened; tell whether all use it."""
    return await replicas.link.run(lambda redis: register.opened({PLACE: about}, idle, redis)) == {PLACE}


async def test_one_replica_opens_a_session_and_the_other_finds_it(both: list[Replicas]) -> None:
    one, two = registers(both)

    assert await one.find(PLACE, None) is None
    assert await two.find(PLACE, None) == Opening("a")
    assert await one.find(PLACE, None) is None, "it is still the one to open it"
    assert await opened(both[0], one, FIRST)

    assert await two.find(PLACE, None) == FIRST
    assert await two.find(Place("upstream", "another"), None) is None


async def test_a_session_that_the_upstream_forgot_is_opened_anew_once(both: list[Replicas]) -> None:
    one, two = registers(both)
    assert await one.find(PLACE, None) is None
    await opened(both[0], one, FIRST)

    assert await two.find(PLACE, "first") is None
    assert await one.find(PLACE, "first") == Opening("b")
    assert await opened(both[1], two, SECOND)

    assert await one.find(PLACE, "first") == SECOND


async def test_who_fails_to_open_one_leaves_it_to_others(both: list[Replicas]) -> None:
    one, two = registers(both)
    assert await one.find(PLACE, None) is None
    await two.failed(PLACE)
    assert await two.find(PLACE, None) == Opening("a"), "it was not the one to fail"

    await one.failed(PLACE)

    assert await two.find(PLACE, None) is None


async def test_of_two_that_were_opened_the_first_is_that_of_all(both: list[Replicas]) -> None:
    one, two = registers(both)
    assert await opened(both[0], one, FIRST)

    assert not await opened(both[1], two, SECOND)
    assert await opened(both[1], two, FIRST), "the same one"

    assert await two.find(PLACE, None) == FIRST


async def test_one_of_several_ends_a_session(both: list[Replicas]) -> None:
    one, two = registers(both)
    await opened(both[0], one, FIRST)

    assert [await two.take(PLACE), await one.take(PLACE)] == [FIRST, None]
    assert await one.find(PLACE, None) is None


async def test_a_session_that_nobody_uses_is_due_at_one_replica(both: list[Replicas]) -> None:
    one, two = registers(both)
    await opened(both[0], one, FIRST)
    assert await two.due() == []
    await one.used([PLACE], -100.0)
    assert await one.due() == [PLACE], "its time is over"
    assert await two.due() == []
    await one.used([PLACE], IDLE)
    assert await one.due() == [], "who is too late brings nothing back"


async def test_nothing_readable_is_stored(both: list[Replicas], server: Valkey) -> None:
    one, _ = registers(both)
    await opened(both[0], one, {**FIRST, "id": "a secret id"})
    await both[0].store.set("token:a", b"a secret value", 60)

    with server.client() as client:
        record: Any = client.hgetall(f"mcpops:session:{PLACE}")
        assert set(record) == {b"id", b"about"}
        assert b"secret" not in b"".join(record.values())
        assert 0 < client.pttl(f"mcpops:session:{PLACE}") <= (2 * IDLE + 300) * 1000
        assert b"secret" not in client.get("mcpops:kept:token:a")
    assert await both[1].store.keys("token:") == ["token:a"]
    assert await both[1].store.take("token:a") == b"a secret value"
