# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods, and the rules for pod specs, in pods and in templates, that are not about single values."""

from __future__ import annotations

from ..fields import FieldError, duplicate, forbidden_value, invalid_value
from ..fieldsets import FieldSet
from ..objects import Object, same
from ..quantities import parse
from .builtin import BuiltinStrategy

_STATUS_IGNORES: FieldSet = {("f:spec",), ("f:metadata", "f:deletionTimestamp"), ("f:metadata", "f:ownerReferences")}
_FIXED_RULE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def check_pod_spec(spec: Object, path: str) -> list[FieldError]:
    """Names that clash, mounts of volumes that are not there, variables and resources that contradict themselves."""
    errors: list[FieldError] = []
    volumes = {volume.get("name") for volume in spec.get("volumes") or ()}
    names = {container.get("name") for container in spec.get("containers") or ()}
    for field in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            here = f"{path}.{field}[{index}]"
            if field == "initContainers" and container.get("name") in names:
                errors.append(duplicate(f"{here}.name", container["name"]))
            errors += _container(container, here, volumes)
    return errors


def _container(container: Object, path: str, volumes: set[str | None]) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, variable in enumerate(container.get("env") or ()):
        here = f"{path}.env[{index}].valueFrom"
        if variable.get("value") and variable.get("valueFrom"):
            errors.append(invalid_value(here, "", "may not be specified when `value` is not empty"))
    paths: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        here = f"{path}.volumeMounts[{index}]"
        if mount.get("name") and mount["name"] not in volumes:
            errors.append(FieldError("FieldValueNotFound", f"{here}.name", mount["name"]))
        if mount.get("mountPath") in paths:
            errors.append(invalid_value(f"{here}.mountPath", mount["mountPath"], "must be unique"))
        paths.add(mount.get("mountPath") or "")
    resources = container.get("resources") or {}
    limits = resources.get("limits") or {}
    for name, amount in (resources.get("requests") or {}).items():
        if parse(amount) < 0:
            rule = "must be greater than or equal to 0"
            errors.append(invalid_value(f"{path}.resources.requests[{name}]", amount, rule))
        elif name in limits and parse(amount) > parse(limits[name]):
            rule = f"must be less than or equal to {name} limit of {limits[name]}"
            errors.append(invalid_value(f"{path}.resources.requests", amount, rule))
    return errors


class PodStrategy(BuiltinStrategy):
    """A pod's spec is all but immutable, and a running pod is deleted gracefully."""

    graceful = True
    _tolerated = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")

    def prepare_create(self, obj: Object) -> None:
        super().prepare_create(obj)
        spec = obj["spec"]
        spec.setdefault("priority", 0)
        spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
        self._tolerate(spec)
        obj["status"] = {"phase": "Pending", "qosClass": _quality(spec)}

    def prepare_update(self, new: Object, old: Object, subresource: str) -> None:
        super().prepare_update(new, old, subresource)
        self._tolerate(new["spec"])

    def _tolerate(self, spec: Object) -> None:
        """Nodes that fail are tolerated for five minutes, if nothing else is said."""
        tolerations = spec.setdefault("tolerations", [])
        for key in self._tolerated:
            if not any(
                item.get("key") in (key, None) and item.get("effect") in ("NoExecute", None) for item in tolerations
            ):
                tolerations.append({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300})

    def validate_own(self, obj: Object, old: Object | None) -> list[FieldError]:
        spec = obj["spec"]
        errors = check_pod_spec(spec, "spec")
        if old is None:
            return errors
        if len(spec.get("containers") or ()) != len(old["spec"]["containers"]):
            errors.append(forbidden_value("spec.containers", "pod updates may not add or remove containers"))
        elif not same(_fixed(spec), _fixed(old["spec"])):
            errors.append(forbidden_value("spec", _FIXED_RULE))
        return errors

    def ignored_fields(self, subresource: str) -> FieldSet:
        return _STATUS_IGNORES if subresource == "status" else super().ignored_fields(subresource)


def _fixed(spec: Object) -> Object:
    kept = {k: v for k, v in spec.items() if k not in ("activeDeadlineSeconds", "tolerations", "schedulingGates")}
    for name in ("containers", "initContainers"):
        if name in kept:
            kept[name] = [{k: v for k, v in item.items() if k != "image"} for item in kept[name]]
    return kept


def _quality(spec: Object) -> str:
    """The pod's quality-of-service class."""
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    resources = [item.get("resources") or {} for item in containers]
    if not any(item.get("requests") or item.get("limits") for item in resources):
        return "BestEffort"
    for item in resources:
        limits, requests = item.get("limits") or {}, item.get("requests") or {}
        if not {"cpu", "memory"} <= limits.keys() or any(requests.get(k, v) != v for k, v in limits.items()):
            return "Burstable"
    return "Guaranteed"
