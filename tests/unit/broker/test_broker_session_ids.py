# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sealed session ids and the sessions of a worker."""

from __future__ import annotations

import time

import pytest
from mcpops_broker.protocol.versions import SESSION_VERSIONS
from mcpops_broker.sessions import store
from mcpops_broker.sessions.seal import ID_LENGTH, Sealer
from mcpops_broker.sessions.store import Session, SessionStore

SECRET = b"0123456789abcdef0123456789abcdef"
OWNER = b"o" * 16


@pytest.mark.parametrize("version", SESSION_VERSIONS)
def test_an_id_says_what_was_put_into_it_to_whoever_has_the_key(version: str) -> None:
    session_id, key = Sealer([SECRET], 60).mint(OWNER, version, 0)

    assert Sealer([SECRET], 60).open(session_id) == key
    assert key.version == version
    assert len(session_id) == ID_LENGTH
    assert session_id.isascii()
    assert session_id.isprintable()


def test_ids_reveal_nothing_and_differ() -> None:
    sealer = Sealer([SECRET], 60)
    ids = {sealer.mint(OWNER, "2025-11-25", 0)[0] for _ in range(100)}

    assert len({one[:20] for one in ids}) == 100
    assert not any(sealer.open(one).identity in one for one in ids)  # type: ignore[union-attr]


def test_another_key_opens_nothing() -> None:
    session_id, _ = Sealer([SECRET], 60).mint(OWNER, "2025-11-25", 0)

    assert Sealer([SECRET[::-1]], 60).open(session_id) is None


def test_no_changed_id_is_accepted() -> None:
    sealer = Sealer([SECRET], 60)
    session_id, _ = sealer.mint(OWNER, "2025-11-25", 0)

    for place in range(ID_LENGTH):
        for letter in "A_-+/= \u00e9":
            changed = session_id[:place] + letter + session_id[place + 1 :]
            assert changed == session_id or sealer.open(changed) is None
    assert sealer.open(session_id[:-1]) is None
    assert sealer.open(session_id + "A") is None
    assert sealer.open("") is None


def test_ids_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    sealer = Sealer([SECRET], 60)
    session_id, _ = sealer.mint(OWNER, "2025-11-25", 0)

    now += 59
    assert sealer.open(session_id) is not None
    now += 1
    assert sealer.open(session_id) is None


class Sessions:
    """A store with a clock that the test sets, and what it dropped."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capacity: int = 100) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        self.dropped: list[Session] = []
        self.returned: list[Session] = []
        self.store = SessionStore(
            Sealer([SECRET], 3600),
            capacity=capacity,
            idle=60,
            dropped=self.dropped.append,
            returned=self.returned.append,
        )

    def start(self) -> str:
        return self.store.start(OWNER, "2025-11-25", 0)

    def find(self, session_id: str) -> Session:
        session = self.store.find(session_id)
        assert session is not None
        return session


def test_starting_a_session_stores_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions(monkeypatch)

    session_id = sessions.start()

    assert len(sessions.store) == 0
    assert sessions.find(session_id) is sessions.find(session_id)
    assert len(sessions.store) == 1


def test_an_ended_session_is_not_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions(monkeypatch)
    session_id = sessions.start()
    session = sessions.find(session_id)

    sessions.store.end(session_id)

    assert sessions.dropped == [session]
    assert sessions.store.find(session_id) is None
    assert sessions.store.ended() == [session_id]


def test_a_session_exists_for_its_owner_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions(monkeypatch)
    session_id = sessions.start()

    assert sessions.store.find(session_id, b"x" * 16) is None
    assert len(sessions.store) == 0
    session = sessions.store.find(session_id, OWNER)
    assert session is sessions.find(session_id)
    assert sessions.store.find(session_id, b"x" * 16) is None


def test_ending_what_is_no_session_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions(monkeypatch)

    sessions.store.end("nonsense")

    assert sessions.store.ended() == []


def test_the_ended_sessions_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MAX_ENDED", 3)
    sessions = Sessions(monkeypatch)
    ids = [sessions.start() for _ in range(5)]

    for session_id in ids:
        sessions.store.end(session_id)

    assert sessions.store.ended() == ids[2:]


def test_idle_sessions_are_dropped_busy_ones_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions(monkeypatch)
    idle, busy = sessions.find(sessions.start()), sessions.find(sessions.start())
    busy.busy += 1

    sessions.now += 61
    sessions.store.sweep()

    assert sessions.dropped == [idle]
    assert len(sessions.store) == 1


def test_the_session_idle_longest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions(monkeypatch, capacity=2)
    first = sessions.find(sessions.start())
    sessions.now += 1
    second_id = sessions.start()
    sessions.find(second_id)
    sessions.now += 1
    sessions.find(first.id)

    sessions.find(sessions.start())

    assert [session.id for session in sessions.dropped] == [second_id]
    assert len(sessions.store) == 2


def test_a_session_that_was_forgotten_may_have_been_here_before(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions(monkeypatch)
    clock = 1_000_000.0
    monkeypatch.setattr(time, "time", lambda: clock)
    old, ended = sessions.start(), sessions.start()
    sessions.find(old)
    sessions.now += 61
    sessions.store.sweep()
    clock += 1
    young = sessions.start()
    sessions.find(ended)
    sessions.store.end(ended)
    sessions.returned.clear()

    sessions.find(young)
    returned = sessions.find(old)

    assert sessions.returned == [returned]
