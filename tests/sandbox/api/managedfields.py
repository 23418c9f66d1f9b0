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

_STRIPPED = fieldsets.of(
    [
        ("f:apiVersion",),
        ("f:kind",),
        ("f:metadata",),
        *(
            ("f:metadata", f"f:{name}")
            for name in ("name", "namespace", "creationTimestamp", "selfLink", "uid", "generation")
        ),
        ("f:metadata", "f:managedFields"),
        ("f:metadata", "f:resourceVersion"),
    ]
)
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


def read(obj: Object) -> Entries:
    """The entries of an object. Entries that are not FieldsV1 raise ValueError, as they cannot be understood."""
    entries: Entries = {}
    for number, item in enumerate(obj.get("metadata", {}).get("managedFields") or ()):
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
        found = [(str(manager), path) for manager, fields in self.conflicts.items() for path in fieldsets.paths(fields)]
        found.sort(key=lambda item: item[0])
        causes = [
            {"reason": "FieldManagerConflict", "message": f"conflict with {manager}", "field": fieldsets.describe(path)}
            for manager, path in found
        ]
        if len(found) == 1:
            manager, path = found[0]
            message = f"Apply failed with 1 conflict: conflict with {manager}: {fieldsets.describe(path)}"
        else:
            lines = []
            for manager, group in itertools.groupby(found, key=lambda item: item[0]):
                lines.append(f"conflicts with {manager}:")
                lines += [f"- {fieldsets.describe(path)}" for _, path in group]
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
    ignored: FieldSet = field(default_factory=dict)
    empty: Object = field(default_factory=dict)
    empty_resets: bool = True
    """Whether an empty list of managedFields resets them, as a list with one empty entry does always."""

    def _own_schema(self) -> Schema:
        schema = self.schema(self.version)
        if schema is None:
            raise LookupError(f"{self.kind} has no schema for its own version {self.version}")
        return schema

    def update(self, live: Object | None, new: Object, name: str) -> None:
        """Write the managedFields of ``new``, which replaces ``live`` (None when it is created)."""
        entries = self._stated_or_live(live, new)
        new["metadata"].pop("managedFields", None)
        if entries is None or (live is not None and not entries):
            return
        before = live if live is not None else {**self.empty, "apiVersion": self.version, "kind": self.kind}
        manager = _identity(name, "Update", self.subresource, self.version)
        try:
            entries = self._updated(before, new, entries, manager)
        except ValueError:
            return
        write(new, _capped(entries))

    def apply(self, live: Object | None, config: Object, name: str, force: bool) -> Object:
        """The live object with the configuration applied.

        Raises `ApiError` for a conflict and for a configuration that the schema does not describe.
        """
        if config["metadata"].get("managedFields") is not None:
            raise bad_request("metadata.managedFields must be nil")
        schema = self._own_schema()
        try:
            typed.check(config, schema)
        except typed.SchemaMismatchError as mismatch:
            metadata = config["metadata"]
            group, _, version = self.version.rpartition("/")
            gvk = f"{group}/{version}, Kind={self.kind}"
            place = f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
            message = f"failed to create typed patch object ({place}; {gvk}): {mismatch}"
            raise ApiError(500, "", message) from mismatch
        if live is None:
            start: Object = {**copy(self.empty), "apiVersion": self.version, "kind": self.kind}
            entries: Entries = {}
        else:
            start = {**live, "metadata": {k: v for k, v in live["metadata"].items() if k != "managedFields"}}
            entries = read(live)
            if not entries:
                first = _identity("before-first-apply", "Update", self.subresource, self.version)
                entries = self._updated({"apiVersion": self.version, "kind": self.kind}, start, {}, first)
        manager = _identity(name, "Apply", self.subresource, self.version)
        try:
            merged, entries = self._applied(start, config, entries, manager, force)
        except ConflictError as error:
            if name != "kubectl" or not self._only_own_conflicts(live, error):
                raise error.api_error() from error
            merged, entries = self._applied(start, config, entries, manager, force=True)
        merged = dict(copy(merged))
        merged.setdefault("metadata", {})
        if name == "kubectl":
            _renew_last_applied(merged, config)
        write(merged, entries)
        return merged

    # the updater

    def _stated_or_live(self, live: Object | None, new: Object) -> Entries | None:
        """The entries to start from; an explicitly emptied list resets them, None means leave them out."""
        stated = new["metadata"].get("managedFields")
        source = live
        if not self.subresource and stated is not None:
            if stated == [{}] or (stated == [] and self.empty_resets):
                return {}
            source = new if stated else live
        try:
            return read(source) if source is not None else {}
        except ValueError:
            return {}

    def _updated(self, live: Object, new: Object, entries: Entries, manager: Manager) -> Entries:
        others, comparison = self._reconcile(live, new, entries, None, force=True)
        gained = fieldsets.difference(fieldsets.without(comparison.changed, self.ignored), _STRIPPED)
        if gained:
            kept = others.get(manager)
            fields = fieldsets.union(kept.fields, gained) if kept else gained
            others[manager] = Entry(fields, self.version, now())
        return others

    def _applied(
        self, live: Object, config: Object, entries: Entries, manager: Manager, force: bool
    ) -> tuple[Object, Entries]:
        schema = self._own_schema()
        merged: Object = typed.merge(live, config, schema)
        last = entries.get(manager)
        owned = fieldsets.without(typed.field_set(config, schema), self.ignored)
        current = {**entries, manager: Entry(owned, self.version, None)}
        if last:
            merged = self._pruned(merged, current, last)
        result, _ = self._reconcile(live, merged, current, manager, force)
        owned = fieldsets.difference(owned, _STRIPPED)
        result.pop(manager, None)
        if owned:
            previous = last.time if last else None
            result[manager] = Entry(owned, self.version, previous if same(live, merged) else now())
        return merged, result

    def _reconcile(
        self, old: Object, new: Object, entries: Entries, manager: Manager | None, force: bool
    ) -> tuple[Entries, typed.Comparison]:
        """Take changed and removed fields from the other managers; without force, changed ones are conflicts."""
        comparisons: dict[str, typed.Comparison] = {}

        def compared(version: str) -> typed.Comparison | None:
            if version not in comparisons:
                schema = self.schema(version)
                if schema is None:
                    return None
                comparisons[version] = typed.compare(old, new, schema).ignoring(self.ignored)
            return comparisons[version]

        conflicts: dict[Manager, FieldSet] = {}
        result: Entries = {}
        for other, entry in entries.items():
            if other == manager:
                result[other] = entry
                continue
            comparison = compared(entry.version)
            if comparison is None:
                continue
            taken = fieldsets.intersection(entry.fields, comparison.changed)
            if taken:
                conflicts[other] = taken
            left = fieldsets.difference(fieldsets.difference(entry.fields, taken), comparison.removed)
            if left:
                result[other] = replace(entry, fields=left)
        if conflicts and not force:
            raise ConflictError(conflicts)
        return result, compared(self.version) or typed.Comparison()

    def _pruned(self, merged: Object, entries: Entries, last: Entry) -> Object:
        """Without what the manager applied last time, unless it or another manager still owns it."""
        schema = self.schema(last.version)
        if schema is None:
            return merged

        def named(fields: FieldSet) -> FieldSet:
            return typed.with_named_fields(fields, schema)

        last_fields = named(last.fields)
        pruned = typed.remove(merged, last_fields, schema)
        everything = named(typed.field_set(merged, schema))
        owned: FieldSet = {}
        for entry in entries.values():
            owned = fieldsets.union(owned, entry.fields)
        kept = fieldsets.union(named(typed.field_set(pruned, schema)), named(owned))
        pruned = typed.remove(merged, fieldsets.difference(everything, kept), schema)
        gone = fieldsets.difference(everything, named(typed.field_set(pruned, schema)))
        result: Object = typed.remove(merged, fieldsets.intersection(gone, last_fields), schema)
        return result

    def _only_own_conflicts(self, live: Object | None, error: ConflictError) -> bool:
        """Whether all conflicts are with fields that kubectl itself wrote by client-side apply."""
        text = ((live or {}).get("metadata", {}).get("annotations") or {}).get(LAST_APPLIED)
        if not text or live is None:
            return False
        applied = decode(text.encode())
        if applied.get("apiVersion") != self.version:
            return False
        schema = self._own_schema()
        comparison = typed.compare(applied, live, schema)
        allowed = typed.field_set(applied, schema)
        for changed in (comparison.modified, comparison.added, comparison.removed):
            allowed = fieldsets.difference(allowed, changed)
        return not any(fieldsets.difference(fields, allowed) for fields in error.conflicts.values())


def _capped(entries: Entries) -> Entries:
    """Join the oldest Update entries of each version when there are too many."""
    updates = sorted(
        (manager for manager in entries if manager.operation == "Update"),
        key=lambda manager: (entries[manager].time or "", str(manager)),
    )
    excess = len(updates) - MAX_UPDATE_MANAGERS
    if excess <= 0:
        return entries
    result = dict(entries)
    first: dict[str, Manager] = {}
    for manager in updates:
        if excess <= 0:
            break
        entry = result[manager]
        earlier = first.get(entry.version)
        if earlier is None:
            first[entry.version] = manager
            continue
        bucket = Manager("ancient-changes", "Update", "", entry.version)
        joined = result.get(bucket) or result.pop(earlier)
        fields = fieldsets.union(entry.fields, joined.fields)
        del result[manager]
        result[bucket] = Entry(fields, entry.version, entry.time)
        excess -= 1
    return result


def _renew_last_applied(merged: Object, config: Object) -> None:
    """Keep kubectl's own annotation true when kubectl changes over to server-side apply."""
    annotations = merged["metadata"].get("annotations") or {}
    if not annotations.get(LAST_APPLIED):
        return
    stated: Any = copy(config)
    (stated["metadata"].get("annotations") or {}).pop(LAST_APPLIED, None)
    annotations[LAST_APPLIED] = encode(stated).decode() + "\n"
