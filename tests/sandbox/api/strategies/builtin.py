# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Built-in kinds: decoding by their Go types, defaults, required fields, generations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..decoding import shape
from ..defaults import DEFAULTERS
from ..definitions import empty_structs
from ..fields import FieldError, invalid_value, required
from ..metadata import validate_metadata, validate_metadata_update
from ..objects import Object, copy, same
from ..schema import Schema
from .base import Strategy


@dataclass(frozen=True)
class Traits:
    """What a kind is like, beyond its schema."""

    name_rule: str = "subdomain"
    generation: bool = False
    """Whether metadata.generation counts changes of what is wanted."""
    unconditional_update: bool = True
    create_on_update: bool = False


_GENERATION_METADATA = {"Deployment": ("annotations",), "EndpointSlice": ("labels",)}
"""Metadata that counts as a change of what is wanted."""


class BuiltinStrategy(Strategy):
    """What all built-in kinds share; a kind with rules of its own has a subclass."""

    def __init__(self, schema: Schema, kind: str, traits: Traits) -> None:
        super().__init__(schema)
        self.kind = kind
        self.name_rule = traits.name_rule
        self.has_generation = traits.generation
        self.unconditional_update = traits.unconditional_update
        self.create_on_update = traits.create_on_update
        self.has_status = schema.names("status")

    def empty(self) -> Object:
        empty: Object = copy(empty_structs(self.schema))
        return empty

    def decode(self, obj: Object) -> list[str]:
        unknown = shape(obj, self.schema)
        self._fill(obj)
        return unknown

    def _fill(self, obj: Object) -> None:
        defaulter = DEFAULTERS.get(self.kind)
        if defaulter:
            defaulter(obj)

    def prepare_create(self, obj: Object) -> None:
        self._drop_empty(obj)
        if self.has_status:
            obj["status"] = copy(self.empty().get("status", {}))
        if self.has_generation:
            obj["metadata"]["generation"] = 1
        else:
            obj["metadata"].pop("generation", None)

    def _drop_empty(self, obj: Object) -> None:
        """What is stored in protobuf does not tell an empty list from none, such as the rules of a role."""
        for name in self.schema.source.get("x-always", ()):
            if obj.get(name) == []:
                obj[name] = None

    def prepare_update(self, new: Object, old: Object, subresource: str) -> None:
        self._drop_empty(new)
        if subresource == "status":
            status = new.get("status", {})
            metadata = new["metadata"]
            new.clear()
            new.update(copy(old))
            new["status"] = status
            new["metadata"] = {**metadata, "labels": old["metadata"].get("labels")}
            if new["metadata"]["labels"] is None:
                del new["metadata"]["labels"]
            return
        if self.has_status and "status" in old:
            new["status"] = old["status"]
        if self.has_generation and self.changes_generation(new, old):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1

    def changes_generation(self, new: Object, old: Object) -> bool:
        """Whether an update is one of what is wanted, and not of metadata or status only."""
        ignored = ("metadata", "status", "apiVersion", "kind")
        body = {name: value for name, value in new.items() if name not in ignored}
        if not same(body, {name: value for name, value in old.items() if name not in ignored}):
            return True
        return any(
            not same(new["metadata"].get(name) or {}, old["metadata"].get(name) or {})
            for name in _GENERATION_METADATA.get(self.kind, ())
        )

    def validate(self, obj: Object, old: Object | None, subresource: str) -> list[FieldError]:
        if old is None:
            errors = validate_metadata(obj["metadata"], self.name_rule, builtin=True)
        else:
            errors = validate_metadata_update(obj["metadata"], old["metadata"], builtin=True)
        own: list[FieldError] = []
        if subresource != "status":
            for name, value in obj.items():
                child = self.schema.field(name)
                if name not in ("metadata", "status") and child:
                    _required(value, child, name, own)
            own += [required(name) for name in self.schema.required if name not in obj]
            own += self.validate_own(obj, old)
        return errors + list({str(error): error for error in own}.values())

    def validate_own(self, obj: Object, old: Object | None) -> list[FieldError]:
        """Rules of the kind beyond required fields."""
        return []

    def immutable(self, new: Any, old: Any, path: str) -> list[FieldError]:
        """An error when a field that may not change has changed."""
        return [] if same(new, old) else [invalid_value(path, new, "field is immutable")]


def _required(value: Any, schema: Schema, path: str, errors: list[FieldError]) -> None:
    if schema.deduced:
        return
    if isinstance(value, dict):
        for name in schema.required:
            if value.get(name) in (None, "") and not _may_be_empty(schema, name):
                errors.append(required(f"{path}.{name}"))
        for name, item in value.items():
            child = schema.field(name)
            if child and isinstance(item, (dict, list)):
                _required(item, child, f"{path}.{name}", errors)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict):
                _required(item, schema.items, f"{path}[{index}]", errors)


def _may_be_empty(schema: Schema, name: str) -> bool:
    """Required in OpenAPI means written always in Go; only some of those fields must have a value."""
    child = schema.field(name)
    return child is None or child.type in ("array", "boolean", "integer") or name in _EMPTY_ALLOWED


_EMPTY_ALLOWED = {"apiGroup", "host", "metadata", "namespaceSelector"}
