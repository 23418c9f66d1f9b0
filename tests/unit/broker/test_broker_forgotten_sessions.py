# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker forgets a session that another one serves; when its client comes, the other one tells what it knows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import AsyncMock, MagicMock

import pytest
from mcpops_broker.broker import Broker
from mcpops_broker.bus import make_buses
from mcpops_broker.config.parse import parse
from mcpops_broker.mcp import peers
from mcpops_broker.sessions.store import Session
from mcpops_broker.settings import Options

OWNER = b"o" * 16
URI = "file:///x"


@asynccontextmanager
async def workers(directory: Path) -> AsyncIterator[list[Broker]]:
    """Make two workers with one server whose resources can be watched."""
    brokers = []
    options = Options(directory / "config.yaml", secret=b"x" * 32)
    for bus in make_buses(2):
        broker = Broker(options, parse("servers: []"), bus)
        broker.upstreams["ns/x"] = MagicMock(subscribe=AsyncMock(), unsubscribe=AsyncMock(), close=AsyncMock())
        peers.connect(broker)
        brokers.append(broker)
    try:
        yield brokers
    finally:
        for broker in brokers:
            await broker.bus.close()
            await broker.close()


async def until_watched(broker: Broker, uris: list[str]) -> None:
    async with asyncio.timeout(5):
        while broker.watched_resources.of("ns/x") != uris:  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0)


async def forgotten(here: Broker, there: Broker) -> Session:
    """Start a session with a subscription and a log level, and have one worker forget it while the other has its
    stream."""
    session = there.sessions.find(there.sessions.start(OWNER, "2025-11-25", 0), OWNER)
    assert session is not None
    session.busy += 1
    session.set_log_level("debug")
    there.bus.send("level", [(session.id, "debug")])
    await there.watched_resources.add(session, "ns/x", URI)
    await there.watched_resources.share(session, "ns/x", URI)
    assert here.watched_resources.of("ns/x") == [URI]
    for broker in (here, there):
        broker.sessions.idle = -1.0
        broker.sessions.sweep()
    await until_watched(here, [])
    return session


@pytest.mark.parametrize(
    ("chosen", "holds"),
    [pytest.param(None, "debug", id="the old level"), pytest.param("error", "error", id="a new level")],
)
async def test_a_forgotten_session_is_remembered(tmp_path: Path, chosen: str | None, holds: str) -> None:
    async with workers(tmp_path) as (here, there):
        session = await forgotten(here, there)

        returned = here.sessions.find(session.id, OWNER)
        assert returned is not None
        if chosen is not None:
            returned.set_log_level(chosen)
        await until_watched(here, [URI])

        assert returned.client.log_level == holds


async def test_what_was_never_here_asks_nobody(tmp_path: Path) -> None:
    async with workers(tmp_path) as (here, there):
        asked = MagicMock()
        there.bus.on("returned", asked)
        heard = asyncio.Event()
        there.bus.on("told", lambda value, sender: heard.set())

        assert here.sessions.find(here.sessions.start(OWNER, "2025-11-25", 0), OWNER)
        here.bus.send("told", None)
        await heard.wait()

        asked.assert_not_called()
