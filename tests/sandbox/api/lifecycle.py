# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What controllers do in a cluster without which objects would never go away.

The garbage collector deletes objects whose owners are gone and finalizes foreground and orphan deletion; the
namespace controller empties a namespace that is being deleted; the apiextensions finalizer deletes the objects of
a custom resource with its definition. All act on store events, after the request that caused them.
"""

from __future__ import annotations

import asyncio
from collections import deque

from .deletion import FOREGROUND, ORPHAN, delete
from .errors import ApiError
from .objects import Object, now, same
from .options import DeleteOptions
from .registry import NAMESPACES, Registry, Target
from .resources import Resource
from .store import DELETED, Event, Location, Record
from .strategies.definition import CLEANUP_FINALIZER

DEFINITIONS = Location("apiextensions.k8s.io", "customresourcedefinitions")
_BACKGROUND = DeleteOptions(policy="Background")
_FOREGROUND_DELETION = DeleteOptions(policy="Foreground")


class Lifecycle:
    """Reacts to changes of the store; nothing waits for it, and it waits for nothing."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._store = registry.store
        self._catalog = registry.catalog
        self._events: deque[Event] = deque()
        self._scheduled = False
        self._store.listeners.append(self._receive)

    def _receive(self, event: Event) -> None:
        self._events.append(event)
        if not self._scheduled:
            try:
                asyncio.get_running_loop().call_soon(self.settle)
            except RuntimeError:
                return  # no loop, as in unit tests, which call settle() themselves
            self._scheduled = True

    def settle(self) -> None:
        """Handle everything that has happened, and what follows from it."""
        self._scheduled = False
        while self._events:
            self._handle(self._events.popleft())

    def _handle(self, event: Event) -> None:
        record = event.record
        if event.kind == DELETED:
            for location, dependent in self._store.dependents(record.uid):
                self._collect(location, dependent)
            self._finish_parents(event.location, record)
            return
        current = self._store.get(event.location, record.namespace, record.name)
        if current is None or current.uid != record.uid:
            return
        if record.owners:
            self._collect(event.location, current)
        if record.deleting:
            self._finalize(event.location, current)

    def _finish_parents(self, location: Location, record: Record) -> None:
        """An object is gone: its namespace, definition and owners may be waiting for that."""
        if record.namespace:
            namespace = self._store.get(NAMESPACES, "", record.namespace)
            if namespace:
                self._finalize(NAMESPACES, namespace)
        for definition in (
            self._store.records(DEFINITIONS) if location in self._registry.terminating_definitions else ()
        ):
            self._finalize(DEFINITIONS, definition)
        for uid in record.owners:
            found = self._store.by_uid(uid)
            if found:
                self._finalize(*found)

    def _finalize(self, location: Location, record: Record) -> None:
        """Do our part for an object that is being deleted."""
        resource = self._catalog.storage(location)
        if resource is None:
            return
        obj = resource.load(record)
        if not obj["metadata"].get("deletionTimestamp"):
            return
        finalizers = obj["metadata"].get("finalizers") or ()
        if ORPHAN in finalizers:
            self._orphan(resource, obj)
        elif FOREGROUND in finalizers:
            self._delete_dependents(resource, obj)
        elif location == NAMESPACES:
            self._empty_namespace(resource, obj)
        elif location == DEFINITIONS and CLEANUP_FINALIZER in finalizers:
            self._delete_instances(resource, obj)

    # garbage collection

    def _collect(self, location: Location, record: Record) -> None:
        """Delete an object of which every owner is gone; take owners that are gone off its list otherwise."""
        resource = self._catalog.storage(location)
        current = self._store.get(location, record.namespace, record.name)
        if resource is None or current is None:
            return
        obj = resource.load(current)
        owners: list[Object] = obj["metadata"].get("ownerReferences") or []
        present = [owner for owner in owners if self._owner_exists(owner, current.namespace)]
        if len(present) == len(owners):
            return
        if not present:
            self._delete(resource, current, _BACKGROUND)
            return
        obj["metadata"]["ownerReferences"] = present
        self._registry.put(resource, obj)

    def _owner_exists(self, owner: Object, namespace: str) -> bool:
        found = self._store.by_uid(owner.get("uid", ""))
        if found:
            return found[1].namespace in ("", namespace)
        kind_is_known = self._catalog.of_kind(owner.get("apiVersion", ""), owner.get("kind", "")) is not None
        return not kind_is_known

    def _orphan(self, resource: Resource, obj: Object) -> None:
        uid = obj["metadata"]["uid"]
        for location, dependent in self._store.dependents(uid):
            owned = self._catalog.storage(location)
            if owned is None:
                continue
            child = owned.load(dependent)
            left = [owner for owner in child["metadata"]["ownerReferences"] if owner.get("uid") != uid]
            child["metadata"].pop("ownerReferences")
            if left:
                child["metadata"]["ownerReferences"] = left
            self._registry.put(owned, child)
        self._drop_finalizer(resource, obj, ORPHAN)

    def _delete_dependents(self, resource: Resource, obj: Object) -> None:
        """Foreground deletion: the owner goes when the dependents that block it are gone."""
        uid = obj["metadata"]["uid"]
        for location, dependent in self._store.dependents(uid):
            owned = self._catalog.storage(location)
            if owned and not dependent.deleting:
                self._delete(owned, dependent, _FOREGROUND_DELETION)
        blocked = any(
            owner.get("uid") == uid and owner.get("blockOwnerDeletion")
            for _, dependent in self._store.dependents(uid)
            for owner in dependent.load()["metadata"]["ownerReferences"]
        )
        if not blocked:
            self._drop_finalizer(resource, obj, FOREGROUND)

    def _drop_finalizer(self, resource: Resource, obj: Object, finalizer: str) -> None:
        current = self._store.get(resource.location, obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        if current is None:
            return
        obj = resource.load(current)
        obj["metadata"]["finalizers"] = [name for name in obj["metadata"].get("finalizers") or () if name != finalizer]
        left = obj["metadata"]["finalizers"]
        if not left:
            del obj["metadata"]["finalizers"]
        if left or resource.strategy.is_held(obj):
            self._registry.put(resource, obj)
        else:
            self._registry.remove(resource, obj)

    # namespaces

    def _empty_namespace(self, resource: Resource, obj: Object) -> None:
        name = obj["metadata"]["name"]
        if "kubernetes" not in (obj["spec"].get("finalizers") or ()):
            return
        remaining = self._delete_content(name)
        conditions = namespace_conditions(
            [(".".join((kind.location.plural, kind.location.group)), item) for kind, item in remaining]
        )
        previous = {c["type"]: c for c in obj["status"].get("conditions") or ()}
        for condition in conditions:
            before = previous.get(condition["type"])
            unchanged = before and before["status"] == condition["status"]
            condition["lastTransitionTime"] = before["lastTransitionTime"] if before and unchanged else now()
        if not same(obj["status"].get("conditions"), conditions):
            obj["status"]["conditions"] = conditions
            self._registry.put(resource, obj)
        if remaining:
            return
        others = [name for name in obj["spec"]["finalizers"] if name != "kubernetes"]
        obj["spec"] = {"finalizers": others} if others else {}
        if others or obj["metadata"].get("finalizers"):
            self._registry.put(resource, obj)
        else:
            self._registry.remove(resource, obj)

    def _delete_content(self, namespace: str) -> list[tuple[Resource, Object]]:
        """Delete everything in a namespace; returns what is left because it has finalizers."""
        for location in self._store.locations():
            resource = self._catalog.storage(location)
            for record in self._store.records(location, namespace) if resource and resource.namespaced else ():
                if resource and not record.deleting:
                    self._delete(resource, record, DeleteOptions(policy="Background", grace=0))
        left: list[tuple[Resource, Object]] = []
        for location in self._store.locations():
            resource = self._catalog.storage(location)
            if resource and resource.namespaced:
                left += [(resource, record.load()) for record in self._store.records(location, namespace)]
        return left

    # definitions of custom resources

    def _delete_instances(self, resource: Resource, definition: Object) -> None:
        spec = definition["spec"]
        location = Location(spec["group"], spec["names"]["plural"])
        served = self._catalog.storage(location)
        for record in self._store.records(location) if served else ():
            if served and not record.deleting:
                self._delete(served, record, _BACKGROUND)
        if not self._store.records(location):
            self._drop_finalizer(resource, definition, CLEANUP_FINALIZER)

    # writing

    def _delete(self, resource: Resource, record: Record, options: DeleteOptions) -> None:
        try:
            delete(self._registry, Target(resource, record.namespace, record.name), options)
        except ApiError:
            return  # it is gone already, or may not be deleted at all; either way there is nothing left to do


def namespace_conditions(remaining: list[tuple[str, Object]]) -> list[Object]:
    """The conditions of a namespace that is being deleted, in the words of the namespace controller.

    ``remaining`` are the objects left in it, each with its ``plural.group``, which for the core group
    ends with the dot (kubernetes, pkg/controller/namespace/deletion).
    """
    kinds: dict[str, int] = {}
    finalizers: dict[str, int] = {}
    for kind, obj in remaining:
        kinds[kind] = kinds.get(kind, 0) + 1
        for finalizer in obj["metadata"].get("finalizers") or ():
            finalizers[finalizer] = finalizers.get(finalizer, 0) + 1
    content = ", ".join(f"{kind} has {count} resource instances" for kind, count in sorted(kinds.items()))
    holders = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(finalizers.items()))
    prefix = "NamespaceDeletion"
    discovered = (False, "ResourcesDiscovered", "All resources successfully discovered")
    parsed = (False, "ParsedGroupVersions", "All legacy kube types successfully parsed")
    deleted = (False, "ContentDeleted", "All content successfully deleted, may be waiting on finalization")
    remain = (False, "ContentRemoved", "All content successfully removed")
    if kinds:
        remain = (True, "SomeResourcesRemain", f"Some resources are remaining: {content}")
    held = (False, "ContentHasNoFinalizers", "All content-preserving finalizers finished")
    if finalizers:
        held = (True, "SomeFinalizersRemain", f"Some content in the namespace has finalizers remaining: {holders}")
    rows = {
        f"{prefix}DiscoveryFailure": discovered,
        f"{prefix}GroupVersionParsingFailure": parsed,
        f"{prefix}ContentFailure": deleted,
        "NamespaceContentRemaining": remain,
        "NamespaceFinalizersRemaining": held,
    }
    return [
        {"type": kind, "status": "True" if holds else "False", "reason": reason, "message": message}
        for kind, (holds, reason, message) in rows.items()
    ]
