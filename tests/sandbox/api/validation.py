# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validation of custom resources by their schema, in the words of kube-openapi and apiextensions-apiserver.

As in kube-openapi/pkg/validation, each check looks at the kind of value that it is for, whatever the others found.
Unchanged parts of an updated object are not validated again (validation ratcheting), so that a schema can become
stricter without locking existing objects.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from .fields import FieldError, duplicate, invalid_type, invalid_value, not_supported, required, too_long, too_many
from .formats import fits, regex
from .objects import encode, same
from .schema import Node, Schema

_ABSENT: Any = object()
_COMBINING = frozenset({"allOf", "anyOf", "not", "oneOf"})
_INT_LIMITS = {"int32": 2**31, "int64": 2**63}
_KINDS: dict[type, tuple[str, str]] = {
    bool: ("boolean", ""),
    dict: ("object", ""),
    float: ("number", "float64"),
    int: ("integer", "int64"),
    list: ("array", ""),
    str: ("string", ""),
    type(None): ("null", ""),
}
"""Type and format of what a request can hold."""


def validate(value: Any, node: Node, old: Any = _ABSENT, path: str = "") -> list[FieldError]:
    """Everything that is wrong with a value; ``old`` is what it replaces."""
    return list(_problems(value, node, old, path))


def _problems(value: Any, node: Node, old: Any, path: str) -> Iterator[FieldError]:
    if old is not _ABSENT and path and same(value, old):
        return
    wrong = _wrong_type(value, node)
    if wrong:
        detail = f'{path} in body must be of type {wrong[0]}: "{wrong[1]}"'
        yield invalid_type(path or "<nil>", wrong[1], detail)
    if value is not None and not _COMBINING.isdisjoint(node):
        yield from _combinations(value, node, path)
    if isinstance(value, str):
        yield from _string(value, node, path)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _number(value, node, path)
    elif isinstance(value, list):
        yield from _list(value, node, old, path)
    allowed = node.get("enum")
    if allowed and not any(same(value, item) for item in allowed):
        yield not_supported(path, value, allowed)
    if isinstance(value, dict):
        yield from _object(value, node, old, path)


def _wrong_type(value: Any, node: Node) -> tuple[str, str] | None:
    """The type that is wanted and the one that is there, when they do not go together."""
    wanted = [node["type"]] if node.get("type") else []
    if node.get("x-kubernetes-int-or-string"):
        wanted = ["integer", "string"]
    kind, its_format = _KINDS[type(value)]
    if value is None:
        return None if node.get("nullable") or not wanted else (",".join(wanted), kind)
    form = node.get("format", "")
    whole = "integer" in wanted and kind == "number" and value.is_integer()
    suitable = kind in wanted or whole or (kind == "integer" and "number" in wanted)
    if form and not isinstance(value, (str, list)) and not suitable:
        return None if form == its_format else (form, its_format)
    if form and isinstance(value, (str, list)) and not {"integer", "number"} & set(wanted):
        return None
    return None if suitable or not wanted else (",".join(wanted), kind)


def _plain(number: float) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)


def _combinations(value: Any, node: Node, path: str) -> Iterator[FieldError]:
    """anyOf, oneOf, allOf and not; their own message has no value and names the path in quotes."""

    def failed(message: str) -> FieldError:
        return invalid_value("<nil>", "", f'"{path}" must {message}')

    def tried(name: str) -> list[list[FieldError]]:
        return [validate(value, option, path=path) for option in node.get(name) or ()]

    results = tried("anyOf")
    if results and all(results):
        yield failed("validate at least one schema (anyOf)")
        yield from results[0]
    results = tried("oneOf")
    valid = sum(not result for result in results)
    if results and valid != 1:
        found = f"Found {valid} valid alternatives" if valid else "Found none valid"
        yield failed(f"validate one and only one schema (oneOf). {found}")
        yield from () if valid else results[0]
    results = tried("allOf")
    for result in results:
        yield from result
    if any(results):
        yield failed("validate all the schemas (allOf)" + (". None validated" if all(results) else ""))
    if node.get("not") is not None and not validate(value, node["not"], path=path):
        yield failed("not validate the schema (not)")


def _string(value: str, node: Node, path: str) -> Iterator[FieldError]:
    """The first of maxLength, minLength and pattern that is broken; and the format."""
    pattern, name = node.get("pattern"), node.get("format")
    if len(value) > node.get("maxLength", math.inf):
        yield too_long(path, node["maxLength"])
    elif len(value) < node.get("minLength", 0):
        yield invalid_value(path, value, f"{path} in body should be at least {node['minLength']} chars long")
    elif pattern and not regex(pattern).search(value):
        yield invalid_value(path, value, f"{path} in body should match '{pattern}'")
    if name and not fits(value, name):
        yield invalid_type(path, value, f'{path} in body must be of type {name}: "{value}"')


def _number(value: float, node: Node, path: str) -> Iterator[FieldError]:
    def failed(message: str) -> FieldError:
        return invalid_value(path, value, f"{path} in body should be {message}")

    form = node.get("format", "")
    limit = _INT_LIMITS.get(form, 2**63)
    if node.get("type") == "integer" and (value != int(value) or not -limit <= value < limit):
        which = f"with format {form}" if form else "(default format)"
        yield invalid_value("<nil>", "", f"Checked value must be of type integer {which} in {path}")
    multiple, maximum, minimum = node.get("multipleOf"), node.get("maximum"), node.get("minimum")
    if multiple and not math.isclose(value / multiple, round(value / multiple), abs_tol=1e-9):
        yield failed(f"a multiple of {_plain(multiple)}")
    if maximum is not None and node.get("exclusiveMaximum") and value >= maximum:
        yield failed(f"less than {_plain(maximum)}")
    elif maximum is not None and value > maximum:
        yield failed(f"less than or equal to {_plain(maximum)}")
    if minimum is not None and node.get("exclusiveMinimum") and value <= minimum:
        yield failed(f"greater than {_plain(minimum)}")
    elif minimum is not None and value < minimum:
        yield failed(f"greater than or equal to {_plain(minimum)}")


def _list(value: list[Any], node: Node, old: Any, path: str) -> Iterator[FieldError]:
    if isinstance(node.get("items"), dict):
        before = by_key(old, node)
        for index, item in enumerate(value):
            yield from _problems(item, node["items"], before.get(item_key(item, node), _ABSENT), f"{path}[{index}]")
    if len(value) < node.get("minItems", 0):
        yield invalid_value(path, len(value), f"{path} in body should have at least {node['minItems']} items")
    if len(value) > node.get("maxItems", math.inf):
        yield too_many(path, len(value), node["maxItems"])


def _object(value: dict[str, Any], node: Node, old: Any, path: str) -> Iterator[FieldError]:
    start, size = f"{path}." if path else "", len(value)
    if size < node.get("minProperties", 0):
        message = f"{path} in body should have at least {node['minProperties']} properties"
        yield invalid_value(path, size, message)
        return
    if size > node.get("maxProperties", math.inf):
        yield too_many(path, size, node["maxProperties"])
        return
    yield from (required(start + name) for name in node.get("required") or () if name not in value)
    properties, extra = node.get("properties") or {}, node.get("additionalProperties")
    before = old if isinstance(old, dict) else {}
    for name, item in value.items():
        schema = properties.get(name, extra)
        if schema is False:
            yield invalid_value(path, "", f"{start}{name} in body is a forbidden property")
        elif isinstance(schema, dict):
            yield from _problems(item, schema, before.get(name, _ABSENT), start + name)


# list types


def item_key(item: Any, node: Node) -> bytes:
    """What tells an item of a list-map from the others."""
    keys = node.get("x-kubernetes-list-map-keys") or ()
    return encode([item.get(key) for key in keys]) if isinstance(item, dict) else b""


def by_key(old: Any, node: Node) -> dict[bytes, Any]:
    """Old items that can be told apart: those of a list-map."""
    if not isinstance(old, list) or node.get("x-kubernetes-list-type") != "map":
        return {}
    return {item_key(item, node): item for item in old}


def validate_lists(value: Any, schema: Schema | None, path: str = "") -> list[FieldError]:
    """Elements that a set or a list-map holds twice."""
    return list(_lists(value, schema, path))


def _lists(value: Any, schema: Schema | None, path: str) -> Iterator[FieldError]:
    if schema is None or schema.deduced:
        return
    if isinstance(value, dict):
        for name, item in value.items():
            if isinstance(item, (dict, list)) and (
                schema.names(name) or name not in ("apiVersion", "kind", "metadata")
            ):
                known = f"{path}.{name}" if path else name
                yield from _lists(item, schema.field(name), known if schema.names(name) else f"{path}[{name}]")
    elif isinstance(value, list):
        if schema.list_type != "atomic":
            yield from _twice(value, schema, path)
        for index, item in enumerate(value):
            if isinstance(item, (dict, list)):
                yield from _lists(item, schema.items, f"{path}[{index}]")


def _twice(value: list[Any], schema: Schema, path: str) -> Iterator[FieldError]:
    seen: dict[bytes, int] = {}
    for index, item in enumerate(value):
        identity = item
        if schema.list_type == "map":
            if item is not None and not isinstance(item, dict):
                yield invalid_value(f"{path}[{index}]", item, "must be an object for an array of list-type map")
                return
            identity = {key: item[key] for key in schema.list_keys if key in item} if item else {}
        mark = encode(identity)
        seen[mark] = seen.get(mark, 0) + 1
        if seen[mark] == 2:
            yield duplicate(f"{path}[{index}]", identity)
