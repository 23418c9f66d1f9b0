# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of built-in kinds as Go would decode and encode them: types checked, nulls gone, structs always there."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from .definitions import zero
from .quantities import canonical
from .schema import Schema

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_MANAGED_FIELDS = "v1.ManagedFieldsEntry"
_NUMBERS = {"int32": "int32", "int64": "int64", "double": "float64"}


class DecodingError(ValueError):
    """A value is not what its field can hold; the message is that of Go's JSON decoder."""


class _Place(NamedTuple):
    """Where a value is."""

    path: str
    """The whole path, with indexes and the keys of maps."""
    field: str
    """The path as Go's decoder tells it: without indexes and the keys of maps."""
    struct: str
    """The Go type that the field belongs to; for what is in a map, the one that the map is a field of."""

    def below(self, name: str, schema: Schema) -> _Place:
        """The place of a field of an object with this schema."""
        path = f"{self.path}.{name}" if self.path else name
        if not schema.properties:
            return self._replace(path=path)
        return _Place(path, f"{self.field}.{name}" if self.field else name, schema.name)


Filler = Callable[[dict[str, Any], Schema], None]
"""Sets the defaults of one object of a type."""


def _no_defaults(value: dict[str, Any], schema: Schema) -> None:
    """A filler for types without defaults."""


def shape(obj: dict[str, Any], schema: Schema, fill: Filler = _no_defaults) -> list[str]:
    """Check and normalize an object in place; returns the paths of fields that its type does not have.

    Raises `DecodingError`.
    """
    decoder = _Decoder(fill)
    decoder.shape(obj, schema, _Place("", "", schema.name))
    return sorted(decoder.unknown)


class _Decoder:
    def __init__(self, fill: Filler) -> None:
        self._fill = fill
        self.unknown: list[str] = []

    def shape(self, value: dict[str, Any], schema: Schema, place: _Place) -> None:
        always = schema.source.get("x-always", ())
        for name in list(value):
            item = value[name]
            child = schema.field(name)
            if child is None:
                self.unknown.append(place.below(name, schema).path)
                del value[name]
            elif item is None and schema.names(name):
                del value[name]
            elif item is None:
                value[name] = zero(schema, name)
            elif not child.deduced:
                value[name] = self._check(item, child, place.below(name, schema))
                if _left_out(item, child) and schema.names(name) and name not in always:
                    del value[name]
        for name in always:
            if name not in value:
                value[name] = zero(schema, name)
        for name in schema.source.get("x-structs", ()):
            if value.get(name) is None:
                value[name] = {}
                child = schema.field(name)
                if child:
                    self.shape(value[name], child, place.below(name, schema))
        self._fill(value, schema)

    def _check(self, value: Any, schema: Schema, place: _Place) -> Any:
        """The value as it is kept."""
        form = schema.source.get("format")
        if schema.int_or_string and isinstance(value, (dict, list)):
            raise DecodingError(f"json: cannot unmarshal {json_type(value)} into Go value of type int32")
        if isinstance(value, dict):
            if schema.type not in ("object", ""):
                raise _wrong_type(value, schema, place)
            self.shape(value, schema, place)
        elif isinstance(value, list):
            if schema.type not in ("array", ""):
                raise _wrong_type(value, schema, place)
            items = schema.items
            for index, item in enumerate(value if not items.deduced else ()):
                if item is not None:
                    value[index] = self._check(item, items, place._replace(path=f"{place.path}[{index}]"))
        elif not _scalar_fits(value, schema):
            raise _wrong_type(value, schema, place)
        elif form == "date-time":
            _check_time(value, micro=schema.name == "v1.MicroTime")
        elif form == "byte":
            _check_base64(value)
        elif form == "quantity":
            try:
                return canonical(value)
            except ValueError as error:
                raise DecodingError(str(error)) from error
        return value


def _wrong_type(value: Any, schema: Schema, place: _Place) -> DecodingError:
    field = f"{place.struct.rpartition('.')[2]}.{place.field}"
    return DecodingError(
        f"json: cannot unmarshal {json_type(value)} into Go struct field {field} of type {_go_type(schema)}"
    )


def _check_time(value: str, micro: bool) -> None:
    """Refuse what is no RFC 3339 time; times with microseconds need them."""
    found = _TIME.fullmatch(value)
    layout = f"2006-01-02T15:04:05{'.000000' if micro else ''}Z07:00"
    if found is None:
        raise DecodingError(f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "2006"')
    if micro and len(found[1] or "") != len(".000000"):
        rest = value[len("2006-01-02T15:04:05") :]
        raise DecodingError(f'parsing time "{value}" as "{layout}": cannot parse "{rest}" as ".000000"')


def _check_base64(value: str) -> None:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        allowed = re.match(r"[A-Za-z0-9+/]*={0,2}", value)
        position = allowed.end() if allowed else 0
        raise DecodingError(f"illegal base64 data at input byte {position}") from error


def _left_out(value: Any, schema: Schema) -> bool:
    """Whether Go's omitempty drops the value: empty lists, and empty maps (but not empty structs)."""
    if value == []:
        return schema.items.name != _MANAGED_FIELDS  # which an empty list resets
    return value == {} and not schema.properties and isinstance(schema.source.get("additionalProperties"), dict)


def _scalar_fits(value: Any, schema: Schema) -> bool:
    if schema.int_or_string:
        return isinstance(value, (str, int, float)) and not isinstance(value, bool)
    if schema.type == "string":
        return isinstance(value, str)
    if schema.type == "boolean":
        return isinstance(value, bool)
    if schema.type == "integer":
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole and (schema.source.get("format") != "int32" or -(2**31) <= value < 2**31)
    if schema.type == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return schema.type == ""


def json_type(value: Any) -> str:
    """What Go's decoder calls a value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, float):
        return f"number {value:g}"
    if isinstance(value, int) and not -(2**31) <= value < 2**31:
        return f"number {value}"
    names: dict[type, str] = {dict: "object", list: "array", int: "number"}
    return names.get(type(value), "string")


def _go_type(schema: Schema) -> str:
    if schema.name:
        return schema.name
    if schema.type in ("integer", "number"):
        return _NUMBERS.get(schema.source.get("format", ""), "int64")
    if schema.type == "array":
        return f"[]{_go_type(schema.items)}"
    if schema.type == "object" and schema.element is not None:
        return f"map[string]{_go_type(schema.element)}"
    return {"boolean": "bool"}.get(schema.type, schema.type)
