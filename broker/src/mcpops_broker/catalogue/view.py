# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Lists as clients see them: ordered, in pages that are serialized once."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from mcpops_broker.catalogue.index import Index
from mcpops_broker.catalogue.scope import ALLOWED, EVERYTHING, Authorized, Decision, Pairs, Scope
from mcpops_broker.catalogue.source import OWN, Item, Source
from mcpops_broker.config.model import VirtualServer
from mcpops_broker.protocol.jsonrpc import INVALID_PARAMS, RpcError
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.protocol.uris import authority, is_plain


@dataclass(frozen=True, slots=True)
class Listings:
    """How lists are written."""

    page_size: int = 1000
    ttl: int = 0
    """Milliseconds for which a client without a session may take a list as current (`ttlMs`), unless an upstream says
    less."""
    head: bytes = b""
    """Members that begin every result for clients without sessions, serialized, each followed by a comma."""
    most_tools: int = 0
    """With more tools of upstreams than this a client with a session sees the broker's own only, until it has chosen
    some. 0: no limit."""
    rules: str = ""
    """What scopes are made by, for telling whether two workers answer alike."""


DEFAULT_LISTINGS = Listings()
_NOT_SELECTED = Decision(False, "selection", "the session has selected other tools")
_NOT_PART = Decision(False, "virtual-server", "it is no part of the virtual server")
_NOT_AUTHORIZED = Decision(False, "authorization", "the x-mcp-authorized header does not name it")
_CACHING = b'"resultType":"complete","ttlMs":%d,"cacheScope":"%s",'


class View:
    """What one scope sees and may use. What it does not see it may not use either."""

    __slots__ = ("_index", "_listings", "_lists", "_scope", "_upstreams", "_virtual_server")

    def __init__(
        self,
        index: Index,
        scope: Scope,
        virtual_server: VirtualServer | None,
        listings: Listings,
    ) -> None:
        self._index = index
        self._scope = scope
        self._virtual_server = virtual_server
        self._listings = listings
        self._lists: dict[tuple[Kind, bool], ListView] = {}
        self._upstreams: frozenset[str] | None = None

    def page(self, kind: Kind, cursor: object, *, stateless: bool = False) -> bytes:
        """Return the serialized result of listing a kind for a cursor (None: the first page).

        `stateless`: as clients without sessions get it (MCP 2026-07-28), with the members that tell how long it may
        be kept. Raises `RpcError` -32602 for a cursor that is not one of ours.
        """
        return self._list(kind, stateless).page(cursor)

    def personal_page(self, kind: Kind, sources: Iterable[Source], cursor: object, *, stateless: bool = False) -> bytes:
        """Return the same as `page` for one user, with what personal upstreams offer this user: of two that offer the
        same, the one that `Index.find` gives the calls to."""
        taken = set(self._index.items[kind])
        items = self.items(kind)
        for source in sorted(sources, key=lambda source: -len(source.prefix)):
            new = [item for item in source.items[kind] if item.id not in taken]
            taken.update(item.id for item in new)
            items += [item for item in new if self._decide(item, keep=False).listed]
        return self._build(kind, items, _CACHING % (0, b"private") if stateless else b"").page(cursor)

    def digest(self, kind: Kind, *, stateless: bool = False) -> bytes:
        """Return a value that is equal for two views exactly when clients would see the same list."""
        return self._list(kind, stateless).digest

    def items(self, kind: Kind) -> list[Item]:
        """Return what is listed of the upstreams, in the order of the configuration: what may be used, or could be with
        more scopes."""
        items = (item for item in self._index.items[kind].values() if item.upstream != OWN)
        return list(items) if self._scope is EVERYTHING else [item for item in items if self._decide(item).listed]

    def decide(self, item: Item) -> Decision:
        """Decide whether a tool or prompt of the catalogue may be used."""
        if self._scope is EVERYTHING:
            return ALLOWED
        listed = self._index.items[item.kind].get(item.id) is item  # a personal upstream's is not
        return self._decide(item, keep=listed)

    def decide_resource(self, uri: str, upstream: str) -> Decision:
        """Decide whether a resource may be read from an upstream."""
        if self._scope is EVERYTHING:
            return ALLOWED
        for kind in (Kind.RESOURCES, Kind.TEMPLATES):
            item = self._index.items[kind].get(uri)
            if item is not None and item.upstream == upstream:
                return self._decide(item)
        return self._decide(Item(Kind.RESOURCES, upstream, "", {"uri": uri}), keep=False)

    def _list(self, kind: Kind, stateless: bool) -> ListView:
        view = self._lists.get((kind, stateless))
        if view is None:
            caching = self._caching(kind) if stateless else b""
            view = self._lists[kind, stateless] = self._build(kind, self.items(kind), caching)
        return view

    def _build(self, kind: Kind, items: list[Item], caching: bytes) -> ListView:
        """Make the list for clients with sessions (no `caching`) or without."""
        if caching:
            items = [item for item in items if kind is not Kind.TOOLS or item.header_problem is None]
        elif kind is Kind.TOOLS:
            items = self._for_sessions(items)
        scope = self._scope
        keep = scope.authorized is None and scope.selection is None and scope.grants is None
        head = caching + self._listings.head if caching else b""
        return ListView(kind, items, self._listings.page_size, head, keep=keep)

    def _caching(self, kind: Kind) -> bytes:
        """Say how long and by whom a list may be kept: as the strictest upstream allows, and what depends on who asks
        by that client only (MCP 2026-07-28, server/utilities/caching)."""
        hint = self._index.hints[kind]
        scope = b"public" if hint.public and self._scope == EVERYTHING else b"private"
        return _CACHING % (hint.ttl_ms, scope)

    def _for_sessions(self, tools: list[Item]) -> list[Item]:
        """Add the broker's own tools, which choose among the others for a session."""
        most = self._listings.most_tools
        hidden = most and self._scope.selection is None and len(tools) > most
        own = [item for item in self._index.items[Kind.TOOLS].values() if item.upstream == OWN]
        return own if hidden and own else own + tools

    def _decide(self, item: Item, *, keep: bool = True) -> Decision:
        """Decide whether something may be used. The policy comes last: what it says may only narrow the rest. `keep`:
        the catalogue has it."""
        scope = self._scope
        if item.upstream != OWN:
            if item.kind is Kind.TOOLS and scope.selection is not None and item.id not in scope.selection:
                return _NOT_SELECTED
            if self._virtual_server is not None and not self._is_part(item):
                return _NOT_PART
            if scope.authorized is not None and not _authorizes(scope.authorized, item, keep):
                return _NOT_AUTHORIZED
        return ALLOWED if scope.grants is None else scope.grants.decide(item, keep=keep)

    def _is_part(self, item: Item) -> bool:
        """Tell whether the virtual server has something."""
        server = self._virtual_server
        if server is None:
            return True
        if item.kind is Kind.TOOLS:
            return item.id in server.tools
        if item.kind is Kind.PROMPTS:
            return not server.prompts or item.id in server.prompts
        return self._has(server, item.upstream)

    def _has(self, server: VirtualServer, upstream: str) -> bool:
        """Tell whether the virtual server names a tool or prompt of this upstream: then it has its resources as well,
        which it cannot name."""
        if self._upstreams is None:
            named = [self._index.find(Kind.TOOLS, name) for name in server.tools]
            named += [self._index.find(Kind.PROMPTS, name) for name in server.prompts]
            self._upstreams = frozenset(item.upstream for item in named if item is not None)
        return upstream in self._upstreams


def _authorizes(authorized: Authorized, item: Item, listed: bool) -> bool:
    if item.kind is Kind.TOOLS:
        return authorized.tools is None or (item.upstream, item.name) in authorized.tools
    if item.kind is Kind.PROMPTS:
        return authorized.prompts is None or (item.upstream, item.name) in authorized.prompts
    return _authorizes_uri(authorized.resources, item.upstream, item.id, listed)


def _authorizes_uri(pairs: Pairs | None, upstream: str, uri: str, listed: bool) -> bool:
    if pairs is None or (upstream, uri) in pairs:
        return True
    place = authority(uri)  # of a URI that its upstream does not list it may find another one there
    return bool(place) and (upstream, place) in pairs and (listed or is_plain(uri))


class ListView:
    """The items of one kind that a scope may see.

    Order is by name or URI, so it does not depend on when an upstream was reached, and a cursor stays valid when the
    list changes: it means "after this one". `head` is what the result begins with, before the list. Without `keep`
    pages are made each time: many clients that each see something else must not fill the memory.
    """

    __slots__ = ("_digest", "_head", "_ids", "_items", "_keep", "_key", "_page_size", "_pages")

    def __init__(self, kind: Kind, items: Iterable[Item], page_size: int, head: bytes, *, keep: bool) -> None:
        self._items = sorted(items, key=lambda item: item.id)
        self._ids = [item.id for item in self._items]
        self._key = kind.key.encode()
        self._page_size = page_size
        self._head = head
        self._keep = keep
        self._pages: dict[int, bytes] = {}
        self._digest: bytes | None = None

    @property
    def digest(self) -> bytes:
        """Equal for two lists exactly when clients would see the same."""
        if self._digest is None:
            digest = hashlib.blake2b(digest_size=16)
            for item in self._items:
                digest.update(item.raw)
            self._digest = digest.digest()
        return self._digest

    def page(self, cursor: object) -> bytes:
        """Return the serialized result of listing for a cursor (None: the first page).

        Raises `RpcError` -32602 for a cursor that is not one of ours.
        """
        start = 0 if cursor is None else bisect_right(self._ids, _read_cursor(cursor))
        page = self._pages.get(start)
        if page is None:
            page = self._build(start)
            if self._keep and start % self._page_size == 0:  # others come from cursors of an older list
                self._pages[start] = page
        return page

    def _build(self, start: int) -> bytes:
        end = start + self._page_size
        items = b",".join([item.raw for item in self._items[start:end]])
        page = b"{" + self._head + b'"' + self._key + b'":[' + items + b"]"
        if end < len(self._items):
            page += b',"nextCursor":"' + _make_cursor(self._ids[end - 1]) + b'"'
        return page + b"}"


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
