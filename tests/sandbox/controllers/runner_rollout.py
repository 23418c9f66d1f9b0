# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a Deployment rolls out, as pure functions: its ReplicaSets, their sizes, its status.

Rules, reasons and messages are those of Kubernetes' deployment controller (kubernetes, pkg/controller/deployment:
rolling.go, recreate.go, sync.go, progress.go and util/deployment_util.go).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sandbox.controllers.gateway_status import now
from sandbox.controllers.runner_kinds import HASH_LABEL, find_condition, owner_reference
from sandbox.kinds import DEPLOYMENTS

Json = dict[str, Any]

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
NOT_COPIED = frozenset(
    {"kubectl.kubernetes.io/last-applied-configuration", REVISION, REVISION_HISTORY, DESIRED, MAXIMUM}
)
"""Annotations of a Deployment that its ReplicaSets do not get."""
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes' own, without what could spell a word


def template_hash(template: Mapping[str, Any]) -> str:
    """Identifies a pod template, whatever hash label it has already."""
    labels = dict((template.get("metadata") or {}).get("labels") or {})
    labels.pop(HASH_LABEL, None)
    plain = {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}}
    plain["metadata"].pop("creationTimestamp", None)
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).digest()
    return "".join(ALPHABET[byte % len(ALPHABET)] for byte in digest[:10])


def revision(obj: Json) -> int:
    """The revision that an annotation states; 0 without one."""
    return int((obj["metadata"].get("annotations") or {}).get(REVISION) or 0)


def replicas(obj: Json) -> int:
    """``spec.replicas``; 1 when it is not stated."""
    found = obj["spec"].get("replicas")
    return 1 if found is None else int(found)


def counted(obj: Json, field: str) -> int:
    """A count in the status; a zero is left out there."""
    return int((obj.get("status") or {}).get(field) or 0)


def limits(deployment: Json) -> tuple[int, int]:
    """How many pods there may be too many and too few during a rollout; percentages surge up and lack down."""
    if is_recreate(deployment):
        return 0, replicas(deployment)
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    wanted = replicas(deployment)
    surge = _share(rolling.get("maxSurge", "25%"), wanted, math.ceil)
    lacking = _share(rolling.get("maxUnavailable", "25%"), wanted, math.floor)
    return (surge, 1) if surge == lacking == 0 else (surge, min(lacking, wanted))


def _share(value: int | str, of: int, rounding: Any) -> int:
    return int(rounding(of * int(value[:-1]) / 100)) if isinstance(value, str) else value


def is_recreate(deployment: Json) -> bool:
    """Whether all old pods have to end before new ones are made."""
    return (deployment["spec"].get("strategy") or {}).get("type") == "Recreate"


def replica_set(deployment: Json, number: int, size: int) -> Json:
    """The ReplicaSet of the Deployment's present template."""
    meta, template = deployment["metadata"], deployment["spec"]["template"]
    digest = template_hash(template)
    labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH_LABEL: digest}
    selector = deployment["spec"].get("selector") or {}
    chosen = {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), HASH_LABEL: digest}}
    spec = {
        "replicas": size,
        "selector": chosen,
        "template": {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}},
    }
    if deployment["spec"].get("minReadySeconds"):
        spec["minReadySeconds"] = deployment["spec"]["minReadySeconds"]
    return {
        "metadata": {
            "name": f"{meta['name']}-{digest}",
            "namespace": meta["namespace"],
            "labels": labels,
            "annotations": set_annotations(deployment, number),
            "ownerReferences": [owner_reference(deployment, DEPLOYMENTS)],
        },
        "spec": spec,
    }


def set_annotations(deployment: Json, number: int) -> dict[str, str]:
    """What the ReplicaSet of a revision is annotated with."""
    own = deployment["metadata"].get("annotations") or {}
    return {
        **{key: value for key, value in own.items() if key not in NOT_COPIED},
        REVISION: str(number),
        DESIRED: str(replicas(deployment)),
        MAXIMUM: str(replicas(deployment) + limits(deployment)[0]),
    }


def sizes(deployment: Json, new: Json, old: Sequence[Json]) -> dict[str, int]:
    """The next sizes of the ReplicaSets that are to change, by name: one step of the rollout.

    ``old`` are in the order of their creation.
    """
    wanted = replicas(deployment)
    if is_recreate(deployment):
        smaller = {one["metadata"]["name"]: 0 for one in old if replicas(one)}
        waiting = smaller or any(counted(one, "replicas") for one in old)
        return smaller if waiting else _changed(new, wanted)
    surge, lacking = limits(deployment)
    total = sum(replicas(one) for one in (new, *old))
    size = replicas(new)
    if size > wanted:
        return _changed(new, wanted)
    if size < wanted and total < wanted + surge:
        return _changed(new, size + min(wanted + surge - total, wanted - size))
    return _smaller(new, old, total, wanted - lacking)


def _changed(one: Json, size: int) -> dict[str, int]:
    return {} if replicas(one) == size else {one["metadata"]["name"]: size}


def _smaller(new: Json, old: Sequence[Json], total: int, least: int) -> dict[str, int]:
    """Old ReplicaSets lose what is not available first, then what is more than the rollout needs."""
    spare = total - least - (replicas(new) - counted(new, "availableReplicas"))
    result: dict[str, int] = {}
    for one in old:
        broken = min(replicas(one) - counted(one, "availableReplicas"), spare)
        if broken > 0:
            result[one["metadata"]["name"]] = replicas(one) - broken
            spare -= broken
    available = sum(counted(one, "availableReplicas") for one in (new, *old))
    surplus = available - least
    for one in old:
        name = one["metadata"]["name"]
        size = result.get(name, replicas(one))
        gone = min(size, surplus, max(spare, 0))
        if gone > 0:
            result[name] = size - gone
            surplus, spare = surplus - gone, spare - gone
    return result


def status(deployment: Json, new: Json | None, old: Sequence[Json], event: tuple[str, str] | None = None) -> Json:
    """The Deployment's status; ``event`` is the reason and message of something that just happened to it."""
    sets = [*([new] if new else []), *old]
    before = deployment.get("status") or {}
    total = sum(counted(one, "replicas") for one in sets)
    available = sum(counted(one, "availableReplicas") for one in sets)
    counts = {
        "replicas": total,
        "updatedReplicas": counted(new, "replicas") if new else 0,
        "readyReplicas": sum(counted(one, "readyReplicas") for one in sets),
        "availableReplicas": available,
        "unavailableReplicas": max(sum(replicas(one) for one in sets) - available, 0),
    }
    result: Json = {
        "observedGeneration": deployment["metadata"].get("generation", 1),
        **{field: count or None for field, count in counts.items()},  # zero is left out, as Go's omitempty does
    }
    known = before.get("conditions") or []
    conditions = [_available(available, deployment)]
    if (progress := _progressing(deployment, new, counts, event)) is not None:
        conditions.append(progress)
    if failure := next((found for one in sets if (found := find_condition(one.get("status") or {}, FAILURE))), None):
        conditions.append({key: failure[key] for key in ("type", "status", "reason", "message")})
    moved = event is not None or _moved(before, counts)
    result["conditions"] = [
        _dated(entry, known, moved=moved and entry["type"] == "Progressing") for entry in conditions
    ]
    return result


FAILURE = "ReplicaFailure"


def _available(available: int, deployment: Json) -> Json:
    if available >= replicas(deployment) - limits(deployment)[1]:
        message = "Deployment has minimum availability."
        return {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "message": message}
    message = "Deployment does not have minimum availability."
    return {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable", "message": message}


def _moved(before: Json, counts: Mapping[str, int]) -> bool:
    """Whether the rollout came forward since the last status (DeploymentProgressing)."""

    def old(field: str) -> int:
        return int(before.get(field) or 0)

    return (
        counts["updatedReplicas"] > old("updatedReplicas")
        or counts["replicas"] - counts["updatedReplicas"] < old("replicas") - old("updatedReplicas")
        or counts["readyReplicas"] > old("readyReplicas")
        or counts["availableReplicas"] > old("availableReplicas")
    )


def _progressing(
    deployment: Json, new: Json | None, counts: Mapping[str, int], event: tuple[str, str] | None
) -> Json | None:
    def said(status_: str, reason: str, message: str) -> Json:
        return {"type": "Progressing", "status": status_, "reason": reason, "message": message}

    before = find_condition(deployment.get("status") or {}, "Progressing")
    if event:
        return said("Unknown" if event[0].startswith("DeploymentPaused") else "True", *event)
    if new is None:
        return before and said(*(before[key] for key in ("status", "reason", "message")))
    name, wanted = new["metadata"]["name"], replicas(deployment)
    fields = ("updatedReplicas", "replicas", "availableReplicas")
    if all(counts[field] == wanted for field in fields):
        return said("True", "NewReplicaSetAvailable", f'ReplicaSet "{name}" has successfully progressed.')
    done = before is not None and before["reason"] == "NewReplicaSetAvailable"
    if done and counts["replicas"] == counts["updatedReplicas"]:
        # Complete once is complete: what fails later is told by Available alone.
        return before and said(*(before[key] for key in ("status", "reason", "message")))
    if before is None or _moved(deployment.get("status") or {}, counts):
        return said("True", "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.')
    if deadline_left(deployment) <= 0:
        return said("False", "ProgressDeadlineExceeded", f'ReplicaSet "{name}" has timed out progressing.')
    return said(*(before[key] for key in ("status", "reason", "message")))


def deadline_left(deployment: Json) -> float:
    """Seconds until a rollout that does not come forward counts as failed; infinite when none is under way."""
    before = find_condition(deployment.get("status") or {}, "Progressing")
    limit = deployment["spec"].get("progressDeadlineSeconds", 600)
    if before is None or before["reason"] == "NewReplicaSetAvailable" or before["status"] == "Unknown":
        return math.inf
    moved = datetime.fromisoformat(before["lastUpdateTime"])
    return float(limit - (datetime.now(UTC) - moved).total_seconds())


def _dated(entry: Json, known: Sequence[Json], *, moved: bool) -> Json:
    """The condition with the time since when it has its status, and that of its last change."""
    before = next((item for item in known if item["type"] == entry["type"]), {})
    unchanged = before.get("status") == entry["status"] and before.get("lastTransitionTime")
    stamp = before["lastTransitionTime"] if unchanged else now()
    same = not moved and all(before.get(key) == value for key, value in entry.items())
    return {**entry, "lastTransitionTime": stamp, "lastUpdateTime": before["lastUpdateTime"] if same else now()}
