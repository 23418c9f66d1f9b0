# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fields that a schema does not know: removed, and named for the caller to be told."""

from __future__ import annotations

from typing import Any

from .schema import Schema

_META = ("apiVersion", "kind", "metadata")


def prune(obj: dict[str, Any], schema: Schema) -> list[str]:
    """Remove unknown fields of a whole object below its root's three own fields; returns their paths, sorted."""
    unknown: list[str] = []
    _prune(obj, schema, "", unknown, root=True)
    return sorted(unknown)


def _prune(value: Any, schema: Schema, path: str, unknown: list[str], root: bool = False) -> None:
    if schema.deduced:
        return
    if isinstance(value, dict):
        for name in list(value):
            if (root or schema.embedded) and name in _META:
                continue
            child = schema.field(name) if name in schema.properties else _extra(schema)
            here = f"{path}.{name}" if path else name
            if child is not None:
                _prune(value[name], child, here, unknown)
            elif not schema.preserve:
                unknown.append(here)
                del value[name]
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _prune(item, schema.items, f"{path}[{index}]", unknown)


def _extra(schema: Schema) -> Schema | None:
    """The schema of undeclared fields when additionalProperties says there may be some."""
    extra = schema.source.get("additionalProperties")
    if extra is None or extra is False:
        return None
    return schema.element


def remove_unknown(value: Any, schema: Schema, path: str = "") -> list[str]:
    """Fields of a built-in kind that its type does not have, removed; returns their paths."""
    unknown: list[str] = []
    _remove(value, schema, path, unknown)
    return unknown


def _remove(value: Any, schema: Schema, path: str, unknown: list[str]) -> None:
    if schema.deduced:
        return
    if isinstance(value, dict):
        for name in list(value):
            here = f"{path}.{name}" if path else name
            child = schema.field(name)
            if child is None:
                unknown.append(here)
                del value[name]
            else:
                _remove(value[name], child, here, unknown)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _remove(item, schema.items, f"{path}[{index}]", unknown)
