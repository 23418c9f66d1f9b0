# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Asking all workers for what each of them knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from mcpops_broker.bus import Bus, numbers

PATIENCE = 1.0
"""Seconds that the other workers get to answer."""


class Gather:
    """One question: `answer` gives this worker's answer, a JSON value."""

    def __init__(self, bus: Bus, kind: str, answer: Callable[[], Any]) -> None:
        self._bus = bus
        self._kind = kind
        self._answer = answer
        self._numbers = numbers()
        self._open: dict[int, _Round] = {}
        bus.on(f"{kind}.wanted", self._wanted)
        bus.on(kind, self._arrived)

    async def ask(self) -> tuple[list[Any], int]:
        """Return the answers, this worker's first, and how many workers did not answer in time."""
        others = set(self._bus.others)
        answers = [self._answer()]
        if not others:
            return answers, 0
        number = next(self._numbers)
        self._open[number] = rest = _Round(others)
        try:
            self._bus.send(f"{self._kind}.wanted", number)
            async with asyncio.timeout(PATIENCE):
                await rest.complete.wait()
        except TimeoutError:
            pass  # a worker that hangs must not hide the others
        finally:
            del self._open[number]
        return answers + rest.answers, len(rest.missing)

    def _wanted(self, number: int, sender: str) -> None:
        self._bus.send(self._kind, [number, self._answer()], sender)

    def _arrived(self, value: tuple[int, Any], sender: str) -> None:
        if (rest := self._open.get(value[0])) is not None:
            rest.take(value[1], sender)


class _Round:
    """The answers to one question that have come so far."""

    def __init__(self, workers: set[str]) -> None:
        self.missing = workers
        self.answers: list[Any] = []
        self.complete = asyncio.Event()

    def take(self, answer: Any, sender: str) -> None:
        """Take the answer of a worker."""
        if sender in self.missing:
            self.missing.discard(sender)
            self.answers.append(answer)
            if not self.missing:
                self.complete.set()
