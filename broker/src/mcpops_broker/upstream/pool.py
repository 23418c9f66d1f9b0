# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Sessions at one upstream, one a client: opened when first needed, once under concurrency."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from mcpops_broker.upstream.errors import UpstreamError
from mcpops_broker.upstream.exchange import Client
from mcpops_broker.upstream.session import UpstreamSession

STREAM_IDLE = 30.0
"""Seconds that the stream of an unused session is kept open."""


class SessionPool:
    """Maps clients (by identity) to sessions at the upstream.

    `open_session` and `close_session` do the talking; the first also gets the id of a session that the upstream has
    forgotten, the second whether the client is known to have ended. Opening runs in a task of its own: when the client
    that caused it goes away, others that wait for the same session still get it.
    """

    def __init__(
        self,
        name: str,
        open_session: Callable[[Client, str | None], Awaitable[UpstreamSession]],
        close_session: Callable[[str, UpstreamSession, bool], None],
    ) -> None:
        self._name = name
        self._open = open_session
        self._close = close_session
        self._sessions: dict[str, UpstreamSession] = {}
        self._opening: dict[str, asyncio.Task[UpstreamSession]] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    async def get(self, client: Client, stale: str | None = None) -> UpstreamSession:
        """Return the session of a client, opening it first if there is none; raise `UpstreamError`.

        `stale` is the id of the session that the upstream has forgotten, if that is why a new one is needed.
        """
        identity = client.identity
        session = self._sessions.get(identity)
        if session is not None:
            return session
        task = self._opening.get(identity)
        if task is None:
            task = self._opening[identity] = asyncio.create_task(self._open_for(client, stale))
            task.add_done_callback(_seen)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if task.cancelled() and current is not None and not current.cancelling():
                raise UpstreamError(self._name, "closed", "the session was ended while it was being opened") from None
            raise

    def peek(self, identity: str) -> UpstreamSession | None:
        """Return the session of a client when it is open."""
        return self._sessions.get(identity)

    def forget(self, identity: str, stale: UpstreamSession) -> None:
        """Drop a session that the upstream no longer knows; one opened in its place since then is kept."""
        if self._sessions.get(identity) is stale:
            del self._sessions[identity]
            if stale.stream is not None:
                stale.stream.close()

    def leave(self, identity: str) -> None:
        """End a client's session unless a request or another worker uses it: then it ends when nobody has used it for
        a while."""
        session = self._sessions.get(identity)
        if session is None or not (session.lent or session.active):
            self.drop(identity, ended=False)

    def shared(self, since: float = 0.0) -> list[str]:
        """Return whose sessions are known to all replicas and were used here since then (monotonic seconds)."""
        known = self._sessions.items()
        return [identity for identity, one in known if one.shared and (one.active or one.used >= since)]

    def sharable(self) -> dict[str, UpstreamSession]:
        """Return the sessions that other replicas may use, by client."""
        return {identity: one for identity, one in self._sessions.items() if one.shared is not None}

    @property
    def used_elsewhere(self) -> bool:
        """Whether other workers may be using sessions that were opened here."""
        return any((one.lent or one.shared) and not one.borrowed for one in self._sessions.values())

    def borrowed(self) -> list[str]:
        """Return whose sessions are used here though another worker ends them."""
        return [identity for identity, session in self._sessions.items() if session.borrowed]

    def drop(self, identity: str, *, ended: bool = True) -> None:
        """End a client's session; when the client has not `ended`, others may go on using it."""
        task = self._opening.pop(identity, None)
        if task is not None:
            task.cancel()
        session = self._sessions.pop(identity, None)
        if session is not None:
            self._close(identity, session, ended)

    def sweep(self, idle: float) -> None:
        """End sessions that were unused for `idle` seconds, and streams sooner; who comes back gets new ones."""
        now = time.monotonic()
        for identity, session in list(self._sessions.items()):
            if session.active:
                continue
            if session.used < now - idle:
                self.drop(identity, ended=False)
            elif session.stream is not None and session.used < now - STREAM_IDLE:
                session.stream.close()

    def clear(self) -> None:
        """End all sessions."""
        for identity in [*self._opening, *self._sessions]:
            session = self._sessions.get(identity)
            self.drop(identity, ended=session is None or not session.borrowed)

    async def _open_for(self, client: Client, stale: str | None) -> UpstreamSession:
        identity = client.identity
        try:
            session = await self._open(client, stale)
        finally:
            if self._opening.get(identity) is asyncio.current_task():
                del self._opening[identity]
        session.used = time.monotonic()
        self._sessions[identity] = session
        return session


def _seen(task: asyncio.Task[UpstreamSession]) -> None:
    """Mark a failure as seen even when everybody who waited for the session has gone."""
    if not task.cancelled():
        task.exception()
