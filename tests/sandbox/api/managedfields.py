# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns which field: ``metadata.managedFields``, server-side apply and its conflicts.

A port of k8s.io/apimachinery/pkg/util/managedfields and of structured-merge-diff's merge.Updater. Apply merges a
configuration into the live object and removes what its manager applied before and nobody else owns; every other
write takes over the fields that it changes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from . import fieldsets, typed
from .errors import ApiError, bad_request
from .fields import quote
from .fieldsets import FieldSet
from .objects import Object, copy, decode, encode, now, same
from .schema import Schema

MAX_UPDATE_MANAGERS = 10
"""Update entries that are kept apart; older ones are joined under ``ancient-changes``."""
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_UNOWNED = (
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "generation",
    "managedFields",
    "resourceVersion",
)
_STRIPPED = {("f:apiVersion",), ("f:kind",), ("f:metadata",), *(("f:metadata", f"f:{name}") for name in _UNOWNED)}
"""Fields that nobody owns."""


@dataclass(frozen=True)
class Manager:
    """One manager's identity. Appliers are the same manager whatever version they apply in."""

    name: str
    operation: str
    subresource: str = ""
    version: str = ""

    def __str__(self) -> str:
        """As conflicts print a manager."""
        text = quote(self.name)
        if self.subresource:
            text += f" with subresource {quote(self.subresource)}"
        return f"{text} using {self.version}" if self.operation == "Update" else text


@dataclass(frozen=True)
class Entry:
    """What one manager owns, in which version's terms, since when."""

    fields: FieldSet
    version: str
    time: str | None


Entries = dict[Manager, Entry]


def read(items: list[Object] | None) -> Entries:
    """The entries in a list of managedFields. Raises ValueError when one of them cannot be understood."""
    entries: Entries = {}
    for number, item in enumerate(items or ()):
        operation, version = item.get("operation"), item.get("apiVersion")
        if operation not in ("Apply", "Update"):
            raise ValueError("operation must be `Apply` or `Update`")
        if not version:
            raise ValueError("apiVersion must not be empty")
        if item.get("fieldsType") != "FieldsV1":
            raise ValueError(f"invalid fieldsType {quote(item.get('fieldsType', ''))} in managed fields entry {number}")
        manager = _identity(item.get("manager", ""), operation, item.get("subresource", ""), version)
        fields = fieldsets.from_fields_v1(item.get("fieldsV1") or {})
        entries[manager] = Entry(fields, version, item.get("time"))
    return entries


def write(obj: Object, entries: Entries) -> None:
    """Put the entries into an object, in the order that the API server uses."""
    if not entries:
        obj["metadata"].pop("managedFields", None)
        return
    items = []
    for manager, entry in entries.items():
        item: Object = {"manager": manager.name, "operation": manager.operation, "apiVersion": entry.version}
        if entry.time:
            item["time"] = entry.time
        item["fieldsType"] = "FieldsV1"
        item["fieldsV1"] = fieldsets.to_fields_v1(entry.fields)
        if manager.subresource:
            item["subresource"] = manager.subresource
        items.append(item)
    items.sort(key=lambda item: (item["operation"], item.get("time", ""), item["manager"], item["apiVersion"]))
    obj["metadata"]["managedFields"] = items


def _identity(name: str, operation: str, subresource: str, version: str) -> Manager:
    return Manager(name, operation, subresource, "" if operation == "Apply" else version)


def without_times(obj: Object) -> Object:
    """The object with managedFields that differ only in time made equal."""
    managed = obj["metadata"].get("managedFields")
    if not managed:
        return obj
    timeless = [{key: value for key, value in item.items() if key != "time"} for item in managed]
    return {**obj, "metadata": {**obj["metadata"], "managedFields": timeless}}


class ConflictError(Exception):
    """An apply without force would change fields that others own."""

    def __init__(self, conflicts: dict[Manager, FieldSet]) -> None:
        super().__init__("apply conflict")
        self.conflicts = conflicts

    def api_error(self) -> ApiError:
        """409 with the wording of a kube-apiserver."""
        found = [
            (str(manager), fieldsets.describe(path))
            for manager in sorted(self.conflicts, key=str)
            for path in fieldsets.in_order(self.conflicts[manager])
        ]
        causes = [
            {"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": path}
            for manager, path in found
        ]
        if len(found) == 1:
            message = f"Apply failed with 1 conflict: conflict with {found[0][0]}: {found[0][1]}"
        else:
            lines = []
            for manager, group in itertools.groupby(found, key=lambda item: item[0]):
                lines += [f"conflicts with {manager}:", *(f"- {path}" for _, path in group)]
            message = f"Apply failed with {len(found)} conflicts: " + "\n".join(lines)
        return ApiError(409, "Conflict", message, {"causes": causes})


@dataclass(frozen=True)
class FieldManager:
    """Tracks ownership for one resource version and subresource.

    ``schema`` finds the schema of another served version (None when it is served no more); ``ignored`` are the
    fields that the endpoint does not let its callers change; ``empty`` is the object that exists before creation.
    """

    version: str
    kind: str
    schema: Callable[[str], Schema | None]
    subresource: str = ""
    ignored: FieldSet = field(default_factory=set)
    empty: Object = field(default_factory=dict)
    empty_resets: bool = True
    """Whether an empty list of managedFields resets them, as a list with one empty entry does always."""

    def update(self, live: Object | None, new: Object, name: str) -> None:
        """Write the managedFields of ``new``, which replaces ``live`` (None when it is created)."""
        stated = new["metadata"].pop("managedFields", None)
        reset = not self.subresource and (stated == [{}] or (stated == [] and self.empty_resets))
        entries: Entries = (
            {} if reset else self._read(stated) or self._read((live or {}).get("metadata", {}).get("managedFields"))
        )
        if live is not None and not entries:
            return
        before = {**self.empty, **self._type()} if live is None else live
        try:
            entries = self._updated(before, new, entries, self._manager(name, "Update"))
        except ValueError:
            return
        write(new, _capped(entries))

    def _read(self, items: Any) -> Entries:
        """Entries that can be understood, which a caller's own (and none of a subresource) need not be."""
        try:
            return read(items)
        except ValueError:
            return {}

    def apply(self, live: Object | None, config: Object, name: str, force: bool) -> Object:
        """The live object with the configuration applied.

        Raises `ApiError` for a conflict and for a configuration that the schema does not describe.
        """
        if config["metadata"].get("managedFields") is not None:
            raise bad_request("metadata.managedFields must be nil")
        try:
            typed.check(config, self._own_schema())
        except typed.SchemaMismatchError as mismatch:
            raise ApiError(
                500, "", f"failed to create typed patch object ({self._place(config)}): {mismatch}"
            ) from mismatch
        start: Object = {**copy(self.empty), **self._type()}
        entries: Entries = {}
        if live is not None:
            start = {**live, "metadata": {k: v for k, v in live["metadata"].items() if k != "managedFields"}}
            entries = read(live["metadata"].get("managedFields"))
            if not entries:
                entries = self._updated(self._type(), start, {}, self._manager("before-first-apply", "Update"))
        manager = self._manager(name, "Apply")
        try:
            merged, entries = self._applied(start, config, entries, manager, force)
        except ConflictError as error:
            serious = self._not_kubectls_own(live, error.conflicts) if name == "kubectl" else error.conflicts
            if serious:
                raise ConflictError(serious).api_error() from error
            merged, entries = self._applied(start, config, entries, manager, force=True)
        merged = dict(copy(merged))
        if name == "kubectl":
            _renew_last_applied(merged, config)
        write(merged, entries)
        return merged

    def conversion_failed(self, config: Object, why: str) -> ApiError:
        """500 for applied values that the kind cannot hold."""
        place = self._place(config)
        kind = place.partition("; ")[2]
        message = f"failed to convert new object ({place}) to proper version: unable to convert unstructured object to"
        return ApiError(500, "", f"{message} {kind}: {why}")

    def _place(self, config: Object) -> str:
        metadata = config["metadata"]
        group, _, version = self.version.rpartition("/")
        return f"{metadata.get('namespace', '')}/{metadata.get('name', '')}; {group}/{version}, Kind={self.kind}"

    def _type(self) -> Object:
        return {"apiVersion": self.version, "kind": self.kind}

    def _own_schema(self) -> Schema:
        schema = self.schema(self.version)
        if schema is None:
            raise LookupError(f"{self.kind} has no schema for its own version {self.version}")
        return schema

    def _manager(self, name: str, operation: str) -> Manager:
        return _identity(name, operation, self.subresource, self.version)

    # the updater

    def _updated(self, live: Object, new: Object, entries: Entries, manager: Manager) -> Entries:
        others, comparison = self._reconcile(live, new, entries, None, force=True)
        gained = comparison.changed - _STRIPPED
        if gained:
            fields = others[manager].fields | gained if manager in others else gained
            others[manager] = Entry(fields, self.version, None if self.subresource == "scale" else now())
        return others

    def _applied(
        self, live: Object, config: Object, entries: Entries, manager: Manager, force: bool
    ) -> tuple[Object, Entries]:
        schema = self._own_schema()
        merged: Object = typed.merge(live, config, schema)
        last = entries.get(manager)
        owned = fieldsets.without(typed.contents(config, schema).stated, self.ignored)
        current = {**entries, manager: Entry(owned, self.version, None)}
        if last:
            merged = self._pruned(merged, current, last)
        result, _ = self._reconcile(live, merged, current, manager, force)
        owned = owned - _STRIPPED
        result.pop(manager, None)
        if owned:
            previous = last.time if last else None
            result[manager] = Entry(owned, self.version, previous if same(live, merged) else now())
        return merged, result

    def _reconcile(
        self, old: Object, new: Object, entries: Entries, manager: Manager | None, force: bool
    ) -> tuple[Entries, typed.Comparison]:
        """Take changed and removed fields from the other managers; without force, changed ones are conflicts."""
        comparisons: dict[str, typed.Comparison | None] = {}
        for version in {self.version, *(entry.version for entry in entries.values())}:
            schema = self.schema(version)
            comparisons[version] = typed.compare(old, new, schema).ignoring(self.ignored) if schema else None
        conflicts: dict[Manager, FieldSet] = {}
        result: Entries = {}
        for other, entry in entries.items():
            comparison = comparisons[entry.version]
            if other == manager:
                result[other] = entry
            elif comparison:
                taken = entry.fields & comparison.changed
                if taken:
                    conflicts[other] = taken
                left = entry.fields - taken - comparison.removed
                if left:
                    result[other] = replace(entry, fields=left)
        if conflicts and not force:
            raise ConflictError(conflicts)
        return result, comparisons[self.version] or typed.Comparison()

    def _pruned(self, merged: Object, entries: Entries, last: Entry) -> Object:
        """Without what the manager applied last time, unless it or another manager still owns it."""
        schema = self.schema(last.version)
        if schema is None:
            return merged
        before = typed.with_named_fields(last.fields, schema)
        everything = typed.with_named_fields(typed.contents(merged, schema).stated, schema)
        owned = typed.with_named_fields(set().union(*(entry.fields for entry in entries.values())), schema)
        kept = fieldsets.without(everything, before) | owned
        gone = everything - fieldsets.without(everything, everything - kept)
        result: Object = typed.remove(merged, gone & before, schema)
        return result

    def _not_kubectls_own(self, live: Object | None, conflicts: dict[Manager, FieldSet]) -> dict[Manager, FieldSet]:
        """Conflicts but for those with fields that still are as kubectl wrote them by client-side apply."""
        text = ((live or {}).get("metadata", {}).get("annotations") or {}).get(LAST_APPLIED)
        applied = decode(text.encode()) if text else {}
        if applied.get("apiVersion") != self.version:
            return conflicts
        schema = self._own_schema()
        difference = typed.compare(applied, live, schema)
        own = typed.contents(applied, schema).stated - difference.changed - difference.removed
        return {manager: fields - own for manager, fields in conflicts.items() if fields - own}


def _capped(entries: Entries) -> Entries:
    """Join the oldest Update entries of each version when there are too many."""
    updates = [manager for manager in entries if manager.operation == "Update"]
    updates.sort(key=lambda manager: (entries[manager].time or "", str(manager)))
    excess = len(updates) - MAX_UPDATE_MANAGERS
    result = dict(entries)
    first: dict[str, Manager] = {}
    for manager in updates:
        if excess <= 0:
            break
        entry = result[manager]
        earlier = first.setdefault(entry.version, manager)
        if earlier == manager:
            continue
        bucket = Manager("ancient-changes", "Update", "", entry.version)
        joined = result.get(bucket) or result.pop(earlier)
        del result[manager]
        result[bucket] = Entry(entry.fields | joined.fields, entry.version, entry.time)
        excess -= 1
    return result


def _renew_last_applied(merged: Object, config: Object) -> None:
    """Keep kubectl's own annotation true when kubectl changes over to server-side apply."""
    annotations = merged.get("metadata", {}).get("annotations") or {}
    if not annotations.get(LAST_APPLIED):
        return
    stated: Any = copy(config)
    (stated["metadata"].get("annotations") or {}).pop(LAST_APPLIED, None)
    annotations[LAST_APPLIED] = encode(stated).decode() + "\n"
