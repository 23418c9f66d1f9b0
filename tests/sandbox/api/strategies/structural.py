# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validation of the schemas in definitions: they have to be structural, and consistent in themselves.

Follows apiextensions-apiserver/pkg/apis/apiextensions/validation and pkg/apiserver/schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..coercion import coerce
from ..fields import FieldError, forbidden_value, invalid_value, not_supported, required
from ..formats import regex
from ..objects import copy
from ..rules import Rules, compile_problems
from ..schema import Node, Schema
from ..validation import validate

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_UNSUPPORTED = ("$ref", "additionalItems", "definitions", "dependencies", "id", "patternProperties")
_OUTSIDE = {
    **dict.fromkeys(("description", "title", "type", "x-kubernetes-validations"), "empty"),
    **dict.fromkeys(("additionalProperties", "default", "x-kubernetes-preserve-unknown-fields"), "undefined"),
    **dict.fromkeys(("nullable", "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string"), "false"),
}
"""What may not be in anyOf, oneOf, allOf and not, and what it must be there."""
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]


def validate_schema(schema: Node, path: str) -> list[FieldError]:
    """Everything that is wrong with the schema of one version."""
    return [*_root(schema, path), *_problems(schema, path, root=True)]


def _root(schema: Node, path: str) -> Iterator[FieldError]:
    kind = schema.get("type", "")
    if kind != "object":
        wrong = invalid_value(f"{path}.type", kind, "must be object at the root")
        yield wrong if kind else required(f"{path}.type", "must not be empty at the root")
    if schema.get("nullable"):
        yield forbidden_value(f"{path}.nullable", "nullable cannot be true at the root")
    metadata = (schema.get("properties") or {}).get("metadata") or {}
    if set(metadata.get("properties") or ()) - {"name", "generateName"} or set(metadata) - {"type", "properties"}:
        message = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        yield forbidden_value(f"{path}.properties[metadata]", message)
    if not _refers(schema):
        yield from _rules(schema, path, root=True)


def _refers(node: Node) -> bool:
    """Whether a schema refers to others, so that there is nothing to compile rules for."""
    return "$ref" in node or any(_refers(child) for _, child in _children(node))


def _rules(node: Node, path: str, root: bool = False, lost: str = "") -> Iterator[FieldError]:
    """Rules that do not compile; below ``lost``, a list without keys, there is no old value to compare with."""
    yield from compile_problems(node, path, root, lost)
    if node.get("type") == "array" and node.get("x-kubernetes-list-type") != "map":
        lost = lost or path
    for name, child in _children(node):
        yield from _rules(child, f"{path}.{name}", lost=lost)


def _children(node: Node) -> Iterator[tuple[str, Node]]:
    """The schemas in a schema, with their places in it."""
    for name, child in (node.get("properties") or {}).items():
        yield f"properties[{name}]", child
    for name in ("additionalProperties", "items"):
        if isinstance(node.get(name), dict):
            yield name, node[name]


def _options(node: Node) -> Iterator[tuple[str, Node]]:
    """The schemas that a value has to fit besides, with their places."""
    for name in ("allOf", "anyOf", "oneOf"):
        yield from ((f"{name}[{index}]", option) for index, option in enumerate(node.get(name) or ()))
    if node.get("not"):
        yield "not", node["not"]


def _problems(node: Node, path: str, root: bool = False) -> Iterator[FieldError]:
    kind, form = node.get("type", ""), node.get("x-kubernetes-map-type")
    properties, extra = node.get("properties"), node.get("additionalProperties")
    preserve = node.get("x-kubernetes-preserve-unknown-fields")
    if not (kind or preserve or node.get("x-kubernetes-int-or-string") or root or "$ref" in node):
        yield required(f"{path}.type", "must not be empty for specified object fields")
    if kind and kind not in _TYPES:
        yield not_supported(f"{path}.type", kind, _TYPES)
    if preserve is False:
        yield invalid_value(f"{path}.x-kubernetes-preserve-unknown-fields", False, "must be true or undefined")
    if properties and (extra is False or isinstance(extra, dict)):
        message = "additionalProperties and properties are mutual exclusive"
        yield forbidden_value(f"{path}.additionalProperties", message)
    if isinstance(node.get("items"), list):
        yield forbidden_value(f"{path}.items", "items must be a schema object and not an array")
    elif kind == "array" and not node.get("items"):
        yield required(f"{path}.items", "must be specified")
    yield from (forbidden_value(f"{path}.{name}", f"{name} is not supported") for name in _UNSUPPORTED if name in node)
    if node.get("uniqueItems"):
        message = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield forbidden_value(f"{path}.uniqueItems", message)
    if node.get("x-kubernetes-embedded-resource"):
        if kind != "object":
            yield invalid_value(f"{path}.type", kind, "must be object if x-kubernetes-embedded-resource is true")
        if not properties and not preserve:
            rule = "x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
            yield required(f"{path}.properties", f"must not be empty if {rule}")
    if form and form not in ("atomic", "granular"):
        yield not_supported(f"{path}.x-kubernetes-map-type", form, ("atomic", "granular"))
    if form and kind != "object":
        yield invalid_value(f"{path}.type", kind, "must be object if x-kubernetes-map-type is specified")
    try:
        regex(node.get("pattern") or "")
    except ValueError as error:
        message = f"must be a valid regular expression, but isn't: {error}"
        yield invalid_value(f"{path}.pattern", node["pattern"], message)
    yield from _default(node, f"{path}.default")
    yield from _list_type(node, path)
    whole = node.get("x-kubernetes-int-or-string")
    for name, option in _options(node):
        yield from () if whole and option in _INT_OR_STRING else _outside(option, f"{path}.{name}", bool(whole))
    for name, child in _children(node):
        yield from _problems(child, f"{path}.{name}", root=root and name == "properties[metadata]")


def _outside(option: Node, path: str, whole: bool) -> Iterator[FieldError]:
    """What is only allowed in the schema itself, not in what a value has to fit besides."""
    for name, must_be in _OUTSIDE.items():
        if option.get(name) not in (None, False, "", [], {}):
            yield forbidden_value(f"{path}.{name}", f"must be {must_be} to be structural")
    for name, child in (*_children(option), *_options(option)):
        if not (whole and child in _INT_OR_STRING):
            yield from _outside(child, f"{path}.{name}", whole)


def _default(node: Node, path: str) -> Iterator[FieldError]:
    """A default has to be valid itself."""
    default = node.get("default")
    if default is None:
        return
    plain = {key: value for key, value in node.items() if key != "default"}
    if isinstance(default, dict) and coerce(copy(default), Schema(plain), defaults=False):
        yield invalid_value(path, default, "must not have unknown fields")
    errors = validate(default, plain)
    yield from (replace(e, field=path if e.field in ("", "<nil>") else f"{path}.{e.field}") for e in errors)
    if not errors and node.get("x-kubernetes-validations"):
        found = Rules({**plain, "properties": {}, "items": None, "additionalProperties": None}).check(default, None)
        yield from (replace(error, field=path) for error, _ in found)


def _list_type(node: Node, path: str) -> Iterator[FieldError]:
    kind: str | None = node.get("x-kubernetes-list-type")
    keys: list[str] = node.get("x-kubernetes-list-map-keys") or []
    items: Node = node["items"] if isinstance(node.get("items"), dict) else {}
    here, of_keys = f"{path}.x-kubernetes-list-type", f"{path}.x-kubernetes-list-map-keys"
    if kind is not None and node.get("type") != "array":
        message = "must be array if x-kubernetes-list-type is specified"
        yield invalid_value(f"{path}.type", node.get("type", ""), message)
    if kind is not None and kind not in ("atomic", "set", "map"):
        yield not_supported(here, kind, ("atomic", "set", "map"))
    if keys and kind != "map":
        message = "must be map if x-kubernetes-list-map-keys is non-empty"
        yield required(here, message) if kind is None else invalid_value(here, kind, message)
    if kind == "set" and items.get("nullable"):
        yield forbidden_value(f"{path}.items.nullable", "cannot be nullable when x-kubernetes-list-type is set")
    if kind == "set" and items.get("type") == "object" and items.get("x-kubernetes-map-type") != "atomic":
        message = "must be atomic as item of a list with x-kubernetes-list-type=set"
        yield invalid_value(f"{path}.items.x-kubernetes-map-type", items.get("x-kubernetes-map-type"), message)
    if kind != "map":
        return
    if not keys:
        yield required(of_keys, "must not be empty if x-kubernetes-list-type is map")
    elif len(set(keys)) < len(keys):
        yield invalid_value(of_keys, keys, "must not contain duplicate entries")
    if items.get("type") != "object":
        message = "must be object if parent array's x-kubernetes-list-type is map"
        yield invalid_value(f"{path}.items.type", items.get("type", ""), message)
        return
    for key in keys:
        yield from _map_key(items, key, keys, f"{path}.items.properties[{key}]", of_keys)


def _map_key(items: Node, key: str, keys: list[str], path: str, of_keys: str) -> Iterator[FieldError]:
    child = (items.get("properties") or {}).get(key)
    rule = "this property is in x-kubernetes-list-map-keys, so it"
    if child is None:
        yield invalid_value(of_keys, keys, "entries must all be names of item properties")
        return
    if child.get("type") in ("array", "object"):
        message = "must be a scalar type if parent array's x-kubernetes-list-type is map"
        yield invalid_value(f"{path}.type", child["type"], message)
    if child.get("nullable"):
        yield forbidden_value(f"{path}.nullable", f"{rule} cannot be nullable")
    if key not in (items.get("required") or ()) and "default" not in child:
        yield required(f"{path}.default", f"{rule} must have a default or be a required property")
