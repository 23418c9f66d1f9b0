# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs side by side: their results, the first failure, and an interruption that waits for nobody."""

from __future__ import annotations

import signal
import threading

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._plan import WORKERS, run_all


def test_results_are_in_the_order_of_the_jobs() -> None:
    assert run_all([lambda n=n: n for n in range(3 * WORKERS)]) == list(range(3 * WORKERS))


def test_the_first_failure_is_raised_when_what_runs_is_done() -> None:
    failed, done = threading.Event(), []

    def slow() -> None:
        failed.wait(10)
        done.append("slow")

    def fails() -> None:
        try:
            raise ValueError("first")
        finally:
            failed.set()

    with pytest.raises(ValueError, match="first"):
        run_all([slow, fails])

    assert done == ["slow"]


def test_nothing_is_begun_after_a_failure() -> None:
    begun = []

    def fails() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run_all([fails] * WORKERS + [lambda: begun.append(1)])

    assert begun == []


def test_the_time_of_a_task_that_is_up_waits_for_no_answer() -> None:
    """As Ansible's keyword timeout: an alarm that raises in the main thread."""
    never, answered = threading.Event(), []

    def silent() -> None:
        never.wait(5)
        answered.append(1)

    class TimeUp(BaseException):
        pass

    def ring(_number: int, _frame: object) -> None:
        raise TimeUp

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(TimeUp):
            run_all([silent] * 3)
        assert answered == []
    finally:
        signal.signal(signal.SIGALRM, before)
        never.set()
