# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Tasks that nobody awaits: kept alive, logged when they fail, ended together."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any

from mcpops_broker import logs

CANCEL_AGAIN = 1.0
"""Seconds that a cancelled task gets to end."""


class Background:
    """Owns background tasks. A task that fails is a bug and logged as one; it never takes another task along."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run a coroutine as a task that is kept until it ends. It belongs to no request, whoever starts it: what one
        request begins (a session at an upstream) others use."""
        task = asyncio.get_running_loop().create_task(work, name=name, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def close(self, grace: float = 0) -> None:
        """Give the tasks `grace` seconds to end by themselves, then cancel the rest and wait for them.

        A task that goes on all the same is cancelled again: libraries lose a cancellation that comes at an odd moment
        (redis-py on Python 3.11 while it reads an answer).
        """
        if self._tasks and grace:
            await asyncio.wait(self._tasks, timeout=grace)
        remaining = set(self._tasks)
        while remaining:
            for task in remaining:
                task.cancel()
            _, remaining = await asyncio.wait(remaining, timeout=CANCEL_AGAIN)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logs.failure("task.failed", error, task=task.get_name())
