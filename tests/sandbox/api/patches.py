# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patches of three kinds: JSON merge patch (RFC 7386), JSON patch (RFC 6902) and strategic merge patch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .errors import ApiError, bad_request, too_large, unprocessable
from .fields import quote
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


class _ImpossibleError(Exception):
    """An operation's path or test does not fit the document."""


def json_patch(current: Object, operations: Any) -> Any:
    """RFC 6902: the document after all operations, or an error that leaves it as it was.

    Raises 400 for something that is no JSON patch, 422 when an operation cannot be carried out.
    """
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        given = "object" if isinstance(operations, dict) else "array"
        raise bad_request(
            f"error decoding patch: json: cannot unmarshal {given} into Go value of type []handlers.jsonPatchOp"
        )
    if len(operations) > MAX_OPERATIONS:
        raise too_large(f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(operations)}")
    document: Any = copy(current)
    for operation in operations:
        try:
            document = _operate(document, operation)
        except (_ImpossibleError, KeyError) as error:
            raise unprocessable() from error
    return document


def _operate(document: Any, operation: Object) -> Any:
    kind, path = operation.get("op"), _pointer(operation.get("path"))
    if kind == "add":
        return _add(document, path, copy(operation["value"]))
    if kind == "remove":
        return _remove(document, path)[0]
    if kind == "replace":
        _find(document, path)
        return _set(document, path, copy(operation["value"]))
    if kind == "test":
        try:
            found = _find(document, path)
        except _ImpossibleError:
            found = None
        if not same(found, operation.get("value")):
            raise _ImpossibleError(f"testing value {operation.get('path')} failed")
        return document
    source = _pointer(operation.get("from"))
    if kind == "move":
        document, value = _remove(document, source)
        return _add(document, path, value)
    if kind == "copy":
        return _add(document, path, copy(_find(document, source)))
    raise _ImpossibleError(f"unexpected operation kind {kind}")


def _pointer(text: Any) -> list[str]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise _ImpossibleError(f"{text!r} is not a JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _position(items: list[Any], part: str, end: bool = False) -> int:
    """Index that a pointer's part names; ``-`` and one past the last are the end, where ``end`` allows it."""
    if end and part == "-":
        return len(items)
    if not part.lstrip("-").isdigit():
        raise _ImpossibleError(f"{part!r} is not an index")
    position = int(part)
    if position < 0:
        position += len(items) + (1 if end else 0)
    if not 0 <= position < len(items) + (1 if end else 0):
        raise _ImpossibleError(f"index {part} is out of bounds")
    return position


def _find(document: Any, path: list[str]) -> Any:
    for part in path:
        if isinstance(document, dict):
            if part not in document:
                raise _ImpossibleError(f"there is no {part!r}")
            document = document[part]
        elif isinstance(document, list):
            document = document[_position(document, part)]
        else:
            raise _ImpossibleError(f"there is nothing below {part!r}")
    return document


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _find(document, path[:-1])
    if isinstance(parent, list):
        parent.insert(_position(parent, path[-1], end=True), value)
        return document
    return _set(document, path, value)


def _set(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent = _find(document, path[:-1])
    if isinstance(parent, list):
        parent[_position(parent, path[-1])] = value
    elif isinstance(parent, dict):
        parent[path[-1]] = value
    else:
        raise _ImpossibleError(f"{path[-1]!r} has no object or list above it")
    return document


def _remove(document: Any, path: list[str]) -> tuple[Any, Any]:
    if not path:
        raise _ImpossibleError("the whole document cannot be removed")
    parent = _find(document, path[:-1])
    value = _find(parent, path[-1:])
    if isinstance(parent, list):
        del parent[_position(parent, path[-1])]
    else:
        del parent[path[-1]]
    return document, value


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
        raise bad_request(f"Unknown patch type: {directive}")
    if _RETAIN in patch:
        result = {name: value for name, value in result.items() if name in patch[_RETAIN]}
    for name, value in patch.items():
        if name in (_DIRECTIVE, _RETAIN) or name.startswith(_ORDER):
            continue
        if name.startswith(_DELETE_FROM):
            field = name.removeprefix(_DELETE_FROM)
            if field in result:
                result[field] = [item for item in result[field] if item not in value]
            continue
        child = schema.field(name) if schema else None
        order = patch.get(f"{_ORDER}{name}")
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = strategic_merge_patch(result.get(name), value, child)
        elif isinstance(value, list) and child and _merges(child):
            result[name] = _merge_list(result.get(name) or [], value, order, child, name)
        else:
            result[name] = value
    for name, order in patch.items():
        field = name.removeprefix(_ORDER)
        if name.startswith(_ORDER) and field not in patch and result.get(field):
            child = schema.field(field) if schema else None
            result[field] = _ordered(result[field], order, _merge_key(child), result[field])
    return result


def _merges(schema: Schema) -> bool:
    return "merge" in schema.source.get("x-kubernetes-patch-strategy", "").split(",")


def _merge_key(schema: Schema | None) -> str:
    return schema.source.get("x-kubernetes-patch-merge-key", "") if schema else ""


def _merge_list(current: list[Any], patch: list[Any], order: list[Any] | None, schema: Schema, name: str) -> list[Any]:
    key = _merge_key(schema)
    if not key:
        merged = current + [item for item in patch if item not in current]
        return _ordered(merged, order, "", current) if order else merged
    if any(isinstance(item, dict) and item.get(_DIRECTIVE) == "replace" for item in patch):
        return [item for item in patch if _DIRECTIVE not in item]
    merged = list(current)
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise ApiError(500, "", f"map: {item} does not contain declared merge key: {key}")
        at = next((index for index, known in enumerate(merged) if known.get(key) == item[key]), None)
        if item.get(_DIRECTIVE) == "delete":
            merged = [known for known in merged if known.get(key) != item[key]]
        elif at is None:
            merged.append(strategic_merge_patch({}, item, schema.items))
        else:
            merged[at] = strategic_merge_patch(merged[at], item, schema.items)
    return _ordered(merged, order, key, current) if order else merged


def _ordered(items: list[Any], order: list[Any], key: str, live: list[Any]) -> list[Any]:
    """Items in the order the patch asks for; those it does not name keep their place behind their live neighbour."""

    def identity(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    wanted = [identity(item) for item in order]
    present = {quote(str(identity(item))): item for item in items}
    named = [present[quote(str(name))] for name in wanted if quote(str(name)) in present]
    others = [item for item in items if identity(item) not in wanted]
    places = [identity(item) for item in live]
    result = list(named)
    for item in others:
        place = places.index(identity(item)) if identity(item) in places else len(places)
        before = [identity(known) for known in result]
        at = next((i for i, name in enumerate(before) if name in places and places.index(name) > place), len(result))
        result.insert(at, item)
    return result
