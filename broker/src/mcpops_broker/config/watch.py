# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Watching the configuration file for changes.

The file is looked at twice a second instead of using inotify: that sees every way of replacing a file (Kubernetes
swaps the `..data` symlink above it, editors rename, network file systems send no events), needs no watch
descriptors (their exhaustion stops the operator's broker), and costs one `stat` call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from mcpops_broker import logs

INTERVAL = 0.5
"""Seconds between two looks."""
SETTLE = 0.1
"""Seconds that the file must stay the same before it is read, so that a half-written one is not."""

Signature = tuple[int, int, int, int] | None


def signature(path: Path) -> Signature:
    """Return what changes when the file behind the path is replaced or written, None when it cannot be seen."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size


async def watch(path: Path, last: Signature, changed: Callable[[], Awaitable[None]]) -> None:
    """Call `changed` after every change of the file since `last`, until cancelled."""
    while True:
        await asyncio.sleep(INTERVAL)
        current = signature(path)
        while current != last:
            await asyncio.sleep(SETTLE)
            last, current = current, signature(path)
            if current == last:
                try:
                    await changed()
                except Exception as error:  # a bug; the next change must still be seen
                    logs.failure("config.failed", error, file=path)
