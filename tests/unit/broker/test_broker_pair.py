# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages between two workers of different replicas, over a way that loses, repeats and delays."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from mcpops_broker.store import pair as pairs
from mcpops_broker.store.pair import Frame, Pair, What


class Side:
    """One worker, with what it has heard."""

    def __init__(self, name: str) -> None:
        self.pair = Pair(name)
        self.heard: list[bytes] = []
        self.met = 0

    def take(self, data: bytes) -> list[bytes]:
        """Act on a frame as a bus does; return what is to be said."""
        frame = Frame.unpack(data)
        if frame.what is What.HELLO:
            self.met += self.pair.greeted(frame)
            return [] if frame.yours == self.pair.mine else [self.pair.hello()]
        if not self.pair.fits(frame):
            return [self.pair.hello()]
        if frame.what is What.PIECE:
            message = self.pair.take(frame)
            if message is not None:
                self.heard.append(message)
            return [self.pair.have()] if self.pair.wants_to_say else []
        self.pair.arrived(frame.number, again=frame.flag)
        return []

    def beat(self) -> list[bytes]:
        """Say what is said from time to time."""
        said = [self.pair.have()] if self.pair.known else [self.pair.hello()]
        if self.pair.stuck(2):
            self.pair.rewind()
        return said


def talk(one: Side, two: Side, lose: Callable[[], bool] = lambda: False, beats: int = 6) -> None:
    """Carry frames between two sides for some beats."""
    for _ in range(beats):
        way: list[tuple[Side, Side, bytes]] = []
        for here, there in ((one, two), (two, one)):
            way += [(here, there, frame) for frame in (*here.beat(), *here.pair.frames())]
        while way:
            sender, receiver, frame = way.pop(0)
            if not lose():
                way += [(receiver, sender, answer) for answer in receiver.take(frame)]
                for here, there in ((sender, receiver), (receiver, sender)):
                    way += [(here, there, more) for more in here.pair.frames()]


def test_messages_arrive_whole_and_in_order_however_large() -> None:
    one, two = Side("a"), Side("b")
    sent = [bytes([number]) * size for number, size in enumerate([1, 300_000, 3_000_000, 5])]
    for message in sent:
        assert one.pair.put(message)

    talk(one, two)

    assert two.heard == sent
    assert (one.met, two.met) == (1, 1)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_lost_is_sent_again(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs, "PIECE", 100)
    monkeypatch.setattr(pairs, "WINDOW", 2_000)
    chance = random.Random(seed)
    one, two = Side("a"), Side("b")
    for number in range(100):
        one.pair.put(b"%d" % number * chance.randrange(1, 200))
        two.pair.put(b"back %d" % number)
        if number % 20 == 0:
            talk(one, two, lambda: chance.random() < 0.2)

    talk(one, two, lambda: chance.random() < 0.2, beats=40)
    talk(one, two, beats=10)

    assert [len(message) > 0 for message in two.heard] == [True] * 100
    assert one.heard == [b"back %d" % number for number in range(100)]


def test_a_side_that_was_made_anew_begins_anew() -> None:
    one, two = Side("a"), Side("b")
    one.pair.put(b"first")
    talk(one, two)
    one.pair.put(b"to the predecessor")
    successor = Side("b")
    successor.pair.put(b"I am new")

    talk(successor, one)
    one.pair.put(b"second")
    talk(one, successor)

    assert (one.met, one.heard) == (2, [b"I am new"])
    assert successor.heard == [b"second"]


def test_a_side_that_does_not_answer_costs_a_fixed_amount() -> None:
    one = Pair("a")
    taken = sum(one.put(b"x" * 1_000_000) for _ in range(30))

    assert taken * 1_000_000 <= pairs.LARGEST_QUEUE < (taken + 1) * 1_001_000


def test_one_message_larger_than_the_queue_is_taken_when_nothing_waits() -> None:
    one, two = Side("a"), Side("b")
    assert one.pair.put(b"x" * (pairs.LARGEST_QUEUE + 1))

    talk(one, two, beats=3)

    assert [len(message) for message in two.heard] == [pairs.LARGEST_QUEUE + 1]


def test_a_frame_that_cannot_be_read_is_told_so() -> None:
    for data in (b"", b"\x09" + bytes(40), Pair("a").hello()[:10]):
        with pytest.raises(ValueError):
            Frame.unpack(data)
