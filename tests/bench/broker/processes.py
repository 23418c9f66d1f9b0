# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting what is measured, each on a processor of its own, and reading what it costs."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

READY_WITHIN = 120.0
"""Seconds in which a peer must answer after its start; the slowest takes some 20."""
_CLEAN = {key: value for key, value in os.environ.items() if "PROXY" not in key.upper()}


def processors() -> tuple[set[int], set[int]]:
    """The processor of what is measured, and that of the load and the upstreams. Empty sets where there is but one."""
    usable = sorted(os.sched_getaffinity(0))
    return (set(), set()) if len(usable) < 2 else ({usable[0]}, {usable[1]})


@contextlib.contextmanager
def children_on(processors: set[int]) -> Iterator[None]:
    """Processes that are started inside the block run on these processors only, if any are named."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors or own)
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


def free_port() -> int:
    """A port of the loopback interface that nothing uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Running:
    """A program and the processes that it has started."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.port = port
        self._started = time.perf_counter()
        self._process = process
        self._log = log

    def age(self) -> float:
        """Seconds since its start."""
        return time.perf_counter() - self._started

    def cpu(self) -> float:
        """Seconds of processor time so far, user and system, of all its processes that live."""
        return sum(sum(process.cpu_times()[:2]) for process in self._tree())

    def memory(self) -> float:
        """Resident memory of all its processes, in MB (10^6 bytes)."""
        return sum(process.memory_info().rss for process in self._tree()) / 1e6

    def wait_open(self) -> None:
        """Wait until its port takes connections."""
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            except OSError:
                self.check_waiting("takes no connection")
            else:
                return

    def check_waiting(self, problem: str) -> None:
        """Let a moment pass; RuntimeError when the program has ended or took too long."""
        ended, late = self._process.poll() is not None, self.age() > READY_WITHIN
        if ended or late:
            said = self._log.read_text(errors="replace")[-3000:]
            raise RuntimeError(f"{self._process.args!r} {'has ended' if ended else problem}:\n{said}")
        time.sleep(0.01)

    def _tree(self) -> list[psutil.Process]:
        own = psutil.Process(self._process.pid)
        return [own, *own.children(recursive=True)]


@contextlib.contextmanager
def running(
    command: list[str], port: int, folder: Path, on: set[int], environment: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Run a program until the block ends; its children end with it."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "output.log"
    with log.open("wb") as output, children_on(on):
        process = subprocess.Popen(
            command, cwd=folder, env={**_CLEAN, **(environment or {})}, stdin=subprocess.DEVNULL, stdout=output,
            stderr=output,
        )  # fmt: skip
    try:
        yield Running(process, port, log)
    finally:
        children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
