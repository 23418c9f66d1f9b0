# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Background tasks end together, also those that lose a cancellation."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from mcpops_broker import background
from mcpops_broker.background import Background


async def test_tasks_get_their_grace_and_are_then_cancelled() -> None:
    ended: list[str] = []

    async def short() -> None:
        await asyncio.sleep(0)
        ended.append("short")

    tasks = Background()
    tasks.start(short(), "short")
    endless = tasks.start(asyncio.Event().wait(), "endless")

    await tasks.close(grace=0.01)

    assert (ended, endless.cancelled(), len(tasks)) == (["short"], True, 0)


async def test_a_task_that_loses_its_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "CANCEL_AGAIN", 0.01)

    async def forgetful() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    tasks = Background()
    task = tasks.start(forgetful(), "forgetful")
    await asyncio.sleep(0)

    async with asyncio.timeout(30):
        await tasks.close()

    assert task.cancelled()
