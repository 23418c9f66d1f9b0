# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validation of the schemas in definitions: they have to be structural, and consistent in themselves.

Follows apiextensions-apiserver/pkg/apis/apiextensions/validation and pkg/apiserver/schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ..fields import FieldError, forbidden_value, invalid_value, not_supported, required
from ..formats import regex
from ..objects import same
from ..rules import compile_problems
from ..schema import Node
from ..validation import validate

_TYPES = ("array", "boolean", "integer", "number", "object", "string")


def validate_schema(schema: Node, path: str) -> list[FieldError]:
    """Everything that is wrong with the schema of one version."""
    errors: list[FieldError] = []
    if schema.get("type") != "object":
        kind = schema.get("type", "")
        wrong = invalid_value(f"{path}.type", kind, "must be object at the root")
        errors.append(wrong if kind else required(f"{path}.type", "must not be empty at the root"))
    metadata = (schema.get("properties") or {}).get("metadata") or {}
    if set(metadata.get("properties") or ()) - {"name", "generateName"} or set(metadata) - {"type", "properties"}:
        message = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        errors.append(forbidden_value(f"{path}.properties[metadata]", message))
    _validate(schema, path, errors, root=True)
    if not _refers(schema):
        errors += _rules(schema, path, root=True)
    return errors


def _refers(node: Node) -> bool:
    """Whether a schema refers to others, so that there is nothing to compile rules for."""
    return "$ref" in node or any(_refers(child) for _, child in _children(node))


def _rules(node: Node, path: str, root: bool = False) -> list[FieldError]:
    errors = compile_problems(node, path, root)
    for name, child in _children(node):
        errors += _rules(child, f"{path}.{name}")
    return errors


def _children(node: Node) -> Iterator[tuple[str, Node]]:
    """The schemas in a schema, with their places in it."""
    for name, child in (node.get("properties") or {}).items():
        yield f"properties[{name}]", child
    for name in ("additionalProperties", "items"):
        if isinstance(node.get(name), dict):
            yield name, node[name]


def _validate(node: Node, path: str, errors: list[FieldError], root: bool = False) -> None:
    kind = node.get("type", "")
    free = node.get("x-kubernetes-preserve-unknown-fields") or node.get("x-kubernetes-int-or-string")
    if not kind and not free and not root:
        errors.append(required(f"{path}.type", "must not be empty for specified object fields"))
    if kind and kind not in _TYPES:
        errors.append(not_supported(f"{path}.type", kind, _TYPES))
    if node.get("x-kubernetes-preserve-unknown-fields") is False:
        errors.append(invalid_value(f"{path}.x-kubernetes-preserve-unknown-fields", False, "must be true or undefined"))
    properties, extra = node.get("properties"), node.get("additionalProperties")
    if properties and extra not in (None, False):
        message = "additionalProperties and properties are mutual exclusive"
        errors.append(forbidden_value(f"{path}.additionalProperties", message))
    if kind == "array" and not isinstance(node.get("items"), dict):
        errors.append(required(f"{path}.items", "must be specified"))
    if node.get("$ref"):
        errors.append(forbidden_value(f"{path}.$ref", "$ref is not supported"))
    if node.get("uniqueItems"):
        message = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        errors.append(forbidden_value(f"{path}.uniqueItems", message))
    errors += _pattern(node, path) + _default(node, path) + _list_type(node, path)
    for name, child in _children(node):
        _validate(child, f"{path}.{name}", errors, root=root and name == "properties[metadata]")


def _pattern(node: Node, path: str) -> list[FieldError]:
    try:
        regex(node.get("pattern") or "")
    except ValueError as error:
        message = f"must be a valid regular expression, but isn't: {error}"
        return [invalid_value(f"{path}.pattern", node["pattern"], message)]
    return []


def _default(node: Node, path: str) -> list[FieldError]:
    """A default has to be valid itself."""
    default = node.get("default")
    if default is None or same(default, {}):
        return []
    here = f"{path}.default"
    return [
        replace(error, field=here if error.field in ("", "<nil>") else f"{here}.{error.field}")
        for error in validate(default, {key: value for key, value in node.items() if key != "default"})
    ]


def _list_type(node: Node, path: str) -> list[FieldError]:
    kind: Any = node.get("x-kubernetes-list-type")
    keys = node.get("x-kubernetes-list-map-keys")
    errors: list[FieldError] = []
    if kind is not None and node.get("type") != "array":
        message = "must be array if x-kubernetes-list-type is specified"
        errors.append(invalid_value(f"{path}.type", node.get("type", ""), message))
    if kind is not None and kind not in ("atomic", "set", "map"):
        supported = 'supported values: "atomic", "map", "set"'
        errors.append(FieldError("FieldValueNotSupported", f"{path}.x-kubernetes-list-type", kind, supported))
    if kind == "map" and not keys:
        message = "must not be empty if x-kubernetes-list-type is map"
        errors.append(required(f"{path}.x-kubernetes-list-map-keys", message))
    if keys and kind != "map":
        message = "must be map if x-kubernetes-list-map-keys is non-empty"
        error = (
            required(f"{path}.x-kubernetes-list-type", message)
            if kind is None
            else invalid_value(f"{path}.x-kubernetes-list-type", kind, message)
        )
        errors.append(error)
    items = node.get("items") or {}
    for key in keys or () if kind == "map" else ():
        child = (items.get("properties") or {}).get(key)
        if child is None:
            message = "entries must all be names of item properties"
            errors.append(invalid_value(f"{path}.x-kubernetes-list-map-keys", keys, message))
        elif key not in (items.get("required") or ()) and "default" not in child:
            message = (
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            )
            errors.append(required(f"{path}.items.properties[{key}].default", message))
    return errors
