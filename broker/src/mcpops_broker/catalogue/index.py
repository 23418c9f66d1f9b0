# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Everything that the upstreams offer, by kind and by the name or URI that clients know, and what is hidden and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mcpops_broker.catalogue.source import Item, Source
from mcpops_broker.catalogue.templates import Templates
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.upstream.listing import CacheHint


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


class Index:
    """The sources, merged: of two that offer the same the first has it. `ttl`: milliseconds for which a list may be
    kept, unless an upstream says less."""

    def __init__(self, sources: Iterable[Source], ttl: int) -> None:
        self.items: dict[Kind, dict[str, Item]] = {kind: {} for kind in Kind}
        self.conflicts: dict[str, list[Conflict]] = {}
        """What is hidden, by the upstream that offers it."""
        self.hints = dict.fromkeys(Kind, CacheHint(ttl, public=True))
        """How long and by whom a list may be kept: as the strictest upstream allows."""
        self.personal: list[Source] = []
        """Upstreams that offer each user something else; what that is has to be asked on behalf of the user."""
        self._with_resources: list[str] = []
        for source in sources:
            self._add(source)
        self._by_length = sorted(self.personal, key=lambda source: -len(source.prefix))
        self._templates = Templates(self.items[Kind.TEMPLATES].values())

    def find(self, kind: Kind, name: str) -> Item | None:
        """Return the tool or prompt that clients know by this name; None when there is none.

        One that nobody lists belongs to the personal upstream with the longest prefix that fits, which knows whether
        there is such a thing for its user.
        """
        item = self.items[kind].get(name)
        if item is None and self._by_length:
            for source in self._by_length:
                if name.startswith(source.prefix) and name != source.prefix:
                    return Item(kind, source.upstream, source.prefix, {kind.identity: name[len(source.prefix) :]})
        return item

    def owners(self, uri: str) -> tuple[str, ...]:
        """Return the upstreams to ask for a resource, the likeliest first.

        The one that lists it, or the template of which it is (given itself or filled in); otherwise every upstream
        that has resources, since servers may offer some that they do not list.
        """
        owner = self.items[Kind.RESOURCES].get(uri) or self.items[Kind.TEMPLATES].get(uri)
        if owner is not None:
            return (owner.upstream,)
        return self._templates.owners(uri) or tuple(self._with_resources)

    def _add(self, source: Source) -> None:
        if source.personal:
            self.personal.append(source)
        if source.resources:
            self._with_resources.append(source.upstream)
        for kind, hint in source.hints.items():
            known = self.hints[kind]
            self.hints[kind] = CacheHint(min(known.ttl_ms, hint.ttl_ms), known.public and hint.public)
        for kind, items in source.items.items():
            found = self.items[kind]
            for item in items:
                owner = found.setdefault(item.id, item)
                if owner is not item:
                    conflict = Conflict(kind, source.upstream, item.name, item.id, owner.upstream)
                    self.conflicts.setdefault(source.upstream, []).append(conflict)
