# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Messages between two workers of different replicas: once, in order and whole, over a way that may lose some.

Messages are cut into numbered pieces. Each side says what it has, and the other one sends again what is missing. No I/O
and no clock here: `WideBus` carries frames and says when.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

PIECE = 256 << 10
"""Bytes of a message in one frame."""
WINDOW = 4 << 20
"""Bytes that are on their way at most: the store drops a reader for which more than 32 MiB wait."""
LARGEST_QUEUE = 16 << 20
"""Bytes that wait for one worker before messages to it are dropped."""
SAY_AFTER = 512 << 10
"""Bytes after which a reader says what it has, without waiting for its next beat."""
_OVERHEAD = 100
"""Bytes that a frame costs beside its piece."""
_HEAD = struct.Struct(">B8s8sQ?H")


class What(IntEnum):
    """What a frame says."""

    HELLO = 0
    """Who I am, and whom I take you for."""
    PIECE = 1
    """A piece of a message."""
    HAVE = 2
    """What I have of yours; with `flag`: send what follows again."""
    BYE = 3
    """I stop."""


class Frame(NamedTuple):
    """What goes over the store at once."""

    what: What
    sender: str
    mine: bytes
    """The sender's token for the pair: made anew when it knows nothing of what was before."""
    yours: bytes
    """The receiver's token as the sender knows it; zeros when it does not."""
    number: int = 0
    flag: bool = False
    """Of a piece: whether it is the last one of its message."""
    body: bytes = b""

    def pack(self) -> bytes:
        """Write the frame."""
        sender = self.sender.encode()
        head = _HEAD.pack(self.what, self.mine, self.yours, self.number, self.flag, len(sender))
        return head + sender + self.body

    @classmethod
    def unpack(cls, data: bytes) -> Frame:
        """Read a frame; raise ValueError for one of another release."""
        try:
            what, mine, yours, number, flag, length = _HEAD.unpack_from(data)
        except struct.error as error:
            raise ValueError(str(error)) from None
        body = _HEAD.size + length
        return cls(What(what), data[_HEAD.size : body].decode(), mine, yours, number, flag, data[body:])


class Pair:
    """The way from one worker (`here`) to another one, and back."""

    def __init__(self, here: str) -> None:
        self._here = here
        self.mine = secrets.token_bytes(8)
        self.theirs = bytes(8)
        """The token of the other side; zeros until it has said hello."""
        self._forget()

    def _forget(self) -> None:
        self._pieces: dict[int, tuple[bytes, bool]] = {}
        """What was sent and is not known to have arrived, and what waits to be sent."""
        self._size = 0
        self._added = 0
        """Number of the newest piece."""
        self._sent = 0
        """Number of the last piece that is on its way."""
        self._got = 0
        """Number of the last piece that the other side has."""
        self._flying = 0
        """Bytes that are on their way."""
        self._heard = 0
        """Number of the last piece that came."""
        self._parts: list[bytes] = []
        self._unsaid = 0
        """Bytes that came since this side said what it has."""
        self._missing = False
        """Whether the other side is to be asked to send again."""
        self._stuck = 0

    @property
    def known(self) -> bool:
        """Whether the other side has said hello."""
        return any(self.theirs)

    def put(self, message: bytes) -> bool:
        """Queue a message; False: too many wait already."""
        if self._size + len(message) > LARGEST_QUEUE and self._pieces:
            return False
        for start in range(0, len(message), PIECE):
            piece = message[start : start + PIECE]
            self._added += 1
            self._pieces[self._added] = (piece, start + PIECE >= len(message))
            self._size += len(piece) + _OVERHEAD
        return True

    def frames(self) -> Iterator[bytes]:
        """Return the frames that can be sent now, each once."""
        while self.known and self._sent < self._added and (self._flying < WINDOW or self._sent == self._got):
            self._sent += 1
            piece, last = self._pieces[self._sent]
            self._flying += len(piece) + _OVERHEAD
            yield self._frame(What.PIECE, self._sent, last, piece)

    def hello(self) -> bytes:
        """Return the frame that says who is here."""
        return self._frame(What.HELLO)

    def bye(self) -> bytes:
        """Return the frame that says that this side stops."""
        return self._frame(What.BYE)

    def have(self, *, again: bool = False) -> bytes:
        """Return the frame that says what has come; `again`: what follows may have been lost."""
        again, self._missing, self._unsaid = again or self._missing, False, 0
        return self._frame(What.HAVE, self._heard, again)

    @property
    def wants_to_say(self) -> bool:
        """Whether it is time to say what has come, before the next beat."""
        return self._unsaid > SAY_AFTER or self._missing

    @property
    def has_unsaid(self) -> bool:
        """Whether something came since this side said what it has."""
        return self._unsaid > 0

    def greeted(self, frame: Frame) -> bool:
        """Take a hello; True: the other side is new, and what was under way to its predecessor is lost."""
        if frame.mine == self.theirs:
            return False
        if self.known:
            self._forget()
        self.theirs = frame.mine
        return True

    def fits(self, frame: Frame) -> bool:
        """Tell whether a frame is of this pair, not of one before it."""
        return frame.yours == self.mine and frame.mine == self.theirs

    def take(self, frame: Frame) -> bytes | None:
        """Take a piece; return the message that it completes."""
        self._unsaid += len(frame.body) + _OVERHEAD
        if frame.number != self._heard + 1:
            self._missing = self._missing or frame.number > self._heard + 1
            return None
        self._heard += 1
        self._parts.append(frame.body)
        if not frame.flag:
            return None
        message, self._parts = b"".join(self._parts), []
        return message

    def arrived(self, number: int, *, again: bool) -> None:
        """Take note of what the other side has; `again`: it misses what follows."""
        for piece in range(self._got + 1, min(number, self._added) + 1):
            size = len(self._pieces.pop(piece)[0]) + _OVERHEAD
            self._size -= size
            if piece <= self._sent:
                self._flying -= size
            self._stuck = 0
        self._got = max(self._got, min(number, self._added))
        self._sent = max(self._sent, self._got)
        if again:
            self.rewind()

    def rewind(self) -> None:
        """Send everything again that is not known to have arrived."""
        self._sent, self._flying, self._stuck = self._got, 0, 0

    def stuck(self, beats: int) -> bool:
        """Count one more beat; True: nothing was heard of what is on its way for so many."""
        self._stuck = self._stuck + 1 if self._sent > self._got else 0
        return self._stuck > beats

    def _frame(self, what: What, number: int = 0, flag: bool = False, body: bytes = b"") -> bytes:
        return Frame(what, self._here, self.mine, self.theirs, number, flag, body).pack()
