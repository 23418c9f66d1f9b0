# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Definitions of custom resources become resources that are served, and say so in their conditions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from .coercion import coerced
from .definitions import OBJECT_META, Definitions
from .objects import Object, copy, same
from .printers import custom_columns
from .registry import Registry
from .resources import Catalog, Resource, ScalePaths, version_rank
from .schema import Schema
from .store import DELETED, Event, Location
from .strategies.custom import CustomStrategy
from .strategies.definition import APPROVAL, is_protected, set_condition

DEFINITIONS = Location("apiextensions.k8s.io", "customresourcedefinitions")

VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
"""What custom resources can do, in the order in which discovery shows it."""

_NAMES = {"plural": False, "singular": False, "shortNames": False, "kind": True, "listKind": True}
"""The names of a definition, in the order in which they are looked at; True for those of kinds."""


@dataclass
class _Names:
    """The names that a definition may use, and what is wrong with the others."""

    accepted: Object
    reason: str = ""
    message: str = ""


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
        if obj["metadata"].get("deletionTimestamp"):
            self._registry.terminating_definitions.add(location)
        names = self._accept(obj, location)
        if not names.reason and not same(self._specs.get(location), obj["spec"]):
            self._serve(obj, location, event.record.revision)
        new = {**obj, "metadata": dict(obj["metadata"]), "status": _status(obj, names)}
        if same(obj["status"], new["status"]):
            return
        resource = self._catalog.storage(DEFINITIONS)
        if resource:
            self._registry.field_manager(resource, "status").update(obj, new, "kube-apiserver")
        self._store.put(DEFINITIONS, new)

    def _accept(self, obj: Object, location: Location) -> _Names:
        """Which of a definition's names nobody else in its group has; the last that is taken is told."""
        others = [item for item in self._catalog if item.group == location.group and item.location != location]
        words = {name for item in others for name in (item.plural, item.singular, *item.short_names)}
        kinds = {name for item in others for name in (item.kind, item.list_kind)}
        wanted: Object = obj["spec"]["names"]
        found = _Names(copy(obj["status"].get("acceptedNames") or {}))
        if wanted.get("categories"):
            found.accepted["categories"] = wanted["categories"]
        for field, taken in _NAMES.items():
            stated = wanted.get(field)
            names = stated if isinstance(stated, list) else [stated] if stated else []
            clashes = [f'"{name}" is already in use' for name in names if name in (kinds if taken else words)]
            if clashes:
                found.reason = f"{field[0].upper()}{field[1:]}Conflict"
                found.message = clashes[0] if len(clashes) == 1 else f"[{', '.join(clashes)}]"
            elif stated:
                found.accepted[field] = stated
        return found

    def _serve(self, obj: Object, location: Location, revision: int) -> None:
        spec = obj["spec"]
        self._catalog.remove(location)
        storage = next(version for version in spec["versions"] if version.get("storage"))
        stored = Schema(storage["schema"]["openAPIV3Schema"])
        for version in spec["versions"]:
            if version.get("served"):
                resource = self._resource(spec, version, f"{spec['group']}/{storage['name']}", stored)
                resource.location = location
                if version is not storage:
                    resource.to_storage = partial(coerced, schema=stored)
                resource.schema_revision = revision
                self._catalog.add(resource)
        self._specs[location] = copy(spec)

    def _resource(self, spec: Object, version: Object, storage_version: str, stored: Schema) -> Resource:
        names = spec["names"]
        node = version["schema"]["openAPIV3Schema"]
        subresources: Object = version.get("subresources") or {}
        scale = subresources.get("scale")
        structural = stored if version.get("storage") else Schema(node)
        strategy = CustomStrategy(names["kind"], self._whole(node), structural, node, scale)
        strategy.stored = stored
        strategy.has_status = subresources.get("status") is not None
        deprecated = ""
        if version.get("deprecated"):
            deprecated = version.get("deprecationWarning") or _deprecation(spec, version["name"])
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
            verbs=VERBS,
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


def _status(obj: Object, names: _Names) -> Object:
    """The status of a definition whose names are accepted, or clash with others."""
    status: Object = {**copy(obj["status"]), "acceptedNames": names.accepted}
    conditions: list[Object] = status.get("conditions") or []
    if names.reason:
        set_condition(conditions, "NamesAccepted", "False", names.reason, names.message)
        if not any(condition["type"] == "Established" for condition in conditions):
            set_condition(conditions, "Established", "False", "NotAccepted", "not all names are accepted")
    else:
        set_condition(conditions, "NamesAccepted", "True", "NoConflicts", "no conflicts found")
        message = "the initial names have been accepted"
        set_condition(conditions, "Established", "True", "InitialNamesAccepted", message)
    approval = (obj["metadata"].get("annotations") or {}).get(APPROVAL, "")
    if is_protected(obj["spec"]["group"]):
        approved = not approval.startswith("unapproved")
        reason = "ApprovedAnnotation" if approved else "UnapprovedAnnotation"
        message = f"approved in {approval}" if approved else f'not approved: "{approval}"'
        state = "True" if approved else "False"
        set_condition(conditions, "KubernetesAPIApprovalPolicyConformant", state, reason, message)
    status["conditions"] = conditions
    return status


def _deprecation(spec: Object, version: str) -> str:
    """The warning for a deprecated version that has none of its own: it names a better one, if there is one."""
    group, kind = spec["group"], spec["names"]["kind"]
    names = [item["name"] for item in spec["versions"] if item.get("served") and not item.get("deprecated")]
    better = sorted((name for name in names if version_rank(name) < version_rank(version)), key=version_rank)
    advice = f"; use {group}/{better[0]} {kind}" if better else ""
    return f"{group}/{version} {kind} is deprecated{advice}"


def _location(obj: Object) -> Location:
    return Location(obj["spec"]["group"], obj["spec"]["names"]["plural"])


def _scale_paths(scale: Object) -> ScalePaths:
    def path(name: str) -> tuple[str, ...]:
        return tuple(part for part in scale.get(name, "").lstrip(".").split(".") if part)

    return ScalePaths(path("specReplicasPath"), path("statusReplicasPath"), path("labelSelectorPath"))
