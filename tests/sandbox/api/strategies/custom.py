# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Custom resources: everything follows from the schema in their definition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..coercion import coerce
from ..fields import FieldError, invalid_type, invalid_value
from ..fieldsets import FieldSet
from ..metadata import qualified_name_problems, validate_metadata, validate_metadata_update
from ..objects import Object, copy, lookup, same
from ..rules import Rules
from ..schema import Node, Schema
from ..validation import validate, validate_lists
from .base import Strategy

_STANDARD_FINALIZERS = {"orphan", "foregroundDeletion", "kubernetes"}
_STATUS_IGNORES: FieldSet = {("f:metadata",), ("f:spec",)}
_MAX_INT32 = 2**31 - 1
_BLOCKING = {f"FieldValue{kind}" for kind in ("NotSupported", "Required", "TooLong", "TooMany", "TypeInvalid")}
"""Errors after which rules are not checked."""


class CustomStrategy(Strategy):
    """One version of one custom resource.

    ``schema`` includes the root's own fields, ``structural`` does not; nor does ``stored``, which is that of the
    version in which objects are stored: its defaults come to objects of every version.
    """

    unconditional_update = False

    def __init__(self, kind: str, schema: Schema, structural: Schema, node: Node, scale: dict[str, str] | None) -> None:
        super().__init__(schema)
        self.kind = kind
        self.structural = self.stored = structural
        self.has_status = False
        self._node = node
        self._scale = scale or {}
        self._rules = Rules(node, root=True)
        self._rule_warnings: list[str] = []

    def decode(self, obj: Object) -> list[str]:
        return coerce(obj, self.structural)

    def decode_applied(self, obj: Object) -> None:
        coerce(obj, self.structural, nulls=False)

    def begin(self, obj: Object, old: Object | None) -> None:
        if self.stored is not self.structural:
            self.read(obj)

    def read(self, obj: Object) -> None:
        coerce(obj, self.stored)
        if self.stored is not self.structural:
            coerce(obj, self.structural, defaults=False)

    def prepare_create(self, obj: Object) -> None:
        if self.has_status:
            obj.pop("status", None)
        obj["metadata"]["generation"] = 1
        coerce(obj, self.structural, nulls=False)  # defaults of what was reset, such as the status

    def prepare_update(self, new: Object, old: Object, subresource: str) -> None:
        if subresource == "status":
            asked = dict(new)
            new.clear()
            new.update(copy(old))
            new["metadata"].pop("managedFields", None)
            if asked["metadata"].get("managedFields"):
                new["metadata"]["managedFields"] = asked["metadata"]["managedFields"]
            _take_status(new, asked)
        else:
            if self.has_status:
                _take_status(new, old)
            if not same(_body(new), _body(old)):
                new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        coerce(new, self.structural, nulls=False)

    def validate(self, obj: Object, old: Object | None, subresource: str) -> list[FieldError]:
        if obj["kind"] != self.kind:
            return [invalid_value("kind", obj["kind"], f"must be {self.kind}")]
        if old is None:
            errors = validate_metadata(obj["metadata"], "subdomain")
            errors += validate(_whole(obj), self._node)
        else:
            errors = validate_metadata_update(obj["metadata"], old["metadata"])
            if subresource == "status":
                node = self._node.get("properties", {}).get("status")
                if node and "status" in obj:
                    errors += _below("status", validate(obj["status"], node, old.get("status")))
            else:
                errors += validate(_whole(obj), self._node, _whole(old))
        errors += self._validate_scale(obj)
        if old is None or not validate_lists(old, self.structural):
            errors += validate_lists(obj, self.structural)
        return errors + self._validate_rules(obj, old, errors)

    def warnings(self, obj: Object, old: Object | None) -> list[str]:
        known = set(old["metadata"].get("finalizers") or ()) if old else set()
        added = sorted(set(obj["metadata"].get("finalizers") or ()) - known - _STANDARD_FINALIZERS)
        found: list[str] = [*self._rule_warnings]
        for name in added:
            found += [f'metadata.finalizers: "{name}": {text}' for text in qualified_name_problems(name)]
            if "/" not in name:
                path = " including a path (/)" if "." in name else ""
                found.append(
                    f'metadata.finalizers: "{name}": prefer a domain-qualified finalizer name{path} '
                    "to avoid accidental conflicts with other finalizer writers"
                )
        return found

    def ignored_fields(self, subresource: str) -> FieldSet:
        return _STATUS_IGNORES if subresource == "status" else super().ignored_fields(subresource)

    def _validate_rules(self, obj: Object, old: Object | None, errors: list[FieldError]) -> list[FieldError]:
        if self._rules and any(error.reason in _BLOCKING for error in errors):
            message = (
                "some validation rules were not checked because the object was invalid; "
                "correct the existing errors to complete validation"
            )
            return [invalid_value("<nil>", None, message)]
        found = list(self._rules.check(_whole(obj), None if old is None else _whole(old)))
        self._rule_warnings = [str(error) for error, warns in found if warns]
        return [error for error, warns in found if not warns]

    def _validate_scale(self, obj: Object) -> Iterator[FieldError]:
        for name in ("specReplicasPath", "statusReplicasPath"):
            path = self._scale.get(name, "")
            value = lookup(obj, path.lstrip(".").split(".")) if path else None
            if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
                yield invalid_type(path, value, "is not a whole number")
            elif value is not None and value < 0:
                yield invalid_value(path, value, "should be a non-negative integer")
            elif value is not None and value > _MAX_INT32:
                yield invalid_value(path, value, f"should be less than or equal to {_MAX_INT32}")


def _take_status(obj: Object, source: Object) -> None:
    """Give an object the status of another one, or none."""
    obj.pop("status", None)
    if "status" in source:
        obj["status"] = source["status"]


def _below(name: str, errors: list[FieldError]) -> list[FieldError]:
    """Errors of a part of the object that was validated on its own."""
    return [replace(error, field=name if error.field == "<nil>" else f"{name}.{error.field}") for error in errors]


def _body(obj: Object) -> Object:
    return {name: value for name, value in obj.items() if name not in ("metadata", "apiVersion", "kind")}


def _whole(obj: Object) -> Object:
    """The object without managedFields and the like, which the schema of a definition does not describe."""
    return {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k in ("name", "generateName")}}
