# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Custom resources brought into the shape of their structural schema: unknown fields go, nulls too, defaults come.

Follows apiextensions-apiserver/pkg/apiserver/schema/{pruning,defaulting}.
"""

from __future__ import annotations

from typing import Any

from .objects import copy
from .schema import Schema

_META = ("apiVersion", "kind", "metadata")


def coerce(obj: dict[str, Any], schema: Schema, defaults: bool = True, nulls: bool = True) -> list[str]:
    """Shape a whole object, except for its root's three own fields; returns the paths of unknown fields, sorted.

    Without ``nulls``, those that their field does not take stay, for validation to refuse: as server-side apply does.
    """
    shaping = _Shaping(defaults, nulls)
    shaping.value(obj, schema, "", whole=True)
    return sorted(shaping.unknown)


def coerced(obj: dict[str, Any], schema: Schema) -> dict[str, Any]:
    """A copy of an object in the shape of a schema."""
    shaped: dict[str, Any] = copy(obj)
    coerce(shaped, schema)
    return shaped


class _Shaping:
    def __init__(self, defaults: bool, nulls: bool) -> None:
        self.unknown: list[str] = []
        self._defaults = defaults
        self._nulls = nulls

    def value(self, value: Any, schema: Schema, path: str, whole: bool = False) -> None:
        if schema.deduced:
            return
        if isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, (dict, list)):
                    self.value(item, schema.items, f"{path}[{index}]")
        elif isinstance(value, dict):
            for name in list(value):
                if not ((whole or schema.embedded) and name in _META):
                    self._field(value, name, schema, f"{path}.{name}" if path else name)
            for name in schema.defaults if self._defaults else ():
                if name not in value:
                    value[name] = copy(schema.properties[name]["default"])
                    self._field(value, name, schema, path)

    def _field(self, value: dict[str, Any], name: str, schema: Schema, path: str) -> None:
        child = schema.declared(name)
        if child is None:
            if not schema.preserve:
                self.unknown.append(path)
                del value[name]
        elif value[name] is not None:
            self.value(value[name], child, path)
        elif child.default is not None and not child.nullable:
            value[name] = copy(child.default)
        elif self._nulls and not child.nullable and not child.deduced:
            del value[name]
