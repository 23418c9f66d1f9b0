# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""How long to wait before a stream of notifications that ended is opened again."""

from __future__ import annotations

import asyncio
import random

FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
"""Seconds between two attempts."""


class Backoff:
    """Waits longer and longer while attempts fail soon, and briefly again after one that lasted."""

    def __init__(self) -> None:
        self._wait = FIRST_WAIT
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()

    def begin(self) -> None:
        """Take note that an attempt begins."""
        self._began = self._clock()

    async def wait(self, at_least: float = 0.0) -> None:
        """Wait for the next attempt; the other side asks for `at_least` these seconds."""
        if self._clock() - self._began > self._wait:
            self._wait = FIRST_WAIT
        seconds = max(at_least, self._wait)
        self._wait = min(self._wait * 2, LONGEST_WAIT)
        await asyncio.sleep(seconds * random.uniform(0.9, 1.1))  # noqa: S311 - spreads load, guards nothing
