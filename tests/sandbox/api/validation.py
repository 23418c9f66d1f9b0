# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validation of custom resources by their schema, in the words of kube-openapi and apiextensions-apiserver.

Unchanged parts of an updated object are not validated again (validation ratcheting), so that a schema can become
stricter without locking existing objects.
"""

from __future__ import annotations

import math
from typing import Any

from .fields import (
    FieldError,
    duplicate,
    invalid_type,
    invalid_value,
    not_supported,
    required,
    too_long,
    too_many,
)
from .formats import fits, regex
from .objects import encode, same
from .schema import Node, Schema

_ABSENT: Any = object()
_INT_LIMITS = {"int32": 2**31, "int64": 2**63}


def validate(value: Any, node: Node, old: Any = _ABSENT, path: str = "") -> list[FieldError]:
    """Everything that is wrong with a value; ``old`` is what it replaces."""
    errors: list[FieldError] = []
    _validate(value, node, old, path, errors)
    return errors


def _validate(value: Any, node: Node, old: Any, path: str, errors: list[FieldError]) -> None:
    if old is not _ABSENT and path and same(value, old):
        return
    if not _type_fits(value, node, path, errors) or value is None:
        return
    _combinations(value, node, path, errors)
    if isinstance(value, str):
        _string(value, node, path, errors)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        _number(value, node, path, errors)
    elif isinstance(value, list):
        _list(value, node, old, path, errors)
    _enum(value, node, path, errors)
    if isinstance(value, dict):
        _object(value, node, old, path, errors)


def _types(node: Node) -> list[str]:
    if node.get("x-kubernetes-int-or-string"):
        return ["integer", "string"]
    return [node["type"]] if node.get("type") else []


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names = {dict: "object", list: "array", str: "string", int: "integer", float: "number"}
    return names.get(type(value), "null")


def _type_fits(value: Any, node: Node, path: str, errors: list[FieldError]) -> bool:
    wanted = _types(node)
    if not wanted or (value is None and node.get("nullable")):
        return True
    actual = _type_of(value)
    whole = actual == "number" and value.is_integer() and "integer" in wanted
    if actual in wanted or whole or (actual == "integer" and "number" in wanted):
        return True
    names = ",".join(wanted)
    if actual == "number" and "integer" in wanted:
        message = f"Checked value must be of type integer (default format) in {path}"
        errors.append(invalid_value("<nil>", "", message))
    errors.append(invalid_type(path or "<nil>", actual, f'{path} in body must be of type {names}: "{actual}"'))
    return False


def _plain(number: float) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)


def _combinations(value: Any, node: Node, path: str, errors: list[FieldError]) -> None:
    """anyOf, oneOf, allOf and not; their own message has no value and names the path in quotes."""

    def fail(message: str) -> None:
        errors.append(invalid_value("<nil>", "", f'"{path}" {message}'))

    if node.get("anyOf"):
        results = [validate(value, option, path=path) for option in node["anyOf"]]
        if all(results):
            fail("must validate at least one schema (anyOf)")
            errors.extend(results[0])
    if node.get("oneOf"):
        results = [validate(value, option, path=path) for option in node["oneOf"]]
        valid = sum(not result for result in results)
        if valid != 1:
            found = "Found none valid" if valid == 0 else f"Found {valid} valid alternatives"
            fail(f"must validate one and only one schema (oneOf). {found}")
            if valid == 0:
                errors.extend(results[0])
    if node.get("allOf"):
        results = [validate(value, option, path=path) for option in node["allOf"]]
        for result in results:
            errors.extend(result)
        if any(results):
            fail("must validate all the schemas (allOf)" + (". None validated" if all(results) else ""))
    if node.get("not") is not None and not validate(value, node["not"], path=path):
        fail("must not validate the schema (not)")


def _string(value: str, node: Node, path: str, errors: list[FieldError]) -> None:
    if "maxLength" in node and len(value) > node["maxLength"]:
        errors.append(too_long(path, node["maxLength"]))
    if "minLength" in node and len(value) < node["minLength"]:
        errors.append(invalid_value(path, value, f"{path} in body should be at least {node['minLength']} chars long"))
    pattern = node.get("pattern")
    if pattern and not regex(pattern).search(value):
        errors.append(invalid_value(path, value, f"{path} in body should match '{pattern}'"))
    name = node.get("format")
    if name and node.get("type") in ("string", "", None) and not fits(value, name):
        errors.append(invalid_type(path, value, f'{path} in body must be of type {name}: "{value}"'))


def _number(value: float, node: Node, path: str, errors: list[FieldError]) -> None:
    def fail(message: str) -> None:
        errors.append(invalid_value(path, value, f"{path} in body should be {message}"))

    multiple = node.get("multipleOf")
    if multiple and not math.isclose(value / multiple, round(value / multiple), abs_tol=1e-9):
        fail(f"a multiple of {_plain(multiple)}")
    maximum, minimum = node.get("maximum"), node.get("minimum")
    if maximum is not None:
        if node.get("exclusiveMaximum") and value >= maximum:
            fail(f"less than {_plain(maximum)}")
        elif value > maximum:
            fail(f"less than or equal to {_plain(maximum)}")
    if minimum is not None:
        if node.get("exclusiveMinimum") and value <= minimum:
            fail(f"greater than {_plain(minimum)}")
        elif value < minimum:
            fail(f"greater than or equal to {_plain(minimum)}")
    limit = _INT_LIMITS.get(node.get("format", "")) if node.get("type") == "integer" else None
    if limit and not -limit <= value < limit:
        message = f"Checked value must be of type integer with format {node['format']} in body"
        errors.append(invalid_value(path, value, message))


def _list(value: list[Any], node: Node, old: Any, path: str, errors: list[FieldError]) -> None:
    items = node.get("items")
    if isinstance(items, dict):
        before = _by_key(old, node)
        for index, item in enumerate(value):
            known = before.get(_key(item, node), _ABSENT) if before else _ABSENT
            _validate(item, items, known, f"{path}[{index}]", errors)
    if "minItems" in node and len(value) < node["minItems"]:
        message = f"{path} in body should have at least {node['minItems']} items"
        errors.append(invalid_value(path, len(value), message))
    if "maxItems" in node and len(value) > node["maxItems"]:
        errors.append(too_many(path, len(value), node["maxItems"]))
    if node.get("uniqueItems") and len({encode(item) for item in value}) < len(value):
        errors.append(invalid_value(path, "", f"{path} in body shouldn't contain duplicates"))


def _key(item: Any, node: Node) -> tuple[bytes, ...]:
    keys = node.get("x-kubernetes-list-map-keys") or ()
    return tuple(encode(item.get(key)) for key in keys) if isinstance(item, dict) else ()


def _by_key(old: Any, node: Node) -> dict[tuple[bytes, ...], Any]:
    if not isinstance(old, list) or node.get("x-kubernetes-list-type") != "map":
        return {}
    return {_key(item, node): item for item in old}


def _enum(value: Any, node: Node, path: str, errors: list[FieldError]) -> None:
    allowed = node.get("enum")
    if allowed and not any(same(value, item) for item in allowed):
        errors.append(not_supported(path, value, allowed))


def _object(value: dict[str, Any], node: Node, old: Any, path: str, errors: list[FieldError]) -> None:
    def child(name: str) -> str:
        return f"{path}.{name}" if path else name

    size = len(value)
    if "minProperties" in node and size < node["minProperties"]:
        message = f"{path} in body should have at least {node['minProperties']} properties"
        errors.append(invalid_value(path, size, message))
    if "maxProperties" in node and size > node["maxProperties"]:
        errors.append(too_many(path, size, node["maxProperties"]))
    properties = node.get("properties") or {}
    extra = node.get("additionalProperties")
    before = old if isinstance(old, dict) else {}
    for name, item in value.items():
        schema = properties.get(name, extra)
        if schema is False:
            errors.append(invalid_value(path, "", f"{child(name)} in body is a forbidden property"))
        elif isinstance(schema, dict):
            _validate(item, schema, before.get(name, _ABSENT), child(name), errors)
    errors.extend(required(child(name)) for name in node.get("required") or () if name not in value)


# list types


def validate_lists(value: Any, schema: Schema | None, path: str = "") -> list[FieldError]:
    """Elements that a set or a list-map holds twice."""
    errors: list[FieldError] = []
    if schema is not None and not schema.deduced:
        _lists(value, schema, path, errors)
    return errors


def _lists(value: Any, schema: Schema, path: str, errors: list[FieldError]) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(item, (dict, list)):
                continue
            child = schema.field(name)
            if child is None or child.deduced:
                continue
            if schema.names(name):
                _lists(item, child, f"{path}.{name}" if path else name, errors)
            elif name not in ("apiVersion", "kind", "metadata"):
                _lists(item, child, f"{path}[{name}]", errors)
    elif isinstance(value, list):
        if schema.list_type != "atomic":
            _unique(value, schema, path, errors)
        for index, item in enumerate(value):
            if isinstance(item, (dict, list)):
                _lists(item, schema.items, f"{path}[{index}]", errors)


def _unique(value: list[Any], schema: Schema, path: str, errors: list[FieldError]) -> None:
    seen: dict[bytes, int] = {}
    for index, item in enumerate(value):
        identity = item
        if schema.list_type == "map":
            if item is not None and not isinstance(item, dict):
                message = "must be an object for an array of list-type map"
                errors.append(invalid_value(f"{path}[{index}]", item, message))
                return
            identity = {key: item[key] for key in schema.list_keys if key in item} if item else {}
        mark = encode(identity)
        seen[mark] = seen.get(mark, 0) + 1
        if seen[mark] == 2:
            errors.append(duplicate(f"{path}[{index}]", identity))
