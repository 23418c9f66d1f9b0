# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Defaults and nulls of custom resources, by their structural schema."""

from __future__ import annotations

from typing import Any

from .objects import copy
from .schema import Schema


def drop_nulls(value: Any, schema: Schema | None) -> None:
    """Remove nulls from fields that are neither nullable nor have a default."""
    if schema is None:
        return
    if isinstance(value, dict):
        for name in list(value):
            child = _declared(schema, name)
            if child is None:
                continue
            if value[name] is None and not child.nullable and not child.has_default:
                del value[name]
            else:
                drop_nulls(value[name], child)
    elif isinstance(value, list) and not schema.deduced:
        for item in value:
            drop_nulls(item, schema.items)


def apply_defaults(value: Any, schema: Schema | None) -> None:
    """Fill in missing fields, and nulls where null is not allowed, with the schema's defaults."""
    if schema is None or schema.deduced:
        return
    if isinstance(value, dict):
        for name, node in schema.properties.items():
            if node.get("default") is None:
                continue
            if name not in value or (value[name] is None and not node.get("nullable")):
                value[name] = copy(node["default"])
        for name, item in value.items():
            child = _declared(schema, name)
            if child and item is None and child.has_default and not child.nullable:
                value[name] = copy(child.default)
            if isinstance(value[name], (dict, list)):
                apply_defaults(value[name], child)
    elif isinstance(value, list):
        for item in value:
            apply_defaults(item, schema.items)


def _declared(schema: Schema, name: str) -> Schema | None:
    if not schema.names(name) and schema.embedded and name in ("apiVersion", "kind", "metadata"):
        return None
    child = schema.field(name)
    return None if child is None or child.deduced else child
