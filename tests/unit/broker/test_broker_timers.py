# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Timers that share one timer of the event loop, and the limits made of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from mcpops_broker.timers import TICK, Limit, Timer, after
from mcpops_broker.upstream.deadline import Deadline
from mcpops_broker.upstream.errors import UpstreamError


async def test_timers_come_in_their_order_and_never_early() -> None:
    loop = asyncio.get_running_loop()
    came: list[tuple[str, float]] = []
    done = asyncio.Event()

    def note(name: str) -> None:
        came.append((name, loop.time()))
        if len(came) == 3:
            done.set()

    began = loop.time()
    for name, seconds in (("last", 5 * TICK), ("first", 0.0), ("middle", 2 * TICK)):
        after(seconds, note, name)
    await asyncio.wait_for(done.wait(), 20)
    assert [name for name, _ in came] == ["first", "middle", "last"]
    assert came[1][1] - began >= 2 * TICK
    assert came[2][1] - began >= 5 * TICK


async def test_a_cancelled_timer_never_comes_even_when_another_cancels_it_at_the_last_moment() -> None:
    came: list[int] = []
    timers: list[Timer] = []

    def first(number: int) -> None:
        came.append(number)
        for timer in timers:
            timer.cancel()

    timers += [after(TICK, first, number) for number in range(5)]
    after(TICK, came.append, 9).cancel()
    later = asyncio.Event()
    after(3 * TICK, later.set)
    await asyncio.wait_for(later.wait(), 20)
    assert len(came) == 1
    assert came != [9]


async def test_a_callback_that_fails_stops_no_other() -> None:
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))
    later = asyncio.Event()
    after(0.0, [].pop)
    after(2 * TICK, later.set)
    await asyncio.wait_for(later.wait(), 20)
    assert [type(context["exception"]) for context in reported] == [IndexError]


async def test_a_limit_ends_what_takes_too_long() -> None:
    with pytest.raises(TimeoutError), Limit(TICK):
        await asyncio.Event().wait()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_limit_leaves_alone_what_is_done_in_time_and_what_others_cancel() -> None:
    with Limit(20):
        await asyncio.sleep(0)

    async def limited() -> None:
        with Limit(20):
            await asyncio.Event().wait()

    task = asyncio.create_task(limited())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_limit_and_a_cancel_at_the_same_time_end_in_the_cancel() -> None:
    async def limited() -> None:
        with Limit(0.0) as limit:
            try:
                await asyncio.Event().wait()
            finally:
                assert limit is not None
                both.append(asyncio.current_task().cancel())  # type: ignore[union-attr]

    both: list[bool] = []
    task = asyncio.create_task(limited())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert both == [True]


async def test_a_deadline_says_whose_it_is_and_does_not_run_while_it_is_paused() -> None:
    with (
        pytest.raises(UpstreamError, match=r"ns/a: no complete answer within 0\.05 s"),
        Deadline("ns/a", 0.05) as deadline,
    ):
        deadline.pause()
        deadline.pause()
        later = asyncio.Event()
        after(4 * TICK, later.set)
        await later.wait()
        deadline.resume()
        deadline.resume()
        await asyncio.Event().wait()
    assert later.is_set()
