# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OLM stand-in: what installing a bundle means, step by step. Pure functions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from sandbox.catalog import PROPERTIES, Bundle
from sandbox.client import Resource
from sandbox.controllers.olm_base import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, RBAC
from sandbox.kinds import CRDS, CSVS, SERVICE_ACCOUNTS

Object = dict[str, Any]


def owner_labels(csv_name: str, namespace: str) -> dict[str, str]:
    """Labels by which OLM finds what a ClusterServiceVersion owns across namespaces."""
    return {
        "olm.managed": "true",
        "olm.owner": csv_name,
        "olm.owner.kind": "ClusterServiceVersion",
        "olm.owner.namespace": namespace,
    }


def objects(bundle: Bundle, namespace: str) -> Iterator[tuple[Resource, Object]]:
    """Every object that installing the bundle in a namespace creates, in OLM's order: CSV, CRDs, the rest, RBAC.

    Source: OrderSteps (operator-framework/api, installplan_types.go) and NewStepResourceFromBundle
    (operator-lifecycle-manager, pkg/controller/registry/resolver/steps.go).
    """
    csv = deepcopy(bundle.csv)
    csv["metadata"]["namespace"] = namespace
    csv["metadata"]["labels"] = {"olm.managed": "true"}
    yield CSVS, csv
    for crd in bundle.crds:
        labels = {"olm.managed": "true", f"operators.coreos.com/{bundle.name.partition('.')[0]}.{namespace}": ""}
        yield CRDS, {**crd, "metadata": {**crd["metadata"], "labels": labels}}
    for obj in bundle.objects:
        group, _, version = obj["apiVersion"].rpartition("/")
        kind = obj["kind"]
        labels = {**(obj["metadata"].get("labels") or {}), "olm.managed": "true"}
        meta = {**obj["metadata"], "namespace": namespace, "labels": labels}
        yield Resource(group, version, f"{kind.lower()}s", kind), {**obj, "metadata": meta}
    for permission in bundle.csv["spec"]["install"]["spec"].get("clusterPermissions", []):
        yield from _permission(bundle.name, namespace, permission)


def _permission(csv_name: str, namespace: str, permission: Object) -> Iterator[tuple[Resource, Object]]:
    account = permission["serviceAccountName"]
    digest = hashlib.sha256(json.dumps([namespace, permission], sort_keys=True).encode()).hexdigest()[:12]
    name, labels = f"{csv_name}-{digest}", owner_labels(csv_name, namespace)
    yield SERVICE_ACCOUNTS, {"metadata": {"name": account, "namespace": namespace, "labels": labels}}
    yield CLUSTER_ROLES, {"metadata": {"name": name, "labels": labels}, "rules": permission["rules"]}
    yield (
        CLUSTER_ROLE_BINDINGS,
        {
            "metadata": {"name": name, "labels": labels},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        },
    )


def plan(bundle: Bundle, namespace: str, source: str, source_namespace: str) -> list[Object]:
    """``status.plan`` of the InstallPlan for a bundle; the manifests only name where the content comes from."""
    origin = {
        "kind": "ConfigMap",
        "name": hashlib.sha256(bundle.name.encode()).hexdigest()[:62],
        "namespace": source_namespace,
        "catalogSourceName": source,
        "catalogSourceNamespace": source_namespace,
        "replaces": bundle.replaces or "",
        "properties": bundle.csv["metadata"]["annotations"][PROPERTIES],
    }
    return [
        {
            "resolving": bundle.name,
            "resource": {
                "group": resource.group,
                "kind": resource.kind,
                "manifest": json.dumps(origin, separators=(",", ":")),
                "name": obj["metadata"]["name"],
                "sourceName": source,
                "sourceNamespace": source_namespace,
                "version": resource.version,
            },
            "status": "Unknown",
        }
        for resource, obj in objects(bundle, namespace)
    ]


def lookup(bundle: Bundle, source: str, source_namespace: str) -> Object:
    """An entry of the InstallPlan's ``status.bundleLookups``: a bundle that has been unpacked has no condition left."""
    return {
        "catalogSourceRef": {"name": source, "namespace": source_namespace},
        "identifier": bundle.name,
        "path": bundle.image,
        "properties": bundle.csv["metadata"]["annotations"][PROPERTIES],
        "replaces": bundle.replaces or "",
    }
