# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Server-sent events: an incremental parser for what upstreams send, and the encoder for what clients get.

Format: WHATWG HTML, "Server-sent events". Lines end with LF, CRLF or CR; an empty line ends an event.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

KEEP_ALIVE = b": keep-alive\n\n"
"""A comment: ignored by clients, keeps proxies from closing a quiet stream."""

_LINE_END = re.compile(rb"\r\n|\n|\r")


class EventTooLargeError(ValueError):
    """An event is larger than the limit given to the parser."""


@dataclass(slots=True, frozen=True)
class Event:
    """One event. `data` is empty for a priming event (MCP 2025-11-25: an id without a message)."""

    data: bytes
    id: str | None
    retry: float | None
    """Seconds to wait before connecting again, when this event said so."""


def encode(message: bytes, event_id: str | None = None) -> bytes:
    """Encode one JSON-RPC message as an event. JSON from orjson has no line breaks; others are split by the format."""
    if b"\n" in message or b"\r" in message:
        message = b"\ndata: ".join(_LINE_END.split(message))
    event = b"event: message\ndata: " + message + b"\n\n"
    return event if event_id is None else b"id: " + event_id.encode() + b"\n" + event


def prime(event_id: str, retry: int) -> bytes:
    """Encode the event that only tells a client where it is in the stream, and how many milliseconds to wait before
    coming back (MCP 2025-11-25 basic/transports)."""
    return f"id: {event_id}\nretry: {retry}\ndata: \n\n".encode()


class Parser:
    """Turns chunks of a byte stream into events.

    `feed` returns the events completed by a chunk and raises `EventTooLargeError` when one event exceeds
    `limit` bytes, so that an endless event cannot fill the memory.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open = bytearray()
        """The beginning of a line whose end has not come."""
        self._data: list[bytes] = []
        self._size = 0
        self._id: str | None = None
        self._retry: float | None = None
        self._seen_field = False

    def feed(self, chunk: bytes) -> list[Event]:
        """Add bytes; return the events that are complete now."""
        rest = self._open
        if rest.endswith(b"\r"):  # the end of a line, or the first half of one
            chunk = bytes(rest) + chunk
            rest.clear()
        events: list[Event] = []
        end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r", 0, -1)) + 1
        if end:
            lines = bytes(rest) + chunk[:end] if rest else chunk[:end]
            rest.clear()
            for line in lines.splitlines():
                if line:
                    self._field(line)
                elif self._seen_field:
                    events.append(self._finish())
        rest += chunk[end:]
        if self._size + len(rest) > self._limit:
            raise EventTooLargeError(f"one event is larger than {self._limit} bytes")
        return events

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._size += len(value) + 1
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) < 10:
            self._retry = int(value) / 1000
        else:
            return  # a comment, the event's type (MCP uses only "message"), or an unknown field
        self._seen_field = True

    def _finish(self) -> Event:
        event = Event(b"\n".join(self._data), self._id, self._retry)
        self._data = []
        self._size = 0
        self._retry = None
        self._seen_field = False
        return event
