# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Several workers on one listening socket: forked by a parent that starts them again when they die.

Forking shares the loaded code's memory between workers, and the random key of session ids when none is configured.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from mcpops_broker import logs
from mcpops_broker.bus import Bus, make_buses

RESTART_AFTER = 1.0
"""Seconds before a worker that died is started again, so that one that cannot start does not spin."""


@dataclass(frozen=True, slots=True)
class Worker:
    """What one worker process has of the others."""

    bus: Bus
    parent: int
    """File descriptor that can be read (its end) once the parent is gone."""


class Workers:
    """The parent of `count` worker processes; `work` is what each does on `listener` and returns its exit code. Their
    addresses begin with `replica`."""

    def __init__(self, count: int, work: Callable[[Worker], int], listener: socket.socket, replica: str = "") -> None:
        self._buses = make_buses(count, replica)
        self._work = work
        self._listener = listener
        self._parent, self._alive = os.pipe()
        self._processes: dict[int, int] = {}
        """Slots by process id."""
        self._stopping = False

    def run(self) -> int:
        """Run the workers until SIGTERM or SIGINT, then until all have ended; return the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for slot in range(len(self._buses)):
            self._fork(slot)
        while self._processes:
            process, status = os.waitpid(-1, 0)
            slot = self._processes.pop(process)
            if not self._stopping:
                logs.error("worker.died", worker=slot, exit=os.waitstatus_to_exitcode(status))
                time.sleep(RESTART_AFTER)
                if not self._stopping:
                    self._fork(slot)
        return 0

    def _fork(self, slot: int) -> None:
        process = os.fork()
        if process == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.close(self._alive)  # only the parent holds this end, so its death closes the pipe
            code = 1
            try:
                code = self._work(Worker(self._buses[slot], self._parent))
            finally:
                sys.stderr.flush()
                os._exit(code)
        self._processes[process] = slot
        if self._stopping:
            os.kill(process, signal.SIGTERM)

    def _stop(self, number: int, frame: object) -> None:
        self._stopping = True
        self._listener.close()  # so that clients are refused at once when no worker accepts them any more
        for process in self._processes:
            os.kill(process, signal.SIGTERM)
