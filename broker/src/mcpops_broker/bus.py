# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Messages between the workers of one process group: sessions that ended, calls to cancel.

Every worker slot has a pair of connected datagram sockets, made before the workers are forked, so a message needs no
server, no file and no port. Sending never waits: a worker that does not read in time misses the message.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import orjson

_LARGEST = 60_000
"""Bytes of one message."""

Handler = Callable[[str, Any], None]


class Bus:
    """One worker's end."""

    def __init__(self, inbox: socket.socket, others: list[socket.socket]) -> None:
        self._inbox = inbox
        self._others = others

    def connect(self, handler: Handler) -> None:
        """Call `handler` with the kind and value of every message; tell the others that this worker is there."""

        def read() -> None:
            try:
                kind, value = orjson.loads(self._inbox.recv(_LARGEST))
            except BlockingIOError:
                return
            handler(kind, value)

        asyncio.get_running_loop().add_reader(self._inbox.fileno(), read)
        self.send("started", None)

    def send(self, kind: str, value: Any) -> None:
        """Send a message to all other workers; a list too long for one message goes in several."""
        message = orjson.dumps([kind, value])
        if len(message) > _LARGEST and isinstance(value, list) and len(value) > 1:
            middle = len(value) // 2
            self.send(kind, value[:middle])
            self.send(kind, value[middle:])
            return
        for other in self._others:
            try:
                other.send(message)
            except OSError:  # its queue is full, or it is being restarted
                continue


def make_buses(workers: int) -> list[Bus]:
    """Make the buses of all workers, before forking."""
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(workers)]
    for pair in pairs:
        for end in pair:
            end.setblocking(False)
    return [
        Bus(inbox, [outbox for other, (_, outbox) in enumerate(pairs) if other != slot])
        for slot, (inbox, _) in enumerate(pairs)
    ]
