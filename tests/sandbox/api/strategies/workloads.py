# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments and their like, jobs, volume claims."""

from __future__ import annotations

from ..fields import FieldError, Struct, forbidden_value, invalid_value, not_supported, required
from ..objects import Object, lookup, same
from ..selectors import selects
from .builtin import BuiltinStrategy
from .pods import validate_pod_spec

_UPDATABLE = {
    "StatefulSet": (
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
        "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        {
            "replicas",
            "ordinals",
            "template",
            "updateStrategy",
            "revisionHistoryLimit",
            "persistentVolumeClaimRetentionPolicy",
            "minReadySeconds",
        },
    )
}


class WorkloadStrategy(BuiltinStrategy):
    """A selector that matches the template's labels and never changes."""

    def validate_own(self, obj: Object, old: Object | None) -> list[FieldError]:
        spec = obj["spec"]
        errors: list[FieldError] = []
        selector = spec.get("selector")
        if selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions"):
            message = f"empty selector is invalid for {self.kind.lower()}"
            errors.append(invalid_value("spec.selector", selector, message))
        labels = lookup(spec, ("template", "metadata", "labels"))
        if not selector or not selects(selector, labels or {}):
            message = "`selector` does not match template `labels`"
            errors.append(invalid_value("spec.template.metadata.labels", labels, message))
        template = lookup(spec, ("template", "spec")) or {}
        errors += validate_pod_spec(template, "spec.template.spec")
        if template.get("restartPolicy") in ("OnFailure", "Never"):
            policy = template["restartPolicy"]
            errors.append(not_supported("spec.template.spec.restartPolicy", policy, ("Always",)))
        errors += self._strategy(spec)
        replicas = spec.get("replicas")
        if replicas is not None and replicas < 0:
            errors.append(invalid_value("spec.replicas", replicas, "must be greater than or equal to 0"))
        if old is not None:
            errors += self._unchanged(spec, old["spec"])
        return errors

    def _strategy(self, spec: Object) -> list[FieldError]:
        strategy = spec.get("strategy") or {}
        if self.kind != "Deployment" or strategy.get("type") in ("Recreate", "RollingUpdate"):
            return []
        shown = Struct(Type=strategy.get("type"), RollingUpdate=strategy.get("rollingUpdate"))
        return [not_supported("spec.strategy", shown, ("Recreate", "RollingUpdate"))]

    def _unchanged(self, spec: Object, before: Object) -> list[FieldError]:
        if self.kind not in _UPDATABLE:
            return self.immutable(spec.get("selector"), before.get("selector"), "spec.selector")
        message, free = _UPDATABLE[self.kind]
        kept = {name: value for name, value in spec.items() if name not in free}
        if same(kept, {name: value for name, value in before.items() if name not in free}):
            return []
        return [forbidden_value("spec", message)]


class JobStrategy(BuiltinStrategy):
    """A job without a selector gets one that matches its own pods only."""

    def prepare_create(self, obj: Object) -> None:
        super().prepare_create(obj)
        spec, metadata = obj["spec"], obj["metadata"]
        if spec.get("manualSelector"):
            return
        labels = spec.setdefault("template", {}).setdefault("metadata", {}).setdefault("labels", {})
        for prefix in ("batch.kubernetes.io/", ""):
            labels[f"{prefix}controller-uid"] = metadata["uid"]
            labels[f"{prefix}job-name"] = metadata["name"]
        spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": metadata["uid"]}}
        if not metadata.get("labels"):
            metadata["labels"] = dict(labels)

    def validate_own(self, obj: Object, old: Object | None) -> list[FieldError]:
        errors = validate_pod_spec(lookup(obj, ("spec", "template", "spec")) or {}, "spec.template.spec")
        policy = lookup(obj, ("spec", "template", "spec", "restartPolicy"))
        if policy not in ("OnFailure", "Never"):
            errors.append(required("spec.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"'))
        if old is not None:
            for name in ("selector", "template", "completionMode"):
                errors += self.immutable(obj["spec"].get(name), old["spec"].get(name), f"spec.{name}")
        return errors


class ClaimStrategy(BuiltinStrategy):
    """The spec of a volume claim is immutable but for the size it asks for."""

    def prepare_create(self, obj: Object) -> None:
        super().prepare_create(obj)
        obj["status"] = {"phase": "Pending"}

    def validate_own(self, obj: Object, old: Object | None) -> list[FieldError]:
        errors: list[FieldError] = []
        spec = obj["spec"]
        if not spec.get("accessModes"):
            errors.append(required("spec.accessModes", "at least 1 access mode is required"))
        if "storage" not in (lookup(spec, ("resources", "requests")) or {}):
            errors.append(required("spec.resources[storage]"))
        free = ["resources", "volumeAttributesClassName", "volumeName"]
        if old is not None and old["spec"].get("storageClassName") is None:
            free.append("storageClassName")
        if old is not None and any(
            not same(spec.get(name), old["spec"].get(name)) for name in {*spec, *old["spec"]} if name not in free
        ):
            message = (
                "spec is immutable after creation except resources.requests and volumeAttributesClassName "
                "for bound claims"
            )
            errors.append(forbidden_value("spec", message))
        return errors
