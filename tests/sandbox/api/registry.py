# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs on objects: create, update, patch, apply, delete, get, list.

This is what k8s.io/apiserver/pkg/registry/generic does around storage: admission of namespaces, system fields,
strategies, field ownership, optimistic locking, finalizers and graceful deletion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import errors
from .errors import ApiError
from .fields import invalid_value
from .managedfields import FieldManager, without_times
from .objects import Object, copy, encode, generate_name, new_uid, now, same
from .options import DeleteOptions, WriteOptions, strict_error
from .resources import Catalog, Resource
from .store import Location, Record, Store

NAMESPACES = Location("", "namespaces")
PROTECTED_NAMESPACES = frozenset({"default", "kube-system", "kube-public"})
ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
_SYSTEM_FIELDS = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")


@dataclass
class Outcome:
    """What a write answers with: the object in the version of the request."""

    obj: Object
    created: bool = False
    record: Record | None = None
    """Set when the object is stored exactly as it is shown."""

    def body(self) -> bytes:
        return self.record.raw if self.record else encode(self.obj)


Change = Callable[[Object], Object]
"""Makes the new object from a copy of the live one."""


class Registry:
    """Objects of all resources, with the rules for changing them."""

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self.store = store
        self.catalog = catalog
        self.terminating_definitions: set[Location] = set()
        """Custom resources of which no new objects are taken, as their definition is being deleted."""

    # reading

    def get(self, resource: Resource, namespace: str, name: str) -> Record:
        """The stored object. Raises 404."""
        record = self.store.get(resource.location, namespace if resource.namespaced else "", name)
        if record is None:
            raise errors.not_found(resource, name)
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
        )

    # creating

    def create(self, resource: Resource, namespace: str, obj: Object, options: WriteOptions) -> Outcome:
        """Store a new object. Raises 400, 403, 404 (no such namespace), 409 (exists), 422."""
        self._decode(resource, obj, options)
        metadata = obj["metadata"]
        self._match_namespace(resource, namespace, metadata)
        if metadata.get("resourceVersion"):
            raise errors.bad_request("resourceVersion should not be set on objects to be created")
        self._admit(resource, namespace, metadata.get("name", ""))
        self._fill_system_fields(metadata)
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

    def _store_new(self, resource: Resource, obj: Object, options: WriteOptions) -> Outcome:
        strategy = resource.strategy
        metadata = obj["metadata"]
        strategy.prepare_create(obj)
        problems = strategy.validate(obj, None, "")
        if problems:
            raise errors.invalid(resource.group, resource.kind, metadata.get("name", ""), problems)
        options.warnings += strategy.warnings(obj, None)
        if self.store.get(resource.location, metadata.get("namespace", ""), metadata["name"]):
            raise errors.already_exists(resource, metadata["name"])
        strategy.begin(obj, None)
        if options.dry_run:
            metadata.pop("resourceVersion", None)
            return Outcome(obj, created=True)
        record = self._put(resource, obj)
        strategy.finish(obj, None)
        return Outcome(obj, True, record if self._shown_as_stored(resource) else None)

    def _fill_system_fields(self, metadata: Object) -> None:
        for name in _SYSTEM_FIELDS:
            metadata.pop(name, None)
        metadata["creationTimestamp"] = now()
        metadata["uid"] = new_uid()

    # changing

    def update(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        change: Change,
        options: WriteOptions,
        subresource: str = "",
    ) -> Outcome:
        """Replace an object by what ``change`` makes of it, if nobody was faster.

        Raises 404, 409 (another resourceVersion or UID), 422, and whatever ``change`` raises.
        """
        live = resource.load(self.get(resource, namespace, name))
        new = change(copy(live))
        return self._store_change(resource, live, new, options, subresource)

    def replace(
        self, resource: Resource, namespace: str, name: str, obj: Object, options: WriteOptions, subresource: str = ""
    ) -> Outcome:
        """Replace an object by the body of a PUT request."""
        self._decode(resource, obj, options)
        metadata = obj["metadata"]
        self._match_namespace(resource, namespace, metadata)
        if metadata.get("name", "") != name:
            given = metadata.get("name", "")
            raise errors.bad_request(
                f"the name of the object ({given}) does not match the name on the URL ({name})"
                if given
                else "name must be provided"
            )

        def change(live: Object) -> Object:
            uid = metadata.get("uid")
            if uid and uid != live["metadata"]["uid"]:
                why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {live['metadata']['uid']}"
                raise errors.conflict(resource, name, why)
            self.field_manager(resource, subresource).update(live, obj, options.manager)
            return obj

        return self.update(resource, namespace, name, change, options, subresource)

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patched: Change,
        options: WriteOptions,
        subresource: str = "",
    ) -> Outcome:
        """Change an object by a patch; ``patched`` works on the object in the version of the request."""

        def change(live: Object) -> Object:
            new = patched(copy(live))
            if not isinstance(new, dict):
                raise errors.bad_request("the patched object is not an object any more")
            new.setdefault("metadata", {})
            self._decode(resource, new, options, patch=True)
            self._match_namespace(resource, namespace, new["metadata"])
            self._match_patched_name(name, new)
            self.field_manager(resource, subresource).update(live, new, options.manager)
            return new

        return self.update(resource, namespace, name, change, options, subresource)

    def apply(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        config: Object,
        options: WriteOptions,
        subresource: str = "",
    ) -> Outcome:
        """Server-side apply; creates the object when it is not there. Raises 409 for conflicts."""
        self._check_kind(resource, config, apply=True)
        metadata = config["metadata"]
        self._match_namespace(resource, namespace, metadata)
        manager = self.field_manager(resource, subresource)
        record = self.store.get(resource.location, namespace if resource.namespaced else "", name)
        if record is None:
            return self._apply_new(resource, namespace, name, config, options, manager)
        live = resource.load(record)
        new = manager.apply(live, config, options.manager, options.force)
        self._decode_applied(resource, new, options)
        self._match_patched_name(name, new)
        return self._store_change(resource, live, new, options, subresource)

    def _apply_new(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        config: Object,
        options: WriteOptions,
        manager: FieldManager,
    ) -> Outcome:
        if manager.subresource:
            raise errors.not_found(resource, name)
        new = manager.apply(None, config, options.manager, options.force)
        self._decode_applied(resource, new, options)
        metadata = new["metadata"]
        if metadata.get("uid"):
            why = f"uid mismatch: the provided object specified uid {metadata['uid']}, and no existing object was found"
            raise errors.conflict(resource, name, why)
        self._match_patched_name(name, new)
        self._match_namespace(resource, namespace, metadata)
        self._admit(resource, namespace, name)
        if metadata.get("resourceVersion"):
            raise errors.conflict(resource, name)
        self._fill_system_fields(metadata)
        return self._store_new(resource, new, options)

    def _store_change(
        self, resource: Resource, live: Object, new: Object, options: WriteOptions, subresource: str
    ) -> Outcome:
        strategy = resource.strategy
        metadata, before = new["metadata"], live["metadata"]
        name = before["name"]
        self._lock(resource, metadata, before, subresource)
        metadata["generation"] = before.get("generation")
        if metadata["generation"] is None:
            del metadata["generation"]
        strategy.prepare_update(new, live, subresource)
        metadata = new["metadata"]
        for field in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"):
            if before.get(field) is not None and (field != "uid" or not metadata.get("uid")):
                metadata[field] = before[field]
        metadata["resourceVersion"] = before["resourceVersion"]
        problems = strategy.validate(new, live, subresource)
        if problems:
            raise errors.invalid(resource.group, resource.kind, name, problems)
        options.warnings += strategy.warnings(new, live)
        strategy.begin(new, live)
        if same(without_times(live), without_times(new)):
            return Outcome(live)
        if before.get("deletionTimestamp") and not metadata.get("finalizers") and not self._runs(resource, live):
            if not options.dry_run:
                self.remove(resource, new)
            return Outcome(new)
        if options.dry_run:
            return Outcome(new)
        record = self._put(resource, new)
        strategy.finish(new, live)
        return Outcome(new, False, record if self._shown_as_stored(resource) else None)

    def _lock(self, resource: Resource, metadata: Object, before: Object, subresource: str) -> None:
        stated = metadata.get("resourceVersion") or ""
        if not stated or stated == "0":
            if not resource.strategy.unconditional_update and not subresource.startswith("scale"):
                error = invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
                raise errors.invalid(resource.group, resource.plural, before["name"], [error])
        elif stated != before["resourceVersion"]:
            if not stated.isdigit():
                error = invalid_value("metadata.resourceVersion", stated, "invalid resource version")
                raise errors.invalid(resource.group, resource.kind, before["name"], [error])
            raise errors.conflict(resource, before["name"])

    def _runs(self, resource: Resource, live: Object) -> bool:
        """Whether a graceful deletion still waits for the time to run out."""
        return resource.strategy.graceful and bool(live["metadata"].get("deletionGracePeriodSeconds"))

    # deleting

    def delete(self, resource: Resource, namespace: str, name: str, options: DeleteOptions) -> Outcome:
        """Delete an object, or mark it for those who have to finalize it.

        ``created`` of the outcome is False when the object is still there afterwards. Raises 404, 403, 409.
        """
        record = self.get(resource, namespace, name)
        obj = resource.load(record)
        metadata = obj["metadata"]
        self._check_preconditions(resource, metadata, options)
        if resource.location == NAMESPACES and name in PROTECTED_NAMESPACES:
            raise errors.forbidden(resource, name, "this namespace may not be deleted")
        finalizers = self._deletion_finalizers(metadata, options)
        grace = self._grace(resource, obj, options)
        waits = bool(finalizers) or grace > 0 or bool(resource.location == NAMESPACES and obj["spec"].get("finalizers"))
        if not waits:
            if not options.dry_run:
                self.remove(resource, obj)
            return Outcome(obj, created=True)
        changed = self._mark_deleted(metadata, grace, finalizers)
        if resource.location == NAMESPACES and obj["status"].get("phase") != "Terminating":
            obj["status"]["phase"] = "Terminating"
            changed = True
        if changed and not options.dry_run:
            record = self._put(resource, obj)
        return Outcome(obj)

    def _check_preconditions(self, resource: Resource, metadata: Object, options: DeleteOptions) -> None:
        pairs = (("UID", options.uid, "uid"), ("ResourceVersion", options.resource_version, "resourceVersion"))
        for title, wanted, field in pairs:
            if wanted is not None and wanted != metadata[field]:
                why = (
                    f"Precondition failed: {title} in precondition: {wanted}, {title} in object meta: {metadata[field]}"
                )
                raise errors.conflict(resource, metadata["name"], why)

    def _deletion_finalizers(self, metadata: Object, options: DeleteOptions) -> list[str]:
        stated = list(metadata.get("finalizers") or ())
        policy = options.policy
        if policy is None:
            policy = "Orphan" if ORPHAN in stated else "Foreground" if FOREGROUND in stated else "Background"
        kept = [finalizer for finalizer in stated if finalizer not in (ORPHAN, FOREGROUND)]
        return kept + {"Orphan": [ORPHAN], "Foreground": [FOREGROUND]}.get(policy, [])

    def _grace(self, resource: Resource, obj: Object, options: DeleteOptions) -> int:
        """Seconds that a running pod gets to stop; 0 for everything else."""
        spec = obj.get("spec", {})
        finished = obj.get("status", {}).get("phase") in ("Succeeded", "Failed")
        if not resource.strategy.graceful or not spec.get("nodeName") or finished:
            return 0
        grace = options.grace if options.grace is not None else spec.get("terminationGracePeriodSeconds", 30)
        left = obj["metadata"].get("deletionGracePeriodSeconds")
        return grace if left is None else min(grace, left)

    def _mark_deleted(self, metadata: Object, grace: int, finalizers: list[str]) -> bool:
        changed = not metadata.get("deletionTimestamp") or metadata.get("deletionGracePeriodSeconds") != grace
        if finalizers != list(metadata.get("finalizers") or ()):
            metadata["finalizers"] = finalizers
            changed = True
        if not metadata.get("deletionTimestamp"):
            metadata["deletionTimestamp"] = now()
            if metadata.get("generation"):
                metadata["generation"] += 1
        metadata["deletionGracePeriodSeconds"] = grace
        return changed

    def remove(self, resource: Resource, obj: Object) -> None:
        """Take an object out of the store, whatever finalizers it has."""
        self.store.remove(resource.location, resource.stored(obj))
        resource.strategy.released(obj)

    # rules shared by the verbs

    def _put(self, resource: Resource, obj: Object) -> Record:
        stored = resource.stored(obj)
        record = self.store.put(resource.location, stored)
        obj["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"]
        return record

    def _shown_as_stored(self, resource: Resource) -> bool:
        return resource.storage_version == resource.api_version

    def _decode(self, resource: Resource, obj: Object, options: WriteOptions, patch: bool = False) -> None:
        self._check_kind(resource, obj)
        unknown = resource.strategy.decode(obj)
        if not unknown or options.validation == "Ignore":
            return
        if options.validation == "Warn":
            options.warnings += [f'unknown field "{path}"' for path in unknown]
        elif patch:
            problems = ", ".join(f'unknown field "{path}"' for path in unknown)
            detail = f"strict decoding error: {problems}"
            raise errors.invalid("", "", "", [invalid_value("patch", encode(obj).decode(), detail)])
        else:
            raise strict_error(resource.kind, resource.version, unknown)

    def _decode_applied(self, resource: Resource, obj: Object, options: WriteOptions) -> None:
        resource.strategy.decode(obj)

    def _check_kind(self, resource: Resource, obj: Object, apply: bool = False) -> None:
        if not isinstance(obj, dict):
            raise errors.bad_request("the body of the request is not an object")
        metadata = obj.get("metadata")
        if metadata is None:
            metadata = obj["metadata"] = {}
        if not isinstance(metadata, dict):
            raise errors.bad_request("metadata is not an object")
        version, kind = obj.get("apiVersion"), obj.get("kind")
        if apply and version and version != resource.api_version:
            raise errors.bad_request(
                "Incorrect version specified in apply patch. "
                f"Specified patch version: {version}, expected: {resource.api_version}"
            )
        if (version or resource.api_version, kind or resource.kind) != (resource.api_version, resource.kind):
            raise errors.bad_request(
                f'{kind or resource.kind} in version "{str(version).rpartition("/")[2]}" cannot be handled as a '
                f'{resource.kind}: no kind "{kind}" is registered for version "{version}"'
                if not resource.custom
                else f"the API version in the data ({version}) does not match the expected API version ({resource.api_version})"
                if version != resource.api_version
                else f'{kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
                f"converting ({kind}) to ({resource.kind}): unknown conversion"
            )
        if resource.custom and not (version and kind):
            raise errors.bad_request(f"Object '{'Kind' if version else 'apiVersion'}' is missing in the request's body")
        obj["apiVersion"], obj["kind"] = resource.api_version, resource.kind

    def _match_namespace(self, resource: Resource, namespace: str, metadata: Object) -> None:
        stated = metadata.get("namespace") or ""
        wanted = namespace if resource.namespaced else ""
        if not resource.namespaced:
            metadata.pop("namespace", None)
        elif not stated:
            metadata["namespace"] = namespace
        elif stated != wanted:
            raise errors.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )

    def _match_patched_name(self, name: str, obj: Object) -> None:
        given = obj["metadata"].get("name") or ""
        if not given:
            obj["metadata"]["name"] = name
        elif given != name:
            raise errors.bad_request(f"the name of the object ({given}) does not match the name on the URL ({name})")

    def _admit(self, resource: Resource, namespace: str, name: str) -> None:
        """New objects need a namespace that is there to stay, and a definition that is."""
        if resource.location in self.terminating_definitions:
            raise ApiError(
                405,
                "MethodNotAllowed",
                f'create not allowed while custom resource definition is terminating is not supported on resources of kind "{resource.qualified}"',
                {"group": resource.group, "kind": resource.plural},
            )
        if not resource.namespaced:
            return
        record = self.store.get(NAMESPACES, "", namespace)
        namespaces = self.catalog.find("", "v1", "namespaces")
        if record is None:
            if namespaces is None:
                return
            raise errors.not_found(namespaces, namespace)
        if record.load()["metadata"].get("deletionTimestamp"):
            cause = {
                "reason": "NamespaceTerminating",
                "message": f"namespace {namespace} is being terminated",
                "field": "metadata.namespace",
            }
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise errors.forbidden(resource, name, why, [cause])
