# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""A time limit for one exchange with an upstream, that does not run while a person is asked something."""

from __future__ import annotations

import asyncio
from types import TracebackType

from mcpops_broker.timers import Limit
from mcpops_broker.upstream.errors import UpstreamError


class Deadline:
    """A limit that raises an `UpstreamError` naming the upstream and the time, and that can be paused."""

    __slots__ = ("_began", "_limit", "_paused", "_remaining", "_running", "_seconds", "_upstream")

    def __init__(self, upstream: str, seconds: float) -> None:
        self._upstream = upstream
        self._seconds = seconds
        self._limit = Limit(seconds)
        self._paused = 0
        self._remaining = seconds
        """When the clock was started last, or stopped."""
        self._began = 0.0
        self._running = False

    def __enter__(self) -> Deadline:
        self._limit.__enter__()
        self._began = asyncio.get_running_loop().time()
        self._running = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running = False
        try:
            self._limit.__exit__(kind, error, trace)
        except TimeoutError:
            raise UpstreamError(self._upstream, "timeout", f"no complete answer within {self._seconds:g} s") from None

    def pause(self) -> None:
        """Stop the clock until `resume` was called as often as this."""
        self._paused += 1
        if self._paused == 1 and self._running:
            self._remaining -= asyncio.get_running_loop().time() - self._began
            self._limit.stop()

    def resume(self) -> None:
        """Let the clock run on."""
        self._paused -= 1
        if self._paused == 0 and self._running:
            self._began = asyncio.get_running_loop().time()
            self._limit.restart(max(self._remaining, 0.0))
