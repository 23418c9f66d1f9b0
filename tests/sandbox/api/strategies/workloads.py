# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments and their like, and jobs."""

from __future__ import annotations

from ..fields import FieldError, Struct, forbidden_value, invalid_value, not_supported, required
from ..objects import Object, copy, lookup, same
from ..selectors import selects
from .builtin import BuiltinStrategy
from .pods import check_pod_spec

_UPDATABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
_TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
_POLICY = "spec.template.spec.restartPolicy"


class WorkloadStrategy(BuiltinStrategy):
    """A selector that matches the template's labels and never changes."""

    def prepare_update(self, new: Object, old: Object, subresource: str) -> None:
        super().prepare_update(new, old, subresource)
        if self.kind == "DaemonSet":
            annotations = new["metadata"].setdefault("annotations", {})
            number = int((old["metadata"].get("annotations") or {}).get(_TEMPLATE_GENERATION, "0"))
            changed = not same(new["spec"].get("template"), old["spec"].get("template"))
            annotations[_TEMPLATE_GENERATION] = str(number + changed)

    def validate_own(self, obj: Object, old: Object | None) -> list[FieldError]:
        spec = obj["spec"]
        errors: list[FieldError] = []
        selector, labels = spec.get("selector"), lookup(spec, ("template", "metadata", "labels"))
        if selector is not None and not selector.get("matchLabels") and not selector.get("matchExpressions"):
            kind = "deployment" if self.kind == "ReplicaSet" else self.kind.lower()
            errors.append(invalid_value("spec.selector", selector, f"empty selector is invalid for {kind}"))
        elif not selector or not selects(selector, labels or {}):
            message = "`selector` does not match template `labels`"
            errors.append(invalid_value("spec.template.metadata.labels", labels, message))
        template = lookup(spec, ("template", "spec")) or {}
        errors += check_pod_spec(template, "spec.template.spec")
        if template.get("restartPolicy") != "Always":
            errors.append(not_supported(_POLICY, template.get("restartPolicy"), ("Always",)))
        if self.kind == "Deployment":
            errors += _strategy(spec)
        if self.kind == "StatefulSet" and old is not None:
            specs = ({name: value for name, value in o["spec"].items() if name not in _UPDATABLE} for o in (obj, old))
            if not same(*specs):
                free = ", ".join(f"'{name}'" for name in _UPDATABLE[:-1]) + f" and '{_UPDATABLE[-1]}'"
                message = f"updates to statefulset spec for fields other than {free} are forbidden"
                errors.append(forbidden_value("spec", message))
        return errors


def _strategy(spec: Object) -> list[FieldError]:
    strategy = spec.get("strategy") or {}
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind not in ("Recreate", "RollingUpdate"):
        return [not_supported("spec.strategy", Struct(Type=kind, RollingUpdate=rolling), ("Recreate", "RollingUpdate"))]
    if kind == "Recreate" and rolling is not None:
        message = "may not be specified when strategy `type` is 'Recreate'"
        return [forbidden_value("spec.strategy.rollingUpdate", message)]
    if rolling and rolling.get("maxSurge") in (0, "0%") and rolling.get("maxUnavailable") in (0, "0%"):
        message = "may not be 0 when `maxSurge` is 0"
        return [invalid_value("spec.strategy.rollingUpdate.maxUnavailable", rolling["maxUnavailable"], message)]
    if (spec.get("progressDeadlineSeconds") or 600) <= (spec.get("minReadySeconds") or 0):
        message = "must be greater than minReadySeconds"
        return [invalid_value("spec.progressDeadlineSeconds", spec["progressDeadlineSeconds"], message)]
    return []


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
            metadata["labels"] = copy(labels)

    def validate_own(self, obj: Object, old: Object | None) -> list[FieldError]:
        template = lookup(obj, ("spec", "template", "spec")) or {}
        errors = check_pod_spec(template, "spec.template.spec")
        if template.get("restartPolicy") not in ("OnFailure", "Never"):
            errors.append(required(_POLICY, 'valid values: "OnFailure", "Never"'))
        return errors
