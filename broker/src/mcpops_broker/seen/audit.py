# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The audit log: who asked for what, whether it was allowed, where it went and how it ended. One JSON object a line.

Lines are written together by a thread a few times a second, so that a slow disk delays no request; what a process that
is killed had not written yet is lost. A file that is moved away (logrotate) is opened again.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from mcpops_broker import logs
from mcpops_broker.config.seen import STDERR, AuditOptions
from mcpops_broker.seen import metrics
from mcpops_broker.seen.record import Outcome, Record

WRITE_AFTER = 0.2
"""Seconds from a line to the write that has it."""
MOST_WAITING = 100_000
"""Lines that wait for the disk; more are lost, and counted."""
LONGEST_NAME = 300
"""Characters of a name from outside that are written."""
LONGEST_ARGUMENTS = 64 * 1024
"""Bytes of arguments that are written."""
ACTIONS = frozenset({
    "initialize", "tools/call", "prompts/get", "resources/read", "resources/subscribe", "completion/complete",
    "tasks/get", "tasks/update", "tasks/cancel", "DELETE",
})  # fmt: skip
"""Methods that are always written. Whatever is refused is, too."""
_REFUSED = frozenset({Outcome.UNAUTHENTICATED, Outcome.DENIED, Outcome.LIMITED})


class AuditLog:
    """The audit log of one worker; workers write to the same file."""

    def __init__(self, options: AuditOptions) -> None:
        self._options = options
        self._lines: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Future[None] | None = None
        self._sink = _Stderr() if options.output == STDERR else _File(Path(options.output))

    def observe(self, record: Record) -> None:
        """Write a request down, if it is one that is written down."""
        if self._options.lists or record.method in ACTIONS or record.outcome in _REFUSED:
            self.write("request", _described(record, arguments=self._options.arguments))

    def write(self, event: str, values: dict[str, Any]) -> None:
        """Write an event down; it must be JSON and hold no secret."""
        if len(self._lines) >= MOST_WAITING:
            metrics.AUDIT_LOST.add()
            return
        self._lines.append(orjson.dumps({"time": _time(), "event": event, **values}, option=orjson.OPT_APPEND_NEWLINE))
        if self._timer is None and self._writing is None:
            self._timer = asyncio.get_running_loop().call_later(WRITE_AFTER, self._begin)

    async def close(self) -> None:
        """Write what waits, and close the file."""
        if self._timer is not None:
            self._timer.cancel()
        if self._writing is not None:
            await asyncio.wait((self._writing,))
        await asyncio.to_thread(self._write, self._take())
        self._sink.close()

    def _take(self) -> list[bytes]:
        lines, self._lines = self._lines, []
        return lines

    def _begin(self) -> None:
        self._timer = None
        self._writing = asyncio.get_running_loop().run_in_executor(None, self._write, self._take())
        self._writing.add_done_callback(self._done)

    def _done(self, writing: asyncio.Future[None]) -> None:
        self._writing = None
        if self._lines:
            self._timer = asyncio.get_running_loop().call_later(WRITE_AFTER, self._begin)

    def _write(self, lines: list[bytes]) -> None:
        """Write lines, in a thread."""
        if not lines:
            return
        try:
            self._sink.write(b"".join(lines))
        except OSError as error:
            metrics.AUDIT_LOST.add(by=len(lines))
            logs.error("audit.lost", output=self._options.output, lines=len(lines), problem=error.strerror)


class _Stderr:
    """Standard error, where the log goes, too; the event tells them apart."""

    def write(self, data: bytes) -> None:
        _write_all(2, data)

    def close(self) -> None:
        """Leave it open."""


class _File:
    """A file, opened again when it is not the one of its name any more."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def write(self, data: bytes) -> None:
        """Append to the file; raises OSError."""
        descriptor = self._descriptor
        if descriptor is None or not self._is_current(descriptor):
            self.close()
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            descriptor = self._descriptor = os.open(self._path, flags, 0o600)
        _write_all(descriptor, data)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _is_current(self, descriptor: int) -> bool:
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(descriptor), self._path.stat())
        return False


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _described(record: Record, *, arguments: bool) -> dict[str, Any]:
    principal, decision = record.principal, record.decision
    found: dict[str, Any] = {
        "request": record.id,
        "principal": principal.id,
        "how": principal.how,
        "who": principal.name,
        "client": principal.client_id,
        "address": record.address,
        "session": record.session,
        "method": record.method[:LONGEST_NAME],
        "name": record.name[:LONGEST_NAME],
        "server": record.upstream,
        "outcome": record.outcome,
        "reason": record.reason,
        "rule": None if decision is None else decision.rule,
        "seconds": round(record.duration, 6),
    }
    if arguments and "arguments" in record.params:
        raw = orjson.dumps(record.params["arguments"])
        found["arguments"] = orjson.Fragment(raw) if len(raw) <= LONGEST_ARGUMENTS else f"{len(raw)} bytes, not shown"
    return {key: value for key, value in found.items() if value not in ("", None)}


def _time() -> str:
    return datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
