# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""A client's request on its way: what an upstream may know of the client, and do with it, until it has answered.

The endpoint makes exchanges, one kind for each era of MCP; the upstream side only knows this interface. That is what
lets a client of one era reach an upstream of the other.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from mcpops_broker.principal import Principal
from mcpops_broker.protocol.jsonrpc import Id, Message, restamp


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks."""

    identity: str
    """Whose sessions at upstreams are used: a client session's identity, or for clients without sessions a value that
    is equal only for requests of the same principal, OAuth client, scopes, authorization and capabilities."""
    version: str
    """The MCP revision that the client speaks."""
    stateless: bool = False
    """Whether that is a revision without sessions (2026-07-28 and later)."""
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    """What it declared: `elicitation`, `sampling`, `roots`, ... as in MCP's ClientCapabilities."""
    log_level: str | None = None
    """The least severe log messages it wants; None: it did not say."""
    authorization: str | None = field(default=None, repr=False)
    """Its Authorization header, for the upstreams that offer each user something else. No other upstream gets it, and
    none does when it is what the client is known to the broker by."""


class Exchange(ABC):
    """One request of a client while an upstream carries it out."""

    client: Client
    principal: Principal
    """Who makes the request."""
    request_id: Id
    """The id that the client gave; unique among the client's requests in flight, not among those of others."""
    resolves_input: bool
    """True when an `input_required` result must be resolved by `ask`, since the client knows nothing of such results;
    False when it is passed on to the client as it is."""
    headers: Mapping[str, str]
    """Headers to pass on to an upstream without sessions (`Mcp-Param-*`), by lower-case name."""
    trace: Mapping[str, str] = MappingProxyType({})
    """Headers that say to the upstream which trace the request belongs to, by lower-case name."""
    upstream_id: Id | None = None
    """The id under which the request went to the upstream; set by the upstream side."""
    carrier: asyncio.Task[Any] | None = None
    """The task to end when the request is cancelled, where an upstream knows no other way; set by the upstream side."""
    cancelled: bool = False
    """Whether the upstream side has ended the carrier."""

    @abstractmethod
    async def notify(self, raw: bytes) -> None:
        """Pass on a notification that belongs to the request (progress, log message), serialized. Dropped when the
        client cannot get any."""

    @abstractmethod
    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Ask the client what the upstream asks (`elicitation/create`, `sampling/createMessage`, `roots/list`) and
        return its result; raise `RpcError` when the client cannot be asked or answers with an error."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The response of an upstream: a result or an error."""

    raw: bytes
    """As the upstream wrote it."""
    message: Message
    """The same, parsed."""

    def for_request(self, request_id: Id) -> bytes:
        """Return the response with the id of the client's request, otherwise as it is."""
        return restamp(self.raw, self.message, request_id)
