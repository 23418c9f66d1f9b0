# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""A request of a client session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from mcpops_broker.mcp.exchange import NO_HEADERS, ClientExchange
from mcpops_broker.protocol import jsonrpc
from mcpops_broker.protocol.jsonrpc import Id, RpcError
from mcpops_broker.sessions.store import Session
from mcpops_broker.upstream.exchange import Reply

if TYPE_CHECKING:
    from mcpops_broker.catalogue.scope import Scope

Notify = Callable[[bytes], Awaitable[None]]


class SessionExchange(ClientExchange):
    """A request of a client session."""

    resolves_input = True
    headers = NO_HEADERS

    def __init__(self, session: Session, request_id: Id, scope: Scope, notify: Notify | None) -> None:
        self.session = session
        self.client = session.client
        self.request_id = request_id
        self.scope = scope
        self._notify = notify
        """Takes notifications that belong to the request; None when the client cannot get any."""

    async def notify(self, raw: bytes) -> None:
        """Pass on a notification that belongs to the request."""
        if self._notify is not None:
            await self._notify(raw)

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Refuse: no client declares anything here yet."""
        raise RpcError(jsonrpc.METHOD_NOT_FOUND, f"Method {jsonrpc.excerpt(method)} is not supported by this client")

    def response(self, reply: Reply) -> bytes:
        """Return the response as the upstream wrote it, with the id of the client's request."""
        return reply.for_request(self.request_id)
