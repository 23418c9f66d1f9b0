# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of the sandbox: started so that they are found again, and ended so that nothing else is hit.

Each process is recorded in ``DIR/processes/NAME.json`` with its pid and its time of creation. A pid alone
may belong to somebody else by the time it is used; the pair does not.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

SANDBOX_ROOT = Path(__file__).resolve().parent.parent
"""The folder that holds the package ``sandbox``."""

BROKER_ROOT = SANDBOX_ROOT.parent / "broker" / "src"

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)
_CLOCK_SLACK = 2.0  # seconds by which a process's time of creation may seem to move when the clock is set


@dataclass(frozen=True, slots=True)
class Record:
    """One process: its name in the sandbox, pid, time of creation (seconds since 1970) and log file."""

    name: str
    pid: int
    created: float
    log: str

    def process(self) -> psutil.Process | None:
        """The running process, or None when it has ended (or its pid now belongs to another)."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < _CLOCK_SLACK
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def record(folder: Path, name: str, pid: int, log: Path) -> Record:
    """Writes the record of a process that was just started; ``folder`` is the sandbox's ``processes``."""
    entry = Record(name, pid, psutil.Process(pid).create_time(), str(log))
    write_private(folder / f"{name}.json", json.dumps(asdict(entry)) + "\n")
    return entry


def forget(folder: Path, name: str) -> None:
    """Removes the record of a process that has ended."""
    (folder / f"{name}.json").unlink(missing_ok=True)


def records(folder: Path) -> list[Record]:
    """All recorded processes, oldest first; files that are not records are left out."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(Record(**json.loads(path.read_text(encoding="utf-8"))))
        except (ValueError, TypeError):
            continue  # half-written by a process that was killed: there is no pid to act on
    return sorted(found, key=lambda entry: entry.created)


def write_private(path: Path, text: str) -> None:
    """Replaces a file atomically; only the owner can read it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment for the sandbox's Python processes: its own packages first, no proxy of the user's."""
    kept = {name: value for name, value in os.environ.items() if name.lower() not in ("http_proxy", "all_proxy")}
    paths = [str(SANDBOX_ROOT), str(BROKER_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1", **(extra or {})}


def python(module: str, *arguments: str) -> list[str]:
    """Command line of a module run by this interpreter."""
    return [sys.executable, "-m", module, *arguments]


def start_detached(
    folder: Path, name: str, command: Sequence[str], log: Path, env: Mapping[str, str], *, tied: bool = False
) -> Record:
    """Starts a process that outlives this one (own session, output to ``log``) and records it.

    ``tied``: it ends with the thread that starts it, however that ends (Linux).
    """
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        with undisturbed():
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=descriptor,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=dict(env),
                preexec_fn=end_with_parent if tied else None,  # noqa: PLW1509  (it only makes one system call)
            )
            return record(folder, name, process.pid, log)
    finally:
        os.close(descriptor)


class Signals:
    """The signals that wait for the end of a block of `undisturbed`."""

    def __init__(self) -> None:
        self._waiting: list[int] = []
        self._wake: Callable[[], object] | None = None

    def take(self, number: int, _: object) -> None:
        """The handler: notes a signal, and cancels what `run` runs."""
        self._waiting.append(number)
        if self._wake:
            self._wake()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs a coroutine, which a signal cancels; then KeyboardInterrupt is raised."""
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            task = loop.create_task(work)
            self._wake = lambda: loop.call_soon_threadsafe(task.cancel)
            if self._waiting:
                task.cancel()
            try:
                loop.run_until_complete(task)
            except asyncio.CancelledError:
                raise KeyboardInterrupt from None
            finally:
                self._wake = None

    def let_through(self) -> None:
        """The last signal that waits takes effect."""
        if self._waiting:
            signal.raise_signal(self._waiting[-1])


@contextlib.contextmanager
def undisturbed() -> Iterator[Signals]:
    """Puts off what signals do to the end of the block; only work in `Signals.run` is interrupted."""
    signals = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield signals  # signals go to the main thread
        return
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    handlers = {number: signal.signal(number, signals.take) for number in numbers}
    try:
        yield signals
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signals.let_through()


def end_with_parent() -> None:
    """To be called in a forked child: the kernel kills it when its parent ends, however that ends.

    Only Linux has this; elsewhere `stop` finds the children by their records.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def stop(entries: Iterable[Record], *, patience: float = 5.0) -> list[str]:
    """Ends the recorded processes and their descendants; returns the names of those that were running.

    They are asked first (SIGTERM) and killed after ``patience`` seconds; descendants that a process did not
    end itself are ended after it.
    """
    running: list[tuple[Record, psutil.Process]] = []
    family: dict[int, psutil.Process] = {}
    for entry in entries:
        process = entry.process()
        if process:
            running.append((entry, process))
            for member in [process, *_descendants(process)]:
                family[member.pid] = member
    for _, process in running:
        _signal(process, signal.SIGTERM)
    _wait([process for _, process in running], patience)
    left = _wait(list(family.values()), 0)
    for number, seconds in ((signal.SIGTERM, 0.5), (signal.SIGKILL, patience)):
        for process in left:
            _signal(process, number)
        left = _wait(left, seconds)
    return [entry.name for entry, _ in running]


def _wait(family: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Waits until the processes have ended; returns those that have not.

    A zombie has ended: it is only not yet reaped by its parent, which in a container may take seconds.
    """
    deadline = time.monotonic() + seconds
    while True:
        for process in family:
            _reap(process)
        left = [process for process in family if _is_alive(process)]
        if not left or time.monotonic() >= deadline:
            return left
        time.sleep(0.01)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _reap(process: psutil.Process) -> None:
    """Reaps a process if it is this one's child."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return  # it ended by itself meanwhile


def log_tail(path: Path, lines: int = 3) -> str:
    """The last lines of a log, for an error message."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
    return " | ".join(line.strip() for line in text.splitlines()[-lines:])
