# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Merging the tools of all upstreams into one catalogue. Pure: from lists to answers, no I/O.

Names are prefix + original name. When two upstreams offer the same name, the one that stands first in the
configuration has it; only that tool of the other is hidden, and the reason can be read in `/status`.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from mcpops_broker.config.model import VirtualServer
from mcpops_broker.protocol.jsonrpc import INVALID_PARAMS, RpcError, excerpt

Scope = str | None
"""What a client sees of the catalogue: the tools of a virtual server, or all of them for None."""


class Source:
    """What one upstream contributes, serialized once however often the catalogue is built again."""

    __slots__ = ("prefix", "tools", "upstream")

    def __init__(self, upstream: str, prefix: str, tools: Iterable[Mapping[str, Any]]) -> None:
        self.upstream = upstream
        self.prefix = prefix
        self.tools = [
            (tool["name"], orjson.dumps({**tool, "name": prefix + tool["name"]} if prefix else tool)) for tool in tools
        ]
        """Pairs of the name at the upstream and the tool as clients see it."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where a call goes."""

    upstream: str
    tool: str
    """The name at the upstream."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """A tool that is hidden because another upstream has its name."""

    upstream: str
    tool: str
    name: str
    """The name that clients would see."""
    owner: str
    """The upstream that has it."""

    def __str__(self) -> str:
        return (
            f"tool {self.name} is hidden: upstream {self.owner}, which comes first in the configuration, has that name"
        )


class View:
    """An ordered set of tools, as pages that are serialized once.

    Order is by name, so it does not depend on when an upstream was reached, and a cursor stays valid when the list
    changes: it means "after this name".
    """

    def __init__(self, tools: Mapping[str, bytes], page_size: int) -> None:
        self.names = sorted(tools)
        self._known = frozenset(self.names)
        self._items = [tools[name] for name in self.names]
        self._page_size = page_size
        self._pages: dict[int, bytes] = {}
        digest = hashlib.blake2b(digest_size=16)
        for item in self._items:
            digest.update(item)
        self.digest = digest.digest()
        """Equal for two views exactly when clients would see the same."""

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def page(self, cursor: object) -> bytes:
        """Return the serialized result of `tools/list` for a cursor (None: the first page).

        Raises `RpcError` -32602 for a cursor that is not one of ours.
        """
        start = 0 if cursor is None else bisect_right(self.names, _read_cursor(cursor))
        page = self._pages.get(start)
        if page is None:
            page = self._build(start)
            if start % self._page_size == 0:  # others come from cursors of an older list: not worth keeping
                self._pages[start] = page
        return page

    def _build(self, start: int) -> bytes:
        end = start + self._page_size
        page = b'{"tools":[' + b",".join(self._items[start:end]) + b"]"
        if end < len(self.names):
            page += b',"nextCursor":"' + _make_cursor(self.names[end - 1]) + b'"'
        return page + b"}"


class Catalogue:
    """All tools, their owners, the conflicts, and the views of virtual servers."""

    def __init__(
        self, sources: Iterable[Source] = (), virtual_servers: Iterable[VirtualServer] = (), page_size: int = 1000
    ) -> None:
        self.routes: dict[str, Route] = {}
        self.conflicts: list[Conflict] = []
        self._tools: dict[str, bytes] = {}
        for source in sources:
            self._add(source)
        self._page_size = page_size
        self._virtual = {server.name: server.tools for server in virtual_servers}
        self._views: dict[str | None, View] = {}

    def view(self, virtual_server: Scope) -> View:
        """Return the tools of a virtual server, or all of them for None.

        Raises `RpcError` -32602 for a name that is not configured: a typing error must not open everything.
        """
        view = self._views.get(virtual_server)
        if view is None:
            tools = self._tools
            if virtual_server is not None:
                allowed = self._virtual.get(virtual_server)
                if allowed is None:
                    raise RpcError(INVALID_PARAMS, f"Unknown virtual server: {excerpt(virtual_server)}")
                tools = {name: tool for name, tool in tools.items() if name in allowed}
            view = self._views[virtual_server] = View(tools, self._page_size)
        return view

    def _add(self, source: Source) -> None:
        for original, tool in source.tools:
            name = source.prefix + original
            owner = self.routes.get(name)
            if owner is not None:
                self.conflicts.append(Conflict(source.upstream, original, name, owner.upstream))
                continue
            self.routes[name] = Route(source.upstream, original)
            self._tools[name] = tool


def _make_cursor(name: str) -> bytes:
    return urlsafe_b64encode(name.encode())


def _read_cursor(cursor: object) -> str:
    try:
        if isinstance(cursor, str):
            name = urlsafe_b64decode(cursor.encode("ascii")).decode()
            if _make_cursor(name).decode() == cursor:  # Python's decoder skips what is not base64
                return name
    except ValueError:  # not ASCII, not base64, not UTF-8
        pass
    raise RpcError(INVALID_PARAMS, "Invalid params: the cursor is not one that this server gave")
