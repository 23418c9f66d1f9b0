# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""A time limit for one exchange with an upstream, that does not run while a person is asked something."""

from __future__ import annotations

import asyncio
from typing import Any

from mcpops_broker.upstream.errors import UpstreamError


class Deadline:
    """`asyncio.timeout` that raises an `UpstreamError` naming the upstream and the time, and that can be paused."""

    __slots__ = ("_paused", "_remaining", "_running", "_seconds", "_timeout", "_upstream")

    def __init__(self, upstream: str, seconds: float) -> None:
        self._upstream = upstream
        self._seconds = seconds
        self._timeout = asyncio.timeout(seconds)
        self._paused = 0
        self._remaining = seconds
        self._running = True

    async def __aenter__(self) -> Deadline:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._running = False
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            raise UpstreamError(self._upstream, "timeout", f"no complete answer within {self._seconds:g} s") from None

    def pause(self) -> None:
        """Stop the clock until `resume` was called as often as this."""
        self._paused += 1
        when = self._timeout.when()
        if self._paused == 1 and when is not None and self._can_change():
            self._remaining = when - asyncio.get_running_loop().time()
            self._timeout.reschedule(None)

    def resume(self) -> None:
        """Let the clock run on."""
        self._paused -= 1
        if self._paused == 0 and self._can_change():
            self._timeout.reschedule(asyncio.get_running_loop().time() + max(self._remaining, 0.0))

    def _can_change(self) -> bool:
        return self._running and not self._timeout.expired()
