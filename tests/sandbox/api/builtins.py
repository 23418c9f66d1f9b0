# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built-in kinds: what a kube-apiserver serves without any custom resource definition (``builtins.yaml``)."""

from __future__ import annotations

from typing import Any

from . import events, printers
from .definitions import Definitions, builtin_data
from .resources import Catalog, Resource, ScalePaths
from .store import Location
from .strategies import core, pods, rbac, workloads
from .strategies.builtin import BuiltinStrategy
from .strategies.definition import DefinitionStrategy
from .strategies.service import ServiceStrategy

STRATEGIES: dict[str, type[BuiltinStrategy]] = {
    "ClusterRole": rbac.RoleStrategy,
    "ClusterRoleBinding": rbac.BindingStrategy,
    "ConfigMap": core.ConfigMapStrategy,
    "CustomResourceDefinition": DefinitionStrategy,
    "DaemonSet": workloads.WorkloadStrategy,
    "Deployment": workloads.WorkloadStrategy,
    "Event": core.EventStrategy,
    "Job": workloads.JobStrategy,
    "Namespace": core.NamespaceStrategy,
    "PersistentVolumeClaim": core.ClaimStrategy,
    "Pod": pods.PodStrategy,
    "ReplicaSet": workloads.WorkloadStrategy,
    "Role": rbac.RoleStrategy,
    "RoleBinding": rbac.BindingStrategy,
    "Secret": core.SecretStrategy,
    "Service": ServiceStrategy,
    "StatefulSet": workloads.WorkloadStrategy,
}
"""Kinds with rules of their own."""
_NO_COLLECTION_DELETION = tuple(verb for verb in Resource.verbs if verb != "deletecollection")
CORE_EVENTS = Location("", "events")


def load_definitions() -> Definitions:
    """The OpenAPI definitions of the built-in kinds."""
    return Definitions((*_split(row["apiVersion"]), row["kind"]) for row in builtin_data()["resources"])


def register(catalog: Catalog, definitions: Definitions) -> None:
    """Serve every built-in kind."""
    for row in builtin_data()["resources"]:
        catalog.add(_resource(row, definitions))


def _split(api_version: str) -> tuple[str, str]:
    group, _, version = api_version.rpartition("/")
    return group, version


def _resource(row: dict[str, Any], definitions: Definitions) -> Resource:
    kind, plural = row["kind"], row["plural"]
    group, version = _split(row["apiVersion"])
    schema = definitions.kind(group, version, kind)
    newer_events = row["apiVersion"] == "events.k8s.io/v1"
    maker = BuiltinStrategy if newer_events else STRATEGIES.get(kind, BuiltinStrategy)
    scaled = "scale" in row.get("subresources", ())
    resource = Resource(
        group=group,
        version=version,
        plural=plural,
        kind=kind,
        namespaced=row.get("namespaced", True),
        schema=schema,
        strategy=maker(schema, row),
        storage_version="v1" if newer_events else row["apiVersion"],
        singular=row.get("singular", ""),
        short_names=tuple(row.get("short", ())),
        categories=tuple(row.get("categories", ())),
        subresources=tuple(row.get("subresources", ())),
        verbs=_NO_COLLECTION_DELETION if kind == "Namespace" else Resource.verbs,
        columns=printers.columns_of(kind),
        selectable=tuple(row.get("selectable", ())),
        returns_deleted=row.get("returnsDeleted", False),
        deprecated=row.get("deprecated", ""),
        scale=ScalePaths(selector=("spec", "selector")) if scaled else None,
        location=CORE_EVENTS if newer_events else Location(group, plural),
    )
    if newer_events:
        resource.from_storage = events.to_newer
        resource.to_storage = events.to_core
    return resource
