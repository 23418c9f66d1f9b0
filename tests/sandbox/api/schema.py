# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schemas of objects: OpenAPI of built-in kinds and structural schemas of custom ones, in one form.

A `Schema` is made from the JSON of an OpenAPI schema and compiles its children when they are asked for, so
that the large built-in ones cost only what is used. How lists and maps merge follows
k8s.io/kube-openapi/pkg/schemaconv: lists are atomic unless ``x-kubernetes-list-type`` says otherwise, objects
are granular unless ``x-kubernetes-map-type: atomic``, and what is not described is deduced from the value.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

Node = dict[str, Any]
Resolver = Callable[[str], "Schema"]
"""Finds the schema that a ``$ref`` names."""

_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_RAW_EXTENSION = "io.k8s.apimachinery.pkg.runtime.RawExtension"


def _no_references(name: str) -> Schema:
    raise KeyError(f"schema has a $ref to {name!r}, but structural schemas may not refer to others")


class Schema:
    """One node of a schema; ``source`` is the JSON that it was made from."""

    def __init__(self, source: Node, resolve: Resolver = _no_references, preserve_below: bool = False) -> None:
        kind = source.get("type", "")
        if isinstance(kind, list):
            self.nullable = "null" in kind
            kind = next((item for item in kind if item != "null"), "")
        else:
            self.nullable = bool(source.get("nullable"))
        self.source = source
        self.name = ""
        """Last two parts of the definition's name, such as v1.PodSpec; empty for what has no definition."""
        self.type: str = kind
        self.properties: dict[str, Node] = source.get("properties") or {}
        self.required: list[str] = source.get("required") or []
        self.list_type: str = source.get("x-kubernetes-list-type", "atomic")
        self.list_keys: list[str] = source.get("x-kubernetes-list-map-keys") or []
        self.atomic_map = source.get("x-kubernetes-map-type") == "atomic"
        self.preserve = bool(source.get("x-kubernetes-preserve-unknown-fields"))
        self.preserve_below = preserve_below or self.preserve
        self.embedded = bool(source.get("x-kubernetes-embedded-resource"))
        self.int_or_string = bool(source.get("x-kubernetes-int-or-string")) or source.get("format") == "int-or-string"
        self.default = source.get("default")
        self.defaults = [name for name, node in self.properties.items() if node.get("default") is not None]
        """Names of the properties that have a default."""
        self.deduced = False
        self._resolve = resolve
        self._fields: dict[str, Schema] = {}

    @functools.cached_property
    def items(self) -> Schema:
        """Schema of a list's items."""
        node = self.source.get("items")
        return self._compile(node) if isinstance(node, dict) else UNTYPED

    @functools.cached_property
    def element(self) -> Schema | None:
        """Schema of the fields that ``properties`` does not name; None when there may be none."""
        extra = self.source.get("additionalProperties")
        if isinstance(extra, dict):
            return self._compile(extra)
        return DEDUCED if extra or (extra is None and (self.preserve_below or not self.properties)) else None

    def field(self, name: str) -> Schema | None:
        """Schema of one field of an object; None when the schema does not allow it."""
        if name not in self.properties:
            return (EMBEDDED_FIELDS.get(name) if self.embedded else None) or self.element
        if name not in self._fields:
            self._fields[name] = self._compile(self.properties[name])
        return self._fields[name]

    def names(self, name: str) -> bool:
        """Whether the field is one of ``properties`` (and not merely allowed)."""
        return name in self.properties

    def declared(self, name: str) -> Schema | None:
        """Schema of a field that ``properties`` names or ``additionalProperties`` allows."""
        if name in self.properties or self.source.get("additionalProperties") not in (None, False):
            return self.field(name)
        return None

    def _compile(self, node: Node) -> Schema:
        reference = node.get("$ref")
        if reference is None:
            return Schema(node, self._resolve, self.preserve_below)
        target = self._resolve(reference.rsplit("/", 1)[1])
        extra = {key: value for key, value in node.items() if key not in ("$ref", "description")}
        if not extra:
            return target
        merged = Schema({**target.source, **extra}, self._resolve, self.preserve_below)
        merged.name = target.name
        return merged


def _free(atomic: bool) -> Schema:
    """A schema that says nothing, with lists atomic and maps atomic or granular."""
    schema = Schema({"x-kubernetes-preserve-unknown-fields": True})
    schema.deduced = True
    schema.atomic_map = atomic
    schema.element = schema
    return schema


UNTYPED = _free(atomic=True)
"""Anything, merged as a whole."""
DEDUCED = _free(atomic=False)
"""Anything; maps merge key by key, lists as a whole."""
_STRING = Schema({"type": "string"})
EMBEDDED_FIELDS: dict[str, Schema] = {"apiVersion": _STRING, "kind": _STRING}
"""Fields that every whole object has, besides those its schema names; ``metadata`` is added by ``definitions``."""


def special(name: str) -> Schema | None:
    """Definitions that the conversion treats by name: quantities and the like are scalars, raw extensions atomic."""
    if name == _QUANTITY:
        return Schema({"type": "string", "x-kubernetes-int-or-string": True, "format": "quantity"})
    if name == _INT_OR_STRING:
        return Schema({"x-kubernetes-int-or-string": True})
    return UNTYPED if name == _RAW_EXTENSION else None
