# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Reading YAML without being at the mercy of its size: libyaml's loader overflows the stack on deep nesting, which ends
the process, and a few aliases of aliases become gigabytes as soon as somebody looks at all of them."""

from __future__ import annotations

from typing import Any

import yaml

MAX_DEPTH = 100
"""Lists and mappings inside each other."""
MAX_NODES = 10_000_000
"""Values, with those that aliases repeat."""
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's SafeLoader: no objects are constructed."""
_SIGNS = ("[", "{", "- ", "? ", ":\n", ":\r", ": \n")
"""One of these is there for every level of nesting."""


class TooLargeError(ValueError):
    """The text is too deep, or too large with its aliases. The message goes on after the name of the text."""


def load_yaml(text: str | bytes) -> Any:
    """Parse a text of one document; raise `yaml.YAMLError`, `UnicodeDecodeError` or `TooLargeError`."""
    plain = text.decode("latin-1") if isinstance(text, bytes) else text
    if "*" in plain or "\0" in plain or sum(map(plain.count, _SIGNS)) > MAX_DEPTH:
        _check(text)
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - see _LOADER


def _check(text: str | bytes) -> None:
    """Add up what the text would become; nothing is built, so nothing can be too much here."""
    sizes: dict[str | None, int] = {}
    inside: list[tuple[str | None, int]] = [(None, 0)]
    """Lists and mappings that have begun: their anchors, and how many values came before them in the one around."""
    size = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in inside):
                raise TooLargeError("has an alias inside of what it stands for")
            size += sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.ScalarEvent):
            size += 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            inside.append((event.anchor, size))
            size = 1
            if len(inside) > MAX_DEPTH:
                raise TooLargeError(f"has more than {MAX_DEPTH} lists and mappings inside each other")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = inside.pop()
            if anchor:
                sizes[anchor] = size
            size += before
        if size > MAX_NODES:
            raise TooLargeError(f"has more than {MAX_NODES} values, counting those that aliases repeat")
