# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting and ending faults: what ``python -m sandbox fault`` does, and tests through `fault`."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping

from sandbox import processes
from sandbox.faults import kinds
from sandbox.faults.book import EVERYBODY, PRODUCT, Book, Fault
from sandbox.faults.kinds import UsageError
from sandbox.state import Folder, SandboxError

PROXY = "api-proxy"
READY_SECONDS = 20.0
"""How long those who carry a fault out may take to begin and to end it."""


class Active:
    """A fault that was started: what `fault` gives to its block."""

    def __init__(self, folder: Folder, fault: Fault) -> None:
        self._book = Book(folder.path)
        self.fault = fault

    def strikes(self) -> list[str]:
        """Whom it has struck so far; for API faults the verb and address of each request."""
        return self._book.strikes(self.fault)


@contextlib.contextmanager
def fault(
    folder: Folder,
    name: str,
    /,
    *,
    user: str = PRODUCT,
    count: int | None = None,
    seconds: float | None = None,
    **options: object,
) -> Iterator[Active]:
    """A fault for the time of a ``with`` block."""
    given = {key: str(value) for key, value in options.items()}
    started = start(folder, name, given, user=user, count=count, seconds=seconds)
    if started is None:
        raise UsageError(f"the fault {name} is over at once: call start() for it")
    try:
        yield Active(folder, started)
    finally:
        end(folder, [started.id])


def start(
    folder: Folder,
    name: str,
    given: Mapping[str, str],
    *,
    user: str = PRODUCT,
    count: int | None = None,
    seconds: float | None = None,
) -> Fault | None:
    """Starts a fault and returns when it is in force; None for one that is over when this returns.

    Raises `UsageError` for what cannot be meant, `SandboxError` when it cannot be done.
    """
    kind = kinds.find(name)
    values = kind.values(given)
    _check(kind, user, count, seconds)
    if kind.place == kinds.ONCE:
        from sandbox.faults.restart import restart  # noqa: PLC0415  (only this fault needs a client)

        restart(folder, float(values["pause"]))
        return None
    if kind.place == kinds.API:
        _need_rules(folder)
    elif "controllers" not in _alive(folder):
        raise SandboxError("the sandbox's controllers are not running: start them with 'python -m sandbox up'")
    started = Book(folder.path).add(name, values, user=user, count=count, seconds=seconds)
    if kind.place == kinds.CONTROLLERS and (problem := _seen(folder, started)):
        end(folder, [started.id])
        raise SandboxError(f"the fault {name} cannot be started: {problem}")
    return started


def _check(kind: kinds.Kind, user: str, count: int | None, seconds: float | None) -> None:
    if user not in (EVERYBODY, PRODUCT):
        raise UsageError(f"--user {user}: it must be {EVERYBODY} or {PRODUCT}")
    if count is not None and count < 1:
        raise UsageError(f"--count {count}: it must be 1 or more")
    if seconds is not None and not seconds > 0:
        raise UsageError(f"--for {seconds:g}: it must be more than 0 seconds")
    if kind.place == kinds.ONCE and (count is not None or seconds is not None):
        raise UsageError(f"the fault {kind.name} happens once: leave out --count and --for")
    if user == EVERYBODY and kind.place != kinds.API:
        raise UsageError(f"the fault {kind.name} is not about requests of a user: leave out --user")


def end(folder: Folder, chosen: list[str] | None = None) -> list[Fault]:
    """Ends the faults of these names or ids (None: all); returns those that were active."""
    ended = Book(folder.path).remove(lambda fault: chosen is None or fault.name in chosen or fault.id in chosen)
    for fault in ended:
        if kinds.find(fault.name).place == kinds.CONTROLLERS:
            _unseen(folder, fault)
    return ended


def active(folder: Folder) -> list[tuple[Fault, int]]:
    """The active faults, and how often each has struck."""
    book = Book(folder.path)
    return [(fault, len(book.strikes(fault))) for fault in book.active()]


def _alive(folder: Folder) -> set[str]:
    return {entry.name for entry in folder.records() if entry.process()}


def _seen(folder: Folder, fault: Fault) -> str:
    """Waits until the controllers carry a fault out; returns why they cannot, or nothing."""
    book = Book(folder.path)
    seen = _wait(folder, lambda seen: fault.id in seen or fault.id not in {one.id for one in book.active()}, fault)
    return seen.get(fault.id, "")


def _unseen(folder: Folder, fault: Fault) -> None:
    """Waits until the controllers have mended what a fault broke; controllers that are gone will when they start."""
    if "controllers" in _alive(folder):
        _wait(folder, lambda seen: fault.id not in seen, fault)


def _wait(folder: Folder, true: Callable[[dict[str, str]], bool], fault: Fault) -> dict[str, str]:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            seen: dict[str, str] = json.loads((folder.path / "faults.seen").read_text(encoding="utf-8"))
        except FileNotFoundError:
            seen = {}
        if true(seen):
            return seen
        if time.monotonic() > deadline or "controllers" not in _alive(folder):
            raise SandboxError(
                f"the controllers do not take up the fault {fault.name}: see {folder.logs}/controllers.log"
            )
        time.sleep(0.02)


def _need_rules(folder: Folder) -> None:
    """Sees to it that requests pass by the rules: ours do, a kube-apiserver's need the proxy."""
    names = _alive(folder)
    if "api" not in names:
        raise SandboxError("API faults need an API server of the sandbox's own (--api embedded or envtest)")
    if not (folder.path / "pki").is_dir() or PROXY in names:
        return
    before = folder.kubeconfig.read_bytes()
    command = processes.python("sandbox.faults.proxy", "--dir", str(folder.path))
    log = folder.logs / f"{PROXY}.log"
    entry = processes.start_detached(folder.processes, PROXY, command, log, processes.environment())
    deadline = time.monotonic() + READY_SECONDS
    while folder.kubeconfig.read_bytes() == before:
        if entry.process() is None or time.monotonic() > deadline:
            raise SandboxError(f"the proxy for API faults did not start ({processes.log_tail(log)}); its log is {log}")
        time.sleep(0.02)
