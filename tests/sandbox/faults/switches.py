# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a process of the sandbox asks whether a fault is active: ``if fault := switches.on("csv-failing"): ...``.

`use` says once, at the start of the process, which sandbox it belongs to; without it no fault is ever active.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from sandbox.faults.book import Book, Fault

PAUSE = 0.1
"""Seconds between two looks of what waits for a fault to end."""

_HELD = {"olm-stuck": ("olm", "catalog"), "operator-crash-looping": ("mcp_controller",)}
"""Controllers (`Controller.name`) that do nothing while a fault is active."""
_STOPPED = {"envoy-down": "envoy"}
"""Child processes that are not started again while a fault is active."""

_books: list[Book] = []


def use(folder: Path) -> None:
    """Faults of the sandbox whose state directory this is."""
    _books[:] = [Book(folder)]


def active() -> list[Fault]:
    """All active faults."""
    return _books[0].active() if _books else []


def on(name: str) -> Fault | None:
    """The active fault of a name."""
    return next((fault for fault in active() if fault.name == name), None)


def strike(fault: Fault, what: str) -> None:
    """Notes that a fault struck."""
    _books[0].strike(fault, what)


def is_held(controller: str) -> bool:
    """Whether a controller is to do nothing at present."""
    return any(controller in _HELD.get(fault.name, ()) for fault in active())


async def may_start(child: str) -> None:
    """Returns when no fault keeps a child process from being started again."""
    while any(_STOPPED.get(fault.name) == child for fault in active()):  # noqa: ASYNC110  (another process ends it)
        await asyncio.sleep(PAUSE)
