# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Reading everything that an upstream offers: all kinds, all pages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from mcpops_broker.protocol import jsonrpc
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.upstream.errors import UpstreamError, UpstreamRpcError
from mcpops_broker.upstream.listing import CacheHint, Items, Listing, sort_out
from mcpops_broker.upstream.peer import Era, Peer

MAX_ITEMS = 20_000
"""Items of one kind of one upstream. More is taken for a server that pages without end."""

Call = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Sends one request of the broker's own and returns its result; raises `UpstreamError`."""


async def read_listing(name: str, peer: Peer, call: Call) -> Listing:
    """List every kind that the upstream declares as a capability; raise `UpstreamError`.

    An upstream that answers the listing of tools with an error is of no use and fails. When only its prompts or
    resources cannot be listed, the rest is still offered and `Listing.problems` says why.
    """
    kinds = [kind for kind in Kind if peer.offers(kind.capability)]
    try:
        async with asyncio.TaskGroup() as group:  # one that fails ends the others, which would connect again
            tasks = {kind: group.create_task(read_kind(name, kind, call, peer.era)) for kind in kinds}
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return Listing({kind: task.result() for kind, task in tasks.items()})


async def read_kind(name: str, kind: Kind, call: Call, era: Era) -> Items:
    """List one kind; raise `UpstreamError`."""
    try:
        return await _pages(name, kind, call, era)
    except UpstreamError as error:
        if kind is Kind.TOOLS or error.reason not in ("error", "invalid"):
            raise
        if isinstance(error, UpstreamRpcError) and error.code == jsonrpc.METHOD_NOT_FOUND:
            return Items(kind)  # many servers have resources but know nothing of templates
        return Items(kind, problem=f"{kind.method} failed: {error}")


async def _pages(name: str, kind: Kind, call: Call, era: Era) -> Items:
    found: list[Any] = []
    hint: CacheHint | None = None
    cursors: set[str] = set()
    params: dict[str, Any] = {}
    while True:
        page = await call(kind.method, params)
        items = page.get(kind.key)
        if not isinstance(items, list):
            raise UpstreamError(name, "invalid", f"answered {kind.method} without a list of {kind.key}")
        found += items
        hint = _combined(hint, page)
        cursor = page.get("nextCursor")
        if not isinstance(cursor, str) or not cursor:
            return sort_out(kind, found, hint, era)
        if cursor in cursors or len(found) > MAX_ITEMS:
            raise UpstreamError(name, "invalid", f"does not come to an end of {kind.method}")
        cursors.add(cursor)
        params = {"cursor": cursor}


def _combined(hint: CacheHint | None, page: dict[str, Any]) -> CacheHint | None:
    """Take a page's hint into account: the shortest time holds, and private wins."""
    ttl, scope = page.get("ttlMs"), page.get("cacheScope")
    if ttl is None and scope is None:
        return hint
    milliseconds = ttl if type(ttl) is int and ttl > 0 else 0
    public = scope == "public"
    if hint is None:
        return CacheHint(milliseconds, public)
    return CacheHint(min(hint.ttl_ms, milliseconds), hint.public and public)
