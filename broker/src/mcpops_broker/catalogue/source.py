# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What one upstream contributes to the catalogue, serialized once however often the catalogue is built again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from mcpops_broker.protocol.kinds import Kind

Definition = Mapping[str, Any]
"""A tool, prompt, resource or template as its upstream wrote it."""

_PREFIXED = frozenset({Kind.TOOLS, Kind.PROMPTS})
"""Kinds whose names are ours to choose. A URI may stand in any text that a server sends, so URIs stay as they are."""


class Item:
    """One thing that an upstream offers, and how clients see it."""

    __slots__ = ("definition", "id", "name", "raw", "upstream")

    def __init__(self, kind: Kind, upstream: str, prefix: str, definition: Definition) -> None:
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


class Source:
    """One upstream's tools, prompts, resources and templates."""

    __slots__ = ("items", "prefix", "resources", "upstream")

    def __init__(
        self,
        upstream: str,
        prefix: str,
        listed: Mapping[Kind, Iterable[Definition]],
        *,
        resources: bool = False,
    ) -> None:
        self.upstream = upstream
        self.prefix = prefix
        self.items = {
            kind: [Item(kind, upstream, prefix, definition) for definition in listed.get(kind, ())] for kind in Kind
        }
        self.resources = resources
        """Whether the upstream can be asked for resources, also for some that it does not list."""
