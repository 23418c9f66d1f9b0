# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Messages that wait to be written to a stream that nobody can come back to."""

from __future__ import annotations

import asyncio


class Outbox:
    """What waits. A message that waits already is not added again, so a client that does not read costs little."""

    __slots__ = ("_waiting", "_wake", "closed")

    def __init__(self) -> None:
        self.closed = False
        self._waiting: dict[bytes, None] = {}
        self._wake = asyncio.Event()

    def put(self, message: bytes) -> None:
        """Queue a message."""
        self._waiting[message] = None
        self._wake.set()

    def close(self) -> None:
        """End the stream after what waits has been written."""
        self.closed = True
        self._wake.set()

    async def take(self, wait: float) -> list[bytes]:
        """Return the messages that wait; none after `wait` seconds without one, or when the stream was closed."""
        if not self._waiting and not self.closed:
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                return []
        self._wake.clear()
        messages = list(self._waiting)
        self._waiting.clear()
        return messages
