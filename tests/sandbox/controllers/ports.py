# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Local ports for the Gateways' ports: the same number where that is possible, remembered for the next start."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterable
from pathlib import Path

from sandbox.processes import write_private

FIRST_UNPRIVILEGED = 1024
QUIET = range(20000, 30000)
"""No system takes ports for outgoing connections from here (Linux: 32768 and up), and no NodePort is here: what is
free now is not gone a moment later."""
TRIES = 50


class PortBook:
    """Which port of 127.0.0.1 stands for a name (``namespace/gateway/port``, or ``mesh``)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ports: dict[str, int] = {}
        self._held: socket.socket | None = None
        if path.exists():
            self._ports = json.loads(path.read_text(encoding="utf-8"))
            # Another program may have taken a remembered port since.
            self._ports = {name: port for name, port in self._ports.items() if is_free(port)}

    def get(self, name: str, wanted: int = 0) -> int:
        """The local port for a name: the one it has, else ``wanted`` if that is free, else any free one."""
        if name not in self._ports:
            self._let_go(wanted)
            taken = wanted < FIRST_UNPRIVILEGED or wanted in self._ports.values() or not is_free(wanted)
            self._ports[name] = free_port(exclude=self._ports.values()) if taken else wanted
            self._save()
        return self._ports[name]

    def hold(self, wanted: int) -> int:
        """Keeps other programs off a port until `get` asks for it: ``wanted``, or a free one if that is taken."""
        if wanted in self._ports.values():
            return wanted
        self._held = socket.socket()
        # With it, connections of an earlier listener that still die away do no harm; afterwards it would let others in.
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind(("127.0.0.1", wanted if wanted and is_free(wanted) else free_port()))
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        return int(self._held.getsockname()[1])

    def _let_go(self, port: int) -> None:
        if self._held and self._held.getsockname()[1] == port:
            self._held.close()
            self._held = None

    def keep(self, names: Iterable[str]) -> None:
        """Gives back the ports of all other names."""
        kept = {name: port for name, port in self._ports.items() if name in set(names)}
        if kept != self._ports:
            self._ports = kept
            self._save()

    def drop(self, name: str) -> None:
        """Gives back one port, so that the next `get` chooses another."""
        self._ports.pop(name, None)
        self._save()

    def _save(self) -> None:
        write_private(self._path, json.dumps(self._ports, indent=1, sort_keys=True) + "\n")


def is_free(port: int) -> bool:
    """Whether 127.0.0.1:port can be bound now, found out by binding it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
    return True


def free_port(exclude: Iterable[int] = ()) -> int:
    """A port of 127.0.0.1 that is free now."""
    taken = set(exclude)
    for port in random.sample(QUIET, TRIES):
        if port not in taken and is_free(port):
            return port
    while True:  # a machine that is full of servers
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port
