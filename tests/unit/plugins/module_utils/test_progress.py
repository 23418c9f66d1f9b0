# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of progress: not at once, not too often, and a change before its time."""

from __future__ import annotations

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils import _progress
from ansible_collections.mcpops.gateway.plugins.module_utils._progress import CHANGE, EVERY, FIRST, Progress


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    turned = Clock()
    monkeypatch.setattr(_progress, "time", turned)
    return turned


def test_short_waits_are_silent(clock: Clock) -> None:
    told: list[str] = []
    progress = Progress(told.append)

    assert progress.left() == FIRST
    clock.now += FIRST - 0.1
    progress.tick("a")

    assert told == []


def test_the_same_is_told_again_later_and_a_change_sooner(clock: Clock) -> None:
    told: list[str] = []
    progress = Progress(told.append)
    progress.tick("a")
    for seconds, text in ((FIRST, "a"), (CHANGE, "a"), (0.0, "b"), (CHANGE / 2, "c"), (EVERY, "c"), (EVERY, "c")):
        clock.now += seconds
        progress.tick(text)

    assert told == ["a (5 s)", "b (7 s)", "c (23 s)", "c (38 s)"]
    assert progress.left() == EVERY


def test_nobody_listens() -> None:
    progress = Progress()

    progress.tick("a")

    assert progress.left() == float("inf")
