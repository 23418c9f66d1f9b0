# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notification streams of sessions: one of them is told, in one of the workers."""

from __future__ import annotations

import asyncio

import pytest
from mcpops_broker.bus import make_buses
from mcpops_broker.catalogue.scope import EVERYTHING
from mcpops_broker.mcp import streams as streams_module
from mcpops_broker.mcp.event_log import EventLogs
from mcpops_broker.mcp.streams import Feed, Streams
from mcpops_broker.principal import ANONYMOUS


class Worker:
    """The streams of one worker."""

    def __init__(self, streams: Streams) -> None:
        self.streams = streams

    def open(self) -> Feed:
        """A client opens a stream."""
        feed = self.streams.open("client", EVERYTHING, ANONYMOUS, resumable=True, primes=True)
        self.streams.join(feed)
        return feed


async def workers(count: int) -> list[Worker]:
    """Make workers that hear one another."""
    made = []
    for bus in make_buses(count):
        made.append(Worker(Streams(bus, EventLogs(bus.here))))
        bus.connect()
    return made


async def settle() -> None:
    """Let all messages between the workers arrive."""
    for _ in range(20):
        await asyncio.sleep(0)


def tell(all_workers: list[Worker], message: bytes) -> None:
    """Every worker learns the same."""
    for worker in all_workers:
        worker.streams.send("client", message)


def told(*feeds: Feed) -> list[list[bytes]]:
    """Return what waits in each."""
    return [feed.log.unread() for feed in feeds]


async def test_of_several_streams_the_last_opened_is_told() -> None:
    (one,) = await workers(1)
    first, second = one.open(), one.open()

    tell([one], b"news")
    assert told(first, second) == [[], [b"news"]]
    second.log.end()
    one.streams.leave(second)
    tell([one], b"more")

    assert told(first) == [[b"more"]]


async def test_of_several_workers_the_one_with_the_last_opened_stream_tells() -> None:
    a, b, c = everybody = await workers(3)
    first = a.open()
    await settle()
    second = b.open()
    await settle()
    third = c.open()
    await settle()

    tell(everybody, b"one")
    assert told(first, second, third) == [[], [], [b"one"]]
    third.log.end()
    c.streams.leave(third)
    await settle()
    tell(everybody, b"two")

    assert told(first, second) == [[], [b"two"]]
    b.streams.worker_gone("0")
    a.streams.worker_gone("1")  # the second worker died
    tell([a, c], b"three")
    assert told(first) == [[b"three"]]


def test_a_message_that_waits_is_not_repeated() -> None:
    feed = Feed("client", EVERYTHING, ANONYMOUS, EventLogs("0").open("client"))

    feed.put(b"news")
    feed.put(b"news")
    assert feed.log.unread() == [b"news"]
    feed.log.read = 1
    feed.put(b"news")

    assert feed.log.unread() == [b"news"]


async def test_a_stream_that_lost_its_client_goes_on_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(streams_module.time, "monotonic", lambda: now)
    (one,) = await workers(1)
    feed = one.open()
    one.streams.leave(feed)

    tell([one], b"missed")
    assert told(feed) == [[b"missed"]]
    now += 59
    one.streams.join(feed)
    one.streams.leave(feed)
    now += 2
    one.streams.sweep()
    assert one.streams.feed_of(feed.log) is feed
    now += 60
    one.streams.sweep()

    assert one.streams.feed_of(feed.log) is None
    assert len(one.streams) == 0


async def test_what_waits_for_a_lost_client_goes_to_its_new_stream() -> None:
    a, b = await workers(2)
    lost = a.open()
    a.streams.leave(lost)
    tell([a, b], b"one")

    again = a.open()
    assert told(again) == [[b"one"]]
    a.streams.leave(again)
    elsewhere = b.open()
    await settle()

    assert told(elsewhere) == [[b"one"]]
    assert a.streams.feed_of(again.log) is None


async def test_streams_without_a_client_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams_module, "MOST_PARKED", 3)
    (one,) = await workers(1)
    feeds = [one.streams.open(str(number), EVERYTHING, ANONYMOUS, resumable=True, primes=True) for number in range(5)]

    assert [one.streams.feed_of(feed.log) is feed for feed in feeds] == [False, False, True, True, True]


async def test_a_closed_stream_ends_and_is_forgotten_with_its_last_reader() -> None:
    (one,) = await workers(1)
    feed = one.open()

    one.streams.close()
    assert feed.log.ended
    assert len(one.streams) == 1
    one.streams.leave(feed)

    assert len(one.streams) == 0
    assert one.streams.feed_of(feed.log) is None
