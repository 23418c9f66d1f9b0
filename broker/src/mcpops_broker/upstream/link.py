# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Speaking MCP to one upstream: the interface that both eras have, so that nothing else knows which one it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from mcpops_broker import __version__
from mcpops_broker.protocol.jsonrpc import Message
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.upstream.exchange import Exchange, Reply
from mcpops_broker.upstream.peer import Peer

CLIENT_INFO = {"name": "mcpops-broker", "version": __version__}
CONTROL_TIMEOUT = 30.0
"""Seconds for the broker's own requests (initialize, lists), unless the configured total is shorter."""
LIST_CHANGED = {kind.changed: kind for kind in Kind if kind is not Kind.TEMPLATES}
"""Kinds by the notification that their list has changed."""
RESOURCE_UPDATED = "notifications/resources/updated"


@dataclass(frozen=True, slots=True)
class Events:
    """What a link reports by itself."""

    changed: Callable[[], None]
    """A list may differ from what was read last."""
    updated: Callable[[str], None]
    """A resource that was subscribed to has changed; the argument is its URI."""

    def take(self, message: Message) -> bool:
        """Report a notification if it is of one of these two kinds."""
        method = message["method"]
        if method in LIST_CHANGED:
            self.changed()
            return True
        if method == RESOURCE_UPDATED:
            uri = message.get("params", {}).get("uri")
            if isinstance(uri, str):
                self.updated(uri)
            return True
        return False


class Link(ABC):
    """The way to one upstream in one era. Every method that talks raises `UpstreamError`."""

    @abstractmethod
    async def connect(self) -> Peer:
        """Introduce the broker and return what the upstream said of itself."""

    @abstractmethod
    async def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send one of the broker's own requests and return its result."""

    @abstractmethod
    async def ping(self) -> None:
        """Find out whether the upstream answers, without asking for anything."""

    @abstractmethod
    async def request(self, exchange: Exchange, method: str, params: dict[str, Any]) -> Reply:
        """Carry out a client's request; see `Upstream.request`."""

    @abstractmethod
    async def cancel(self, exchange: Exchange, reason: str | None) -> None:
        """End a request in flight."""

    @abstractmethod
    async def notify(self, identity: str, message: Message) -> None:
        """Pass on a client's notification, if the upstream knows the client."""

    @abstractmethod
    async def watch(self, uris: Iterable[str]) -> None:
        """Report events from now on, those of these resources among others, unless that is so already."""

    @abstractmethod
    async def subscribe(self, uri: str) -> None:
        """Have changes of a resource reported."""

    @abstractmethod
    async def unsubscribe(self, uri: str) -> None:
        """Have them reported no more."""

    @abstractmethod
    def end_client(self, identity: str) -> None:
        """Forget a client, and end its session at the upstream if it has one."""

    @abstractmethod
    def disconnect(self) -> None:
        """End the broker's own connection; requests of clients are still carried out."""

    @abstractmethod
    def close(self) -> None:
        """End everything, in the background."""
