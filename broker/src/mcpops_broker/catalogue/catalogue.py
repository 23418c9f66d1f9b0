# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Merging what all upstreams offer into one catalogue. Pure: from lists to answers, no I/O.

Names of tools and prompts are prefix + original name, URIs stay as they are. When two upstreams offer the same, the
one that stands first in the configuration has it; only that element of the other is hidden, and the reason can be
read in `/status`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mcpops_broker.catalogue.scope import EVERYTHING, Scope
from mcpops_broker.catalogue.source import Item, Source
from mcpops_broker.catalogue.templates import Templates
from mcpops_broker.catalogue.view import DEFAULT_LISTINGS, Listings, View
from mcpops_broker.config.model import VirtualServer
from mcpops_broker.protocol.jsonrpc import INVALID_PARAMS, RpcError, excerpt
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.upstream.listing import CacheHint

MAX_VIEWS = 100
"""Scopes whose lists are kept, beside the one that sees everything; the one used longest ago makes room."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something that is hidden because another upstream offers it under the same name or URI."""

    kind: Kind
    upstream: str
    name: str
    """The name or URI at the upstream."""
    id: str
    """The name or URI that clients would see."""
    owner: str
    """The upstream that has it, or OWN."""

    def __str__(self) -> str:
        what = "name" if self.kind.identity == "name" else "URI"
        owner = f"upstream {self.owner}, which comes first in the configuration," if self.owner else "the broker itself"
        return f"{self.kind.noun} {self.id} is hidden: {owner} has that {what}"


class Catalogue:
    """Everything that is offered, who offers it, the conflicts, and what scopes see of it."""

    def __init__(
        self,
        sources: Iterable[Source] = (),
        virtual_servers: Iterable[VirtualServer] = (),
        listings: Listings = DEFAULT_LISTINGS,
    ) -> None:
        self.conflicts: list[Conflict] = []
        self._items: dict[Kind, dict[str, Item]] = {kind: {} for kind in Kind}
        self._with_resources: list[str] = []
        self._hints = dict.fromkeys(Kind, CacheHint(listings.ttl, public=True))
        for source in sources:
            self._add(source)
        self._templates = Templates(self._items[Kind.TEMPLATES].values())
        self._virtual = {server.name: server for server in virtual_servers}
        self._listings = listings
        self._everything = View(self._items, self._hints, EVERYTHING, None, listings)
        self._views: dict[Scope, View] = {}

    def count(self, kind: Kind) -> int:
        """Return how many elements of a kind there are."""
        return len(self._items[kind])

    def __contains__(self, element: tuple[Kind, str]) -> bool:
        kind, name = element
        return name in self._items[kind]

    def route_tool(self, name: str) -> Item | None:
        """Return the tool with this name, as clients see it; None when there is none."""
        return self._items[Kind.TOOLS].get(name)

    def route_prompt(self, name: str) -> Item | None:
        """Return the prompt with this name, as clients see it; None when there is none."""
        return self._items[Kind.PROMPTS].get(name)

    def route_resource(self, uri: str) -> tuple[str, ...]:
        """Return the upstreams to ask for a resource, the likeliest first.

        The one that lists it, or the template of which it is (given itself or filled in); otherwise every upstream
        that has resources, since servers may offer some that they do not list.
        """
        owner = self._items[Kind.RESOURCES].get(uri) or self._items[Kind.TEMPLATES].get(uri)
        if owner is not None:
            return (owner.upstream,)
        return self._templates.owners(uri) or tuple(self._with_resources)

    def view(self, scope: Scope) -> View:
        """Return what a scope sees.

        Raises `RpcError` -32602 for a virtual server that is not configured: a typing error must not open everything.
        """
        if scope is EVERYTHING:
            return self._everything
        view = self._views.pop(scope, None)
        if view is None:
            virtual_server = None
            if scope.virtual_server is not None:
                virtual_server = self._virtual.get(scope.virtual_server)
                if virtual_server is None:
                    raise RpcError(INVALID_PARAMS, f"Unknown virtual server: {excerpt(scope.virtual_server)}")
            view = View(self._items, self._hints, scope, virtual_server, self._listings)
            if len(self._views) >= MAX_VIEWS:
                del self._views[next(iter(self._views))]
        self._views[scope] = view  # at the end again: the first is the one used longest ago
        return view

    def _add(self, source: Source) -> None:
        if source.resources:
            self._with_resources.append(source.upstream)
        for kind, hint in source.hints.items():
            known_hint = self._hints[kind]
            self._hints[kind] = CacheHint(min(known_hint.ttl_ms, hint.ttl_ms), known_hint.public and hint.public)
        for kind, items in source.items.items():
            known = self._items[kind]
            for item in items:
                owner = known.setdefault(item.id, item)
                if owner is not item:
                    self.conflicts.append(Conflict(kind, source.upstream, item.name, item.id, owner.upstream))
