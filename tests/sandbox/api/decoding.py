# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of built-in kinds as Go would decode and encode them: types checked, nulls gone, structs always there."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from .errors import bad_request
from .schema import Schema

_NUMBERS = {"int32": "int32", "int64": "int64", "double": "float64"}


class _WrongType(Exception):
    def __init__(self, path: str, given: str, wanted: str) -> None:
        super().__init__(f"json: cannot unmarshal {given} into Go struct field {path} of type {wanted}")


def shape(obj: dict[str, Any], schema: Schema, kind: str, version: str) -> list[str]:
    """Check and normalize an object in place; returns the paths of fields that its type does not have.

    Raises 400 in the words of Go's JSON decoder when a value has the wrong type.
    """
    unknown: list[str] = []
    try:
        _shape(obj, schema, "", kind, unknown)
    except _WrongType as error:
        message = f'{kind} in version "{version}" cannot be handled as a {kind}: {error}'
        raise bad_request(message) from error
    return sorted(unknown)


def _shape(value: dict[str, Any], schema: Schema, path: str, kind: str, unknown: list[str]) -> None:
    for name in list(value):
        item = value[name]
        here = f"{path}.{name}" if path else name
        child = schema.field(name)
        if child is None:
            unknown.append(here)
            del value[name]
        elif item is None:
            if schema.names(name):
                del value[name]
        elif not child.deduced:
            _check(item, child, here, kind, unknown)
            if _left_out(item, child) and schema.names(name) and name not in schema.required:
                del value[name]
    for name in schema.source.get("x-structs", ()):
        if name not in value:
            value[name] = {}
            child = schema.field(name)
            if child:
                _shape(value[name], child, name, kind, unknown)


def _check(value: Any, schema: Schema, path: str, kind: str, unknown: list[str]) -> None:
    if isinstance(value, dict):
        if schema.type not in ("object", ""):
            raise _WrongType(f"{kind}.{path}", "object", _go_type(schema))
        _shape(value, schema, path, kind, unknown)
    elif isinstance(value, list):
        if schema.type not in ("array", ""):
            raise _WrongType(f"{kind}.{path}", "array", _go_type(schema))
        items = schema.items
        if not items.deduced:
            for index, item in enumerate(value):
                if item is not None:
                    _check(item, items, f"{path}[{index}]", kind, unknown)
    elif not _scalar_fits(value, schema):
        raise _WrongType(f"{kind}.{path}", _json_type(value), _go_type(schema))
    elif schema.source.get("format") == "byte":
        _check_base64(value)


def _check_base64(value: str) -> None:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_request(f"illegal base64 data: {error}") from error


def _left_out(value: Any, schema: Schema) -> bool:
    """Whether Go's omitempty drops the value: empty lists, and empty maps (but not empty structs)."""
    if value == []:
        return True
    return value == {} and not schema.properties and isinstance(schema.source.get("additionalProperties"), dict)


def _scalar_fits(value: Any, schema: Schema) -> bool:
    if schema.int_or_string:
        return isinstance(value, (str, int, float)) and not isinstance(value, bool)
    if schema.type == "string":
        return isinstance(value, str)
    if schema.type == "boolean":
        return isinstance(value, bool)
    if schema.type == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if schema.type == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return schema.type == ""


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, float):
        return f"number {value:g}"
    return "number" if isinstance(value, int) else "string"


def _go_type(schema: Schema) -> str:
    if schema.type == "integer" or schema.type == "number":
        return _NUMBERS.get(schema.source.get("format", ""), "int64")
    if schema.type == "array":
        return f"[]{_go_type(schema.items)}"
    if schema.type == "object" and not schema.properties and schema.element is not None:
        return f"map[string]{_go_type(schema.element)}"
    return {"boolean": "bool", "string": "string"}.get(schema.type, "struct")
