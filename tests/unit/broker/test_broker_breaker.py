# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The circuit breaker: when it opens, whom it lets through, when it closes."""

from __future__ import annotations

import pytest
from mcpops_broker.upstream.breaker import FIRST_PAUSE, LONGEST_PAUSE, OPEN_AFTER, TRY_FOR, Breaker, Circuit
from mcpops_broker.upstream.errors import UpstreamError

DOWN = UpstreamError("up", "unreachable", "gone")
ODD = UpstreamError("up", "invalid", "answered oddly")


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def opened() -> tuple[Breaker, Clock]:
    """Return a breaker that has just opened."""
    clock = Clock()
    breaker = Breaker("up", clock)
    for _ in range(OPEN_AFTER):
        breaker.enter()
        breaker.failed(DOWN)
    return breaker, clock


def test_failures_in_a_row_open_it_and_the_error_says_so() -> None:
    breaker, _ = opened()

    with pytest.raises(UpstreamError, match=r"upstream up: the last 5 requests failed; the next one is sent in 1\.0 s"):
        breaker.enter()

    assert breaker.circuit is Circuit.OPEN


@pytest.mark.parametrize("between", [Breaker.answered, lambda breaker: breaker.failed(ODD)])
def test_any_answer_between_failures_keeps_it_closed(between: object) -> None:
    breaker = Breaker("up", Clock())
    for _ in range(3):
        for _ in range(OPEN_AFTER - 1):
            breaker.failed(DOWN)
        assert callable(between)
        between(breaker)

    breaker.enter()

    assert breaker.circuit is Circuit.CLOSED


def test_one_request_is_let_through_to_try() -> None:
    breaker, clock = opened()
    clock.now += FIRST_PAUSE

    breaker.enter()

    with pytest.raises(UpstreamError):
        breaker.enter()
    breaker.answered()
    breaker.enter()
    assert breaker.failures == 0


def test_a_try_that_fails_doubles_the_pause_up_to_its_limit() -> None:
    breaker, clock = opened()
    pauses = []
    for _ in range(8):
        start = clock.now
        while breaker.circuit is not Circuit.TRYING:
            clock.now += 0.5
            try:
                breaker.enter()
            except UpstreamError:
                continue
        pauses.append(clock.now - start)
        breaker.failed(DOWN)

    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]
    assert pauses[-1] == LONGEST_PAUSE


def test_a_client_that_leaves_while_it_tries_makes_room_for_the_next() -> None:
    breaker, clock = opened()
    clock.now += FIRST_PAUSE
    breaker.enter()

    breaker.left()

    breaker.enter()


def test_a_try_that_takes_long_does_not_keep_others_out_for_ever() -> None:
    breaker, clock = opened()
    clock.now += FIRST_PAUSE
    breaker.enter()
    clock.now += TRY_FOR - 1
    with pytest.raises(UpstreamError, match=r"the next one is sent in 1\.0 s"):
        breaker.enter()
    clock.now += 1

    breaker.enter()

    assert breaker.circuit is Circuit.TRYING
    breaker.answered()
    breaker.left()
    assert breaker.circuit is Circuit.CLOSED
