# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Merging what all upstreams offer into one catalogue. Pure: from lists to answers, no I/O.

Names of tools and prompts are prefix + original name, URIs stay as they are. When two upstreams offer the same, the
one that stands first in the configuration has it; only that element of the other is hidden, and the reason can be
read in `/status`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from mcpops_broker.catalogue.index import Conflict, Index
from mcpops_broker.catalogue.scope import EVERYTHING, Scope
from mcpops_broker.catalogue.source import Item, Source
from mcpops_broker.catalogue.view import DEFAULT_LISTINGS, Listings, View
from mcpops_broker.config.model import VirtualServer
from mcpops_broker.protocol.jsonrpc import INVALID_PARAMS, RpcError, excerpt
from mcpops_broker.protocol.kinds import Kind

MAX_VIEWS = 100
"""Scopes whose lists are kept, beside the one that sees everything; the one used longest ago makes room."""


class Catalogue:
    """Everything that is offered, who offers it, the conflicts, and what scopes see of it."""

    def __init__(
        self,
        sources: Iterable[Source] = (),
        virtual_servers: Iterable[VirtualServer] = (),
        listings: Listings = DEFAULT_LISTINGS,
    ) -> None:
        sources = list(sources)
        self._index = Index(sources, listings.ttl)
        self.findings = {source.upstream: source.findings for source in sources if source.findings}
        """What the guard found in definitions, by the upstream that offers them."""
        self._virtual = {server.name: server for server in virtual_servers}
        self._listings = listings
        self._everything = View(self._index, EVERYTHING, None, listings)
        self._views: dict[Scope, View] = {}

    @property
    def conflicts(self) -> Mapping[str, Sequence[Conflict]]:
        """What is hidden, and why, by the upstream that offers it."""
        return self._index.conflicts

    @property
    def personal(self) -> Sequence[Source]:
        """The upstreams that offer each user something else; their sources have no items."""
        return self._index.personal

    def digest(self) -> str:
        """Return a value that is equal for two catalogues exactly when all clients would see the same lists."""
        digest = hashlib.blake2b(self._listings.rules.encode(), digest_size=16)
        for kind in Kind:
            digest.update(self._everything.digest(kind))
            digest.update(self._everything.digest(kind, stateless=True))
        for server in self._virtual.values():
            digest.update(repr((server.name, sorted(server.tools), sorted(server.prompts))).encode())
        return digest.hexdigest()

    def route(self, kind: Kind, name: str) -> Item | None:
        """Return the tool or prompt with this name, as clients see it; None when there is none."""
        return self._index.find(kind, name)

    def has_virtual_server(self, name: str) -> bool:
        """Tell whether a virtual server of this name is configured."""
        return name in self._virtual

    def route_resource(self, uri: str) -> tuple[str, ...]:
        """Return the upstreams to ask for a resource, the likeliest first; several when nobody lists it."""
        return self._index.owners(uri)

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
            view = View(self._index, scope, virtual_server, self._listings)
            if len(self._views) >= MAX_VIEWS:
                del self._views[next(iter(self._views))]
        self._views[scope] = view  # at the end again: the first is the one used longest ago
        return view
