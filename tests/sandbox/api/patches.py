# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patches of three kinds: JSON merge patch (RFC 7386), JSON patch (RFC 6902) and strategic merge patch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .errors import ApiError, bad_request, too_large, unprocessable
from .fields import show_go
from .objects import Object, copy, same
from .schema import Schema

MAX_OPERATIONS = 10_000
Patcher = Callable[[Object], Any]
"""Applies one patch to an object."""


def merge_patch(current: Any, patch: Any) -> Any:
    """RFC 7386: objects merge, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(current) if isinstance(current, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


# JSON patch


def json_patch(current: Object, operations: Any) -> Any:
    """RFC 6902: the document after all operations, or an error that leaves it as it was.

    Raises 400 for something that is no JSON patch, 422 when an operation cannot be carried out.
    """
    if not isinstance(operations, list):
        raise not_decoded(operations, "[]handlers.jsonPatchOp")
    for operation in operations:
        if not isinstance(operation, dict):
            raise not_decoded(operation, "handlers.jsonPatchOp")
    if len(operations) > MAX_OPERATIONS:
        raise too_large(f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}")
    document: Any = copy(current)
    try:
        for operation in operations:
            _operate(document, operation)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise unprocessable() from error
    return document


def not_decoded(value: Any, wanted: str, prefix: str = "error decoding patch: ") -> ApiError:
    """400 for a patch that is JSON of another kind."""
    names: dict[type, str] = {dict: "object", list: "array", str: "string", bool: "bool"}
    given = names.get(type(value), "number")
    return bad_request(f"{prefix}json: cannot unmarshal {given} into Go value of type {wanted}")


def _operate(document: Any, operation: Object) -> None:
    """Carry out one operation; raises KeyError, IndexError, TypeError or ValueError when that is not possible."""
    kind, path = operation["op"], operation["path"]
    if kind == "test":
        parent, key = _place(document, path)
        found = parent.get(key) if isinstance(parent, dict) else parent[key]
        if not same(found, operation.get("value")):
            raise ValueError(f"testing value {path} failed")
    elif kind == "remove":
        _take(document, path)
    elif kind == "replace":
        parent, key = _place(document, path)
        parent[key] = copy(operation["value"])  # in a map, that adds a key that is missing
    elif kind == "add":
        _add(document, path, copy(operation["value"]))
    elif kind == "move":
        _add(document, path, _take(document, operation["from"]))
    elif kind == "copy":
        parent, key = _place(document, operation["from"])
        _add(document, path, copy(parent[key]))
    else:
        raise ValueError(f"unexpected operation kind {kind}")


def _place(document: Any, path: str) -> tuple[Any, Any]:
    """What holds the value that a JSON pointer names, and its key or index there."""
    parent, key = document, ""
    parts = path.split("/")[1:]
    for number, part in enumerate(parts):
        key = part.replace("~1", "/").replace("~0", "~")
        if number + 1 < len(parts):
            parent = parent[int(key) if isinstance(parent, list) else key]
    if not parts:
        raise ValueError("the whole document cannot be changed at once")
    return parent, int(key) if isinstance(parent, list) and key != "-" else key


def _take(document: Any, path: str) -> Any:
    parent, key = _place(document, path)
    return parent.pop(key)


def _add(document: Any, path: str, value: Any) -> None:
    parent, key = _place(document, path)
    if not isinstance(parent, list):
        parent[key] = value
    elif key == "-":
        parent.append(value)
    elif -len(parent) - 1 <= key <= len(parent):
        parent.insert(key if key >= 0 else len(parent) + 1 + key, value)
    else:
        raise IndexError(f"index {key} is out of bounds")


# strategic merge patch

_DIRECTIVE = "$patch"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"
_RETAIN = "$retainKeys"


def strategic_merge_patch(current: Any, patch: Object, schema: Schema | None) -> Any:
    """The patch format of kubectl: lists with ``x-kubernetes-patch-merge-key`` merge item by item."""
    result: Object = dict(current) if isinstance(current, dict) else {}
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return {name: value for name, value in patch.items() if name != _DIRECTIVE}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise ApiError(500, "", f"unknown patch type: {directive} in map: {show_go(patch)}")
    if _RETAIN in patch:
        result = {name: value for name, value in result.items() if name in patch[_RETAIN]}
    for name, value in patch.items():
        if name in (_DIRECTIVE, _RETAIN):
            continue
        special, slash, field = name.partition("/")
        child = schema.field(field if slash and special.startswith("$") else name) if schema else None
        if name.startswith(_DELETE_FROM):
            result[field] = [item for item in result.get(field) or () if item not in value]
        elif name.startswith(_ORDER):
            if field not in patch and result.get(field):
                result[field] = _ordered(result[field], value, _merge_key(child), result[field])
        elif value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = strategic_merge_patch(result.get(name), value, child)
        elif isinstance(value, list) and child and _merges(child):
            result[name] = _merge_list(result.get(name) or [], value, patch.get(f"{_ORDER}{name}"), child)
        else:
            result[name] = value
    return result


def _merges(schema: Schema) -> bool:
    return "merge" in schema.source.get("x-kubernetes-patch-strategy", "").split(",")


def _merge_key(schema: Schema | None) -> str:
    return schema.source.get("x-kubernetes-patch-merge-key", "") if schema else ""


def _merge_list(current: list[Any], patch: list[Any], order: list[Any] | None, schema: Schema) -> list[Any]:
    key = _merge_key(schema)
    if not key:
        merged = current + [item for item in patch if item not in current]
        return _ordered(merged, order or patch, "", current)
    if any(isinstance(item, dict) and item.get(_DIRECTIVE) == "replace" for item in patch):
        return [item for item in patch if _DIRECTIVE not in item]
    merged, kept = list(current), []
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise ApiError(500, "", f"map: {show_go(item)} does not contain declared merge key: {key}")
        at = next((index for index, known in enumerate(merged) if known.get(key) == item[key]), None)
        if item.get(_DIRECTIVE) == "delete":
            merged = [known for known in merged if known.get(key) != item[key]]
            continue
        kept.append(item)
        if at is None:
            merged.append(strategic_merge_patch({}, item, schema.items))
        else:
            merged[at] = strategic_merge_patch(merged[at], item, schema.items)
    if order is not None and any(item[key] not in [wanted.get(key) for wanted in order] for item in kept):
        message = "The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n"
        raise ApiError(500, "", message.format(show_go(patch), show_go(order)))
    return _ordered(merged, order or kept, key, current)


def _ordered(items: list[Any], order: list[Any], key: str, live: list[Any]) -> list[Any]:
    """Items in the order the patch asks for; those it does not name keep their place before their live neighbour."""

    def identity(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    present = {identity(item): item for item in items}
    wanted = dict.fromkeys(identity(item) for item in order)
    places = {identity(item): place for place, item in enumerate(live)}
    names = [name for name in wanted if name in present]
    for name in present:
        if name not in wanted:
            place = places.get(name, len(places))
            at = next((i for i, known in enumerate(names) if places.get(known, -1) > place), len(names))
            names.insert(at, name)
    return [present[name] for name in names]
