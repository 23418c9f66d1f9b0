# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Schemas of the built-in kinds, from the OpenAPI definitions in the package kubernetes-validate.

The file holds every definition of one Kubernetes version. Only what the served kinds refer to is kept, without
descriptions; ``document`` reads the file again for the OpenAPI endpoint, which needs them.

Two things are not in the file, because the Swagger 2 document that it was made from leaves them out: defaults of
list keys and which fields are structs in Go (and so are never absent in an answer). ``STRUCTS`` and
``KEY_DEFAULTS`` state them as the OpenAPI v3 documents of Kubernetes 1.36 do.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from .schema import EMBEDDED_FIELDS, Node, Schema, special

KUBERNETES_VERSION = "1.36"
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis."
_MANAGED_FIELDS = "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1"

KEY_DEFAULTS = {"io.k8s.api.core.v1.ContainerPort": "TCP", "io.k8s.api.core.v1.ServicePort": "TCP"}
"""Definitions whose list key ``protocol`` has a default."""

STRUCTS: dict[str, tuple[str, ...]] = {
    "admissionregistration.v1.MutatingWebhook": ("clientConfig",),
    "admissionregistration.v1.ValidatingWebhook": ("clientConfig",),
    "apiextensions.v1.CustomResourceDefinition": ("spec", "status"),
    "apiextensions.v1.CustomResourceDefinitionSpec": ("names",),
    "apiextensions.v1.CustomResourceDefinitionStatus": ("acceptedNames",),
    "apps.v1.DaemonSet": ("spec", "status"),
    "apps.v1.DaemonSetSpec": ("template", "updateStrategy"),
    "apps.v1.Deployment": ("spec", "status"),
    "apps.v1.DeploymentSpec": ("strategy", "template"),
    "apps.v1.ReplicaSet": ("spec", "status"),
    "apps.v1.ReplicaSetSpec": ("template",),
    "apps.v1.StatefulSet": ("spec", "status"),
    "apps.v1.StatefulSetSpec": ("template", "updateStrategy"),
    "autoscaling.v2.ContainerResourceMetricSource": ("target",),
    "autoscaling.v2.ExternalMetricSource": ("metric", "target"),
    "autoscaling.v2.HorizontalPodAutoscaler": ("spec", "status"),
    "autoscaling.v2.HorizontalPodAutoscalerSpec": ("scaleTargetRef",),
    "autoscaling.v2.ObjectMetricSource": ("describedObject", "metric", "target"),
    "autoscaling.v2.PodsMetricSource": ("metric", "target"),
    "autoscaling.v2.ResourceMetricSource": ("target",),
    "batch.v1.CronJob": ("spec", "status"),
    "batch.v1.CronJobSpec": ("jobTemplate",),
    "batch.v1.Job": ("spec", "status"),
    "batch.v1.JobSpec": ("template",),
    "batch.v1.JobTemplateSpec": ("metadata", "spec"),
    "coordination.v1.Lease": ("spec",),
    "core.v1.Container": ("resources",),
    "core.v1.ContainerStatus": ("lastState", "state"),
    "core.v1.EphemeralContainer": ("resources",),
    "core.v1.Event": ("involvedObject", "source"),
    "core.v1.LimitRange": ("spec",),
    "core.v1.Namespace": ("spec", "status"),
    "core.v1.Node": ("spec", "status"),
    "core.v1.NodeDaemonEndpoints": ("kubeletEndpoint",),
    "core.v1.NodeStatus": ("daemonEndpoints", "nodeInfo"),
    "core.v1.PersistentVolume": ("spec", "status"),
    "core.v1.PersistentVolumeClaim": ("spec", "status"),
    "core.v1.PersistentVolumeClaimSpec": ("resources",),
    "core.v1.PersistentVolumeClaimTemplate": ("metadata", "spec"),
    "core.v1.Pod": ("spec", "status"),
    "core.v1.PodTemplateSpec": ("metadata", "spec"),
    "core.v1.PreferredSchedulingTerm": ("preference",),
    "core.v1.ResourceQuota": ("spec", "status"),
    "core.v1.Service": ("spec", "status"),
    "core.v1.ServiceStatus": ("loadBalancer",),
    "core.v1.WeightedPodAffinityTerm": ("podAffinityTerm",),
    "discovery.v1.Endpoint": ("conditions",),
    "events.v1.Event": ("deprecatedSource", "regarding"),
    "networking.v1.HTTPIngressPath": ("backend",),
    "networking.v1.Ingress": ("spec", "status"),
    "networking.v1.IngressClass": ("spec",),
    "networking.v1.IngressServiceBackend": ("port",),
    "networking.v1.IngressStatus": ("loadBalancer",),
    "networking.v1.NetworkPolicy": ("spec",),
    "networking.v1.NetworkPolicySpec": ("podSelector",),
    "policy.v1.PodDisruptionBudget": ("spec", "status"),
    "rbac.v1.ClusterRoleBinding": ("roleRef",),
    "rbac.v1.RoleBinding": ("roleRef",),
}
"""Struct fields (never pointers) by definition, without the prefix ``io.k8s.api.``."""


ALWAYS: dict[str, tuple[str, ...]] = {
    "apps.v1.StatefulSetStatus": ("availableReplicas",),
    "autoscaling.v2.HorizontalPodAutoscalerStatus": ("currentMetrics",),
    "core.v1.Event": ("eventTime", "firstTimestamp", "lastTimestamp", "reportingComponent", "reportingInstance"),
    "events.v1.Event": ("deprecatedFirstTimestamp", "deprecatedLastTimestamp"),
    "rbac.v1.ClusterRole": ("rules",),
    "rbac.v1.Role": ("rules",),
    "policy.v1.PodDisruptionBudgetStatus": (
        "currentHealthy",
        "desiredHealthy",
        "disruptionsAllowed",
        "expectedPods",
    ),
}
"""Fields that are written even when empty, besides those that OpenAPI calls required."""


def _file() -> Path:
    package = importlib.util.find_spec("kubernetes_validate")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("The API server needs the Python package kubernetes-validate for the built-in kinds.")
    root = Path(package.submodule_search_locations[0])
    return root / "kubernetes-json-schema" / f"v{KUBERNETES_VERSION}.0-local" / "_definitions.json"


def document() -> dict[str, Node]:
    """All definitions of the Kubernetes version, as they are in the file."""
    definitions: dict[str, Node] = orjson.loads(_file().read_bytes())["$defs"]
    return definitions


class Definitions:
    """The definitions that some kinds need, ready to use."""

    def __init__(self, kinds: Iterable[tuple[str, str, str]]) -> None:
        everything = document()
        wanted = set(kinds)
        self.names: dict[tuple[str, str, str], str] = {}
        for name, node in everything.items():
            for gvk in node.get("x-kubernetes-group-version-kind", ()):
                key = (gvk["group"], gvk["version"], gvk["kind"])
                if key in wanted:
                    self.names[key] = name
        missing = wanted - self.names.keys()
        if missing:
            raise KeyError(f"kubernetes-validate has no definitions of {sorted(missing)} for {KUBERNETES_VERSION}")
        self._nodes: dict[str, Node] = {}
        self._collect(everything, {*self.names.values(), OBJECT_META})
        self._schemas: dict[str, Schema] = {}
        EMBEDDED_FIELDS["metadata"] = self.schema(OBJECT_META)

    def schema(self, name: str) -> Schema:
        """The schema of a definition. Raises KeyError when no served kind refers to it."""
        found = self._schemas.get(name)
        if found is None:
            found = special(name) or Schema(self._nodes[name], self.schema)
            if not found.deduced:
                found.name = ".".join(name.split(".")[-2:])
            self._schemas[name] = found
        return found

    def kind(self, group: str, version: str, kind: str) -> Schema:
        """The schema of a built-in kind."""
        return self.schema(self.names[group, version, kind])

    def _collect(self, everything: dict[str, Node], names: set[str]) -> None:
        pending = list(names)
        while pending:
            name = pending.pop()
            if name in self._nodes:
                continue
            found: set[str] = set()
            node = _strip(everything[name], found)
            self._nodes[name] = _complete(name, node)
            pending.extend(found)


def _complete(name: str, node: Node) -> Node:
    """Add what the file leaves out."""
    properties = node.get("properties", {})
    if name in KEY_DEFAULTS:
        properties["protocol"]["default"] = KEY_DEFAULTS[name]
    short = name.removeprefix("io.k8s.api.").removeprefix(_EXTENSIONS)
    if short in STRUCTS:
        node["x-structs"] = STRUCTS[short]
    node["x-always"] = [*node.get("required", ()), *ALWAYS.get(short, ())]
    if name.endswith("Condition"):  # their times are structs, which are written even when they are not set
        node["x-always"] += [field for field, child in properties.items() if child.get("$ref", "").endswith(".v1.Time")]
    if name == _MANAGED_FIELDS:
        node["x-kubernetes-preserve-unknown-fields"] = True
    return node


def _strip(node: Any, found: set[str]) -> Any:
    """A copy without descriptions; names of the definitions that it refers to are added to ``found``."""
    if isinstance(node, list):
        return [_strip(item, found) for item in node]
    if not isinstance(node, dict):
        return node
    kept: Node = {}
    for key, value in node.items():
        if key == "description" and isinstance(value, str):
            continue
        if key == "$ref" and isinstance(value, str):
            found.add(value.rsplit("/", 1)[1])
            kept[key] = value
        elif key == "properties":
            kept[key] = {field: _strip(child, found) for field, child in value.items()}
        else:
            kept[key] = _strip(value, found)
    return kept


_ZEROS: dict[str, Any] = {"string": "", "integer": 0, "number": 0, "boolean": False}


def zero(schema: Schema, name: str) -> Any:
    """Go's zero value of a field: null for lists, maps and pointers."""
    child = schema.field(name)
    if child is None or child.int_or_string or child.source.get("format") in ("date-time", "micro-time"):
        return None
    return _ZEROS.get(child.type)


@functools.cache
def empty_structs(schema: Schema) -> dict[str, Any]:
    """The object that Go encodes for an empty value of the schema.

    It has the struct fields, recursively, and the zero values of fields that are written always, which are the
    required ones.
    """
    empty: dict[str, Any] = {name: zero(schema, name) for name in schema.source.get("x-always", ())}
    for name in schema.source.get("x-structs", ()):
        child = schema.field(name)
        empty[name] = empty_structs(child) if child else {}
    return empty
