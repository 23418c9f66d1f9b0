# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schemas of the built-in kinds, from the OpenAPI definitions in the package kubernetes-validate.

The file holds every definition of one Kubernetes version. Only what the served kinds refer to is kept, without
descriptions; ``document`` reads the file again for the OpenAPI endpoint, which needs them.

Two things are not in the file, because the Swagger 2 document that it was made from leaves them out: defaults of
list keys and which fields are structs in Go (and so are never absent in an answer). ``builtins.yaml`` states them as
the OpenAPI v3 documents of Kubernetes 1.36 do, along with what else is known of the types.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import yaml

from .schema import EMBEDDED_FIELDS, Node, Schema, special

KUBERNETES_VERSION = "1.36"
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis."
_MANAGED_FIELDS = "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1"


@functools.cache
def builtin_data() -> dict[str, Any]:
    """What ``builtins.yaml`` says of the built-in kinds (``resources``) and their types (``types``)."""
    text = Path(__file__).with_name("builtins.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe
    return data


def _file() -> Path:
    package = importlib.util.find_spec("kubernetes_validate")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("The API server needs the Python package kubernetes-validate for the built-in kinds.")
    root = Path(package.submodule_search_locations[0])
    return root / "kubernetes-json-schema" / f"v{KUBERNETES_VERSION}.0-local" / "_definitions.json"


def document() -> dict[str, Node]:
    """All definitions of the Kubernetes version, as they are in the file."""
    definitions: dict[str, Node] = orjson.loads(_file().read_bytes())["$defs"]
    return definitions


class Definitions:
    """The definitions that some kinds need, ready to use."""

    def __init__(self, kinds: Iterable[tuple[str, str, str]]) -> None:
        everything = document()
        wanted = set(kinds)
        self.names: dict[tuple[str, str, str], str] = {}
        for name, node in everything.items():
            for gvk in node.get("x-kubernetes-group-version-kind", ()):
                key = (gvk["group"], gvk["version"], gvk["kind"])
                if key in wanted:
                    self.names[key] = name
        missing = wanted - self.names.keys()
        if missing:
            raise KeyError(f"kubernetes-validate has no definitions of {sorted(missing)} for {KUBERNETES_VERSION}")
        self._nodes: dict[str, Node] = {}
        self._collect(everything, {*self.names.values(), OBJECT_META})
        self._schemas: dict[str, Schema] = {}
        EMBEDDED_FIELDS["metadata"] = self.schema(OBJECT_META)

    def schema(self, name: str) -> Schema:
        """The schema of a definition. Raises KeyError when no served kind refers to it."""
        found = self._schemas.get(name)
        if found is None:
            found = special(name) or Schema(self._nodes[name], self.schema)
            if not found.deduced:
                found.name = ".".join(name.split(".")[-2:])
            self._schemas[name] = found
        return found

    def kind(self, group: str, version: str, kind: str) -> Schema:
        """The schema of a built-in kind."""
        return self.schema(self.names[group, version, kind])

    def _collect(self, everything: dict[str, Node], names: set[str]) -> None:
        pending = list(names)
        while pending:
            name = pending.pop()
            if name in self._nodes:
                continue
            found: set[str] = set()
            node = _strip(everything[name], found)
            self._nodes[name] = _complete(name, node)
            pending.extend(found)


def _complete(name: str, node: Node) -> Node:
    """Add what the file leaves out."""
    properties = node.get("properties", {})
    rules = builtin_data()["types"].get(name.removeprefix("io.k8s.api.").removeprefix(_EXTENSIONS), {})
    for field, value in rules.get("keys", {}).items():
        properties[field]["default"] = value
    node["x-rules"] = rules
    node["x-structs"] = rules.get("structs", ())
    node["x-always"] = [*node.get("required", ()), *rules.get("always", ())]
    if name.endswith("Condition"):  # their times are structs, which are written even when they are not set
        node["x-always"] += [field for field, child in properties.items() if child.get("$ref", "").endswith(".v1.Time")]
    if name == _MANAGED_FIELDS:
        node["x-kubernetes-preserve-unknown-fields"] = True
    return node


def _strip(node: Any, found: set[str]) -> Any:
    """A copy without descriptions; names of the definitions that it refers to are added to ``found``."""
    if isinstance(node, list):
        return [_strip(item, found) for item in node]
    if not isinstance(node, dict):
        return node
    kept: Node = {}
    for key, value in node.items():
        if key == "description" and isinstance(value, str):
            continue
        if key == "$ref" and isinstance(value, str):
            found.add(value.rsplit("/", 1)[1])
            kept[key] = value
        elif key == "properties":
            kept[key] = {field: _strip(child, found) for field, child in value.items()}
        else:
            kept[key] = _strip(value, found)
    return kept


_ZEROS: dict[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False}


def zero(schema: Schema, name: str) -> Any:
    """Go's zero value of a field: null for lists, maps and pointers."""
    child = schema.field(name)
    if child is None or child.int_or_string or child.source.get("format") in ("date-time", "micro-time"):
        return None
    return _ZEROS.get(child.type)


@functools.cache
def empty_structs(schema: Schema) -> dict[str, Any]:
    """The object that Go encodes for an empty value of the schema.

    It has the struct fields, recursively, and the zero values of fields that are written always, which are the
    required ones.
    """
    empty: dict[str, Any] = {name: zero(schema, name) for name in schema.source.get("x-always", ())}
    for name in schema.source.get("x-structs", ()):
        child = schema.field(name)
        empty[name] = empty_structs(child) if child else {}
    return empty
