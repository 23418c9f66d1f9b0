# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Child processes of the controllers: recorded, restarted when they end, killed together with their parent."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil
from sandbox import processes
from sandbox.faults import switches

log = logging.getLogger("sandbox.children")

BACKOFF_FIRST, BACKOFF_MOST = 0.2, 10.0
"""Seconds before the first restart, and the longest pause that doubling leads to."""
STEADY_SECONDS = 10.0
"""A process that ran this long starts again with the first pause."""


class Child:
    """One supervised process. ``on_exit`` is told the exit code each time it ends by itself; it is started again
    unless ``restart`` is false."""

    def __init__(
        self,
        records: Path,
        name: str,
        command: Sequence[str],
        *,
        log_file: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        on_start: Callable[[], None] | None = None,
        on_exit: Callable[[int], None] | None = None,
        restart: bool = True,
    ) -> None:
        self.name = name
        self.restarts = 0
        self.pid: int | None = None
        self._records = records
        self._command = list(command)
        self._log_file = log_file
        self._cwd = cwd
        self._env = env
        self._on_start = on_start or (lambda: None)
        self._on_exit = on_exit or (lambda code: None)
        self._restart = restart
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts the process and keeps it running. Raises OSError when it cannot be started at all."""
        process = await self._spawn()
        self._task = asyncio.create_task(self._keep(process), name=f"child {self.name}")

    async def stop(self, patience: float = 5.0) -> None:
        """Ends the process and its children (SIGTERM, after ``patience`` seconds SIGKILL); it is not started again."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._process and self._process.returncode is None:
            self._signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), patience)
            except TimeoutError:
                log.warning("%s does not end; killing it", self.name)
            self._signal(signal.SIGKILL)
            await self._process.wait()
        processes.forget(self._records, self.name)
        self.pid = None

    @property
    def command(self) -> Sequence[str]:
        """Its command line."""
        return self._command

    def kill(self) -> None:
        """Ends it as a crash would."""
        if self.pid:
            self._signal(signal.SIGKILL)

    def terminate(self, patience: float = 5.0) -> None:
        """Asks the process to end (SIGTERM, after ``patience`` seconds SIGKILL), as if it ended by itself."""
        process = self._process

        def kill() -> None:
            if process is self._process and process and process.returncode is None:
                self._signal(signal.SIGKILL)

        if self.pid:
            self._signal(signal.SIGTERM)
            asyncio.get_running_loop().call_later(patience, kill)

    def _signal(self, number: signal.Signals) -> None:
        """Signals the whole session of the process: it was made for it in `_spawn`."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    async def _spawn(self) -> asyncio.subprocess.Process:
        descriptor = os.open(self._log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=descriptor,
                stderr=descriptor,
                cwd=self._cwd,
                env=dict(self._env) if self._env is not None else None,
                start_new_session=True,
                preexec_fn=processes.end_with_parent,
            )
        finally:
            os.close(descriptor)
        self._process = process
        self.pid = process.pid
        with contextlib.suppress(psutil.NoSuchProcess):  # ended at once: `_keep` will see it
            processes.record(self._records, self.name, process.pid, self._log_file)
        self._on_start()
        return process

    async def _keep(self, process: asyncio.subprocess.Process) -> None:
        pause = BACKOFF_FIRST
        while True:
            started = time.monotonic()
            code = await process.wait()
            self.pid = None
            processes.forget(self._records, self.name)
            self._on_exit(code)
            if not self._restart:
                return
            if time.monotonic() - started > STEADY_SECONDS:
                pause = BACKOFF_FIRST
            reason = signal.Signals(-code).name if code < 0 else f"code {code}"
            log.warning("%s ended (%s); starting it again in %.1f s", self.name, reason, pause)
            await asyncio.sleep(pause)
            await switches.may_start(self.name)
            pause = min(2 * pause, BACKOFF_MOST)
            self.restarts += 1
            process = await self._spawn()


class Supervisor:
    """Starts children and stops all of them at the end."""

    def __init__(self, records: Path) -> None:
        self._records = records
        self._children: set[Child] = set()

    async def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        on_start: Callable[[], None] | None = None,
        on_exit: Callable[[int], None] | None = None,
        restart: bool = True,
    ) -> Child:
        """Starts a child; see `Child`."""

        def ended(code: int) -> None:
            if not restart:
                self._children.discard(child)
            if on_exit:
                on_exit(code)

        child = Child(
            self._records,
            name,
            command,
            log_file=log,
            cwd=cwd,
            env=env,
            on_start=on_start,
            on_exit=ended,
            restart=restart,
        )
        await child.start()
        self._children.add(child)
        return child

    async def stop(self, child: Child, patience: float = 5.0) -> None:
        """Stops one child."""
        self._children.discard(child)
        await child.stop(patience)

    def children(self) -> list[Child]:
        """The children that are kept running."""
        return list(self._children)

    async def stop_all(self) -> None:
        """Stops every child, all at the same time."""
        children, self._children = self._children, set()
        await asyncio.gather(*(child.stop(2.0) for child in children))
