# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OLM stand-in: the rules by which a ClusterServiceVersion moves on. Pure functions; the texts are OLM's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from ansible_collections.mcpops.gateway.plugins.module_utils import _olm_neighbours
from sandbox.controllers.olm_base import now
from sandbox.controllers.olm_bundles import owner_labels

Object = dict[str, Any]

CONDITIONS_KEPT = 20
HASH_LABEL = "olm.deployment-spec-hash"
OPERATOR_GROUP_REASONS = frozenset(
    {"NoTargetNamespaces", "NoOperatorGroup", "TooManyOperatorGroups", "UnsupportedOperatorGroup"}
)
"""Reasons of a failure that ends as soon as the OperatorGroup is right."""
OWNER_CONFLICT = "InterOperatorGroupOwnerConflict"
UNCOPIABLE_REASONS = OPERATOR_GROUP_REASONS | {OWNER_CONFLICT}
"""Reasons for which a ClusterServiceVersion is not copied (operator-framework/api, clusterserviceversion.go)."""


def set_phase(status: Object, phase: str, reason: str, message: str) -> Object:
    """A copy of the status in its new phase; a change of phase or reason is remembered as a condition."""
    status = deepcopy(status)
    if (status.get("phase"), status.get("reason"), status.get("message")) == (phase, reason, message):
        return status
    time = now()
    status["lastUpdateTime"] = time
    if status.get("phase") != phase:
        status |= {"phase": phase, "lastTransitionTime": time}
    status |= {"reason": reason, "message": message}
    conditions = status.setdefault("conditions", [])
    if not conditions or (conditions[-1]["phase"], conditions[-1]["reason"]) != (phase, reason):
        fields = ("phase", "reason", "message", "lastTransitionTime", "lastUpdateTime")
        conditions.append({field: status[field] for field in fields})
    status["conditions"] = conditions[-CONDITIONS_KEPT:]
    return status


def install_mode_problem(csv: Object, namespaces: Sequence[str]) -> str | None:
    """Why the install modes do not support these target namespaces ("" stands for all of them)."""
    return _olm_neighbours.install_mode_problem(
        csv["spec"].get("installModes") or [], csv["metadata"]["namespace"], namespaces
    )


def requirements(
    csv: Object, crds: Mapping[str, Object], accounts: Iterable[str], server_version: str
) -> tuple[bool, list[Object]]:
    """Whether everything that the operator needs is there, and the entries for ``status.requirementStatus``."""
    minimum = csv["spec"].get("minKubeVersion")
    entries = [_kube_version(csv["metadata"]["name"], minimum, server_version)] if minimum else []
    for owned in csv["spec"].get("customresourcedefinitions", {}).get("owned", []):
        entries.append(_crd_requirement(owned, crds.get(owned["name"])))
    present = set(accounts)
    permissions = csv["spec"]["install"]["spec"].get("clusterPermissions") or []
    for name in sorted({permission["serviceAccountName"] for permission in permissions}):
        entry = {"group": "", "version": "v1", "kind": "ServiceAccount", "name": name}
        if name in present:
            entries.append(entry | {"status": "Present", "message": ""})
        else:
            entries.append(entry | {"status": "NotPresent", "message": "Service account does not exist"})
    return all(entry["status"] == "Present" for entry in entries), entries


def _kube_version(name: str, minimum: str, server_version: str) -> Object:
    entry = {"group": "operators.coreos.com", "version": "v1alpha1", "kind": "ClusterServiceVersion", "name": name}
    plain = server_version.removeprefix("v").partition("-")[0].partition("+")[0]
    if _numbers(minimum) > _numbers(plain):
        message = f"CSV version requirement not met: minKubeVersion ({minimum}) > server version ({plain})"
        return entry | {"status": "PresentNotSatisfied", "message": message}
    message = f"CSV minKubeVersion ({minimum}) less than server version ({server_version})"
    return entry | {"status": "Present", "message": message}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.removeprefix("v").split("."))


def _crd_requirement(owned: Object, crd: Object | None) -> Object:
    entry = {
        "group": "apiextensions.k8s.io",
        "version": "v1",
        "kind": "CustomResourceDefinition",
        "name": owned["name"],
    }
    if crd is None:
        return entry | {"status": "NotPresent", "message": "CRD is not present"}
    if not any(version["name"] == owned["version"] and version["served"] for version in crd["spec"]["versions"]):
        return entry | {"status": "NotPresent", "message": "CRD version not served"}
    conditions = {cond["type"]: cond["status"] for cond in (crd.get("status") or {}).get("conditions") or []}
    if conditions.get("Established") != "True" or conditions.get("NamesAccepted") != "True":
        message = "CRD is present but the Established condition is False (not available)"
        return entry | {"status": "NotAvailable", "message": message}
    message = "CRD is present and Established condition is true"
    return entry | {"status": "Present", "message": message, "uuid": crd["metadata"]["uid"]}


def deployments(csv: Object) -> list[Object]:
    """The Deployments that the install strategy asks for, without owner references."""
    meta = csv["metadata"]
    annotations = {key: value for key, value in (meta.get("annotations") or {}).items() if key.startswith("olm.")}
    components = {
        key: value for key, value in (meta.get("labels") or {}).items() if key.startswith("operators.coreos.com/")
    }
    result = []
    for wanted in csv["spec"]["install"]["spec"]["deployments"]:
        spec = deepcopy(wanted["spec"])
        template = spec["template"]
        template["metadata"]["annotations"] = {**template["metadata"].get("annotations", {}), **annotations}
        for container in template["spec"]["containers"]:
            container.setdefault("env", []).append({"name": "OPERATOR_CONDITION_NAME", "value": meta["name"]})
        digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:40]
        labels = {
            **wanted.get("label", {}),
            **owner_labels(meta["name"], meta["namespace"]),
            **components,
            HASH_LABEL: digest,
        }
        result.append(
            {
                "metadata": {"name": wanted["name"], "namespace": meta["namespace"], "labels": labels},
                "spec": spec,
            }
        )
    return result


def deployment_problem(wanted: Object, found: Object | None) -> tuple[str, str] | None:
    """What keeps a Deployment from counting as installed, if anything: missing, changed, waiting or failed, and why."""
    name = wanted["metadata"]["name"]
    if found is None:
        return "missing", f"missing deployment with name={name}"
    old, new = ((obj["metadata"].get("labels") or {}).get(HASH_LABEL, "") for obj in (found, wanted))
    if old != new:
        return "changed", f"deployment changed old hash={old}, new hash={new}"
    status = found.get("status") or {}
    prefix = f"waiting for deployment {name} to become ready: "
    if found["metadata"]["generation"] > status.get("observedGeneration", 0):
        return "waiting", f'{prefix}waiting for spec update of deployment "{name}" to be observed...'
    conditions = {cond["type"]: cond for cond in status.get("conditions") or []}
    if conditions.get("Progressing", {}).get("reason") == "ProgressDeadlineExceeded":
        return "failed", f'deployment "{name}" exceeded its progress deadline'
    outdated = status.get("replicas", 0) - status.get("updatedReplicas", 0)
    if outdated > 0:
        return "waiting", f'{prefix}deployment "{name}" waiting for {outdated} outdated replica(s) to be terminated'
    available = conditions.get("Available")
    if available is None or available["status"] != "True":
        why = available["message"] if available else 'missing condition "Available"'
        return "waiting", f'{prefix}deployment "{name}" not available: {why}'
    return None


def copy_of(csv: Object, namespace: str) -> Object:
    """OLM's copy of a ClusterServiceVersion in a namespace that the operator manages, with its status."""
    meta = csv["metadata"]
    annotations = {
        key: value for key, value in (meta.get("annotations") or {}).items() if key != "olm.targetNamespaces"
    }
    labels = {
        key: value for key, value in (meta.get("labels") or {}).items() if not key.startswith("operators.coreos.com/")
    }
    message = f"The operator is running in {meta['namespace']} but is managing this namespace"
    return {
        "metadata": {
            "name": meta["name"],
            "namespace": namespace,
            "annotations": annotations,
            "labels": labels | {"olm.copiedFrom": meta["namespace"]},
        },
        "spec": csv["spec"],
        "status": {**(csv.get("status") or {}), "reason": "Copied", "message": message},
    }
