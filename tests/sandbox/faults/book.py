# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which faults are active: ``DIR/faults.json``, written by the command, read by those who carry faults out.

What a fault has done is in ``DIR/faults.jsonl``, one line each time: tests read it, ``status`` counts it, and a
fault that is to strike so many times is over when it has as many lines there.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sandbox.faults.kinds import Value
from sandbox.processes import write_private

EVERYBODY, PRODUCT = "all", "product"
"""Whom API faults hit: every client, or all but the sandbox's own controllers and commands."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One started fault: ``until`` is when it ends by itself (seconds since 1970), ``count`` how often it strikes."""

    id: str
    name: str
    options: dict[str, Value]
    user: str = PRODUCT
    count: int | None = None
    until: float | None = None
    started: float = 0.0

    def text(self, name: str) -> str:
        """An option's value as text."""
        return str(self.options[name])

    def number(self, name: str) -> float:
        """An option's value as a number."""
        return float(self.options[name])


class Book:
    """The faults of one sandbox. Reading costs one stat while nothing changes."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "faults.json"
        self._hits = folder / "faults.jsonl"
        self._lock = folder / ".faults.lock"
        self._stamp: tuple[int, int] | None = None
        self._read: list[Fault] = []

    def active(self) -> list[Fault]:
        """The faults that are to strike now."""
        try:
            found = self._path.stat()
        except (FileNotFoundError, NotADirectoryError):
            self._stamp, self._read = None, []
            return self._read
        if (found.st_mtime_ns, found.st_ino) != self._stamp:
            self._stamp = (found.st_mtime_ns, found.st_ino)
            self._read = self._load()
        return [fault for fault in self._read if not self._is_over(fault)]

    def strike(self, fault: Fault, what: str) -> None:
        """Notes that a fault struck; ``what`` says whom."""
        line = json.dumps({"id": fault.id, "fault": fault.name, "time": time.time(), "what": what}) + "\n"
        descriptor = os.open(self._hits, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(line)

    def strikes(self, fault: Fault) -> list[str]:
        """Whom a fault struck so far, in the order of time."""
        try:
            lines = self._hits.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        entries = [json.loads(line) for line in lines]
        return [str(entry["what"]) for entry in entries if entry["id"] == fault.id]

    def add(
        self, name: str, options: dict[str, Value], *, user: str, count: int | None, seconds: float | None
    ) -> Fault:
        """Starts a fault."""
        until = None if seconds is None else time.time() + seconds
        fault = Fault(secrets.token_hex(4), name, options, user, count, until, time.time())
        self._change(lambda faults: [*faults, fault])
        return fault

    def remove(self, chosen: Callable[[Fault], bool]) -> list[Fault]:
        """Ends the chosen faults; returns those of them that were active."""
        ended = [fault for fault in self.active() if chosen(fault)]
        self._change(lambda faults: [fault for fault in faults if not chosen(fault)])
        return ended

    def _change(self, change: Callable[[list[Fault]], list[Fault]]) -> None:
        with self._locked():
            faults = change([fault for fault in self._load() if not self._is_over(fault)])
            if faults:
                write_private(self._path, json.dumps([asdict(fault) for fault in faults], indent=1) + "\n")
            else:
                self._path.unlink(missing_ok=True)
                self._hits.unlink(missing_ok=True)

    def _load(self) -> list[Fault]:
        try:
            return [Fault(**entry) for entry in json.loads(self._path.read_text(encoding="utf-8"))]
        except FileNotFoundError:
            return []

    def _is_over(self, fault: Fault) -> bool:
        if fault.until is not None and time.time() >= fault.until:
            return True
        return fault.count is not None and len(self.strikes(fault)) >= fault.count

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
