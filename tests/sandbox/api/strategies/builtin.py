# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Built-in kinds: decoding by their Go types, defaults, rules for values, generations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..decoding import shape
from ..defaults import fill
from ..definitions import empty_structs
from ..fields import FieldError, invalid_value, required
from ..metadata import validate_metadata, validate_metadata_update
from ..objects import Object, copy, lookup, same
from ..schema import Schema
from .base import Strategy
from .values import check_values


def immutable(new: Object, old: Object, paths: Iterable[str]) -> list[FieldError]:
    """Errors of fields that may not change and did."""
    errors = []
    for path in paths:
        value = lookup(new, path.split("."))
        if not same(value, lookup(old, path.split("."))):
            errors.append(invalid_value(path, value, "field is immutable"))
    return errors


class BuiltinStrategy(Strategy):
    """What all built-in kinds share; a kind with rules of its own has a subclass."""

    def __init__(self, schema: Schema, row: dict[str, Any]) -> None:
        """``row`` is what ``builtins.yaml`` says of the kind."""
        super().__init__(schema)
        self.kind: str = row["kind"]
        self.name_rule = row.get("name", "subdomain")
        self.unconditional_update = not row.get("locked")
        self.create_on_update = row.get("creates", False)
        self.has_status = schema.names("status")
        self._has_generation = row.get("generation", False)
        self._counted: list[str] = row.get("counted", [])
        self._immutable: list[str] = row.get("immutable", [])

    def empty(self) -> Object:
        empty: Object = copy(empty_structs(self.schema))
        return empty

    def decode(self, obj: Object) -> list[str]:
        return shape(obj, self.schema, fill)

    def prepare_create(self, obj: Object) -> None:
        self._drop_empty(obj)
        if self.has_status:
            obj["status"] = copy(self.empty().get("status", {}))
        if self._has_generation:
            obj["metadata"]["generation"] = 1

    def _drop_empty(self, obj: Object) -> None:
        """What is stored in protobuf does not tell an empty list from none, such as the rules of a role."""
        for name in self.schema.source.get("x-always", ()):
            if obj.get(name) == []:
                obj[name] = None

    def prepare_update(self, new: Object, old: Object, subresource: str) -> None:
        self._drop_empty(new)
        if subresource == "status":
            status, metadata = new.get("status", {}), new["metadata"]
            labels = {"labels": old["metadata"]["labels"]} if old["metadata"].get("labels") else {}
            new.clear()
            new.update({**copy(old), "status": status})
            new["metadata"] = {name: value for name, value in metadata.items() if name != "labels"} | labels
            return
        if self.has_status and "status" in old:
            new["status"] = old["status"]
        if self._has_generation and self._is_other(new, old):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1

    def _is_other(self, new: Object, old: Object) -> bool:
        """Whether an update is one of what is wanted, and not of metadata or status only."""
        ignored = ("metadata", "status", "apiVersion", "kind")
        bodies = ({name: value for name, value in obj.items() if name not in ignored} for obj in (new, old))
        counted = ([obj["metadata"].get(name) or {} for name in self._counted] for obj in (new, old))
        return not same(*bodies) or not same(*counted)

    def validate(self, obj: Object, old: Object | None, subresource: str) -> list[FieldError]:
        if old is None:
            errors = validate_metadata(obj["metadata"], self.name_rule, builtin=True)
        else:
            errors = validate_metadata_update(obj["metadata"], old["metadata"], builtin=True)
        if subresource == "status":
            return errors + self.validate_status(obj)
        own: list[FieldError] = []
        check_values({k: v for k, v in obj.items() if k not in ("metadata", "status")}, self.schema, "", own)
        own += [required(name) for name in self.schema.required if name not in obj]
        if old is not None:
            own += immutable(obj, old, self._immutable)
        own += self.validate_own(obj, old)
        return errors + list({str(error): error for error in own}.values())

    def validate_own(self, obj: Object, old: Object | None) -> list[FieldError]:
        """Rules of the kind beyond those for values."""
        return []

    def validate_status(self, obj: Object) -> list[FieldError]:
        """What is wrong with a status that is to be stored."""
        return []
