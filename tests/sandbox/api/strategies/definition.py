# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CustomResourceDefinitions: their own validation and what the server fills in."""

from __future__ import annotations

from typing import Any

from ..fields import FieldError, invalid_value, required
from ..fieldsets import FieldSet
from ..objects import Object, now
from .builtin import BuiltinStrategy, immutable
from .structural import validate_schema

CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
_STATUS_IGNORES: FieldSet = {("f:metadata",), ("f:spec",)}


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
        spec = obj["spec"]
        names = spec.get("names") or {}
        errors: list[FieldError] = []
        expected = f"{names.get('plural', '')}.{spec.get('group', '')}"
        if obj["metadata"]["name"] != expected:
            message = 'must be spec.names.plural+"."+spec.group'
            errors.append(invalid_value("metadata.name", obj["metadata"]["name"], message))
        if spec.get("scope") not in ("Namespaced", "Cluster"):
            supported = 'supported values: "Cluster", "Namespaced"'
            errors.append(FieldError("FieldValueNotSupported", "spec.scope", spec.get("scope", ""), supported))
        versions = spec.get("versions") or []
        if sum(bool(version.get("storage")) for version in versions) != 1:
            message = "must have exactly one version marked as storage version"
            errors.append(invalid_value("spec.versions", versions, message))
        errors += [required(f"spec.names.{name}") for name in ("singular", "listKind") if not names.get(name)]
        errors += _approval(obj)
        for index, version in enumerate(versions):
            errors += _version(version, f"spec.versions[{index}]", alone=len(versions) == 1)
        if spec.get("preserveUnknownFields"):
            message = (
                "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema "
                "instead"
            )
            errors.append(invalid_value("spec.preserveUnknownFields", True, message))
        if old is not None:
            errors += self._unchanged(obj, old)
        return errors

    def _unchanged(self, obj: Object, old: Object) -> list[FieldError]:
        established = any(
            c["type"] == "Established" and c["status"] == "True" for c in old.get("status", {}).get("conditions") or ()
        )
        fixed = ["spec.group", "spec.names.plural", *(("spec.scope", "spec.names.kind") if established else ())]
        errors = immutable(obj, old, fixed)
        served = {version["name"] for version in obj["spec"].get("versions") or ()}
        for index, name in enumerate(old.get("status", {}).get("storedVersions") or ()):
            if name not in served:
                message = (
                    f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                    "spec.versions until a storage migration ensures no data remains persisted in "
                    f"{name} and removes {name} from status.storedVersions"
                )
                errors.append(invalid_value(f"status.storedVersions[{index}]", name, message))
        return errors


APPROVAL = "api-approved.kubernetes.io"


def is_protected(group: str) -> bool:
    """Whether a group belongs to Kubernetes itself, so that its definitions need an approval."""
    return group.endswith((".k8s.io", ".kubernetes.io")) or group in ("k8s.io", "kubernetes.io")


def _approval(obj: Object) -> list[FieldError]:
    annotation = (obj["metadata"].get("annotations") or {}).get(APPROVAL, "")
    if not is_protected(obj["spec"].get("group", "")) or annotation.startswith(("unapproved", "https://", "http://")):
        return []
    path = f"metadata.annotations[{APPROVAL}]"
    message = (
        'protected groups must have approval annotation "api-approved.kubernetes.io", '
        "see https://github.com/kubernetes/enhancements/pull/1111"
    )
    return [required(path, message) if not annotation else invalid_value(path, annotation, message)]


def set_condition(conditions: list[Any], kind: str, status: str, reason: str, message: str) -> None:
    """Set one condition in a list; its lastTransitionTime changes with its status only."""
    wanted = {"type": kind, "status": status, "reason": reason, "message": message}
    for index, known in enumerate(conditions):
        if known["type"] == kind:
            time = known["lastTransitionTime"] if known["status"] == status else now()
            conditions[index] = {**wanted, "lastTransitionTime": time}
            return
    conditions.append({**wanted, "lastTransitionTime": now()})


def _version(version: Object, path: str, alone: bool) -> list[FieldError]:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if not schema:
        return [required(f"{path}.schema.openAPIV3Schema", "" if alone else "schemas are required")]
    where = "spec.validation" if alone else f"{path}.schema"  # one schema counts as that of the whole definition
    return validate_schema(schema, f"{where}.openAPIV3Schema")
