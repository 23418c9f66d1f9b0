# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""Server-sent events, the second form of an MCP answer (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass
class Position:
    """How far a stream was read: ``last_id`` for Last-Event-ID, ``retry`` the pause in seconds that the server asks
    for before the stream is resumed. Both stay None until the server sends them."""

    last_id: str | None = None
    retry: float | None = None


@dataclasses.dataclass(frozen=True)
class Event:
    """One event with data; ``name`` is ``message`` when the server gives none."""

    name: str
    data: str


def events(lines: t.Iterable[bytes], position: Position | None = None) -> t.Iterator[Event]:
    """The events of a stream; those without data (comments, priming events) only move ``position``.

    ``lines`` are the stream's lines with or without their end. An event that the stream breaks off in is dropped, as
    the standard says.
    """
    position = position or Position()
    data: list[str] = []
    name, last_id = "", None
    for number, raw in enumerate(lines):
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if number == 0:
            line = line.removeprefix("\ufeff")
        if not line:
            if last_id is not None:
                position.last_id = last_id
            if any(data):
                yield Event(name or "message", "\n".join(data))
            data, name = [], ""
            continue
        field, _colon, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
        elif field == "id" and "\0" not in value:
            last_id = value
        elif field == "retry" and value.isascii() and value.isdigit():
            position.retry = int(value) / 1000
