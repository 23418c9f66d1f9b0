# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Watching an upstream without sessions: one `subscriptions/listen` stream, opened anew when more is wanted.

Rules: MCP 2026-07-28 basic/patterns/subscriptions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from typing import Any

import orjson

from mcpops_broker.background import Background
from mcpops_broker.protocol import headers, jsonrpc, meta
from mcpops_broker.protocol.jsonrpc import Message
from mcpops_broker.upstream.backoff import Backoff
from mcpops_broker.upstream.errors import UpstreamError
from mcpops_broker.upstream.link import CLIENT_INFO, Events
from mcpops_broker.upstream.peer import Peer
from mcpops_broker.upstream.streams import EventStream
from mcpops_broker.upstream.transport import Transport, is_stream

ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
METHOD = "subscriptions/listen"
ACKNOWLEDGE_TIMEOUT = 10.0
"""Seconds that an upstream gets to say what it agrees to."""

_FILTERS = {"tools": "toolsListChanged", "prompts": "promptsListChanged", "resources": "resourcesListChanged"}


class StatelessWatch:
    """Keeps the stream of one upstream."""

    def __init__(self, transport: Transport, version: str, background: Background, events: Events) -> None:
        self._transport = transport
        self._version = version
        self._background = background
        self._events = events
        self._uris: set[str] = set()
        self._wanted: dict[str, Any] = {}
        self._task: asyncio.Task[None] | None = None
        self._agreed: asyncio.Future[frozenset[str]] | None = None
        """The URIs that the upstream agreed to, or will, for the newest stream."""
        self._ids = count(1)

    def want(self, peer: Peer, uris: Iterable[str]) -> None:
        """Listen for the lists that the peer announces and for these resources.

        A stream that does not fit any more is ended when its successor stands, so that nothing is missed between them.
        """
        self._uris = set(uris)
        wanted: dict[str, Any] = {
            name: True for capability, name in _FILTERS.items() if peer.offers(capability, "listChanged")
        }
        if self._uris:
            wanted["resourceSubscriptions"] = sorted(self._uris)
        if wanted == self._wanted:
            return
        old, self._task, self._wanted, self._agreed = self._task, None, wanted, None
        if not wanted:
            if old is not None:
                old.cancel()
            return
        agreed = self._agreed = asyncio.get_running_loop().create_future()
        if old is not None:
            agreed.add_done_callback(lambda _: old.cancel())
        self._task = self._background.start(self._keep(wanted, agreed), f"watch {self._transport.name}")

    def restore(self, peer: Peer, uris: Iterable[str]) -> None:
        """Listen, and for these resources among others; does nothing when that is so already."""
        self.want(peer, self._uris | set(uris))

    async def add(self, peer: Peer, uri: str) -> None:
        """Listen for one more resource; raise `UpstreamError` when the upstream does not agree to that."""
        try:
            async with asyncio.timeout(ACKNOWLEDGE_TIMEOUT):
                if await self._agrees(peer, uri):
                    return
        except asyncio.CancelledError:
            self.discard(peer, uri)
            raise
        except TimeoutError:
            self.discard(peer, uri)
            raise self._transport.error("timeout", f"did not answer {METHOD} in {ACKNOWLEDGE_TIMEOUT:g} s") from None
        self.discard(peer, uri)
        raise self._transport.error("unsupported", f"does not report changes of {jsonrpc.excerpt(uri)}")

    async def _agrees(self, peer: Peer, uri: str) -> bool:
        """Listen for one more resource; tell whether the upstream agrees to that. Several may be added at once: what
        the newest stream gets is what holds."""
        while True:
            self.want(peer, self._uris | {uri})
            agreed = self._agreed
            if agreed is None or uri in await asyncio.shield(agreed):
                return agreed is not None
            if self._agreed in (agreed, None):
                return False

    def discard(self, peer: Peer, uri: str) -> None:
        """Listen for a resource no more."""
        self.want(peer, self._uris - {uri})

    def stop(self) -> None:
        """End the stream and forget what was wanted."""
        self._uris, self._wanted, self._agreed = set(), {}, None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _keep(self, wanted: dict[str, Any], agreed: asyncio.Future[frozenset[str]]) -> None:
        """Keep a stream open until the task is cancelled; after every gap anything may have changed."""
        backoff = Backoff()
        try:
            while True:
                backoff.begin()
                with suppress(UpstreamError):  # its health is judged by its answers to requests, not by this stream
                    await self._listen(wanted, agreed)
                await backoff.wait()
        finally:
            if not agreed.done():
                agreed.set_result(frozenset())

    async def _listen(self, wanted: dict[str, Any], agreed: asyncio.Future[frozenset[str]]) -> None:
        """Open the stream and report what comes until it ends."""
        transport = self._transport
        request_id = f"listen:{next(self._ids)}"
        params = meta.with_envelope(
            {"notifications": wanted}, version=self._version, capabilities={}, client_info=CLIENT_INFO
        )
        own = {**transport.headers, **headers.standard_headers(self._version, METHOD, params)}
        body = orjson.dumps(jsonrpc.request(request_id, METHOD, params))
        answer = await transport.post(own, body, endless=True)
        try:
            if not is_stream(answer):
                raise transport.error("invalid", f"answered {METHOD} without a stream")
            async for _, message in EventStream(transport, answer):
                method = message.get("method")
                if method is None:
                    return  # the response: the upstream has ended the stream
                if method == ACKNOWLEDGED:
                    self._acknowledged(message, agreed)
                else:
                    self._events.take(message)
        finally:
            answer.close()

    def _acknowledged(self, message: Message, agreed: asyncio.Future[frozenset[str]]) -> None:
        subset = message.get("params", {}).get("notifications")
        uris = subset.get("resourceSubscriptions") if isinstance(subset, dict) else None
        known = frozenset(uri for uri in uris if isinstance(uri, str)) if isinstance(uris, list) else frozenset()
        if not agreed.done():
            agreed.set_result(known)
            return
        self._events.changed()
        for uri in known:
            self._events.updated(uri)
