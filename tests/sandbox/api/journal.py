# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store on disk: every change is a line in a file, written before the request that made it is answered.

The file survives the end of the process, however it ends (it is not synchronized, so the machine must stay up); a
server that is started with it goes on at the same revision. It is written anew, without what is outdated, at start.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from .store import DELETED, Event, Location, Record, Store

_NONE = b"-"


class Journal:
    """One such file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1

    def restore(self, store: Store) -> None:
        """Fill an empty store with what the file holds, and write its changes to the file from now on."""
        revision, lines = self._read()
        if lines:
            store.restore([_parse(line) for line in lines], revision)
        new = self._path.with_name(f".{self._path.name}.new")
        self._file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        if lines:
            os.write(self._file, b"%d\n" % revision + b"".join(lines))
        new.replace(self._path)
        store.journal = self.write

    def write(self, event: Event) -> None:
        """Add one change."""
        os.write(self._file, _line(event))

    def close(self) -> None:
        """Stop writing."""
        os.close(self._file)

    def _read(self) -> tuple[int, list[bytes]]:
        """The last revision, and the line of each object that is there, oldest first."""
        revision, found = 0, dict[bytes, bytes]()
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return 0, []
        for line in content.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break  # the process was killed while it wrote this; nobody was told of the change
            number, *parts = line.split(b" ", 6)
            revision = int(number)
            if parts:
                kind, key = parts[0], b" ".join(parts[1:5])
                found.pop(key, None)
                if kind != DELETED.encode():
                    found[key] = line
        return revision, list(found.values())


def _line(event: Event) -> bytes:
    record, location = event.record, event.location
    key = (event.kind, location.group, location.plural, record.namespace, record.name)
    words = [quote(part).encode() or _NONE for part in key]  # the names of roles may have spaces
    return b" ".join((b"%d" % event.revision, *words, record.raw)) + b"\n"


def _parse(line: bytes) -> tuple[Location, Record]:
    number, _, group, plural, _, _, raw = line.rstrip(b"\n").split(b" ", 6)
    location = Location("" if group == _NONE else group.decode(), plural.decode())
    return location, Record.of(raw, int(number))
