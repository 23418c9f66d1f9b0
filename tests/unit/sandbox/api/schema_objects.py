# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects made from a schema: some that it allows, some with one thing wrong, some at random."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

from sandbox.api.formats import fits, regex

Node = dict[str, Any]
TEXTS = (
    "a",
    "a.example.com",
    "1s",
    "10m",
    "/a",
    "Aa1",
    "GET",
    "a/b",
    "https://a.example.com/x",
    "a=b",
    "2026-01-02T03:04:05Z",
    "10.0.0.1",
    "10.0.0.0/8",
    "*.a.example.com",
    "YQ==",
    "1.2.3",
    "v1",
    "Always",
    "Content-Type",
    "http://a",
    "unix:///a",
)
"""Strings of which one or another fits most patterns."""


def sample(node: Node, depth: int = 0) -> Any:
    """A value that the schema allows, where one can be found; of objects only what is required."""
    if node.get("enum"):
        return node["enum"][0]
    kind = node.get("type")
    if kind == "object":
        properties = node.get("properties") or {}
        found = {name: sample(properties.get(name, {}), depth + 1) for name in node.get("required") or ()}
        options = (node.get("oneOf") or node.get("anyOf") or [{}])[0]
        found |= {n: sample(properties[n], depth + 1) for n in options.get("required") or () if n in properties}
        if node.get("minProperties", 0) > len(found) and isinstance(node.get("additionalProperties"), dict):
            found["a"] = sample(node["additionalProperties"], depth + 1)
        return found
    if kind == "array":
        return [sample(node.get("items") or {}, depth + 1) for _ in range(node.get("minItems", 0))]
    if kind == "boolean":
        return True
    if kind in ("integer", "number"):
        return max(node.get("minimum", 1), 1) if node.get("maximum", 1) >= 1 else node["maximum"]
    return _text(node)


def _text(node: Node) -> str:
    for text in TEXTS:
        wide = text * max(1, node.get("minLength", 0) // len(text))
        if regex(node.get("pattern") or "").search(wide) and fits(wide, node.get("format") or ""):
            return wide
    return "a"


def anything(node: Node, rng: random.Random, depth: int = 0) -> Any:
    """A value at random: mostly allowed by the schema, seldom by its rules."""
    if node.get("enum"):
        return rng.choice(node["enum"])
    kind = node.get("type")
    if kind == "object":
        properties = node.get("properties") or {}
        found = {}
        for name, child in properties.items():
            if name in (node.get("required") or ()) or rng.random() < 0.5 / (depth + 1):
                found[name] = anything(child, rng, depth + 1)
        if isinstance(node.get("additionalProperties"), dict):
            names = rng.sample(TEXTS, rng.randrange(3))
            found |= {name: anything(node["additionalProperties"], rng, depth + 1) for name in names}
        return found
    if kind == "array":
        return [anything(node.get("items") or {}, rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind == "boolean":
        return rng.random() < 0.5
    if kind in ("integer", "number"):
        return rng.choice((0, 1, 80, 443))
    return rng.choice((*TEXTS, _text(node), _text(node), "", "**"))


def broken(node: Node) -> Iterator[tuple[str, Any]]:
    """Values for one place that it does not allow, with what is wrong."""
    good = sample(node)
    for name, value in (
        ("null", None),
        ("text", "%"),
        ("number", 7),
        ("fraction", 1.5),
        ("list", []),
        ("map", {"x": 1}),
    ):
        yield f"is {name}", value
    if node.get("type") == "string" or node.get("x-kubernetes-int-or-string"):
        yield "empty", ""
        yield "long", "é" * (node.get("maxLength", 62) + 1)
    for limit, step in (("maximum", 1), ("minimum", -1)):
        if limit in node:
            yield limit, node[limit] + step
    if node.get("type") == "array":
        item = sample(node.get("items") or {})
        yield "too many", [item] * (min(node.get("maxItems", 3), 70) + 1)
        yield "twice", [item, item]
        yield "null item", [None]
    if node.get("type") == "object":
        for name in node.get("required") or ():
            yield f"no {name}", {key: value for key, value in good.items() if key != name}
        yield "unknown field", {**good, "unknownField": 1}
        yield "empty", {}


def variants(node: Node, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Values with one thing wrong or one more field than needed, anywhere below; each with where and what."""
    yield from ((f": {what}", value) for what, value in broken(node))
    if depth > 9:
        return
    good = sample(node)
    if node.get("type") == "object":
        for name, child in (node.get("properties") or {}).items():
            yield f".{name}: set", {**good, name: sample(child)}
            yield from ((f".{name}{what}", {**good, name: value}) for what, value in variants(child, depth + 1))
        extra = node.get("additionalProperties")
        if isinstance(extra, dict):
            yield from ((f"[a.b]{what}", {**good, "a.b": value}) for what, value in variants(extra, depth + 1))
    elif node.get("type") == "array":
        items = node.get("items") or {}
        yield from ((f"[]{what}", [value]) for what, value in variants(items, depth + 1))
        yield "[]: two", [sample(items), _other(sample(items))]


def _other(value: Any) -> Any:
    """The value with other texts, so that it is not a duplicate."""
    if isinstance(value, dict):
        return {name: _other(item) for name, item in value.items()}
    return re.sub(r"\w$", "b", value) if isinstance(value, str) else value


def objects(node: Node, count: int, seed: str) -> Iterator[tuple[str, Any]]:
    """So many objects of a custom resource without metadata, the same ones each time."""
    rng = random.Random(seed)  # noqa: S311 - the same objects each time
    properties = {name: child for name, child in node["properties"].items() if name not in ("metadata", "status")}
    body = {
        "type": "object",
        "properties": {name: child for name, child in properties.items() if name not in ("apiVersion", "kind")},
        "required": [name for name in node.get("required") or () if name != "metadata"],
    }
    found = [(what, value) for what, value in variants(body) if isinstance(value, dict)]
    yield from rng.sample(found, min(count, len(found)))
    for number in range(count // 3):
        yield f"random {number}", anything(body, rng)
