# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Notification streams (GET /mcp): who listens, and telling them that the catalogue has changed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import orjson

from mcpops_broker.catalogue.catalogue import Catalogue
from mcpops_broker.catalogue.scope import Scope
from mcpops_broker.protocol.jsonrpc import RpcError, notification
from mcpops_broker.protocol.kinds import Kind

CHANGED = {kind: orjson.dumps(notification(kind.changed)) for kind in Kind}
"""What tells a client that a list has changed. Resources and templates share one notification."""


@dataclass(slots=True, eq=False)
class Stream:
    """One open stream. Messages wait here until they are written; a message that waits already is not added again,
    so a client that does not read costs a fixed amount of memory."""

    identity: str
    scope: Scope
    closed: bool = False
    _waiting: dict[bytes, None] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, message: bytes) -> None:
        """Queue a message."""
        self._waiting[message] = None
        self._wake.set()

    def close(self) -> None:
        """End the stream after what waits has been written."""
        self.closed = True
        self._wake.set()

    async def take(self, wait: float) -> list[bytes]:
        """Return the messages that wait; none after `wait` seconds without one, or when the stream was closed."""
        if not self._waiting and not self.closed:
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                return []
        self._wake.clear()
        messages = list(self._waiting)
        self._waiting.clear()
        return messages


class Streams:
    """All open streams of this worker."""

    def __init__(self) -> None:
        self._streams: dict[str, list[Stream]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def open(self, identity: str, scope: Scope) -> Stream:
        """Add a stream of a session."""
        stream = Stream(identity, scope)
        self._streams.setdefault(identity, []).append(stream)
        self._count += 1
        return stream

    def remove(self, stream: Stream) -> None:
        """Forget a stream."""
        streams = self._streams.get(stream.identity, [])
        if stream in streams:
            streams.remove(stream)
            self._count -= 1
            if not streams:
                del self._streams[stream.identity]

    def end(self, identity: str) -> None:
        """Close the streams of a session."""
        for stream in self._streams.get(identity, ()):
            stream.close()

    def close(self) -> None:
        """Close all streams."""
        for identity in self._streams:
            self.end(identity)

    def tools_selected(self, identity: str, selection: frozenset[str] | None) -> None:
        """Tell a session that it sees the tools of its new selection from now on."""
        streams = self._streams.get(identity)
        if streams:
            for stream in streams:
                stream.scope = replace(stream.scope, selection=selection)
            streams[-1].put(CHANGED[Kind.TOOLS])

    def catalogue_changed(self, old: Catalogue, new: Catalogue) -> None:
        """Tell every session whose view differs, on one of its streams only (MCP: never on several)."""
        for streams in self._streams.values():
            stream = streams[-1]
            for kind in Kind:
                if _digest(old, stream.scope, kind) != _digest(new, stream.scope, kind):
                    stream.put(CHANGED[kind])


def _digest(catalogue: Catalogue, scope: Scope, kind: Kind) -> bytes | None:
    try:
        return catalogue.view(scope).digest(kind)
    except RpcError:
        return None  # the virtual server does not exist in this catalogue
