# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Definitions of custom resources become resources that are served, and say so in their conditions."""

from __future__ import annotations

from typing import Any

from .definitions import OBJECT_META, Definitions
from .objects import Object, copy, now, same
from .printers import custom_columns
from .registry import Registry
from .resources import Catalog, Resource, ScalePaths
from .schema import Schema
from .store import DELETED, Event, Location
from .strategies.custom import CustomStrategy
from .strategies.definition import CLEANUP_FINALIZER

DEFINITIONS = Location("apiextensions.k8s.io", "customresourcedefinitions")


class DefinitionController:
    """Keeps the catalog in step with the definitions in the store, within the request that changes one."""

    def __init__(self, registry: Registry, definitions: Definitions) -> None:
        self._registry = registry
        self._store = registry.store
        self._catalog: Catalog = registry.catalog
        self._definitions = definitions
        self._specs: dict[Location, Object] = {}
        self._store.subscribe(DEFINITIONS, self._changed)

    def _changed(self, event: Event) -> None:
        obj = event.record.load()
        location = _location(obj)
        if event.kind == DELETED:
            self._catalog.remove(location)
            self._specs.pop(location, None)
            self._registry.terminating_definitions.discard(location)
            return
        terminating = bool(obj["metadata"].get("deletionTimestamp"))
        if terminating:
            self._registry.terminating_definitions.add(location)
        clash = self._clash(obj, location)
        if not clash and not same(self._specs.get(location), obj["spec"]):
            self._serve(obj, location)
        status = self._status(obj, clash, terminating)
        finalizers = obj["metadata"].get("finalizers") or []
        wants_finalizer = CLEANUP_FINALIZER not in finalizers and not terminating
        if same(obj.get("status"), status) and not wants_finalizer:
            return
        obj["status"] = status
        if wants_finalizer:
            obj["metadata"]["finalizers"] = [*finalizers, CLEANUP_FINALIZER]
        self._store.put(DEFINITIONS, obj)

    def _clash(self, obj: Object, location: Location) -> str:
        """Why the names cannot be accepted, or nothing: another definition of the group has taken one."""
        names = obj["spec"]["names"]
        for resource in self._catalog:
            if resource.group != location.group or resource.location == location:
                continue
            taken = {resource.plural, resource.singular, *resource.short_names}
            for name in (names["plural"], names.get("singular", ""), *(names.get("shortNames") or ())):
                if name in taken:
                    return f'"{name}" is already in use'
            for kind in (names["kind"], names.get("listKind", "")):
                if kind in (resource.kind, resource.list_kind):
                    return f'"{kind}" is already in use'
        return ""

    def _serve(self, obj: Object, location: Location) -> None:
        spec = obj["spec"]
        self._catalog.remove(location)
        storage = next(version["name"] for version in spec["versions"] if version.get("storage"))
        for version in spec["versions"]:
            if version.get("served"):
                resource = self._resource(spec, version, f"{spec['group']}/{storage}")
                resource.location = location
                resource.schema_revision = self._store.revision
                self._catalog.add(resource)
        self._specs[location] = copy(spec)

    def _resource(self, spec: Object, version: Object, storage_version: str) -> Resource:
        names = spec["names"]
        node = version["schema"]["openAPIV3Schema"]
        subresources: Object = version.get("subresources") or {}
        scale = subresources.get("scale")
        structural = Schema(node)
        strategy = CustomStrategy(self._whole(node), structural, node, scale)
        strategy.has_status = subresources.get("status") is not None
        deprecated = ""
        if version.get("deprecated"):
            deprecated = version.get("deprecationWarning") or (
                f"{spec['group']}/{version['name']} {names['kind']} is deprecated"
            )
        return Resource(
            group=spec["group"],
            version=version["name"],
            plural=names["plural"],
            kind=names["kind"],
            namespaced=spec["scope"] == "Namespaced",
            schema=strategy.schema,
            strategy=strategy,
            storage_version=storage_version,
            singular=names.get("singular", ""),
            list_kind=names.get("listKind", ""),
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            subresources=tuple(name for name in ("scale", "status") if subresources.get(name) is not None),
            columns=custom_columns(version.get("additionalPrinterColumns")),
            selectable=tuple(f["jsonPath"].lstrip(".") for f in version.get("selectableFields") or ()),
            scale=_scale_paths(scale) if scale else None,
            custom=True,
            deprecated=deprecated,
        )

    def _whole(self, node: Object) -> Schema:
        """The schema with the fields that every object has."""
        properties = {
            **(node.get("properties") or {}),
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"$ref": f"#/$defs/{OBJECT_META}"},
        }
        return Schema({**node, "properties": properties}, self._definitions.schema)

    def _status(self, obj: Object, clash: str, terminating: bool) -> Object:
        status: Object = copy(obj.get("status") or {})
        names = obj["spec"]["names"]
        if not clash:
            status["acceptedNames"] = copy(names)
        conditions: list[Object] = status.get("conditions") or []
        if clash:
            kind = "KindConflict" if names["kind"] in clash else "PluralConflict"
            _set_condition(conditions, "NamesAccepted", "False", kind, clash)
            if not any(c["type"] == "Established" for c in conditions):
                _set_condition(conditions, "Established", "False", "NotAccepted", "not all names are accepted")
        else:
            _set_condition(conditions, "NamesAccepted", "True", "NoConflicts", "no conflicts found")
            message = "the initial names have been accepted"
            _set_condition(conditions, "Established", "True", "InitialNamesAccepted", message)
        if terminating:
            message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
            _set_condition(conditions, "Terminating", "True", "InstanceDeletionPending", message)
        status["conditions"] = conditions
        return status


def _location(obj: Object) -> Location:
    return Location(obj["spec"]["group"], obj["spec"]["names"]["plural"])


def _scale_paths(scale: Object) -> ScalePaths:
    def path(name: str) -> tuple[str, ...]:
        return tuple(part for part in scale.get(name, "").lstrip(".").split(".") if part)

    return ScalePaths(path("specReplicasPath"), path("statusReplicasPath"), path("labelSelectorPath"))


def _set_condition(conditions: list[Any], kind: str, status: str, reason: str, message: str) -> None:
    wanted = {"type": kind, "status": status, "reason": reason, "message": message}
    for index, known in enumerate(conditions):
        if known["type"] == kind:
            if known["status"] != status or known["reason"] != reason or known["message"] != message:
                time = known["lastTransitionTime"] if known["status"] == status else now()
                conditions[index] = {**wanted, "lastTransitionTime": time}
            return
    conditions.append({**wanted, "lastTransitionTime": now()})
