# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""Server-sent events, the second form of an MCP answer (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import typing as t


def event_data(lines: t.Iterable[bytes]) -> t.Iterator[str]:
    """The data of each event of a stream; events without data (comments, priming events) are left out.

    ``lines`` are the stream's lines with or without their end. An event that the stream breaks off in is dropped, as
    the standard says.
    """
    data: list[str] = []
    for number, raw in enumerate(lines):
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if number == 0:
            line = line.removeprefix("\ufeff")
        if not line:
            if any(data):
                yield "\n".join(data)
            data = []
            continue
        name, _colon, value = line.partition(":")
        if name == "data":
            data.append(value.removeprefix(" "))
