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
from .strategies import core, rbac, workloads
from .strategies.base import Strategy
from .strategies.builtin import BuiltinStrategy, Traits
from .strategies.definition import DefinitionStrategy

Maker = Callable[[Schema, str, Traits], Strategy]


_PLAIN = Traits()


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
    traits: Traits = _PLAIN
    maker: Maker = BuiltinStrategy
    selectable: tuple[str, ...] = ()
    returns_deleted: bool = False
    singular: str = ""
    deprecated: str = ""


_ALL = ("all",)
_EXTENSIONS = ("api-extensions",)
_STATUS = ("status",)
_SCALED = ("scale", "status")
_APPS = "apps/v1"
_RBAC = "rbac.authorization.k8s.io/v1"
_NETWORKING = "networking.k8s.io/v1"
_HOOKS = "admissionregistration.k8s.io/v1"
_EVENT_FIELDS = (
    *(
        f"involvedObject.{name}"
        for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
    ),
    *("reason", "reportingComponent", "source", "type"),
)
_POD_FIELDS = (
    *(f"spec.{name}" for name in ("nodeName", "restartPolicy", "schedulerName", "serviceAccountName", "hostNetwork")),
    *(f"status.{name}" for name in ("phase", "podIP", "nominatedNodeName")),
)
_ENDPOINTS = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
_COUNTED = Traits(generation=True)
_UPSERTED = Traits(create_on_update=True)
_ROLE = Traits("path", create_on_update=True)
_LOCKED = Traits(unconditional_update=False, create_on_update=True)
_GUARDED = Traits(generation=True, unconditional_update=False)
_WORKLOAD = workloads.WorkloadStrategy

TABLE = (
    Builtin(
        "v1", "Namespace", "namespaces", False, ("ns",), (), ("finalize", "status"), Traits("label"),
        core.NamespaceStrategy, ("status.phase",), returns_deleted=True,
    ),
    Builtin("v1", "ConfigMap", "configmaps", True, ("cm",), maker=core.ConfigMapStrategy),
    Builtin("v1", "Secret", "secrets", maker=core.SecretStrategy, selectable=("type",)),
    Builtin(
        "v1", "Service", "services", True, ("svc",), _ALL, _STATUS, Traits("label", create_on_update=True),
        core.ServiceStrategy, ("spec.clusterIP", "spec.type"), returns_deleted=True,
    ),
    Builtin(
        "v1", "Endpoints", "endpoints", True, ("ep",), traits=_UPSERTED, singular="endpoints", deprecated=_ENDPOINTS
    ),
    Builtin("v1", "ServiceAccount", "serviceaccounts", True, ("sa",), returns_deleted=True),
    Builtin(
        "v1", "Pod", "pods", True, ("po",), _ALL, ("log", "status"), _COUNTED, core.PodStrategy, _POD_FIELDS,
        returns_deleted=True,
    ),
    Builtin("v1", "Event", "events", True, ("ev",), (), (), _UPSERTED, core.EventStrategy, _EVENT_FIELDS),
    Builtin(
        "v1", "PersistentVolumeClaim", "persistentvolumeclaims", True, ("pvc",), (), _STATUS,
        maker=workloads.ClaimStrategy, returns_deleted=True,
    ),
    Builtin("v1", "Node", "nodes", False, ("no",), (), _STATUS, selectable=("spec.unschedulable",)),
    Builtin("v1", "LimitRange", "limitranges", True, ("limits",), traits=_UPSERTED),
    Builtin("v1", "ResourceQuota", "resourcequotas", True, ("quota",), (), _STATUS, returns_deleted=True),
    Builtin(_APPS, "Deployment", "deployments", True, ("deploy",), _ALL, _SCALED, _COUNTED, _WORKLOAD),
    Builtin(
        _APPS, "ReplicaSet", "replicasets", True, ("rs",), _ALL, _SCALED, _COUNTED, _WORKLOAD, ("status.replicas",)
    ),
    Builtin(_APPS, "StatefulSet", "statefulsets", True, ("sts",), _ALL, _SCALED, _COUNTED, _WORKLOAD),
    Builtin(_APPS, "DaemonSet", "daemonsets", True, ("ds",), _ALL, _STATUS, _COUNTED, _WORKLOAD),
    Builtin(
        "batch/v1", "Job", "jobs", True, (), _ALL, _STATUS, _COUNTED, workloads.JobStrategy, ("status.successful",)
    ),
    Builtin("batch/v1", "CronJob", "cronjobs", True, ("cj",), _ALL, _STATUS, _COUNTED),
    Builtin("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", True, ("hpa",), _ALL, _STATUS),
    Builtin("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", traits=_COUNTED),
    Builtin(
        "events.k8s.io/v1", "Event", "events", True, ("ev",), traits=_UPSERTED,
        selectable=("reason", "type", "reportingController"),
    ),
    Builtin(_NETWORKING, "NetworkPolicy", "networkpolicies", True, ("netpol",), traits=_COUNTED),
    Builtin(_NETWORKING, "Ingress", "ingresses", True, ("ing",), (), _STATUS, _COUNTED),
    Builtin(_NETWORKING, "IngressClass", "ingressclasses", False, traits=_COUNTED),
    Builtin("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", True, ("pdb",), (), _STATUS, _GUARDED),
    Builtin(_RBAC, "Role", "roles", traits=_ROLE, maker=rbac.RoleStrategy),
    Builtin(_RBAC, "RoleBinding", "rolebindings", traits=_ROLE, maker=rbac.BindingStrategy),
    Builtin(_RBAC, "ClusterRole", "clusterroles", False, traits=_ROLE, maker=rbac.RoleStrategy),
    Builtin(_RBAC, "ClusterRoleBinding", "clusterrolebindings", False, traits=_ROLE, maker=rbac.BindingStrategy),
    Builtin("coordination.k8s.io/v1", "Lease", "leases", traits=_LOCKED),
    Builtin("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", False, ("pc",), traits=_COUNTED),
    Builtin("storage.k8s.io/v1", "StorageClass", "storageclasses", False, ("sc",), returns_deleted=True),
    Builtin(
        _HOOKS, "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", False, (), _EXTENSIONS, (), _GUARDED
    ),
    Builtin(
        _HOOKS, "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", False, (), _EXTENSIONS, (),
        _GUARDED,
    ),
    Builtin(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", False, ("crd", "crds"),
        _EXTENSIONS, _STATUS, _GUARDED, DefinitionStrategy,
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
    return Definitions((*_split(row.api_version), row.kind) for row in TABLE)


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
        strategy=row.maker(schema, row.kind, row.traits),
        storage_version="v1" if newer_events else row.api_version,
        singular=row.singular,
        short_names=row.short,
        categories=row.categories,
        subresources=row.subresources,
        verbs=_NO_COLLECTION_DELETION if row.kind == "Namespace" else Resource.verbs,
        columns=printers.columns_of(row.kind),
        selectable=row.selectable,
        returns_deleted=row.returns_deleted,
        deprecated=row.deprecated,
        scale=_SCALE.get(row.plural),
        location=CORE_EVENTS if newer_events else Location(group, row.plural),
    )
    if newer_events:
        resource.from_storage = events.to_newer
        resource.to_storage = events.to_core
    return resource
