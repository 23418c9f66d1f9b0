# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Which era of MCP an upstream speaks, and which one is spoken on behalf of whom.

An upstream that speaks both is spoken to in the era of each client, so that nothing needs to be translated; its lists
are read and watched without a session. Rules: MCP 2026-07-28 basic/versioning, "Backward Compatibility".
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from mcpops_broker.upstream.errors import UpstreamError, UpstreamRpcError
from mcpops_broker.upstream.exchange import Client
from mcpops_broker.upstream.link import Link
from mcpops_broker.upstream.peer import Era, Peer
from mcpops_broker.upstream.session_link import SessionLink
from mcpops_broker.upstream.stateless_link import StatelessLink, is_other_era

PROBE_TIMEOUT = 10.0
"""Seconds for an answer to `server/discover`; a server that says nothing to what it does not know has sessions."""


class Eras:
    """The links of one upstream in both eras."""

    def __init__(self, sessions: SessionLink, stateless: StatelessLink, protocol: str) -> None:
        self.sessions = sessions
        self.stateless = stateless
        self._forced = None if protocol == "auto" else Era(protocol)
        self._found: Era | None = None
        """The era found at the last connection; kept while it holds, since asking again has a price: some servers keep
        a session for every request that they do not understand."""
        self.main: Link = stateless if self._forced is Era.STATELESS else sessions
        """The link for the broker's own requests."""
        self.for_sessions: Link = self.main
        """The link for clients of the session era."""

    def for_client(self, client: Client) -> Link:
        """Return the link that carries out a client's requests."""
        return self.main if client.stateless else self.for_sessions

    def assume(self, other: Eras) -> None:
        """Begin with what was found of the same upstream before."""
        if self._forced is None and other._found is not None:
            self._found = other._found
            self.main = self.stateless if other.main is other.stateless else self.sessions
            self.for_sessions = self.stateless if other.for_sessions is other.stateless else self.sessions

    async def connect(self) -> Peer:
        """Find out the era, unless it is configured or known, and connect; raise `UpstreamError`."""
        era = self._forced or self._found
        try:
            if era is Era.SESSION:
                peer = await self.sessions.connect()
            else:
                peer = await self._connect_stateless(fall_back=era is None)
        except UpstreamError as error:
            if isinstance(error, UpstreamRpcError) or is_other_era(error):
                self._found = None  # it may be another server by now
            raise
        self._found = peer.era
        return peer

    async def _connect_stateless(self, *, fall_back: bool) -> Peer:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT if fall_back else None):
                peer = await self.stateless.connect()
        except (UpstreamError, TimeoutError) as error:
            if not fall_back or (isinstance(error, UpstreamError) and not is_other_era(error)):
                raise
            peer = await self.sessions.connect()
            self.main = self.for_sessions = self.sessions
            return peer
        self.main = self.for_sessions = self.stateless
        if self._forced is None and await self._has_sessions():
            self.for_sessions = self.sessions
        return peer

    async def _has_sessions(self) -> bool:
        """Tell whether the upstream also keeps sessions; without them it could not ask clients anything in one."""
        with suppress(UpstreamError):
            await self.sessions.connect()
        keeps = self.sessions.keeps_sessions
        self.sessions.disconnect()
        return keeps
