# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""One line a record, `key=value` or JSON, to standard error.

Callers pass an event name and values; what is written on behalf of a request has its id at the end (`request`).
Credentials, bodies and session ids are never passed; what comes from outside (names, messages) is quoted, so that it
cannot forge a line.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from contextvars import ContextVar
from typing import Any

_log = logging.getLogger("mcpops_broker")
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@+,")

request_id: ContextVar[str] = ContextVar("request_id")
"""The id of the request that the running task carries out."""

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def setup(level: str, style: str) -> None:
    """Send our records, and the warnings of the libraries, to standard error.

    `level` is a name of `LEVELS` or a number as the operator's broker takes it (Go slog: -4 debug, 0 info, 4 warning,
    8 error). `style` is `text` or `json`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if style == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    _log.setLevel(level_number(level))


def level_number(level: str) -> int:
    """Translate a level; raise ValueError for one that is neither a name nor a number."""
    if level.lower() in LEVELS:
        return LEVELS[level.lower()]
    number = int(level)
    return next((ours for slog, ours in ((-1, 10), (3, 20), (7, 30)) if number <= slog), 40)


def shows_debug() -> bool:
    """Tell whether records for somebody looking for a fault are written."""
    return _log.isEnabledFor(logging.DEBUG)


def debug(event: str, **values: Any) -> None:
    """Record what only somebody looking for a fault wants to see."""
    if shows_debug():
        _log.debug(event, extra={"values": values})


def info(event: str, **values: Any) -> None:
    """Record a change of state."""
    _log.info(event, extra={"values": values})


def warning(event: str, **values: Any) -> None:
    """Record something that somebody should look at."""
    _log.warning(event, extra={"values": values})


def error(event: str, **values: Any) -> None:
    """Record a failure of the broker."""
    _log.error(event, extra={"values": values})


def failure(event: str, problem: BaseException, **values: Any) -> None:
    """Record an exception nobody expected: its type and where it was raised, not its text, which may hold data."""
    frames = traceback.extract_tb(problem.__traceback__)[-3:]
    where = " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames))
    _log.error(event, extra={"values": {**values, "error": type(problem).__name__, "at": where}})


def _time(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"


def _values(record: logging.LogRecord) -> dict[str, Any]:
    values = {**getattr(record, "values", {}), "request": request_id.get(None)}
    return {key: value for key, value in values.items() if value is not None}


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        pairs = "".join(f" {key}={_quote(value)}" for key, value in _values(record).items())
        event = record.getMessage() if record.name == _log.name else _quote(record.getMessage())
        return f"{_time(record)} {record.levelname.lower()} {event}{pairs}"


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        head = {"time": _time(record), "level": record.levelname.lower(), "event": record.getMessage()}
        return json.dumps({**head, **_values(record)}, default=str)


def _quote(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return text if text and _PLAIN.issuperset(text) else json.dumps(text)
