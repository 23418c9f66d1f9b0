# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What one upstream contributes to the catalogue, serialized once however often the catalogue is built again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import orjson

from mcpops_broker.protocol.headers import ANNOTATION, Mirror, find_mirrors
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.upstream.listing import CacheHint

if TYPE_CHECKING:
    from mcpops_broker.catalogue.guard import Finding

Definition = Mapping[str, Any]
"""A tool, prompt, resource or template as its upstream wrote it."""

OWN = ""
"""In the place of an upstream's name: the broker itself."""

NO_HINTS: Mapping[Kind, CacheHint] = MappingProxyType({})
_ANNOTATION = orjson.dumps(ANNOTATION)
_PREFIXED = frozenset({Kind.TOOLS, Kind.PROMPTS})
"""Kinds whose names are ours to choose. A URI may stand in any text that a server sends, so URIs stay as they are."""


class Item:
    """One thing that an upstream offers, and how clients see it."""

    __slots__ = ("_annotations", "_mirrors", "definition", "id", "kind", "name", "raw", "upstream")

    def __init__(self, kind: Kind, upstream: str, prefix: str, definition: Definition) -> None:
        self.kind = kind
        self.upstream = upstream
        self.name: str = definition[kind.identity]
        """Its name, URI or URI template at the upstream."""
        self.definition = definition
        if prefix and kind in _PREFIXED:
            self.id = prefix + self.name
            """The same as clients see it."""
            self.raw = orjson.dumps({**definition, kind.identity: self.id})
            """The definition as clients see it."""
        else:
            self.id = self.name
            self.raw = orjson.dumps(definition)
        self._mirrors: tuple[Mirror, ...] | str | None = None
        self._annotations: bytes | None = None

    @property
    def annotations(self) -> bytes:
        """What the upstream says of it in `annotations`, serialized; equal for equal annotations."""
        if self._annotations is None:
            self._annotations = orjson.dumps(self.definition.get("annotations"), option=orjson.OPT_SORT_KEYS)
        return self._annotations

    @property
    def mirrors(self) -> tuple[Mirror, ...]:
        """The headers that a call of this tool by a client without a session must have; none when its annotations
        break a rule, since such clients then know of none."""
        found = self._look_for_mirrors()
        return () if isinstance(found, str) else found

    @property
    def header_problem(self) -> str | None:
        """Why clients without sessions must not be offered this tool (MCP 2026-07-28: `x-mcp-header`), or None."""
        found = self._look_for_mirrors()
        return found if isinstance(found, str) else None

    def _look_for_mirrors(self) -> tuple[Mirror, ...] | str:
        if self._mirrors is None:
            if _ANNOTATION not in self.raw:  # true of nearly all tools, and much faster than to look through schemas
                self._mirrors = ()
                return ()
            try:
                self._mirrors = find_mirrors(self.definition.get("inputSchema"))
            except ValueError as error:
                self._mirrors = str(error)
        return self._mirrors


class Source:
    """One upstream's tools, prompts, resources and templates."""

    __slots__ = ("findings", "hints", "items", "personal", "prefix", "resources", "upstream")

    def __init__(
        self,
        upstream: str,
        prefix: str,
        listed: Mapping[Kind, Iterable[Definition]],
        *,
        resources: bool = False,
        hints: Mapping[Kind, CacheHint] = NO_HINTS,
        personal: bool = False,
        findings: Sequence[Finding] = (),
    ) -> None:
        self.upstream = upstream
        self.prefix = prefix
        self.findings = findings
        """What the guard found in the definitions, of those that are left out, too."""
        self.items = {
            kind: [Item(kind, upstream, prefix, definition) for definition in listed.get(kind, ())] for kind in Kind
        }
        self.resources = resources
        """Whether the upstream can be asked for resources, also for some that it does not list."""
        self.hints = hints
        """How long and by whom the upstream's lists may be kept, where it says so."""
        self.personal = personal
        """Whether the upstream offers each user something else."""

    def made_for(self, prefix: str, personal: bool) -> bool:
        """Tell whether this source fits an upstream that is configured so."""
        return self.prefix == prefix and self.personal == personal
