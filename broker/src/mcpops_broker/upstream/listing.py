# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What an upstream offers: tools, prompts, resources and templates, the odd ones sorted out with a reason."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from mcpops_broker.protocol.headers import ANNOTATION, find_mirrors
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.upstream.peer import Era

Item = dict[str, Any]
"""A tool, prompt, resource or template as the upstream wrote it; fields we do not know are kept."""


@dataclass(frozen=True, slots=True)
class Invalid:
    """An item that is not offered to clients, because they would refuse the whole list for it."""

    kind: Kind
    name: str
    """Its name or URI, empty when it has none."""
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CacheHint:
    """How long and by whom a list may be kept (MCP 2026-07-28, server/utilities/caching)."""

    ttl_ms: int = 0
    public: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """The items of one kind."""

    kind: Kind
    valid: tuple[Item, ...] = ()
    invalid: tuple[Invalid, ...] = ()
    hint: CacheHint | None = None
    """None: the upstream gave none, as those of the session era do."""
    problem: str | None = None
    """Why the list could not be read although the upstream answers otherwise."""
    digest: bytes = b""
    """Equal exactly when the upstream sent the same content, whatever the order of keys."""


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything that an upstream offers. Two listings of the same content are equal, and `updated_by` keeps the very
    tuples of the kinds that did not change."""

    kinds: Mapping[Kind, Items] = field(default_factory=dict)

    @property
    def tools(self) -> tuple[Item, ...]:
        """The usable tools."""
        return self.items(Kind.TOOLS)

    @property
    def prompts(self) -> tuple[Item, ...]:
        """The usable prompts."""
        return self.items(Kind.PROMPTS)

    @property
    def resources(self) -> tuple[Item, ...]:
        """The usable resources."""
        return self.items(Kind.RESOURCES)

    @property
    def templates(self) -> tuple[Item, ...]:
        """The usable resource templates."""
        return self.items(Kind.TEMPLATES)

    def items(self, kind: Kind) -> tuple[Item, ...]:
        """Return the usable items of a kind."""
        items = self.kinds.get(kind)
        return items.valid if items is not None else ()

    def invalid(self, kind: Kind) -> tuple[Invalid, ...]:
        """Return the items of a kind that clients are not offered."""
        items = self.kinds.get(kind)
        return items.invalid if items is not None else ()

    def hint(self, kind: Kind) -> CacheHint | None:
        """Return how long the list of a kind may be kept, if the upstream said so."""
        items = self.kinds.get(kind)
        return items.hint if items is not None else None

    def problems(self) -> tuple[str, ...]:
        """Return why some kinds could not be listed."""
        return tuple(items.problem for items in self.kinds.values() if items.problem is not None)

    def updated_by(self, new: Listing) -> Listing:
        """Return the new listing, made of this one's parts wherever the content is the same; `self` if nothing
        differs."""
        kept = {
            kind: old if (old := self.kinds.get(kind)) is not None and _same(old, items) else items
            for kind, items in new.kinds.items()
        }
        if kept.keys() == self.kinds.keys() and all(kept[kind] is self.kinds[kind] for kind in kept):
            return self
        return Listing(kept)


def sort_out(kind: Kind, found: list[Any], hint: CacheHint | None = None, era: Era = Era.SESSION) -> Items:
    """Separate the items of an upstream of this era that are usable from those that are not."""
    valid: list[Item] = []
    invalid: list[Invalid] = []
    seen: set[str] = set()
    for item in found:
        errors = problems(kind, item)
        if not errors and kind is Kind.TOOLS and era is Era.STATELESS:
            errors = _header_problems(item)
        name = item.get(kind.identity) if isinstance(item, dict) else None
        if not errors and name in seen:
            errors = (f"the upstream lists another {kind.noun} of this {_CALLED[kind.identity]} before",)
        if errors:
            invalid.append(Invalid(kind, name if isinstance(name, str) else "", errors))
        else:
            seen.add(item[kind.identity])
            valid.append(item)
    return Items(kind, tuple(valid), tuple(invalid), hint, digest=_digest(found))


def problems(kind: Kind, item: Any) -> tuple[str, ...]:
    """Say what makes an item unusable: clients validate lists as a whole, and one odd item would cost them all.

    Rules: the required fields of Tool, Prompt, Resource and ResourceTemplate in the MCP schemas.
    """
    if not isinstance(item, dict):
        return (f"a {kind.noun} must be an object",)
    errors: list[str] = []
    if not isinstance(item.get(kind.identity), str) or not item[kind.identity]:
        errors.append(f"the {_CALLED[kind.identity]} must be non-empty text")
    errors += _CHECKS[kind](item)
    return tuple(errors)


def _header_problems(tool: Item) -> tuple[str, ...]:
    """Say why a tool cannot be called without a session: clients of such an upstream, which the broker is, have to
    leave it out of the list (MCP 2026-07-28 server/tools, `x-mcp-header`)."""
    if ANNOTATION not in orjson.dumps(tool).decode():  # nearly always, and much faster than to look through the schema
        return ()
    try:
        find_mirrors(tool["inputSchema"])
    except ValueError as error:
        return (str(error),)
    return ()


def _tool(tool: Item) -> list[str]:
    errors: list[str] = []
    schema = tool.get("inputSchema")
    if not isinstance(schema, dict) or schema.get("type") != "object":
        errors.append('inputSchema must be an object with "type": "object"')
    if "outputSchema" in tool and not isinstance(tool["outputSchema"], dict):
        errors.append("outputSchema must be an object")
    return errors


def _prompt(prompt: Item) -> list[str]:
    arguments = prompt.get("arguments")
    if arguments is None:
        return []
    if not isinstance(arguments, list) or not all(
        isinstance(argument, dict) and isinstance(argument.get("name"), str) for argument in arguments
    ):
        return ["arguments must be a list of objects with a name"]
    return []


def _resource(resource: Item) -> list[str]:
    return [] if isinstance(resource.get("name"), str) else ["the name must be text"]


_CHECKS: dict[Kind, Callable[[Item], list[str]]] = {
    Kind.TOOLS: _tool,
    Kind.PROMPTS: _prompt,
    Kind.RESOURCES: _resource,
    Kind.TEMPLATES: _resource,
}
_CALLED = {"name": "name", "uri": "URI", "uriTemplate": "URI template"}


def _digest(found: list[Any]) -> bytes:
    """Digest the content. Comparing the parsed values would not do: Python holds 1, 1.0 and true to be equal."""
    return hashlib.blake2b(orjson.dumps(found, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def _same(old: Items, new: Items) -> bool:
    return old.digest == new.digest and old.hint == new.hint and old.problem == new.problem
