# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs that write objects: create, replace, patch, apply.

This is what k8s.io/apiserver/pkg/registry/generic does around storage: system fields, strategies, field ownership,
optimistic locking, dry runs. Deletion has a module of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import admission, errors
from .decoding import DecodingError
from .errors import ApiError
from .fields import invalid_value
from .journal import Journal
from .managedfields import FieldManager, without_times
from .objects import Object, copy, encode, generate_name, new_uid, now, same
from .options import WriteOptions
from .resources import Catalog, Resource
from .store import Location, Record, Store

NAMESPACES = Location("", "namespaces")
_SYSTEM_FIELDS = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")
_KEPT_FIELDS = ("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


@dataclass(frozen=True)
class Target:
    """The object that a request is about: what its path says."""

    resource: Resource
    namespace: str
    name: str = ""
    subresource: str = ""


@dataclass
class Outcome:
    """What a write answers with: the object in the version of the request."""

    obj: Object
    created: bool = False
    record: Record | None = None
    """Set when the object is stored exactly as it is shown."""

    def body(self) -> bytes:
        """The object as JSON."""
        return self.record.raw if self.record else encode(self.obj)


Change = Callable[[Object], Object]
"""Makes the new object from the live one, which is its own to change."""


class Registry:
    """Objects of all resources, with the rules for changing them."""

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self.store = store
        self.catalog = catalog
        self.terminating_definitions: set[Location] = set()
        """Custom resources of which no new objects are taken, as their definition is being deleted."""

    def find(self, target: Target) -> Record | None:
        """The stored object, if it is there."""
        namespace = target.namespace if target.resource.namespaced else ""
        return self.store.get(target.resource.location, namespace, target.name)

    def get(self, target: Target) -> Record:
        """The stored object. Raises 404."""
        record = self.find(target)
        if record is None:
            raise errors.not_found(target.resource, target.name)
        return record

    def field_manager(self, resource: Resource, subresource: str = "") -> FieldManager:
        """Ownership tracking for an endpoint."""
        return FieldManager(
            version=resource.api_version,
            kind=resource.kind,
            schema=lambda version: self.catalog.schema(resource.location, version),
            subresource=subresource,
            ignored=resource.strategy.ignored_fields(subresource),
            empty=resource.strategy.empty(),
            empty_resets=not resource.custom,
        )

    def restore(self, journal: Journal) -> None:
        """Fill the store with what a journal holds, and give out again what the objects have (addresses, ports)."""
        journal.restore(self.store)
        for location in self.store.locations():
            resource = self.catalog.storage(location)
            for record in self.store.records(location) if resource else ():
                if resource:
                    resource.strategy.finish(resource.load(record), None)

    # creating

    def create(self, target: Target, obj: Object, options: WriteOptions) -> Outcome:
        """Store a new object. Raises 400, 403, 404 (no such namespace), 409 (exists), 422."""
        resource = target.resource
        admission.decode(self.catalog, resource, obj, options)
        metadata = obj["metadata"]
        admission.match_namespace(resource, target.namespace, metadata)
        if metadata.get("resourceVersion"):
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
        self._admit(resource, target.namespace, metadata.get("name") or metadata.get("generateName") or "")
        _fill_system_fields(metadata)
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = self._unused_name(resource, metadata)
        if metadata.get("name"):
            self.field_manager(resource).update(None, obj, options.manager)
        return self._store_new(resource, obj, options)

    def _unused_name(self, resource: Resource, metadata: Object) -> str:
        while True:
            name = generate_name(metadata["generateName"])
            if self.store.get(resource.location, metadata.get("namespace", ""), name) is None:
                return name

    def _admit(self, resource: Resource, namespace: str, name: str) -> None:
        """New objects need a namespace that is there to stay, and a definition that is."""
        if resource.location in self.terminating_definitions:
            raise admission.definition_terminating(resource)
        namespaces = self.catalog.storage(NAMESPACES)
        if not resource.namespaced or namespaces is None:
            return
        record = self.get(Target(namespaces, "", namespace))
        if record.deleting:
            raise admission.namespace_terminating(resource, name, namespace)

    def _store_new(self, resource: Resource, obj: Object, options: WriteOptions) -> Outcome:
        strategy = resource.strategy
        metadata = obj["metadata"]
        options.admit(obj, None)
        strategy.prepare_create(obj)
        problems = strategy.validate(obj, None, "")
        if problems:
            raise errors.invalid(resource.group, obj["kind"], metadata.get("name", ""), problems)
        options.warnings += strategy.warnings(obj, None)
        there = self.store.get(resource.location, metadata.get("namespace", ""), metadata["name"])
        if there:
            raise errors.already_exists(resource, metadata["name"], there.deleting)
        strategy.begin(obj, None)
        if options.dry_run:
            metadata.pop("resourceVersion", None)
            return Outcome(obj, created=True)
        record = self.put(resource, obj)
        strategy.finish(obj, None)
        return Outcome(obj, True, record if resource.shows_stored else None)

    # changing

    def update(self, target: Target, change: Change, options: WriteOptions) -> Outcome:
        """Replace an object by what ``change`` makes of it, if nobody was faster.

        Raises 404, 409 (another resourceVersion or UID), 422, and whatever ``change`` raises.
        """
        live = target.resource.load(self.get(target))
        return self._store_change(target, live, change(copy(live)), options)

    def replace(self, target: Target, obj: Object, options: WriteOptions) -> Outcome:
        """Replace an object by the body of a PUT request."""
        resource = target.resource
        admission.decode(self.catalog, resource, obj, options)
        metadata = obj["metadata"]
        admission.match_namespace(resource, target.namespace, metadata)
        admission.match_name(target.name, metadata)
        if resource.strategy.create_on_update and not target.subresource and self.find(target) is None:
            return self.create(target, obj, options)

        def change(live: Object) -> Object:
            uid = metadata.get("uid")
            if uid and uid != live["metadata"]["uid"]:
                raise _wrong_uid(resource, live, uid)
            self.field_manager(resource, target.subresource).update(live, obj, options.manager)
            return obj

        return self.update(target, change, options)

    def patch(self, target: Target, patched: Change, options: WriteOptions) -> Outcome:
        """Change an object by a patch; ``patched`` works on the object in the version of the request."""
        resource = target.resource

        def change(live: Object) -> Object:
            new = patched(copy(live))
            admission.decode(self.catalog, resource, new, options, patched=True)
            admission.match_namespace(resource, target.namespace, new["metadata"])
            admission.match_name(target.name, new["metadata"])
            self.field_manager(resource, target.subresource).update(live, new, options.manager)
            return new

        return self.update(target, change, options)

    def apply(self, target: Target, config: Object, options: WriteOptions) -> Outcome:
        """Server-side apply; creates the object when it is not there. Raises 409 for conflicts."""
        resource = target.resource
        admission.check_applied_kind(resource, config)
        manager = self.field_manager(resource, target.subresource)
        record = self.find(target)
        if record is None and target.subresource:
            raise errors.not_found(resource, target.name)
        live = resource.load(record) if record else None
        new = manager.apply(live, config, options.manager, options.force)
        try:
            resource.strategy.decode_applied(new)
        except DecodingError as error:
            raise manager.conversion_failed(config, str(error)) from error
        metadata = new["metadata"]
        if live is None and metadata.get("uid"):
            why = f"uid mismatch: the provided object specified uid {metadata['uid']}, and no existing object was found"
            raise errors.conflict(resource, target.name, why)
        admission.match_namespace(resource, target.namespace, metadata)
        admission.match_name(target.name, metadata)
        if live is not None:
            return self._store_change(target, live, new, options)
        self._admit(resource, target.namespace, target.name)
        metadata.pop("resourceVersion", None)
        _fill_system_fields(metadata)
        return self._store_new(resource, new, options)

    def _store_change(self, target: Target, live: Object, new: Object, options: WriteOptions) -> Outcome:
        resource, strategy = target.resource, target.resource.strategy
        before = live["metadata"]
        _check_resource_version(target, new["metadata"], before)
        options.admit(new, live)
        _keep(new["metadata"], before, "generation")
        strategy.prepare_update(new, live, target.subresource)
        metadata = new["metadata"]
        metadata["uid"] = metadata.get("uid") or before["uid"]
        metadata.pop("selfLink", None)
        for field in _KEPT_FIELDS:
            if before.get(field) is not None:
                metadata[field] = before[field]
        metadata["resourceVersion"] = before["resourceVersion"]
        problems = strategy.validate(new, live, target.subresource)
        if problems:
            raise errors.invalid(resource.group, resource.kind, before["name"], problems)
        options.warnings += strategy.warnings(new, live)
        strategy.begin(new, live)
        if same(without_times(live), without_times(new)):
            return Outcome(live)
        if before.get("deletionTimestamp") and not metadata.get("finalizers") and not _runs(resource, live):
            if not options.dry_run:
                self.remove(resource, new)
            return Outcome(new)
        if options.dry_run:
            return Outcome(new)
        record = self.put(resource, new)
        strategy.finish(new, live)
        return Outcome(new, False, record if resource.shows_stored else None)

    # storing

    def put(self, resource: Resource, obj: Object) -> Record:
        """Store an object as it is."""
        stored = resource.stored(obj)
        record = self.store.put(resource.location, stored)
        obj["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"]
        return record

    def remove(self, resource: Resource, obj: Object) -> None:
        """Take an object out of the store, whatever finalizers it has."""
        self.store.remove(resource.location, resource.stored(obj))
        resource.strategy.released(obj)


def _fill_system_fields(metadata: Object) -> None:
    for name in _SYSTEM_FIELDS:
        metadata.pop(name, None)
    metadata["creationTimestamp"] = now()
    metadata["uid"] = new_uid()


def _keep(metadata: Object, before: Object, field: str) -> None:
    """Undo what a caller did to a field."""
    if field in before:
        metadata[field] = before[field]
    else:
        metadata.pop(field, None)


def _check_resource_version(target: Target, metadata: Object, before: Object) -> None:
    """Optimistic locking: a stated resourceVersion must be the present one, and some kinds insist on one."""
    resource = target.resource
    stated = metadata.get("resourceVersion") or "0"
    if stated == before["resourceVersion"]:
        return
    if not stated.isdigit():
        raise ApiError(500, "", f'strconv.ParseUint: parsing "{stated}": invalid syntax')
    if stated != "0":
        raise errors.conflict(resource, before["name"])
    if not resource.strategy.unconditional_update and target.subresource != "scale":
        error = invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
        raise errors.invalid(resource.group, resource.plural, before["name"], [error])


def _wrong_uid(resource: Resource, live: Object, uid: str) -> ApiError:
    metadata = live["metadata"]
    key = "/".join(filter(None, (resource.group, resource.plural, metadata.get("namespace"), metadata["name"])))
    why = (
        f"StorageError: invalid object, Code: 4, Key: /registry/{key}, ResourceVersion: 0, AdditionalErrorMsg: "
        f"Precondition failed: UID in precondition: {uid}, UID in object meta: {metadata['uid']}"
    )
    return errors.conflict(resource, metadata["name"], why)


def _runs(resource: Resource, live: Object) -> bool:
    """Whether a graceful deletion still waits for the time to run out."""
    return resource.strategy.graceful and bool(live["metadata"].get("deletionGracePeriodSeconds"))
