# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Resources whose changes client sessions want to hear of (`resources/subscribe`).

Every worker knows the subscriptions of all sessions, so that the one with a session's notification stream tells it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import orjson

from mcpops_broker import logs
from mcpops_broker.mcp.subscriptions import MAX_URI, MAX_URIS, may_read, with_parents
from mcpops_broker.protocol import jsonrpc
from mcpops_broker.protocol.jsonrpc import INVALID_PARAMS, RpcError
from mcpops_broker.sessions.store import Session
from mcpops_broker.upstream.errors import UpstreamError

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker

PATIENCE = 2.0
"""Seconds that the answer to a subscription waits for the other workers."""


class WatchedResources:
    """The subscriptions of the sessions that this worker knows."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._sessions: dict[tuple[str, str], dict[str, Session]] = {}
        """By upstream and URI, then by the session's identity."""
        self._upstreams: dict[str, dict[str, str]] = {}
        """By the session's identity, then by URI."""
        self._behind: dict[tuple[str, str], tuple[set[str], asyncio.Event]] = {}
        """By session id and URI: workers that do not watch the resource yet, and what is set when all do."""

    def __len__(self) -> int:
        return len(self._sessions)

    def check(self, session: Session, uri: str) -> None:
        """Raise `RpcError` -32602 when a session may not subscribe to a resource any more."""
        if len(uri) > MAX_URI:
            why = f'the "uri" of a subscription may have {MAX_URI} characters, not {len(uri)}'
            raise RpcError(INVALID_PARAMS, f"Invalid params: {why}")
        subscribed = self._upstreams.get(session.key.identity, {})
        if len(subscribed) >= MAX_URIS and uri not in subscribed:
            why = f"the session is subscribed to {MAX_URIS} resources, and may be to no more: unsubscribe from some"
            raise RpcError(INVALID_PARAMS, f"Invalid params: {why}")

    async def add(self, session: Session, upstream: str, uri: str) -> None:
        """Subscribe a session to a resource; raise `UpstreamError` when the upstream refuses."""
        identity = session.key.identity
        if self._has(identity, uri):
            return
        await self._broker.upstreams[upstream].subscribe(uri)
        if session.dropped or self._has(
            identity, uri
        ):  # it has ended meanwhile; or the same request came twice at once
            await self._unsubscribe(upstream, uri)
            return
        self._sessions.setdefault((upstream, uri), {})[identity] = session
        self._upstreams.setdefault(identity, {})[uri] = upstream

    async def share(self, session: Session, upstream: str, uri: str) -> None:
        """Let the other workers subscribe a session, too, and wait until they have: the client may cause a change as
        soon as it has our answer, and its stream may be at any of them."""
        bus = self._broker.bus
        behind, all_watch = set(bus.others), asyncio.Event()
        bus.send("subscribed", [[session.id, upstream, uri]])
        if behind:
            self._behind[session.id, uri] = behind, all_watch
            with suppress(TimeoutError):  # a worker that is busy or dead: it will hear of it in its time
                async with asyncio.timeout(PATIENCE):
                    await all_watch.wait()
            self._behind.pop((session.id, uri), None)

    def shared(self, session_id: str, uri: str, worker: str) -> None:
        """Take note that a worker watches a resource for a session, or cannot."""
        behind, all_watch = self._behind.get((session_id, uri), (set(), None))
        behind.discard(worker)
        if not behind and all_watch is not None:
            all_watch.set()

    def worker_gone(self, worker: str) -> None:
        """Wait for a worker no more that died."""
        for session_id, uri in list(self._behind):
            self.shared(session_id, uri, worker)

    async def add_later(self, session: Session, upstream: str, uri: str) -> None:
        """Subscribe a session that is subscribed at another worker."""
        try:
            await self.add(session, upstream, uri)
        except (UpstreamError, KeyError) as error:  # the upstream may have left the configuration meanwhile
            logs.warning("subscribe.failed", upstream=upstream, uri=uri, problem=str(error))

    async def remove(self, session: Session, uri: str) -> None:
        """End a session's subscription. Not having one is no error."""
        identity = session.key.identity
        uris = self._upstreams.get(identity)
        if uris is None or uri not in uris:
            return
        upstream = uris.pop(uri)
        if not uris:
            del self._upstreams[identity]
        sessions = self._sessions[upstream, uri]
        del sessions[identity]
        if not sessions:
            del self._sessions[upstream, uri]
        await self._unsubscribe(upstream, uri)

    def drop(self, session: Session) -> None:
        """End all subscriptions of a session that is no longer known here."""
        for uri in list(self._upstreams.get(session.key.identity, ())):
            self._broker.background.start(self.remove(session, uri), "unsubscribe")

    def all(self) -> list[tuple[str, str, str]]:
        """Return all subscriptions (session id, upstream, URI), for a worker that just started."""
        return [
            (session.id, upstream, uri)
            for (upstream, uri), sessions in self._sessions.items()
            for session in sessions.values()
        ]

    def of_session(self, session: Session) -> list[tuple[str, str]]:
        """Return a session's subscriptions (upstream, URI), for a worker that had forgotten the session."""
        return [(upstream, uri) for uri, upstream in self._upstreams.get(session.key.identity, {}).items()]

    def of(self, upstream: str) -> list[str]:
        """Return the URIs that sessions are subscribed to at an upstream, as often as they are."""
        return [uri for (name, uri), sessions in self._sessions.items() if name == upstream for _ in sessions]

    def updated(self, upstream: str, uri: str) -> None:
        """Tell everybody who subscribed to a resource that has changed, or to one that it is a part of, and may still
        read it."""
        identities = {one for part in with_parents(uri) for one in self._sessions.get((upstream, part), ())}
        if identities:
            message = orjson.dumps(jsonrpc.notification("notifications/resources/updated", {"uri": uri}))
            streams, catalogue = self._broker.streams, self._broker.catalogue
            for identity in identities:
                scope = streams.scope_of(identity)
                if scope is not None and may_read(catalogue, scope, upstream, uri):
                    streams.send(identity, message)

    def _has(self, identity: str, uri: str) -> bool:
        return uri in self._upstreams.get(identity, ())

    async def _unsubscribe(self, name: str, uri: str) -> None:
        upstream = self._broker.upstreams.get(name)
        if upstream is None:
            return
        try:
            await upstream.unsubscribe(uri)
        except UpstreamError as error:
            logs.debug("unsubscribe.failed", upstream=error.upstream, problem=str(error))
