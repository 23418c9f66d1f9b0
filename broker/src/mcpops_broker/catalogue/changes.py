# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""How two catalogues differ for those who listen for changes of lists."""

from __future__ import annotations

from mcpops_broker.catalogue.catalogue import Catalogue
from mcpops_broker.catalogue.scope import Scope
from mcpops_broker.protocol.jsonrpc import RpcError
from mcpops_broker.protocol.kinds import Kind

MOST_COMPARED = 100
"""Scopes whose lists are compared. Making them takes milliseconds, and nothing else runs meanwhile: who sees something
that so few others see is told that all lists may differ, which costs a client at most a request for each."""
_ALL = frozenset(Kind)


class Changes:
    """From one catalogue to the next. `stateless`: as clients without sessions see them."""

    def __init__(self, old: Catalogue, new: Catalogue, *, stateless: bool) -> None:
        self._old = old
        self._new = new
        self._stateless = stateless
        self._known: dict[tuple[Scope, Scope], frozenset[Kind]] = {}

    def kinds(self, before: Scope, after: Scope) -> frozenset[Kind]:
        """Return the kinds whose lists differ, or may, for somebody who had the first scope and has the second."""
        found = self._known.get((before, after))
        if found is None:
            if len(self._known) >= MOST_COMPARED:
                return _ALL
            found = frozenset(
                kind for kind in Kind if self._digest(self._old, before, kind) != self._digest(self._new, after, kind)
            )
            self._known[before, after] = found
        return found

    def _digest(self, catalogue: Catalogue, scope: Scope, kind: Kind) -> bytes | None:
        try:
            return catalogue.view(scope).digest(kind, stateless=self._stateless)
        except RpcError:
            return None  # the virtual server does not exist in this catalogue
