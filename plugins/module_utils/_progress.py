# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Lines for the person who waits: what is being waited for, and how it looks now."""

from __future__ import annotations

import time
import typing as t

FIRST = 5.0
"""Seconds of waiting before the first line; most waits end earlier."""
EVERY = 15.0
"""Seconds between two lines that say the same."""
CHANGE = 2.0
"""Seconds after a line before another text may be told."""

Say = t.Callable[[str], None]


class Progress:
    """Tells through ``say`` how a wait goes, not more often than needed; without ``say`` it is silent."""

    def __init__(self, say: Say | None = None) -> None:
        self._say = say
        self._began: float | None = None
        self._next = self._last = 0.0
        self._told = ""

    def left(self) -> float:
        """Seconds until there is something to tell; without an end when nobody listens."""
        if self._say is None:
            return float("inf")
        return max(0.0, self._due() - time.monotonic())

    def tick(self, text: str) -> None:
        """Tell ``text`` if it is time."""
        if self._say is None:
            return
        now = time.monotonic()
        changed = self._told not in ("", text)
        if now < (min(self._due(), self._last + CHANGE) if changed else self._due()):
            return
        waited = now - (self._began or now)
        self._told, self._last, self._next = text, now, now + EVERY
        self._say(f"{text} ({waited:.0f} s)")

    def _due(self) -> float:
        if self._began is None:
            self._began = time.monotonic()
            self._next = self._began + FIRST
        return self._next
