# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams of events that clients come back to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from mcpops_broker.mcp import event_log
from mcpops_broker.mcp.event_log import EventLog, EventLogs, Follower, worker_of
from mcpops_broker.protocol.sse import Event, Parser


class Connection:
    """Reads a stream, as a client does."""

    def __init__(self, log: EventLog, after: int = 0) -> None:
        self.bytes = b""
        self._more = asyncio.Event()
        self.follower = Follower(log, after)
        self.task = asyncio.ensure_future(self.follower.run(self._write))

    async def _write(self, data: bytes) -> None:
        self.bytes += data
        self._more.set()

    @property
    def events(self) -> list[Event]:
        return Parser(1 << 20).feed(self.bytes)

    @property
    def messages(self) -> list[bytes]:
        return [event.data for event in self.events]

    async def has(self, count: int) -> list[bytes]:
        """Return the messages once there are so many."""
        await self.until(lambda: len(self.messages) >= count)
        return self.messages

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until what has come makes this true."""
        async with asyncio.timeout(10):
            while not condition():
                self._more.clear()
                await self._more.wait()


async def test_what_comes_after_an_event_is_sent_again_and_then_what_is_new() -> None:
    logs = EventLogs("3")
    log = logs.open("client")
    events = Parser(1000).feed(b"".join([log.add(b"one"), log.add(b"two"), log.add(b"three")]))

    found = logs.find(str(events[0].id), "client")
    assert found == (log, 1)
    connection = Connection(*found)
    assert await connection.has(2) == [b"two", b"three"]
    log.add(b"four")
    logs.complete(log)

    assert await connection.task is True
    assert connection.messages == [b"two", b"three", b"four"]
    assert connection.events[-1].id != events[0].id
    assert worker_of(str(events[0].id)) == "3"


async def test_the_connection_that_comes_last_reads() -> None:
    log = EventLogs("0").open("client")
    first = Connection(log)
    log.add(b"one")
    await first.has(1)

    second = Connection(log, 1)
    assert await first.task is False
    log.add(b"two")

    assert await second.has(1) == [b"two"]
    assert first.messages == [b"one"]
    second.follower.stop()
    assert await second.task is False
    assert log.follower is None


@pytest.mark.parametrize(
    "event_id", ["", "1", "x-1", "{name}", "{name}-", "{name}-x", "{name}-4", "{name}--1", "{name}-²"]
)
def test_an_event_that_never_was_is_not_found(event_id: str) -> None:
    logs = EventLogs("0")
    log = logs.open("client")
    for message in (b"one", b"two", b"three"):
        log.add(message)

    assert logs.find(event_id.format(name=log.name), "client") is None


def test_nobody_elses_stream_is_found() -> None:
    logs = EventLogs("0")
    log = logs.open("client")

    assert logs.find(f"{log.name}-0", "client") == (log, 0)
    assert logs.find(f"{log.name}-0", "another") is None


def test_a_stream_keeps_a_bounded_amount_and_its_newest_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "LARGEST_LOG", 100)
    logs = EventLogs("0")
    log = logs.open("client")
    for number in range(20):
        log.add(b"%010d" % number)

    assert logs.find(f"{log.name}-9", "client") is None
    assert logs.find(f"{log.name}-10", "client") == (log, 10)
    log.add(b"x" * 1000)
    assert log.after(20) == (21, b"x" * 1000)
    assert not log.has_all_after(19)


def test_all_streams_keep_a_bounded_amount_the_oldest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "LARGEST_TOTAL", 1000)
    logs = EventLogs("0")
    streams = [logs.open("client") for _ in range(3)]
    for log in streams:
        log.add(b"x" * 400)

    assert [log.has_all_after(0) for log in streams] == [False, True, True]


def test_complete_streams_make_room_before_those_that_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "LARGEST_TOTAL", 1000)
    logs = EventLogs("0")
    going_on, complete = logs.open("client"), logs.open("client")
    for log in (going_on, complete):
        log.add(b"x" * 400)
    logs.complete(complete)

    logs.open("client").add(b"x" * 400)

    assert going_on.has_all_after(0)
    assert logs.find(f"{complete.name}-0", "client") is None
    assert len(logs) == 2


def test_one_large_event_takes_the_place_of_many_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "LARGEST_TOTAL", 100_000)
    logs = EventLogs("0")
    for _ in range(5000):
        small = logs.open("client")
        small.add(b"x" * 20)
        logs.complete(small)
    large = logs.open("client")

    large.add(b"x" * 90_000)

    assert large.has_all_after(0)
    assert len(logs) == 501


def test_a_bounded_number_of_complete_streams_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "MOST_COMPLETE", 3)
    logs = EventLogs("0")
    streams = [logs.open("client") for _ in range(5)]
    for log in streams:
        logs.complete(log)

    assert [logs.find(f"{log.name}-0", "client") is not None for log in streams] == [False, False, True, True, True]


def test_a_complete_stream_can_be_read_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(event_log.time, "monotonic", lambda: now)
    logs = EventLogs("0")
    log = logs.open("client")
    logs.complete(log)
    assert logs.find(f"{log.name}-0", "client") is not None

    now += event_log.RESUME_GRACE + 1
    logs.sweep()

    assert logs.find(f"{log.name}-0", "client") is None
    assert len(logs) == 0


async def test_the_end_of_a_session_ends_its_streams() -> None:
    logs = EventLogs("0")
    log, other = logs.open("client"), logs.open("another")
    connection = Connection(log)
    await asyncio.sleep(0)

    logs.end_session("client")

    assert await connection.task is True
    assert logs.find(f"{log.name}-0", "client") is None
    assert logs.find(f"{other.name}-0", "another") is not None


async def test_a_quiet_stream_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "KEEP_ALIVE", 0.01)
    log = EventLogs("0").open("client")
    connection = Connection(log)

    await connection.until(lambda: connection.bytes.count(b": keep-alive\n\n") >= 2)

    assert connection.events == []
    log.end()
    assert await connection.task is True


@pytest.mark.parametrize(
    ("options", "begin"),
    [
        ({}, b"id: {name}-0\nretry: 1000\ndata: \n\n"),
        ({"primes": False}, b": keep-alive\n\n"),
        ({"resumable": False}, b": keep-alive\n\n"),
    ],
)
def test_the_revision_says_how_a_stream_begins(options: dict[str, Any], begin: bytes) -> None:
    log = EventLogs("0").open("client", **options)

    assert log.prime() == begin.replace(b"{name}", str(log.name).encode())
    assert (b"id:" in log.add(b"message")) is options.get("resumable", True)
