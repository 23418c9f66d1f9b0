# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built-in kinds: what a kube-apiserver serves without any custom resource definition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import events, printers
from .definitions import Definitions
from .resources import Catalog, Resource, ScalePaths
from .schema import Schema
from .store import Location
from .strategies import core, workloads
from .strategies.base import Strategy
from .strategies.builtin import BuiltinStrategy
from .strategies.definition import DefinitionStrategy

Maker = Callable[[Schema, str, str, str, bool], Strategy]


@dataclass(frozen=True)
class Builtin:
    """One row of the table of built-in kinds."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    generation: bool = False
    name_rule: str = "subdomain"
    maker: Maker = BuiltinStrategy
    selectable: tuple[str, ...] = ()
    singular: str = ""


_ALL = ("all",)
_EXTENSIONS = ("api-extensions",)
_STATUS = ("status",)
_SCALED = ("scale", "status")
_APPS = "apps/v1"
_RBAC = "rbac.authorization.k8s.io/v1"
_NETWORKING = "networking.k8s.io/v1"
_HOOKS = "admissionregistration.k8s.io/v1"
_EVENT_FIELDS = (
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
)

TABLE = (
    Builtin(
        "v1", "Namespace", "namespaces", False, ("ns",), (), ("finalize", "status"), False, "label",
        core.NamespaceStrategy, ("status.phase",),
    ),
    Builtin("v1", "ConfigMap", "configmaps", True, ("cm",), maker=core.ConfigMapStrategy),
    Builtin("v1", "Secret", "secrets", maker=core.SecretStrategy, selectable=("type",)),
    Builtin(
        "v1", "Service", "services", True, ("svc",), _ALL, _STATUS, False, "label1035",
        core.ServiceStrategy, ("spec.clusterIP", "spec.type"),
    ),
    Builtin("v1", "Endpoints", "endpoints", True, ("ep",), singular="endpoints"),
    Builtin("v1", "ServiceAccount", "serviceaccounts", True, ("sa",)),
    Builtin(
        "v1", "Pod", "pods", True, ("po",), _ALL, ("log", "status"), True, "subdomain", core.PodStrategy,
        ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
         "status.phase", "status.podIP", "status.nominatedNodeName"),
    ),
    Builtin("v1", "Event", "events", True, ("ev",), maker=core.EventStrategy, selectable=_EVENT_FIELDS),
    Builtin(
        "v1", "PersistentVolumeClaim", "persistentvolumeclaims", True, ("pvc",), (), _STATUS,
        maker=workloads.ClaimStrategy,
    ),
    Builtin("v1", "Node", "nodes", False, ("no",), (), _STATUS, selectable=("spec.unschedulable",)),
    Builtin("v1", "LimitRange", "limitranges", True, ("limits",)),
    Builtin("v1", "ResourceQuota", "resourcequotas", True, ("quota",), (), _STATUS),
    Builtin(_APPS, "Deployment", "deployments", True, ("deploy",), _ALL, _SCALED, True, maker=workloads.WorkloadStrategy),
    Builtin(
        _APPS, "ReplicaSet", "replicasets", True, ("rs",), _ALL, _SCALED, True,
        maker=workloads.WorkloadStrategy, selectable=("status.replicas",),
    ),
    Builtin(_APPS, "StatefulSet", "statefulsets", True, ("sts",), _ALL, _SCALED, True, maker=workloads.WorkloadStrategy),
    Builtin(_APPS, "DaemonSet", "daemonsets", True, ("ds",), _ALL, _STATUS, True, maker=workloads.WorkloadStrategy),
    Builtin(
        "batch/v1", "Job", "jobs", True, (), _ALL, _STATUS, True, maker=workloads.JobStrategy,
        selectable=("status.successful",),
    ),
    Builtin("batch/v1", "CronJob", "cronjobs", True, ("cj",), _ALL, _STATUS, True),
    Builtin("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", True, ("hpa",), _ALL, _STATUS),
    Builtin("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", generation=True),
    Builtin("events.k8s.io/v1", "Event", "events", True, ("ev",), selectable=("reason", "type", "reportingController")),
    Builtin(_NETWORKING, "NetworkPolicy", "networkpolicies", True, ("netpol",), generation=True),
    Builtin(_NETWORKING, "Ingress", "ingresses", True, ("ing",), (), _STATUS, True),
    Builtin(_NETWORKING, "IngressClass", "ingressclasses", False, generation=True),
    Builtin("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", True, ("pdb",), (), _STATUS, True),
    Builtin(_RBAC, "Role", "roles", name_rule="path"),
    Builtin(_RBAC, "RoleBinding", "rolebindings", name_rule="path", maker=workloads.BindingStrategy),
    Builtin(_RBAC, "ClusterRole", "clusterroles", False, name_rule="path"),
    Builtin(_RBAC, "ClusterRoleBinding", "clusterrolebindings", False, name_rule="path", maker=workloads.BindingStrategy),
    Builtin("coordination.k8s.io/v1", "Lease", "leases"),
    Builtin("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", False, ("pc",), generation=True),
    Builtin("storage.k8s.io/v1", "StorageClass", "storageclasses", False, ("sc",)),
    Builtin(
        _HOOKS, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", False, (), _EXTENSIONS,
        generation=True,
    ),
    Builtin(
        _HOOKS, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", False, (), _EXTENSIONS,
        generation=True,
    ),
    Builtin(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", False, ("crd", "crds"),
        _EXTENSIONS, _STATUS, True, maker=DefinitionStrategy,
    ),
)  # fmt: skip
"""Every built-in kind, in the order of discovery."""

_SCALE = {
    "deployments": ScalePaths(selector=("spec", "selector")),
    "replicasets": ScalePaths(selector=("spec", "selector")),
    "statefulsets": ScalePaths(selector=("spec", "selector")),
}
_NO_COLLECTION_DELETION = tuple(verb for verb in Resource.verbs if verb != "deletecollection")
CORE_EVENTS = Location("", "events")


def load_definitions() -> Definitions:
    """The OpenAPI definitions of the built-in kinds."""
    return Definitions(_split(row.api_version) + (row.kind,) for row in TABLE)


def register(catalog: Catalog, definitions: Definitions) -> None:
    """Serve every built-in kind."""
    for row in TABLE:
        catalog.add(_resource(row, definitions))


def _split(api_version: str) -> tuple[str, str]:
    group, _, version = api_version.rpartition("/")
    return group, version


def _resource(row: Builtin, definitions: Definitions) -> Resource:
    group, version = _split(row.api_version)
    schema = definitions.kind(group, version, row.kind)
    newer_events = row.api_version == "events.k8s.io/v1"
    resource = Resource(
        group=group,
        version=version,
        plural=row.plural,
        kind=row.kind,
        namespaced=row.namespaced,
        schema=schema,
        strategy=row.maker(schema, row.kind, version, row.name_rule, row.generation),
        storage_version="v1" if newer_events else row.api_version,
        singular=row.singular,
        short_names=row.short,
        categories=row.categories,
        subresources=row.subresources,
        verbs=_NO_COLLECTION_DELETION if row.kind == "Namespace" else Resource.verbs,
        columns=printers.columns_of(row.kind),
        selectable=row.selectable,
        scale=_SCALE.get(row.plural),
        location=CORE_EVENTS if newer_events else Location(group, row.plural),
    )
    if newer_events:
        resource.from_storage = events.to_newer
        resource.to_storage = events.to_core
    return resource
