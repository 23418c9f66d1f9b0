# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the runner writes: Pods of a Deployment, their status, and the Deployment's status, as Kubernetes has them."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.controllers.gateway_status import now
from sandbox.controllers.gateway_world import PORTS_ANNOTATION

Json = dict[str, Any]

HASH_LABEL = "pod-template-hash"
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes' own, without what could spell a word


def template_hash(deployment: Json) -> str:
    """Identifies the pod template: pods with another hash are of an older revision."""
    text = json.dumps(deployment["spec"]["template"], sort_keys=True)
    digest = hashlib.sha256(text.encode()).digest()
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:10])


def new_pod(deployment: Json, ports: Mapping[int, int]) -> Json:
    """A Pod of the Deployment's template, owned by the Deployment; ``ports`` maps container to local ports."""
    meta, template = deployment["metadata"], deployment["spec"]["template"]
    labels = (template.get("metadata") or {}).get("labels") or {}
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    revision = template_hash(deployment)
    suffix = "".join(secrets.choice(ALPHABET) for _ in range(5))
    owner = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "metadata": {
            "name": f"{meta['name'][:47]}-{revision}-{suffix}",
            "namespace": meta["namespace"],
            "labels": {**labels, HASH_LABEL: revision},
            "annotations": {**annotations, PORTS_ANNOTATION: ports_text(ports)},
            "ownerReferences": [owner],
        },
        "spec": template["spec"],
    }


def ports_text(ports: Mapping[int, int]) -> str:
    """The annotation's value."""
    return json.dumps({str(port): local for port, local in sorted(ports.items())})


def pod_status(pod: Json, states: Sequence[Json]) -> Json:
    """Status of a Pod from the states of its containers.

    A state: name, image, started (time or None), ready, restarts, and waiting (reason, message) while it
    does not run.
    """
    old = pod.get("status") or {}
    running = all(state["started"] for state in states)
    ready = running and all(state["ready"] for state in states)
    unready = [state["name"] for state in states if not state["ready"]]
    reason = (
        {}
        if ready
        else {"reason": "ContainersNotReady", "message": f"containers with unready status: [{' '.join(unready)}]"}
    )
    conditions = [
        {"type": "PodScheduled", "status": "True"},
        {"type": "Initialized", "status": "True"},
        {"type": "ContainersReady", "status": str(ready), **reason},
        {"type": "Ready", "status": str(ready), **reason},
    ]
    return {
        "phase": "Running" if running else old.get("phase") if old.get("phase") == "Running" else "Pending",
        "conditions": [_since(entry, old.get("conditions") or []) for entry in conditions],
        "containerStatuses": [_container_status(state) for state in states],
        "podIP": "127.0.0.1",
        "podIPs": [{"ip": "127.0.0.1"}],
        "hostIP": "127.0.0.1",
        "startTime": old.get("startTime") or now(),
    }


def _container_status(state: Json) -> Json:
    if state["started"]:
        current = {"running": {"startedAt": state["started"]}}
    else:
        reason, message = state["waiting"]
        current = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
    return {
        "name": state["name"],
        "image": state["image"],
        "imageID": "",
        "ready": bool(state["ready"]),
        "started": bool(state["started"]),
        "restartCount": state["restarts"],
        "state": current,
        "lastState": {},
    }


def deployment_status(deployment: Json, pods: Sequence[Json]) -> Json:
    """Status of a Deployment with these (living) Pods, by the rules of Kubernetes' deployment controller."""
    old = deployment.get("status") or {}
    wanted = deployment["spec"].get("replicas", 1)
    revision = template_hash(deployment)
    updated = [pod for pod in pods if pod["metadata"]["labels"].get(HASH_LABEL) == revision]
    ready = sum(is_ready(pod) for pod in pods)
    counts = {
        "replicas": len(pods),
        "updatedReplicas": len(updated),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(wanted - ready, 0),
    }
    name = f"{deployment['metadata']['name']}-{revision}"
    conditions = [_available(ready, wanted, deployment), _progressing(name, pods, updated, wanted)]
    return {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        **{field: count or None for field, count in counts.items()},  # zero is left out, as Go's omitempty does
        "conditions": [
            _updated(_since(entry, old.get("conditions") or []), old.get("conditions") or []) for entry in conditions
        ],
    }


def _updated(entry: Json, old: Sequence[Json]) -> Json:
    """The condition with the time of its last change in any field, which a Deployment's conditions have."""
    before = next((item for item in old if item["type"] == entry["type"]), {})
    same = {**before, "lastUpdateTime": None} == {**entry, "lastUpdateTime": None}
    return {**entry, "lastUpdateTime": before.get("lastUpdateTime") if same else now()}


def same_status(seen: Json, wanted: Json) -> bool:
    """Whether the wanted fields are as seen; a field that a real API server shows as null counts as absent."""
    return all(_without_null(seen.get(name)) == _without_null(value) for name, value in wanted.items())


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_null(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_null(item) for item in value]
    return value


def _available(ready: int, wanted: int, deployment: Json) -> Json:
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    limit = rolling.get("maxUnavailable", "25%")
    unavailable = int(wanted * int(limit[:-1]) / 100) if isinstance(limit, str) else limit
    if ready >= wanted - unavailable:
        message = "Deployment has minimum availability."
        return {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "message": message}
    message = "Deployment does not have minimum availability."
    return {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable", "message": message}


def _progressing(name: str, pods: Sequence[Json], updated: Sequence[Json], wanted: int) -> Json:
    done = len(pods) == len(updated) == wanted and all(is_ready(pod) for pod in updated)
    if done:
        message, reason = f'ReplicaSet "{name}" has successfully progressed.', "NewReplicaSetAvailable"
    else:
        message, reason = f'ReplicaSet "{name}" is progressing.', "ReplicaSetUpdated"
    return {"type": "Progressing", "status": "True", "reason": reason, "message": message}


def _since(entry: Json, old: Sequence[Json]) -> Json:
    """The condition with the time since when it has this status."""
    before = next((item for item in old if item["type"] == entry["type"]), {})
    unchanged = before.get("status") == entry["status"] and before.get("lastTransitionTime")
    stamp = before["lastTransitionTime"] if unchanged else now()
    return {**entry, "lastTransitionTime": stamp}


def is_ready(pod: Json) -> bool:
    """Whether the Pod's condition Ready is True and it is not being deleted."""
    if pod["metadata"].get("deletionTimestamp"):
        return False
    return any(
        item["type"] == "Ready" and item["status"] == "True"
        for item in (pod.get("status") or {}).get("conditions") or []
    )
