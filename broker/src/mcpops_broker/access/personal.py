# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Lists of upstreams that offer each user something else (`userSpecificList`), read on behalf of the client that asks.

As in Kuadrant mcp-gateway 0.7 and later nothing of them is kept: what one user sees must not reach another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from secrets import token_hex
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mcpops_broker import logs
from mcpops_broker.catalogue.guard import ToolGuard
from mcpops_broker.catalogue.source import Source
from mcpops_broker.principal import Principal
from mcpops_broker.protocol import jsonrpc
from mcpops_broker.protocol.jsonrpc import RpcError
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.upstream.errors import UpstreamError, UpstreamRpcError
from mcpops_broker.upstream.exchange import Client, Exchange
from mcpops_broker.upstream.lister import read_kind
from mcpops_broker.upstream.peer import Era
from mcpops_broker.upstream.upstream import Upstream

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker

TIMEOUT = 30.0
"""Seconds that an upstream gets to list one kind."""


class _Listing(Exchange):
    """A request for a list, made by the broker in the name of a client."""

    resolves_input = False
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, client: Client, principal: Principal) -> None:
        self.client = client
        self.principal = principal
        self.request_id = f"broker:list:{token_hex(8)}"  # another worker may use the same session at the same time

    async def notify(self, raw: bytes) -> None:
        """Drop a notification: the client knows nothing of this request."""

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Refuse: a list needs no questions."""
        raise RpcError(jsonrpc.METHOD_NOT_FOUND, f"Method {jsonrpc.excerpt(method)} is not supported by this client")


async def read_lists(broker: Broker, asking: Exchange, kind: Kind) -> list[Source]:
    """Return what the personal upstreams offer the client of a request. One that cannot be reached, or refuses the
    client, offers nothing and is no reason to withhold the other ones."""
    upstreams = [broker.upstreams[source.upstream] for source in broker.catalogue.personal]
    guard = broker.tool_guard
    return list(await asyncio.gather(*(_read(upstream, asking, kind, guard) for upstream in upstreams)))


async def _read(upstream: Upstream, asking: Exchange, kind: Kind, guard: ToolGuard) -> Source:
    async def call(method: str, params: dict[str, Any]) -> dict[str, Any]:
        response = (await upstream.request(_Listing(asking.client, asking.principal), method, params)).message
        result = response.get("result")
        if isinstance(result, dict):
            return result
        error = response.get("error")
        error = error if isinstance(error, dict) else {}
        code = error.get("code")
        code = code if type(code) is int else jsonrpc.INTERNAL_ERROR
        raise UpstreamRpcError(name, code, jsonrpc.excerpt(error.get("message")), error.get("data"))

    name, prefix = upstream.server.name, upstream.server.prefix
    era = Era.SESSION if upstream.peer is None else upstream.peer.era
    if upstream.peer is not None and not upstream.peer.offers(kind.capability):
        return Source(name, prefix, {})
    try:
        async with asyncio.timeout(TIMEOUT):
            kept, _ = guard.sort_out(name, kind, (await read_kind(name, kind, call, era)).valid)
            return Source(name, prefix, {kind: kept})
    except (UpstreamError, TimeoutError) as error:
        if isinstance(error, UpstreamRpcError) and error.code == jsonrpc.URL_ELICITATION_REQUIRED:
            return Source(name, prefix, {})  # a user who has given no token yet; a call would ask for it
        logs.warning("personal.list.failed", upstream=name, kind=kind.key, problem=str(error) or "no answer in time")
        return Source(name, prefix, {})
