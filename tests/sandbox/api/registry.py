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
from .decoding import DecodingError
from .errors import ApiError
from .fields import invalid_value
from .managedfields import FieldManager, without_times
from .objects import Object, copy, encode, generate_name, new_uid, now, same
from .options import DeleteOptions, WriteOptions, strict_error
from .resources import Catalog, Resource
from .store import Location, Record, Store

NAMESPACES = Location("", "namespaces")
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
            empty_resets=not resource.custom,
        )

    # creating

    def create(self, resource: Resource, namespace: str, obj: Object, options: WriteOptions) -> Outcome:
        """Store a new object. Raises 400, 403, 404 (no such namespace), 409 (exists), 422."""
        self._decode(resource, obj, options)
        metadata = obj["metadata"]
        self._match_namespace(resource, namespace, metadata)
        if metadata.get("resourceVersion"):
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
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
            raise errors.invalid(resource.group, obj["kind"], metadata.get("name", ""), problems)
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

        if resource.strategy.create_on_update and not subresource:
            place = namespace if resource.namespaced else ""
            if self.store.get(resource.location, place, name) is None:
                return self.create(resource, namespace, obj, options)

        def change(live: Object) -> Object:
            uid = metadata.get("uid")
            if uid and uid != live["metadata"]["uid"]:
                raise self._wrong_uid(resource, live, uid)
            self.field_manager(resource, subresource).update(live, obj, options.manager)
            return obj

        return self.update(resource, namespace, name, change, options, subresource)

    def _wrong_uid(self, resource: Resource, live: Object, uid: str) -> ApiError:
        metadata = live["metadata"]
        key = "/".join(filter(None, (resource.group, resource.plural, metadata.get("namespace"), metadata["name"])))
        why = (
            f"StorageError: invalid object, Code: 4, Key: /registry/{key}, ResourceVersion: 0, AdditionalErrorMsg: "
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {metadata['uid']}"
        )
        return errors.conflict(resource, metadata["name"], why)

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
        manager = self.field_manager(resource, subresource)
        record = self.store.get(resource.location, namespace if resource.namespaced else "", name)
        if record is None:
            return self._apply_new(resource, namespace, name, config, options, manager)
        live = resource.load(record)
        new = manager.apply(live, config, options.manager, options.force)
        resource.strategy.decode(new)
        self._match_namespace(resource, namespace, new["metadata"])
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
        resource.strategy.decode(new)
        metadata = new["metadata"]
        if metadata.get("uid"):
            why = f"uid mismatch: the provided object specified uid {metadata['uid']}, and no existing object was found"
            raise errors.conflict(resource, name, why)
        self._match_patched_name(name, new)
        self._match_namespace(resource, namespace, metadata)
        self._admit(resource, namespace, name)
        metadata.pop("resourceVersion", None)
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
                raise ApiError(500, "", f'strconv.ParseUint: parsing "{stated}": invalid syntax')
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
        refusal = resource.strategy.refuse_delete(obj)
        if refusal:
            raise errors.forbidden(resource, name, refusal)
        already = bool(metadata.get("deletionTimestamp"))
        resource.strategy.prepare_delete(obj)
        finalizers = self._deletion_finalizers(metadata, options)
        grace = self._grace(resource, obj, options)
        if not finalizers and grace == 0 and not resource.strategy.is_held(obj):
            if resource.strategy.graceful:
                self._mark_deleted(resource, metadata, 0, finalizers)
            if not options.dry_run:
                self.remove(resource, obj)
            return Outcome(obj, created=True)
        changed = self._mark_deleted(resource, metadata, grace, finalizers)
        if (changed or not already) and not options.dry_run:
            self._put(resource, obj)
        return Outcome(obj)

    def _check_preconditions(self, resource: Resource, metadata: Object, options: DeleteOptions) -> None:
        why = ""
        if options.uid is not None and options.uid != metadata["uid"]:
            why = (
                f"the UID in the precondition ({options.uid}) does not match the UID in record ({metadata['uid']}). "
                "The object might have been deleted and then recreated"
            )
        elif options.resource_version not in (None, metadata["resourceVersion"]):
            why = (
                f"the ResourceVersion in the precondition ({options.resource_version}) does not match the "
                f"ResourceVersion in record ({metadata['resourceVersion']}). The object might have been modified"
            )
        if why:
            name = metadata["name"]
            details = {"name": name, "group": resource.group, "kind": resource.kind}
            about = errors.qualified(resource.group, resource.kind)
            message = f'Operation cannot be fulfilled on {about} "{name}": {why}'
            raise ApiError(409, "Conflict", message, {key: value for key, value in details.items() if value})

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

    def _mark_deleted(self, resource: Resource, metadata: Object, grace: int, finalizers: list[str]) -> bool:
        """Write down that deletion has begun; returns whether that is news."""
        graceless = not resource.strategy.states_grace
        changed = not metadata.get("deletionTimestamp")
        if not graceless and metadata.get("deletionGracePeriodSeconds") != grace:
            metadata["deletionGracePeriodSeconds"] = grace
            changed = True
        if finalizers != list(metadata.get("finalizers") or ()):
            metadata["finalizers"] = finalizers
            changed = True
        if not metadata.get("deletionTimestamp"):
            metadata["deletionTimestamp"] = now()
            if metadata.get("generation") and not graceless:
                metadata["generation"] += 1
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
        whole = encode(obj).decode() if patch else ""
        try:
            unknown = resource.strategy.decode(obj)
        except DecodingError as error:
            if patch:
                raise errors.invalid("", "", "", [invalid_value("patch", whole, str(error))]) from error
            kind, version = resource.kind, resource.version
            message = f'{kind} in version "{version}" cannot be handled as a {kind}: {error}'
            raise errors.bad_request(message) from error
        if not unknown or options.validation == "Ignore":
            return
        problems = [f'unknown field "{path}"' for path in unknown]
        if options.validation == "Warn":
            options.warnings += problems
        elif patch:
            detail = f"strict decoding error: {', '.join(problems)}"
            raise errors.invalid("", "", "", [invalid_value("patch", whole, detail)])
        else:
            raise strict_error(resource.kind, resource.version, unknown)

    def _check_kind(self, resource: Resource, obj: Object, apply: bool = False) -> None:
        if not isinstance(obj, dict):
            raise errors.bad_request("the body of the request is not an object")
        metadata = obj.get("metadata")
        if metadata is None:
            metadata = obj["metadata"] = {}
        if not isinstance(metadata, dict):
            raise errors.bad_request("metadata is not an object")
        version, kind = obj.get("apiVersion"), obj.get("kind")
        if apply and (version, kind) != (resource.api_version, resource.kind):
            group, _, number = (version or "/").rpartition("/")
            raise errors.bad_request(f"invalid object type: {group}/{number}, Kind={kind or ''}")
        if resource.custom:
            if (version or "") != resource.api_version:
                raise errors.bad_request(
                    f"the API version in the data ({version or ''}) does not match the expected API version "
                    f"({resource.api_version})"
                )
            return
        if (version or resource.api_version, kind or resource.kind) != (resource.api_version, resource.kind):
            raise errors.bad_request(_wrong_kind(resource, version or "", kind or ""))
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


def _wrong_kind(resource: Resource, api_version: str, kind: str) -> str:
    """Why an object cannot be one of a built-in kind."""
    version = api_version.rpartition("/")[2]
    if api_version not in ("", resource.api_version) and kind in ("", resource.kind):
        return (
            f"the API version in the data ({api_version}) does not match the expected API version "
            f"({resource.api_version})"
        )
    return (
        f'{kind} in version "{version}" cannot be handled as a {resource.kind}: '
        f"converting (v1.{kind}) to (core.{resource.kind}): unknown conversion"
    )
