# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects under a schema: which paths are in one, how two differ, how one is merged into the other.

The rules are those of sigs.k8s.io/structured-merge-diff/typed. Schemas decide where a value is a leaf: scalars,
atomic lists and maps. Lists with keys and sets are walked by element.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from .definitions import zero
from .fields import show_go
from .fieldsets import FieldSet, Path, describe, without
from .objects import same
from .schema import DEDUCED, Schema

ABSENT: Any = object()
"""Stands for a value that one of two objects does not have."""
_INNER: Any = object()
"""Stands for a map or list of which the members have paths of their own."""


class SchemaMismatchError(Exception):
    """A value cannot be walked by the schema; ``problems`` are (path, message) pairs."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        lines = [f"{path}: {message}" if path else message for path, message in problems]
        super().__init__(lines[0] if len(lines) == 1 else "\n".join(["errors:", *(f"  {line}" for line in lines)]))
        self.problems = problems


def element_of(schema: Schema, item: Any) -> str:
    """The path element of a list item: ``k:{…}`` in a list with keys, ``v:…`` in a set.

    Raises ValueError, worded as structured-merge-diff words it, when the item cannot be in such a list.
    """
    if schema.list_type == "map":
        if not isinstance(item, dict):
            raise ValueError("associative list with keys may not have non-map elements")
        key = {name: value for name in schema.list_keys if (value := _key(schema.items, item, name)) is not None}
        if not key:
            names = " ".join(f'"{name}"' for name in schema.list_keys)
            raise ValueError(
                f"associative list with keys has an element that omits all key fields [{names}] "
                "(and doesn't have default values for any key fields)"
            )
        return "k:" + orjson.dumps(key, option=orjson.OPT_SORT_KEYS).decode()
    if isinstance(item, dict):
        raise ValueError("associative list without keys has an element that's a map type")  # noqa: TRY004
    if isinstance(item, list):
        raise ValueError("not supported: associative list with lists as elements")  # noqa: TRY004
    if item is None:
        raise ValueError("associative list without keys has an element that's an explicit null")
    return "v:" + orjson.dumps(item).decode()


def _key(schema: Schema, item: dict[str, Any], name: str) -> Any:
    """A key's value or default; fields that Go always writes have their zero value for a default."""
    if item.get(name) is not None:
        return item[name]
    child = schema.field(name)
    if child and child.default is None and name in schema.source.get("x-always", ()):
        return zero(schema, name)
    return child.default if child else None


def _is_leaf(value: Any, schema: Schema) -> bool:
    """Whether a value merges as a whole; an absent value does in any case."""
    if isinstance(value, dict):
        return schema.atomic_map
    if isinstance(value, list):
        return schema.list_type == "atomic"
    return True


def _child(schema: Schema, name: str) -> Schema:
    return schema.field(name) or DEDUCED


@dataclass
class Contents:
    """All paths in an object with their values, and those that somebody who applies the object comes to own."""

    values: dict[Path, Any] = field(default_factory=dict)
    stated: FieldSet = field(default_factory=set)


def contents(value: Any, schema: Schema) -> Contents:
    """Walk an object. An item that a list has several times is one leaf, the list of them all."""
    found = Contents()
    _walk(value, schema, (), found)
    return found


def _walk(value: Any, schema: Schema, path: Path, found: Contents) -> None:
    if _is_leaf(value, schema):
        found.values[path] = value
        found.stated.add(path)
        return
    found.values[path] = _INNER
    if isinstance(value, dict):
        for name, item in value.items():
            below = (*path, f"f:{name}")
            if item == {} or not schema.names(name):
                found.stated.add(below)
            _walk(item, _child(schema, name), below, found)
        return
    items: dict[str, list[Any]] = {}
    for item in value:
        items.setdefault(element_of(schema, item), []).append(item)
    for element, alike in items.items():
        below = (*path, element)
        found.stated.add(below)
        if len(alike) == 1:
            _walk(alike[0], schema.items, below, found)
        else:
            found.values[below] = alike


@dataclass
class Comparison:
    """Differences between two objects; no path is in both sets."""

    removed: FieldSet = field(default_factory=set)
    changed: FieldSet = field(default_factory=set)
    """Added and modified members."""

    def ignoring(self, ignored: FieldSet) -> Comparison:
        """The same without the ignored paths and what is below them."""
        return Comparison(without(self.removed, ignored), without(self.changed, ignored))


def compare(old: Any, new: Any, schema: Schema) -> Comparison:
    """How ``new`` differs from ``old``."""
    before, after = contents(old, schema).values, contents(new, schema).values
    changed = {path for path, value in after.items() if path not in before or _differ(before[path], value)}
    return Comparison(before.keys() - after.keys(), changed)


def _differ(old: Any, new: Any) -> bool:
    """Whether the values of one path differ; null and an empty map or list do not."""
    if old is _INNER or new is _INNER:
        return old is not new and old is not None and new is not None
    return old is not new and not same(old, new)


def merge(live: Any, config: Any, schema: Schema) -> Any:
    """``live`` with everything that ``config`` states; the result shares parts with both."""
    if live is not ABSENT and not _is_leaf(live, schema) and (config is None or config == type(live)()):
        return live
    if live is ABSENT or type(live) is not type(config) or _is_leaf(config, schema):
        return config
    if isinstance(config, dict):
        stated = {name: merge(live.get(name, ABSENT), item, _child(schema, name)) for name, item in config.items()}
        return {**live, **stated}
    return _merge_lists(live, config, schema)


def _merge_lists(live: list[Any], config: list[Any], schema: Schema) -> list[Any]:
    """Items of both lists: those of the configuration in its order, the others where they stood before them."""
    elements = [element_of(schema, item) for item in live]
    wanted = {element_of(schema, item): item for item in config}
    known = {
        element: ABSENT if elements.count(element) > 1 else item for element, item in zip(elements, live, strict=True)
    }
    shared = [element for element in wanted if element in known]
    merged: list[Any] = []
    position = 0
    for element, item in wanted.items():
        while position < len(live) and elements[position] not in shared[:1]:
            if elements[position] not in wanted:
                merged.append(live[position])
            position += 1
        if shared[:1] == [element]:
            shared.pop(0)
            position += position < len(live)
        merged.append(merge(known.get(element, ABSENT), item, schema.items))
    return merged + [
        item for name, item in zip(elements[position:], live[position:], strict=True) if name not in wanted
    ]


def remove(value: Any, gone: FieldSet, schema: Schema, path: Path = ()) -> Any:
    """``value`` without the members of ``gone``; containers that become empty stay, as empty ones."""
    if _is_leaf(value, schema):
        return value
    if isinstance(value, dict):
        return {
            name: remove(item, gone, _child(schema, name), below)
            for name, item in value.items()
            if (below := (*path, f"f:{name}")) not in gone
        }
    return [
        remove(item, gone, schema.items, below)
        for item in value
        if (below := (*path, element_of(schema, item))) not in gone
    ]


def with_named_fields(fields: FieldSet, schema: Schema) -> FieldSet:
    """The set, plus every field that ``properties`` names and that has members below it."""
    named = set(fields)
    for path in fields:
        above = schema
        for end, element in enumerate(path[:-1], 1):
            kind, _, name = element.partition(":")
            if kind == "f" and above.names(name):
                named.add(path[:end])
            above = _child(above, name) if kind == "f" else above.items
    return named


_SCALARS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int, float),
    "number": (int, float),
    "boolean": (bool,),
}
_GO_TYPES = {str: "string", bool: "bool", int: "int64", float: "float64", list: "[]interface {}"}


def check(value: Any, schema: Schema) -> None:
    """Refuse an applied configuration that the schema does not describe; raises `SchemaMismatchError`."""
    problems: list[tuple[str, str]] = []
    _check(value, schema, "", problems)
    if problems:
        raise SchemaMismatchError(problems)


def _check(value: Any, schema: Schema, path: str, problems: list[tuple[str, str]]) -> None:
    if value is None or schema.deduced:
        return
    if isinstance(value, dict) and schema.type in ("object", ""):
        for name, item in value.items():
            child = schema.field(name)
            if child is None:
                problems.append((f"{path}.{name}", "field not declared in schema"))
                break
            _check(item, child, f"{path}.{name}", problems)
    elif isinstance(value, list) and schema.type in ("array", ""):
        _check_list(value, schema, path, problems)
    elif not schema.int_or_string:
        message = _scalar_problem(value, schema)
        if message:
            problems.append((path, message))


def _check_list(value: list[Any], schema: Schema, path: str, problems: list[tuple[str, str]]) -> None:
    seen: set[str] = set()
    for index, item in enumerate(value):
        element = f"i:{index}"
        if schema.list_type != "atomic":
            try:
                element = element_of(schema, item)
            except ValueError as error:
                problems.append((path, f"element {index}: {error}"))
                return
            if element in seen:
                problems.append((path, f"duplicate entries for key {describe((element,))}"))
            seen.add(element)
        _check(item, schema.items, path + describe((element,)), problems)


def _scalar_problem(value: Any, schema: Schema) -> str:
    shown = orjson.dumps(value).decode()
    if schema.type in ("object", "array"):
        return f"expected {'map' if schema.type == 'object' else 'list'}, got &{{{show_go(value)}}}"
    allowed = _SCALARS.get(schema.type)
    if allowed is None or (isinstance(value, allowed) and not (isinstance(value, bool) and bool not in allowed)):
        return ""
    if schema.type == "string":
        return f"expected string, got &value.valueUnstructured{{Value:{shown}}}"
    if schema.type == "boolean":
        return f"expected boolean, got &{{{show_go(value)}}}"
    return f"expected numeric (int or float), got {_GO_TYPES.get(type(value), 'map[string]interface {}')}"
