# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-sent events: parsing whatever way the bytes arrive, and encoding."""

from __future__ import annotations

import random

import pytest
from mcpops_broker.protocol.sse import EventTooLargeError, Parser, encode

RAW = (
    b'id: 1\r\ndata:\r\n\r\n: comment\n\nevent: message\ndata: {"a":1}\n\n'
    b"data: x\rdata:y\r\rretry: 500\ndata: \xc3\xa4\n\nretry: soon\nid: no\0\nunknown\n\ndata\n\n"
)
EVENTS = [
    (b"", "1", None),
    (b'{"a":1}', "1", None),
    (b"x\ny", "1", None),
    (b"\xc3\xa4", "1", 0.5),
    (b"", "1", None),
]


@pytest.mark.parametrize("seed", range(50))
def test_events_do_not_depend_on_how_the_bytes_arrive(seed: int) -> None:
    source = random.Random(seed)
    parser, events, place = Parser(1000), [], 0
    while place < len(RAW):
        size = source.randrange(1, 12)
        events += parser.feed(RAW[place : place + size])
        place += size

    assert [(event.data, event.id, event.retry) for event in events] == EVENTS


def test_an_endless_event_is_refused() -> None:
    parser = Parser(100)
    parser.feed(b"data: " + b"x" * 60 + b"\n")

    with pytest.raises(EventTooLargeError, match="larger than 100 bytes"):
        parser.feed(b"data: " + b"x" * 60)


def test_many_events_together_may_exceed_the_limit_of_one() -> None:
    assert len(Parser(100).feed(b"data: abc\n\n" * 100)) == 100


def test_encoded_messages_come_back() -> None:
    for message in (b'{"a":1}', b'{\n "a": 1\r\n}', b"{}\r"):
        (event,) = Parser(1000).feed(encode(message))
        assert event.data.replace(b"\n", b"").replace(b"\r", b"") == message.replace(b"\r\n", b"").replace(
            b"\n", b""
        ).replace(b"\r", b"")
