# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CustomResourceDefinitions: their own validation and what the server fills in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..fields import FieldError, Struct, invalid_value, not_supported, required
from ..fieldsets import FieldSet
from ..metadata import name_problems
from ..objects import Object, now, same
from .builtin import BuiltinStrategy, immutable
from .structural import validate_schema

CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
_STATUS_IGNORES: FieldSet = {("f:metadata",), ("f:spec",)}


_TOLD = {
    "name": "Name",
    "served": "Served",
    "storage": "Storage",
    "deprecated": "Deprecated",
    "deprecationWarning": "DeprecationWarning",
}
_SHOWN: Object = dict.fromkeys((*_TOLD.values(), "Schema", "Subresources", "AdditionalPrinterColumns"))
_SHOWN |= {"SelectableFields": None, "Served": False, "Storage": False, "Deprecated": False}
"""A version as Go shows it, when all versions have the same schema."""
_SCALE_PATHS = {
    "specReplicasPath": (".spec",),
    "statusReplicasPath": (".status",),
    "labelSelectorPath": (".spec", ".status"),
}
_COLUMNS = {
    "type": "boolean,date,integer,number,string",
    "format": "byte,date,date-time,double,float,int32,int64,password",
}


class DefinitionStrategy(BuiltinStrategy):
    """The definition of a custom resource."""

    states_grace = False

    def prepare_create(self, obj: Object) -> None:
        super().prepare_create(obj)
        stored = [version["name"] for version in obj["spec"].get("versions") or () if version.get("storage")]
        obj["status"] = {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored}

    def prepare_update(self, new: Object, old: Object, subresource: str) -> None:
        super().prepare_update(new, old, subresource)
        if not subresource:
            stored = new["status"].setdefault("storedVersions", [])
            for version in new["spec"].get("versions") or ():
                if version.get("storage") and version["name"] not in stored:
                    new["status"] = {**new["status"], "storedVersions": [*stored, version["name"]]}

    def prepare_delete(self, obj: Object) -> None:
        """Hold the definition until its objects are gone."""
        metadata = obj["metadata"]
        if metadata.get("deletionTimestamp"):
            return
        metadata["finalizers"] = [*(metadata.get("finalizers") or ()), CLEANUP_FINALIZER]
        message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
        conditions = obj["status"].setdefault("conditions", [])
        set_condition(conditions, "Terminating", "True", "InstanceDeletionPending", message)

    def ignored_fields(self, subresource: str) -> FieldSet:
        return _STATUS_IGNORES if subresource == "status" else super().ignored_fields(subresource)

    def validate_own(self, obj: Object, old: Object | None) -> list[FieldError]:
        errors = [*_spec_problems(obj["spec"], obj["metadata"]), *_stored_problems(obj)]
        if old is not None:
            errors += self._unchanged(obj, old)
        return errors

    def _unchanged(self, obj: Object, old: Object) -> list[FieldError]:
        established = any(
            c["type"] == "Established" and c["status"] == "True" for c in old.get("status", {}).get("conditions") or ()
        )
        fixed = ["spec.group", "spec.names.plural", *(("spec.scope", "spec.names.kind") if established else ())]
        return immutable(obj, old, fixed)


def _stored_problems(obj: Object) -> Iterator[FieldError]:
    """status.storedVersions: there are some, the storage version is one, and none is gone from the definition."""
    stored = (obj.get("status") or {}).get("storedVersions") or []
    versions = obj["spec"].get("versions") or []
    storage = next((version["name"] for version in reversed(versions) if version.get("storage")), None)
    if not stored:
        yield invalid_value("status.storedVersions", stored or None, "must have at least one stored version")
    elif storage and storage not in stored:
        yield invalid_value("status.storedVersions", stored, f"must have the storage version {storage}")
    for index, name in enumerate(stored):
        if name not in {version["name"] for version in versions}:
            message = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {name} and removes "
                f"{name} from status.storedVersions"
            )
            yield invalid_value(f"status.storedVersions[{index}]", name, message)


def _spec_problems(spec: Object, metadata: Object) -> Iterator[FieldError]:
    names, versions, group = spec.get("names") or {}, spec.get("versions") or [], spec.get("group", "")
    if metadata["name"] != f"{names.get('plural', '')}.{group}":
        yield invalid_value("metadata.name", metadata["name"], 'must be spec.names.plural+"."+spec.group')
    if "." not in group:
        yield invalid_value("spec.group", group, "should be a domain with at least one dot")
    if spec.get("scope") and spec["scope"] not in ("Namespaced", "Cluster"):
        yield not_supported("spec.scope", spec["scope"], ("Cluster", "Namespaced"))
    shown = [Struct(_SHOWN | {_TOLD[key]: value for key, value in v.items() if key in _TOLD}) for v in versions]
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield invalid_value("spec.versions", shown, "must have exactly one version marked as storage version")
    if len({version["name"] for version in versions}) < len(versions):
        yield invalid_value("spec.versions", shown, "must contain unique version names")
    yield from _name_problems(names)
    yield from _approval(metadata, group)
    for index, version in enumerate(versions):
        yield from _version_problems(version, f"spec.versions[{index}]", versions)
    strategy = (spec.get("conversion") or {}).get("strategy")
    if strategy and strategy not in ("None", "Webhook"):
        yield not_supported("spec.conversion.strategy", strategy, ("None", "Webhook"))
    if spec.get("preserveUnknownFields"):
        message = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        )
        yield invalid_value("spec.preserveUnknownFields", True, message)


def _name_problems(names: Object) -> Iterator[FieldError]:
    for field in ("kind", "listKind", "plural", "singular"):
        name = names.get(field, "")
        if not name:
            yield from () if field in ("kind", "plural") else (required(f"spec.names.{field}"),)
            continue
        mixed = field in ("kind", "listKind")
        before = "may have mixed case, but should otherwise match: " if mixed else ""
        for problem in name_problems(name.lower() if mixed else name, "label1035"):
            yield invalid_value(f"spec.names.{field}", name, before + problem)
    for field in ("shortNames", "categories"):
        for index, name in enumerate(names.get(field) or ()):
            for problem in name_problems(name, "label1035"):
                yield invalid_value(f"spec.names.{field}[{index}]", name, problem)
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        yield invalid_value("spec.names.listKind", names["listKind"], "kind and listKind may not be the same")


def _version_problems(version: Object, path: str, versions: list[Object]) -> Iterator[FieldError]:
    """What all versions have alike counts as that of the whole definition, and is named so."""

    def shared(field: str) -> bool:
        return all(same(version.get(field), other.get(field)) for other in versions)

    for problem in name_problems(version["name"], "label1035"):
        yield invalid_value(f"{path}.name", version["name"], problem)
    warning = version.get("deprecationWarning")
    if warning is not None and not version.get("deprecated"):
        yield invalid_value(f"{path}.deprecationWarning", warning, "can only be set for deprecated versions")
    elif warning == "":
        yield invalid_value(f"{path}.deprecationWarning", warning, "must not be an empty string")
    elif warning and len(warning) > 256:
        yield invalid_value(f"{path}.deprecationWarning", warning, "must be <= 256 characters long")
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if schema:
        where = "spec.validation" if shared("schema") else f"{path}.schema"
        yield from validate_schema(schema, f"{where}.openAPIV3Schema")
    else:
        yield required(f"{path}.schema.openAPIV3Schema", "" if len(versions) == 1 else "schemas are required")
    scale = (version.get("subresources") or {}).get("scale") or {}
    where = f"{'spec' if shared('subresources') else path}.subresources.scale"
    for field, parts in _SCALE_PATHS.items():
        value = scale.get(field)
        if value and not value.startswith(tuple(f"{part}." for part in parts)):
            either = "either " if len(parts) > 1 else ""
            yield invalid_value(f"{where}.{field}", value, f"should be a json path under {either}{' or '.join(parts)}")
    where = f"{'spec' if shared('additionalPrinterColumns') else path}.additionalPrinterColumns"
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        for field, allowed in _COLUMNS.items():
            value = column.get(field)
            if value and value not in allowed.split(","):
                yield invalid_value(f"{where}[{index}].{field}", value, f"must be one of {allowed}")
        if column.get("jsonPath") and not column["jsonPath"].startswith("."):
            message = "must be a simple json path starting with ."
            yield invalid_value(f"{where}[{index}].JSONPath", column["jsonPath"], message)


APPROVAL = "api-approved.kubernetes.io"


def is_protected(group: str) -> bool:
    """Whether a group belongs to Kubernetes itself, so that its definitions need an approval."""
    return group.endswith((".k8s.io", ".kubernetes.io")) or group in ("k8s.io", "kubernetes.io")


def _approval(metadata: Object, group: str) -> list[FieldError]:
    annotation = (metadata.get("annotations") or {}).get(APPROVAL, "")
    if not is_protected(group) or annotation.startswith(("unapproved", "https://", "http://")):
        return []
    path = f"metadata.annotations[{APPROVAL}]"
    message = 'protected groups must have approval annotation "api-approved.kubernetes.io"'
    see = ", see https://github.com/kubernetes/enhancements/pull/1111"
    if not annotation:
        return [required(path, message + see)]
    return [invalid_value(path, annotation, f'{message} with either a URL or a reason starting with "unapproved"{see}')]


def set_condition(conditions: list[Any], kind: str, status: str, reason: str, message: str) -> None:
    """Set one condition in a list; its lastTransitionTime changes with its status only."""
    wanted = {"type": kind, "status": status, "reason": reason, "message": message}
    for index, known in enumerate(conditions):
        if known["type"] == kind:
            time = known["lastTransitionTime"] if known["status"] == status else now()
            conditions[index] = {**wanted, "lastTransitionTime": time}
            return
    conditions.append({**wanted, "lastTransitionTime": now()})
