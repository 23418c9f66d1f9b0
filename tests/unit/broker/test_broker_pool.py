# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upstream sessions: opened when needed, once, and forgotten when stale."""

from __future__ import annotations

import asyncio

import pytest
from mcpops_broker.upstream.errors import UpstreamError
from mcpops_broker.upstream.exchange import Client
from mcpops_broker.upstream.peer import Era, Peer
from mcpops_broker.upstream.pool import SessionPool
from mcpops_broker.upstream.session import UpstreamSession

CLIENT = Client("client", "2025-11-25")


class Opener:
    """Opens sessions when told to."""

    def __init__(self) -> None:
        self.opened: list[UpstreamSession] = []
        self.closed: list[UpstreamSession] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.fail = False
        self.pool = SessionPool("up", self.open, lambda identity, session, ended: self.closed.append(session))

    async def open(self, client: Client, stale: str | None) -> UpstreamSession:
        await self.gate.wait()
        if self.fail:
            raise UpstreamError("up", "unreachable", "gone")
        session = UpstreamSession.opened(f"s{len(self.opened)}", Peer(Era.SESSION, "2025-11-25"), {})
        self.opened.append(session)
        return session


async def test_concurrent_callers_share_one_session() -> None:
    opener = Opener()
    opener.gate.clear()
    callers = [asyncio.create_task(opener.pool.get(CLIENT)) for _ in range(10)]
    await asyncio.sleep(0)
    opener.gate.set()

    sessions = await asyncio.gather(*callers)

    assert len(opener.opened) == 1
    assert set(map(id, sessions)) == {id(opener.opened[0])}


async def test_a_caller_that_goes_away_does_not_take_the_session_from_others() -> None:
    opener = Opener()
    opener.gate.clear()
    first, second = (asyncio.create_task(opener.pool.get(CLIENT)) for _ in range(2))
    await asyncio.sleep(0)

    first.cancel()
    opener.gate.set()

    assert (await second).id == "s0"
    assert first.cancelled() or first.cancelling()


async def test_a_failure_reaches_all_callers_and_the_next_one_tries_again() -> None:
    opener = Opener()
    opener.fail = True

    answers = await asyncio.gather(*(opener.pool.get(CLIENT) for _ in range(3)), return_exceptions=True)
    opener.fail = False

    assert [str(answer) for answer in answers] == ["upstream up: gone"] * 3
    assert (await opener.pool.get(CLIENT)).id == "s0"


async def test_forgetting_a_stale_session_keeps_its_successor() -> None:
    opener = Opener()
    stale = await opener.pool.get(CLIENT)
    opener.pool.forget("client", stale)
    fresh = await opener.pool.get(CLIENT)

    opener.pool.forget("client", stale)

    assert await opener.pool.get(CLIENT) is fresh
    assert opener.closed == []


async def test_dropping_a_client_closes_its_session() -> None:
    opener = Opener()
    session = await opener.pool.get(CLIENT)

    opener.pool.drop("client")
    opener.pool.drop("client")

    assert opener.closed == [session]
    assert opener.pool.peek("client") is None


async def test_dropping_a_client_while_its_session_opens_is_an_error_for_those_who_wait() -> None:
    opener = Opener()
    opener.gate.clear()
    caller = asyncio.create_task(opener.pool.get(CLIENT))
    await asyncio.sleep(0)

    opener.pool.clear()

    with pytest.raises(UpstreamError, match="ended while it was being opened"):
        await caller


async def test_sessions_that_nobody_uses_are_ended_and_those_in_use_are_not() -> None:
    opener = Opener()
    idle, used, busy = [await opener.pool.get(Client(name, "2025-11-25")) for name in ("idle", "used", "busy")]
    idle.used = busy.used = 0.0
    busy.active = 1

    opener.pool.sweep(60.0)

    assert opener.closed == [idle]
    assert opener.pool.peek("used") is used
    assert opener.pool.peek("busy") is busy


async def test_a_session_that_another_worker_uses_ends_only_for_good_or_when_unused() -> None:
    opener = Opener()
    session = await opener.pool.get(CLIENT)
    session.lent = True

    opener.pool.leave("client")
    assert opener.pool.peek("client") is session

    opener.pool.drop("client")
    assert opener.closed == [session]


async def test_a_session_of_this_worker_alone_ends_when_its_client_is_forgotten() -> None:
    opener = Opener()
    session = await opener.pool.get(CLIENT)

    opener.pool.leave("client")

    assert opener.closed == [session]
