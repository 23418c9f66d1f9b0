# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two objects under one schema: what is in one, how they differ, how one is merged into the other.

A port of the walkers of sigs.k8s.io/structured-merge-diff/typed. Schemas decide where a value is a leaf: scalars,
atomic lists and maps, and empty containers on both sides. Lists with keys and sets are walked by element.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from . import fieldsets
from .fieldsets import MEMBER, FieldSet
from .objects import same
from .schema import DEDUCED, Schema

ABSENT: Any = object()
"""Stands for a value that one of two objects does not have."""


class SchemaMismatchError(Exception):
    """A value cannot be walked by the schema; ``problems`` are (path, message) pairs."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        lines = [f"{path}: {message}" if path else message for path, message in problems]
        super().__init__(lines[0] if len(lines) == 1 else "\n".join(["errors:", *(f"  {line}" for line in lines)]))
        self.problems = problems


def element_of(schema: Schema, item: Any) -> str:
    """The path element of a list item: ``k:{…}`` in a list-map, ``v:…`` in a set.

    Raises ValueError, worded as structured-merge-diff words it, when the item cannot be in such a list.
    """
    if schema.list_type == "map":
        if not isinstance(item, dict):
            raise ValueError("associative list with keys may not have non-map elements")
        key = {}
        for name in schema.list_keys:
            value = item.get(name)
            if value is None:
                child = schema.items.field(name)
                value = child.default if child else None
            if value is not None:
                key[name] = value
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


def _is_leaf(value: Any, schema: Schema) -> bool:
    """Whether a value merges as a whole; an absent value does in any case."""
    if isinstance(value, dict):
        return schema.atomic_map
    if isinstance(value, list):
        return schema.list_type == "atomic"
    return True


def _child(schema: Schema, name: str) -> Schema:
    return schema.field(name) or DEDUCED


def field_set(value: Any, schema: Schema) -> FieldSet:
    """The members that an applied configuration owns (ToFieldSet)."""
    found: FieldSet = {}
    if value is not None:
        _walk_fields(value, schema, found)
    return found


def _walk_fields(value: Any, schema: Schema, found: FieldSet) -> None:
    if _is_leaf(value, schema):
        found[MEMBER] = True
    elif isinstance(value, dict):
        for name, item in value.items():
            below: FieldSet = {}
            if item is not None:
                _walk_fields(item, _child(schema, name), below)
            if item is None or item == {} or not schema.names(name):
                below[MEMBER] = True
            if below:
                found[f"f:{name}"] = below
    else:
        seen: set[str] = set()
        for item in value:
            element = element_of(schema, item)
            below = {MEMBER: True}
            if element not in seen and isinstance(item, dict):
                _walk_fields(item, schema.items, below)
            seen.add(element)
            found[element] = below


@dataclass
class Comparison:
    """Differences between two objects; no path is in more than one of the sets."""

    removed: FieldSet = field(default_factory=dict)
    modified: FieldSet = field(default_factory=dict)
    added: FieldSet = field(default_factory=dict)

    def ignoring(self, ignored: FieldSet) -> Comparison:
        """The same without the ignored paths and what is below them."""
        parts = (self.removed, self.modified, self.added)
        return Comparison(*(fieldsets.without(part, ignored) for part in parts))

    @property
    def changed(self) -> FieldSet:
        """Modified and added members."""
        return fieldsets.union(self.modified, self.added)


def compare(old: Any, new: Any, schema: Schema) -> Comparison:
    """How ``new`` differs from ``old``."""
    result = Comparison()
    _compare(old, new, schema, (), result)
    return result


def _compare(old: Any, new: Any, schema: Schema, path: fieldsets.Path, result: Comparison) -> None:
    if old is new and old is not ABSENT:
        return
    if old is None and not _is_leaf(new, schema):
        old = type(new)()  # null takes the form of what it is compared with
    elif new is None and not _is_leaf(old, schema):
        new = type(old)()
    present = old if new is ABSENT else new
    descend = not _is_leaf(present, schema) and (old is ABSENT or new is ABSENT or type(old) is type(new))
    if descend and (not _empty(old) or not _empty(new)):
        if isinstance(present, dict):
            _compare_maps(old, new, schema, path, result)
        else:
            _compare_lists(old, new, schema, path, result)
    elif old is not ABSENT and new is not ABSENT and not same(old, new):
        fieldsets.insert(result.modified, path)
    if old is ABSENT:
        fieldsets.insert(result.added, path)
    elif new is ABSENT:
        fieldsets.insert(result.removed, path)


def _empty(value: Any) -> bool:
    return value is ABSENT or not value


def _compare_maps(old: Any, new: Any, schema: Schema, path: fieldsets.Path, result: Comparison) -> None:
    left: dict[str, Any] = {} if old is ABSENT else old
    right: dict[str, Any] = {} if new is ABSENT else new
    for name, value in left.items():
        other = right.get(name, ABSENT)
        if value is not other:
            _compare(value, other, _child(schema, name), (*path, f"f:{name}"), result)
    for name, value in right.items():
        if name not in left:
            _compare(ABSENT, value, _child(schema, name), (*path, f"f:{name}"), result)


def _index(items: list[Any], schema: Schema) -> dict[str, list[Any]]:
    index: dict[str, list[Any]] = {}
    for item in items:
        index.setdefault(element_of(schema, item), []).append(item)
    return index


def _compare_lists(old: Any, new: Any, schema: Schema, path: fieldsets.Path, result: Comparison) -> None:
    left = {} if old is ABSENT else _index(old, schema)
    right = {} if new is ABSENT else _index(new, schema)
    for element in left | right:
        before, after = left.get(element, []), right.get(element, [])
        here = (*path, element)
        if len(before) <= 1 and len(after) <= 1:
            one = before[0] if before else ABSENT
            other = after[0] if after else ABSENT
            _compare(one, other, schema.items, here, result)
        elif len(before) > 1 and len(after) > 1:
            if not same(before, after):
                fieldsets.insert(result.modified, here)
        elif len(before) > 1:
            if after:
                _compare(ABSENT, after[0], schema.items, here, result)
            fieldsets.insert(result.removed, here)
        else:
            if before:
                _compare(before[0], ABSENT, schema.items, here, result)
            fieldsets.insert(result.added, here)


def merge(live: Any, config: Any, schema: Schema) -> Any:
    """``live`` with everything that ``config`` states; the result shares parts with both."""
    if (
        live is not ABSENT
        and not config
        and not _is_leaf(live, schema)
        and (config is None or type(live) is type(config))
    ):
        return live
    if live is ABSENT or type(live) is not type(config) or _is_leaf(config, schema):
        return config
    if isinstance(config, dict):
        merged = dict(live)
        for name, value in config.items():
            merged[name] = merge(live.get(name, ABSENT), value, _child(schema, name))
        return merged
    return _merge_lists(live, config, schema)


def _merge_lists(live: list[Any], config: list[Any], schema: Schema) -> list[Any]:
    """Items of both lists: those of the configuration in its order, the others where they stood before them."""
    live_elements = [element_of(schema, item) for item in live]
    config_elements = [element_of(schema, item) for item in config]
    live_items: dict[str, Any] = {}
    for element, item in zip(live_elements, live, strict=True):
        live_items[element] = ABSENT if element in live_items else item
    config_items = dict(zip(config_elements, config, strict=True))
    shared = [element for element in config_elements if element in live_items]
    merged: list[Any] = []
    done: set[str] = set()
    left = right = 0
    while left < len(live) or right < len(config):
        if left < len(live) and right < len(config):
            element = live_elements[left]
            if element == config_elements[right]:
                merged.append(merge(live_items[element], config_items[element], schema.items))
                done.add(element)
                left, right = left + 1, right + 1
                shared = shared[1:]
                continue
            if element in config_items and shared and shared[0] != element:
                left += 1
                continue
        if left < len(live):
            element = live_elements[left]
            if element not in config_items:
                merged.append(live[left])
                left += 1
                continue
            if element in done:
                left += 1
        if right < len(config):
            element = config_elements[right]
            done.add(element)
            merged.append(merge(live_items.get(element, ABSENT), config_items[element], schema.items))
            right += 1
            if shared and shared[0] == element:
                shared = shared[1:]
    return merged


def remove(value: Any, gone: FieldSet, schema: Schema) -> Any:
    """``value`` without the members of ``gone``; containers that become empty stay, as empty ones."""
    if _is_leaf(value, schema) or not value:
        return value
    if isinstance(value, dict):
        kept: dict[str, Any] = {}
        for name, item in value.items():
            below = gone.get(f"f:{name}")
            if below is None:
                kept[name] = item
            elif MEMBER not in below:
                kept[name] = remove(item, below, _child(schema, name))
        return kept
    items: list[Any] = []
    for item in value:
        below = gone.get(element_of(schema, item))
        if below is None:
            items.append(item)
        elif MEMBER not in below:
            items.append(remove(item, below, schema.items))
    return items


def with_named_fields(fields: FieldSet, schema: Schema) -> FieldSet:
    """The set, plus every field that ``properties`` names and that has members below it."""
    named: FieldSet = {}
    for element, below in fields.items():
        if element == MEMBER:
            named[MEMBER] = True
            continue
        kind, _, name = element.partition(":")
        child = schema.items if kind != "f" else _child(schema, name)
        inner = with_named_fields(below, child)
        if kind == "f" and MEMBER not in inner and schema.names(name):
            inner = {MEMBER: True, **inner}
        named[element] = inner
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
                problems.append((path, f"duplicate entries for key {fieldsets.describe((element,))}"))
            seen.add(element)
        _check(item, schema.items, path + fieldsets.describe((element,)), problems)


def _scalar_problem(value: Any, schema: Schema) -> str:
    shown = orjson.dumps(value).decode()
    if schema.type in ("object", "array"):
        return f"expected {'map' if schema.type == 'object' else 'list'}, got &{{{_go(value)}}}"
    allowed = _SCALARS.get(schema.type)
    if allowed is None or (isinstance(value, allowed) and not (isinstance(value, bool) and bool not in allowed)):
        return ""
    if schema.type == "string":
        return f"expected string, got &value.valueUnstructured{{Value:{shown}}}"
    if schema.type == "boolean":
        return f"expected boolean, got &{{{_go(value)}}}"
    return f"expected numeric (int or float), got {_GO_TYPES.get(type(value), 'map[string]interface {}')}"


def _go(value: Any) -> str:
    """A value as Go's %v prints it."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go(item)}" for key, item in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_go, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)
