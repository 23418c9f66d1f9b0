# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What one worker remembers about the client sessions it serves.

A session is known by its sealed id alone, so forgetting one here costs at most a new session at the upstreams. What
must be remembered until a session would have expired is that its client has ended it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mcpops_broker.sealed_box import Secrets
from mcpops_broker.sessions.capabilities import capabilities_of
from mcpops_broker.sessions.seal import Sealer, SessionKey
from mcpops_broker.upstream.exchange import Client

MAX_ENDED = 50_000
"""Ended sessions remembered. Beyond that the oldest is forgotten: whoever still holds its id could use it again."""


@dataclass(slots=True, eq=False)
class Session:
    """One client session in this worker."""

    id: str = field(repr=False)
    key: SessionKey
    used: float
    """Monotonic seconds of the last request."""
    who: str = ""
    """Name of the principal, for people; empty until this worker has heard of it."""
    busy: int = 0
    """Requests and streams that hold the session now."""
    dropped: bool = False
    """Whether it has left the memory: nothing new may be kept for it."""
    client: Client = field(init=False)
    """The client that holds the session, for upstreams."""

    def __post_init__(self) -> None:
        self.client = Client(self.key.identity, self.key.version, capabilities=capabilities_of(self.key.flags))

    def set_log_level(self, level: str) -> None:
        """Remember the least severe log messages that the client wants, for requests that come from now on."""
        self.client = replace(self.client, log_level=level)


class SessionStore:
    """Finds sessions by id and keeps those in use.

    `dropped` is called for every session that leaves the memory, so that its upstream sessions can be closed;
    `returned` for one that comes into it and may have been here before: other workers may remember more of it.
    """

    def __init__(
        self,
        sealer: Sealer,
        *,
        capacity: int,
        idle: float,
        dropped: Callable[[Session], None],
        returned: Callable[[Session], None],
    ) -> None:
        self.sealer = sealer
        self.capacity = capacity
        self.idle = idle
        self._dropped = dropped
        self._returned = returned
        self._forgotten = 0
        """Birth of the youngest session that left the memory though it had not ended: younger ones are new here."""
        self._sessions: dict[str, Session] = {}
        self._ended: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def start(self, owner: bytes, version: str, flags: int) -> str:
        """Start a session of a principal, by its digest, and return its id. Nothing is stored: a flood of `initialize`
        costs no memory."""
        return self.sealer.mint(owner, version, flags)[0]

    def find(self, session_id: str, owner: bytes | None = None) -> Session | None:
        """Return the session with this id; None when it is not ours, has expired or was ended, or when it is not that
        of `owner`. Without an owner another worker names the session, which has looked."""
        now = time.monotonic()
        session = self._sessions.get(session_id)
        if session is None:
            key = self.sealer.open(session_id)
            if key is None or session_id in self._ended or owner not in (None, key.owner):
                return None
            self._make_room()
            session = self._sessions[session_id] = Session(session_id, key, now)
            if key.born <= self._forgotten:
                self._returned(session)
        elif owner is not None and owner != session.key.owner:
            return None
        elif self.sealer.expired(session.key.born):
            self._drop(session)
            return None
        session.used = now
        return session

    def peek(self, session_id: str) -> Session | None:
        """Return the session with this id if it is in memory."""
        return self._sessions.get(session_id)

    def use(self, secrets: Secrets) -> None:
        """Take other secrets; sessions whose ids they do not open are gone."""
        self.sealer.use(secrets)
        for session in list(self._sessions.values()):
            if self.sealer.open(session.id) is None:
                self._drop(session)

    def end(self, session_id: str) -> str | None:
        """End a session for good and return its identity; its id is refused from now on. None: it is no session."""
        key = self.sealer.open(session_id)
        if key is None:
            return None
        self._ended[session_id] = key.born
        while len(self._ended) > MAX_ENDED:
            del self._ended[next(iter(self._ended))]
        session = self._sessions.get(session_id)
        if session is not None:
            self._drop(session)
        return key.identity

    def known(self) -> list[Session]:
        """Return the sessions in memory."""
        return list(self._sessions.values())

    def ended(self) -> list[str]:
        """Return the ids of ended sessions, for a worker that just started."""
        return list(self._ended)

    def log_levels(self) -> list[tuple[str, str]]:
        """Return the session ids and log levels of clients that set one, for a worker that just started."""
        known = self._sessions.values()
        return [(one.id, one.client.log_level) for one in known if one.client.log_level is not None]

    def sweep(self) -> None:
        """Drop sessions that were idle too long, and forget ended ones whose ids have expired anyway."""
        now = time.monotonic()
        for session in list(self._sessions.values()):
            if not session.busy and now - session.used > self.idle:
                self._forget(session)
        for session_id in [name for name, born in self._ended.items() if self.sealer.expired(born)]:
            del self._ended[session_id]

    def _make_room(self) -> None:
        if len(self._sessions) < self.capacity:
            return
        idle = sorted((s for s in self._sessions.values() if not s.busy), key=lambda s: s.used)
        for session in idle[: max(1, self.capacity // 100)]:
            self._forget(session)

    def _forget(self, session: Session) -> None:
        self._forgotten = max(self._forgotten, session.key.born)
        self._drop(session)

    def _drop(self, session: Session) -> None:
        if self._sessions.pop(session.id, None) is not None:
            session.dropped = True
            self._dropped(session)
