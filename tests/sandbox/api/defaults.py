# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Defaults of built-in kinds, as the versioned SetDefaults functions of Kubernetes set them.

Those that are the same for all objects of a type are in ``builtins.yaml``; here are those that depend on something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .objects import Object, copy
from .schema import Schema

_RBAC = "rbac.authorization.k8s.io"


def fill(value: Object, schema: Schema) -> None:
    """Set the defaults of one object of a type; those of what is in it are set already."""
    rules = schema.source.get("x-rules") or {}
    _fill(value, rules.get("defaults") or {})
    for field, cases in rules.get("when", {}).items():
        _fill(value, cases.get(value.get(field)) or {})
    computed = _COMPUTED.get(schema.name)
    if computed:
        computed(value)


def _fill(obj: Object, defaults: Object) -> None:
    for name, value in defaults.items():
        present = obj.get(name)
        if present is None or (present == "" and isinstance(value, str)):
            obj[name] = copy(value)
        elif isinstance(present, dict) and isinstance(value, dict):
            _fill(present, value)


def _each(obj: Object, *names: str) -> Iterable[Object]:
    """The objects in lists under these names."""
    for name in names:
        yield from (item for item in obj.get(name) or () if isinstance(item, dict))


def _container(container: Object) -> None:
    image = container.get("image", "")
    tag = image.rpartition("/")[2].partition(":")[2]
    latest = "@" not in image and tag in ("", "latest")
    _fill(container, {"imagePullPolicy": "Always" if latest else "IfNotPresent"})


def _pod_spec(spec: Object) -> None:
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    for container in _each(spec, "containers", "initContainers") if spec.get("hostNetwork") else ():
        for port in _each(container, "ports"):
            _fill(port, {"hostPort": port.get("containerPort")})


def _pod(obj: Object) -> None:
    for container in _each(obj["spec"], "containers", "initContainers"):
        resources = container.get("resources") or {}
        if resources.get("limits"):
            resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}


def _volume(volume: Object) -> None:
    if set(volume) == {"name"}:
        volume["emptyDir"] = {}


def _stateful_set_spec(spec: Object) -> None:
    for claim in _each(spec, "volumeClaimTemplates"):
        _fill(claim, {"apiVersion": "v1", "kind": "PersistentVolumeClaim"})


def _daemon_set(obj: Object) -> None:
    _fill(obj["metadata"], {"annotations": {"deprecated.daemonset.template.generation": "1"}})


def _job(obj: Object) -> None:
    spec = obj["spec"]
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    _fill(spec, {"parallelism": 1})
    _fill(spec, {"podReplacementPolicy": "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed"})


def _service_port(port: Object) -> None:
    if port.get("targetPort") in (None, 0, ""):
        port["targetPort"] = port.get("port", 0)


def _network_policy_spec(spec: Object) -> None:
    _fill(spec, {"policyTypes": ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]})


def _namespace(obj: Object) -> None:
    name = obj["metadata"].get("name")
    if name:
        obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name


def _limit_range_item(limit: Object) -> None:
    if limit.get("type") == "Container":
        limits = {**(limit.get("max") or {}), **(limit.get("default") or {})}
        requests = {**limits, **(limit.get("min") or {}), **(limit.get("defaultRequest") or {})}
        limit.update({name: value for name, value in (("default", limits), ("defaultRequest", requests)) if value})


def _subject(subject: Object) -> None:
    if subject.get("kind") in ("User", "Group"):
        _fill(subject, {"apiGroup": _RBAC})


def _definition_names(names: Object) -> None:
    kind: Any = names.get("kind")
    if kind:
        _fill(names, {"singular": kind.lower(), "listKind": f"{kind}List"})


_COMPUTED: dict[str, Callable[[Object], None]] = {
    "v1.Container": _container,
    "v1.CustomResourceDefinitionNames": _definition_names,
    "v1.DaemonSet": _daemon_set,
    "v1.Job": _job,
    "v1.LimitRangeItem": _limit_range_item,
    "v1.Namespace": _namespace,
    "v1.NetworkPolicySpec": _network_policy_spec,
    "v1.Pod": _pod,
    "v1.PodSpec": _pod_spec,
    "v1.ServicePort": _service_port,
    "v1.StatefulSetSpec": _stateful_set_spec,
    "v1.Subject": _subject,
    "v1.Volume": _volume,
}
"""By the name of the type."""
