# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events of the servers' streams, kept so that a client may resume; works with the official SDK 1.x and 2.x."""

from __future__ import annotations

from typing import Any

from mcp.server.streamable_http import EventCallback, EventMessage, EventStore


class Events(EventStore):
    """Every event of this process, in memory; its id is its place."""

    def __init__(self) -> None:
        self._events: list[tuple[str, Any]] = []

    async def store_event(self, stream_id: str, message: Any) -> str:
        """Keep an event (None: the one that begins a stream) and return its id."""
        self._events.append((stream_id, message))
        return str(len(self._events))

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        """Send what the stream of this event carried since; returns the stream, None for an unknown id."""
        place = int(last_event_id) if last_event_id.isdecimal() else 0
        if not 0 < place <= len(self._events):
            return None
        stream = self._events[place - 1][0]
        for number, (stream_id, message) in enumerate(self._events[place:], place + 1):
            if stream_id == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream
