# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CustomResourceDefinitions: their own validation and what the server fills in."""

from __future__ import annotations

from typing import Any

from .. import fieldsets
from ..fields import FieldError, forbidden_value, invalid_value, required
from ..fieldsets import FieldSet
from ..objects import Object, now, same
from ..schema import Node
from .builtin import BuiltinStrategy

CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
_STATUS_IGNORES = fieldsets.of([("f:metadata",), ("f:spec",)])


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
        if not versions:
            errors.append(required("spec.versions", "must have at least one version"))
        if versions and sum(bool(version.get("storage")) for version in versions) != 1:
            message = "must have exactly one version marked as storage version"
            errors.append(invalid_value("spec.versions", versions, message))
        errors += _approval(obj)
        for index, version in enumerate(versions):
            errors += _version(version, f"spec.versions[{index}]")
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
        new, before = obj["spec"], old["spec"]
        established = any(
            c["type"] == "Established" and c["status"] == "True" for c in old.get("status", {}).get("conditions") or ()
        )
        errors = self.immutable(new.get("group"), before.get("group"), "spec.group")
        if established:
            errors += self.immutable(new.get("scope"), before.get("scope"), "spec.scope")
            errors += self.immutable(new["names"].get("kind"), before["names"].get("kind"), "spec.names.kind")
        if not same(new["names"].get("plural"), before["names"].get("plural")):
            errors.append(invalid_value("spec.names.plural", new["names"].get("plural"), "field is immutable"))
        served = {version["name"] for version in new.get("versions") or ()}
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


def _version(version: Object, path: str) -> list[FieldError]:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if not schema:
        return [required(f"{path}.schema.openAPIV3Schema", "schemas are required")]
    path = f"{path}.schema.openAPIV3Schema"
    errors: list[FieldError] = []
    if schema.get("type") != "object":
        kind = schema.get("type", "")
        errors.append(
            invalid_value(f"{path}.type", kind, "must be object at the root")
            if kind
            else required(f"{path}.type", "must not be empty at the root")
        )
    _structural(schema, path, errors, root=True)
    return errors


def _structural(node: Node, path: str, errors: list[FieldError], root: bool = False) -> None:
    """The rules of structural schemas (apiextensions-apiserver, schema/validation.go)."""
    free = node.get("x-kubernetes-preserve-unknown-fields") or node.get("x-kubernetes-int-or-string")
    if not node.get("type") and not free and not root:
        errors.append(required(f"{path}.type", "must not be empty for specified object fields"))
    if node.get("x-kubernetes-preserve-unknown-fields") is False:
        errors.append(invalid_value(f"{path}.x-kubernetes-preserve-unknown-fields", False, "must be true or undefined"))
    properties, extra = node.get("properties"), node.get("additionalProperties")
    if properties and extra not in (None, False):
        errors.append(
            forbidden_value(f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive")
        )
    if node.get("type") == "array" and not isinstance(node.get("items"), dict):
        errors.append(required(f"{path}.items", "must be specified"))
    if node.get("$ref"):
        errors.append(forbidden_value(f"{path}.$ref", "must not be set"))
    if node.get("uniqueItems"):
        message = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        errors.append(forbidden_value(f"{path}.uniqueItems", message))
    errors += _list_type(node, path)
    for name, child in (properties or {}).items():
        _structural(child, f"{path}.properties[{name}]", errors, root=root and name == "metadata")
    if isinstance(extra, dict):
        _structural(extra, f"{path}.additionalProperties", errors)
    if isinstance(node.get("items"), dict):
        _structural(node["items"], f"{path}.items", errors)


def _list_type(node: Node, path: str) -> list[FieldError]:
    kind: Any = node.get("x-kubernetes-list-type")
    keys = node.get("x-kubernetes-list-map-keys")
    errors: list[FieldError] = []
    if kind is not None and node.get("type") != "array":
        message = "must be array if x-kubernetes-list-type is specified"
        errors.append(invalid_value(f"{path}.type", node.get("type", ""), message))
    if kind is not None and kind not in ("atomic", "set", "map"):
        supported = 'supported values: "atomic", "map", "set"'
        errors.append(FieldError("FieldValueNotSupported", f"{path}.x-kubernetes-list-type", kind, supported))
    if kind == "map" and not keys:
        message = "must not be empty if x-kubernetes-list-type is map"
        errors.append(required(f"{path}.x-kubernetes-list-map-keys", message))
    if keys and kind != "map":
        message = "must be map if x-kubernetes-list-map-keys is non-empty"
        error = (
            required(f"{path}.x-kubernetes-list-type", message)
            if kind is None
            else invalid_value(f"{path}.x-kubernetes-list-type", kind, message)
        )
        errors.append(error)
    items = node.get("items") or {}
    for key in keys or () if kind == "map" else ():
        child = (items.get("properties") or {}).get(key)
        if child is None:
            message = "entries must all be names of item properties"
            errors.append(invalid_value(f"{path}.x-kubernetes-list-map-keys", keys, message))
        elif key not in (items.get("required") or ()) and "default" not in child:
            message = (
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            )
            errors.append(required(f"{path}.items.properties[{key}].default", message))
    return errors
