# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Watching the configuration file, and the files with secrets that it names, for changes.

The files are looked at twice a second instead of using inotify: that sees every way of replacing a file (Kubernetes
swaps the `..data` symlink above it, editors rename, network file systems send no events), needs no watch
descriptors (their exhaustion stops the operator's broker), and costs one `stat` call a file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from mcpops_broker import logs

INTERVAL = 0.5
"""Seconds between two looks."""
SETTLE = 0.1
"""Seconds that the file must stay the same before it is read, so that a half-written one is not."""

Signature = tuple[int, int, int, int] | None
Files = Mapping[Path, Signature]
NO_FILES: Files = MappingProxyType({})


def signature(path: Path) -> Signature:
    """Return what changes when the file behind the path is replaced or written, None when it cannot be seen."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size


async def watch(files: Callable[[], Files], changed: Callable[[], Awaitable[None]]) -> None:
    """Call `changed` after every change of the files, until cancelled.

    `files` tells them, with what they looked like when they were read; it is asked anew for every look, since they are
    others when the configuration names others.
    """
    seen: Files = NO_FILES
    while True:
        await asyncio.sleep(INTERVAL)
        known = files()
        before = {path: seen.get(path, read) for path, read in known.items()}
        seen = {path: signature(path) for path in known}
        while seen != before:
            await asyncio.sleep(SETTLE)
            before, seen = seen, {path: signature(path) for path in seen}
            if seen == before:
                try:
                    await changed()
                except Exception as error:  # a bug; the next change must still be seen
                    logs.failure("config.failed", error, files=len(seen))
