# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Messages between the workers of one process group; `store.wide_bus` carries them on to those of other replicas.

Whatever a session needs of another worker goes this way: a response for a request that the other one asked, a stream
that was begun there, the end of a session. A message is a kind and a JSON value, for one worker or for all others.
From one worker to another messages arrive once, in order, and however large they are, as long as both live. A worker
that is started again says so (`STARTED`), and what was under way for its predecessor is lost.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import zlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import count
from secrets import randbits
from typing import Any

import orjson

from mcpops_broker import logs

STARTED = "started"
"""Kind of the message that a worker sends first."""
GONE = "gone"
"""Kind of the message that comes in the name of a worker which has ended and has no successor of the same address."""
LARGEST_QUEUE = 64 << 20
"""Bytes that wait for one worker before messages to it are dropped: it hangs, or dies again and again."""
_PIECE = 60_000
"""Bytes of a message in one datagram: a few of them fit into a socket's buffer (212,992 bytes on Linux)."""
_READS = 64
"""Datagrams read before other work gets its turn."""
_HEAD = struct.Struct(">HIII")
"""Sender, the message's number at the sender, the piece's number, the number of pieces."""

Handler = Callable[[Any, str], None]
"""Takes the value of a message and the address of its sender."""


class Bus:
    """One worker's end. This class is that of a worker that is alone: nobody hears what it sends."""

    def __init__(self, here: str = "0", slot: int = 0) -> None:
        self.here = here
        """This worker's address: letters and digits. The successor of a worker that died has its address."""
        self.slot = slot
        """This worker's number among those of its replica; its successor has the same."""
        self._handlers: dict[str, list[Handler]] = {}

    @property
    def others(self) -> Collection[str]:
        """The addresses of the other workers that answer now."""
        return ()

    @property
    def local(self) -> Bus:
        """The bus of this replica's own workers alone: nothing outside the machine can interrupt it."""
        return self

    @property
    def alone(self) -> bool:
        """Whether there is no other worker, and will not be one."""
        return not self.others

    @property
    def waits(self) -> bool:
        """Whether what is sent to other replicas waits now, until the way to them is open again."""
        return False

    def knows(self, address: str) -> bool:
        """Tell whether a message to this other worker will arrive, now or once the way to it is open again."""
        return address in self.others

    def on(self, kind: str, handler: Handler) -> None:
        """Call `handler` for every message of this kind, after the handlers that were given for it before."""
        self._handlers.setdefault(kind, []).append(handler)

    def connect(self) -> None:
        """Begin to receive, inside the running event loop, and tell the others that this worker is there."""

    def send(self, kind: str, value: Any, to: str | None = None) -> None:
        """Send a message to the worker with this address, or to all others. Never waits."""

    async def close(self) -> None:
        """Say goodbye and receive nothing more."""

    def _received(self, message: bytes, sender: str) -> None:
        kind, value = orjson.loads(message)
        self._deliver(kind, value, sender)

    def _deliver(self, kind: str, value: Any, sender: str) -> None:
        for handler in self._handlers.get(kind, ()):  # none: a worker of another release, while the broker is replaced
            try:
                handler(value, sender)
            except Exception as error:  # the messages after it must still be read
                logs.failure("bus.failed", error, kind=kind, sender=sender)


class SocketBus(Bus):
    """A bus of datagram sockets, made before the workers are forked: it needs no server, no file and no port."""

    def __init__(self, slot: int, inbox: socket.socket, outboxes: dict[str, socket.socket], replica: str = "") -> None:
        super().__init__(f"{replica}{slot}", slot)
        self._replica = replica
        self._inbox = inbox
        self._outboxes = {address: _Outbox(address, outbox) for address, outbox in outboxes.items()}
        self._sent = 0
        self._pieces: dict[int, tuple[int, list[bytes]]] = {}
        """By sender: the number of the message that is arriving, and its pieces so far."""

    @property
    def others(self) -> Collection[str]:
        """The addresses of the other workers that answer now."""
        return self._outboxes.keys()

    def connect(self) -> None:
        """Begin to receive, inside the running event loop, and tell the others that this worker is there."""
        asyncio.get_running_loop().add_reader(self._inbox.fileno(), self._read)
        self.send(STARTED, None)

    def send(self, kind: str, value: Any, to: str | None = None) -> None:
        """Send a message to the worker with this address, or to all others. Never waits."""
        outboxes = self._outboxes.values() if to is None else (self._outboxes[to],)
        message = orjson.dumps([kind, value])
        self._sent = (self._sent + 1) & 0xFFFFFFFF
        count = -(-len(message) // _PIECE)
        pieces = [
            _HEAD.pack(self.slot, self._sent, number, count) + message[number * _PIECE : (number + 1) * _PIECE]
            for number in range(count)
        ]
        for outbox in outboxes:
            outbox.send(pieces, len(message))

    def _read(self) -> None:
        for _ in range(_READS):
            try:
                datagram = self._inbox.recv(_HEAD.size + _PIECE)
            except BlockingIOError:
                return
            sender, message, number, count = _HEAD.unpack_from(datagram)
            piece = datagram[_HEAD.size :]
            if count > 1:
                whole = self._collect(sender, message, number, count, piece)
                if whole is None:
                    continue
                piece = whole
            self._received(piece, f"{self._replica}{sender}")

    def _collect(self, sender: int, message: int, number: int, count: int, piece: bytes) -> bytes | None:
        """Keep a piece; return the message when it is complete. A sender's pieces arrive in order, so one that does
        not fit is the rest of a message whose begin this worker's predecessor read, or whose sender died."""
        if number == 0:
            self._pieces[sender] = (message, [piece])
            return None
        arriving, pieces = self._pieces.get(sender, (None, []))
        if arriving != message or len(pieces) != number:
            return None
        pieces.append(piece)
        if number + 1 < count:
            return None
        del self._pieces[sender]
        return b"".join(pieces)


class _Outbox:
    """The way to one other worker: what its socket does not take now waits here."""

    def __init__(self, address: str, outbox: socket.socket) -> None:
        self._address = address
        self._socket = outbox
        self._queue: deque[bytes] = deque()
        self._size = 0

    def send(self, pieces: Iterable[bytes], size: int) -> None:
        """Send the pieces of a message of `size` bytes, or let them wait."""
        if self._size + size > LARGEST_QUEUE:
            logs.error("worker.deaf", worker=self._address, waiting=self._size)
            return
        waiting = bool(self._queue)
        self._queue.extend(pieces)
        self._size += size
        if not waiting and not self._flush():
            asyncio.get_running_loop().add_writer(self._socket.fileno(), self._writable)

    def _writable(self) -> None:
        if self._flush():
            asyncio.get_running_loop().remove_writer(self._socket.fileno())

    def _flush(self) -> bool:
        """Send what waits; False when the socket took not everything."""
        while self._queue:
            try:
                self._socket.send(self._queue[0])
            except BlockingIOError:
                return False
            self._size -= len(self._queue.popleft()) - _HEAD.size
        return True


def numbers() -> Iterator[int]:
    """Return numbers for questions to other workers. They begin somewhere else in each process: an answer for the
    predecessor of a worker, which had the same address, must fit no question of the successor."""
    return count(randbits(48))


def home_of(bus: Bus, key: str) -> str:
    """Return the address of the worker that decides about a key: the same at all workers of a bus."""
    workers = sorted((bus.here, *bus.others))
    return workers[zlib.crc32(key.encode()) % len(workers)]


def make_buses(workers: int, replica: str = "") -> list[Bus]:
    """Make the buses of all workers, before forking. `replica` (letters and digits) begins their addresses, so that
    they differ from those of other replicas."""
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(workers)]
    for pair in pairs:
        for end in pair:
            end.setblocking(False)
    return [
        SocketBus(
            slot,
            inbox,
            {f"{replica}{other}": outbox for other, (_, outbox) in enumerate(pairs) if other != slot},
            replica,
        )
        for slot, (inbox, _) in enumerate(pairs)
    ]
