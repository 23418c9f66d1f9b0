# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Finding tools, prompts and resources in the catalogue, and what their schemas say, for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from mcpops_broker.catalogue.catalogue import Catalogue
from mcpops_broker.catalogue.scope import EVERYTHING
from mcpops_broker.catalogue.source import Item
from mcpops_broker.protocol.kinds import Kind

PAGE = 100
"""Elements on one page of results."""
LONGEST_NUMBER = 10
"""Digits: Python refuses to read a number of more than 4,300."""
KINDS = {
    "tools": Kind.TOOLS,
    "prompts": Kind.PROMPTS,
    "resources": Kind.RESOURCES,
    "templates": Kind.TEMPLATES,
}
NOUNS = {"tools": "Tools", "prompts": "Prompts", "resources": "Resources", "templates": "Resource templates"}
_HINTS = (
    ("readOnlyHint", True, "read-only"),
    ("destructiveHint", True, "destructive"),
    ("idempotentHint", True, "idempotent"),
    ("openWorldHint", True, "open world"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that is offered, as a line of a list."""

    id: str
    """Name or URI as clients see it."""
    upstream: str
    title: str
    description: str
    hints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a tool, an argument of a prompt, a member of a result."""

    name: str
    type: str
    required: bool
    description: str
    values: tuple[str, ...] = ()
    default: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """One page of what was found."""

    entries: list[Entry]
    total: int
    first: int
    """Number of the first one on this page, from 1."""
    page: int
    pages: int


def find(catalogue: Catalogue, kind: Kind, words: str, upstream: str, page: int) -> Found:
    """Return what holds all the words in its name, title or description; `upstream`: only what this one offers."""
    wanted = words.casefold().split()
    entries = [
        entry
        for item in catalogue.view(EVERYTHING).items(kind)
        if (not upstream or item.upstream == upstream) and _holds(entry := _entry(item), wanted)
    ]
    entries.sort(key=lambda entry: entry.id)
    pages = max(1, -(-len(entries) // PAGE))
    page = min(max(page, 1), pages)
    first = (page - 1) * PAGE
    return Found(entries[first : first + PAGE], len(entries), first + 1, page, pages)


def page_number(text: str) -> int:
    """Read the number of a page as an address has it; 1 when it is none."""
    return int(text) if text.isdecimal() and len(text) < LONGEST_NUMBER else 1


def item(catalogue: Catalogue, kind: Kind, name: str) -> Item | None:
    """Return the element with this name or URI."""
    return next((one for one in catalogue.view(EVERYTHING).items(kind) if one.id == name), None)


def describe(item: Item) -> dict[str, Any]:
    """Return everything that the page of one tool or prompt shows."""
    definition = item.definition
    schema = definition.get("inputSchema")
    parameters = _arguments(definition.get("arguments") or ()) if item.kind is Kind.PROMPTS else members(schema)
    return {
        "entry": _entry(item),
        "own_name": item.name,
        "parameters": list(parameters),
        "output": list(members(definition.get("outputSchema"))),
        "definition": _visible(orjson.dumps(definition, option=orjson.OPT_INDENT_2).decode()),
        "header_problem": item.header_problem if schema is not None else None,
    }


def members(schema: object) -> Iterator[Parameter]:
    """Return what a JSON Schema of an object says of its members. Upstreams may have written anything there."""
    if not isinstance(schema, Mapping):
        return
    properties, required = schema.get("properties"), schema.get("required")
    for name, member in properties.items() if isinstance(properties, Mapping) else ():
        details = member if isinstance(member, Mapping) else {}
        values = details.get("enum")
        yield Parameter(
            name=str(name),
            type=type_of(details),
            required=isinstance(required, list) and name in required,
            description=_text(details.get("description") or details.get("title")),
            values=tuple(map(_json, values)) if isinstance(values, list) else (),
            default=_json(details["default"]) if "default" in details else "",
        )


def type_of(schema: Mapping[str, Any], depth: int = 4) -> str:
    """Name the type that a JSON Schema allows, in a few words; what is `depth` deep inside of it is not named."""
    if not depth:
        return "..."
    kind = schema.get("type")
    if isinstance(kind, list):
        return " or ".join(map(str, kind))
    if kind == "array":
        items = schema.get("items")
        return f"array of {type_of(items, depth - 1)}" if isinstance(items, Mapping) else "array"
    if isinstance(kind, str):
        formatted = schema.get("format")
        return f"{kind} ({formatted})" if isinstance(formatted, str) else kind
    for key in ("anyOf", "oneOf"):
        choices = schema.get(key)
        if isinstance(choices, list):
            kinds = [type_of(choice, depth - 1) for choice in choices if isinstance(choice, Mapping)]
            return " or ".join(dict.fromkeys(kinds))
    reference = schema.get("$ref")
    return reference.rpartition("/")[2] if isinstance(reference, str) else "any"


def _arguments(arguments: Iterable[Mapping[str, Any]]) -> Iterator[Parameter]:
    """Return the arguments of a prompt, which are all text."""
    for argument in arguments:
        yield Parameter(argument["name"], "text", argument.get("required") is True, _text(argument.get("description")))


def _entry(item: Item) -> Entry:
    definition = item.definition
    annotations = definition.get("annotations")
    said = annotations if isinstance(annotations, Mapping) else {}
    name = _text(definition.get("name"))  # of a resource; that of a tool is its id
    title = _text(definition.get("title")) or _text(said.get("title")) or (name if name != item.name else "")
    hints = tuple(word for key, value, word in _HINTS if said.get(key) is value)
    return Entry(item.id, item.upstream, title, _text(definition.get("description")), hints)


def _holds(entry: Entry, words: list[str]) -> bool:
    text = f"{entry.id}\n{entry.title}\n{entry.description}".casefold()
    return all(word in text for word in words)


def _visible(text: str) -> str:
    """Write characters that nobody sees (zero widths, directions, ...) as JSON can, since they may hide something."""
    return "".join(one if one.isprintable() or one == "\n" else json.dumps(one)[1:-1] for one in text)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _json(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
