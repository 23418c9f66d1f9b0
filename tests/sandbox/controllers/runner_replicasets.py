# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ReplicaSets become Pods: the part of Kubernetes' replicaset controller (kubernetes, pkg/controller/replicaset)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import ClassVar

from sandbox.client import ApiError
from sandbox.controllers.events import Recorder
from sandbox.controllers.gateway_status import now
from sandbox.controllers.runner_kinds import (
    NODE,
    Json,
    find_condition,
    is_controlled_by,
    is_ready,
    owner_reference,
    same_status,
)
from sandbox.controllers.runner_rollout import ALPHABET, FAILURE, replicas
from sandbox.controllers.runtime import Controller, Key, Watch, owner
from sandbox.kinds import PODS, REPLICA_SETS


def new_pod(replica_set: Json) -> Json:
    """A Pod of the ReplicaSet's template. It is put on the sandbox's node at once: there is no scheduler."""
    meta, template = replica_set["metadata"], replica_set["spec"]["template"]
    suffix = "".join(secrets.choice(ALPHABET) for _ in range(5))
    own = template.get("metadata") or {}
    return {
        "metadata": {
            "name": f"{meta['name'][:57]}-{suffix}",
            "generateName": f"{meta['name']}-",
            "namespace": meta["namespace"],
            "labels": dict(own.get("labels") or {}),
            **({"annotations": own["annotations"]} if own.get("annotations") else {}),
            "ownerReferences": [owner_reference(replica_set, REPLICA_SETS)],
        },
        "spec": {"nodeName": NODE, **template["spec"]},
    }


def is_active(pod: Json) -> bool:
    """Whether a Pod counts: it is not on its way out and has not come to an end."""
    phase = (pod.get("status") or {}).get("phase")
    return not pod["metadata"].get("deletionTimestamp") and phase not in ("Succeeded", "Failed")


def surplus(pods: Sequence[Json], count: int) -> list[Json]:
    """The Pods that go first when there are too many: those that are not ready, then the youngest."""
    ranked = sorted(pods, key=lambda pod: (is_ready(pod), _age(pod["metadata"]["creationTimestamp"])))
    return ranked[:count]


def _age(timestamp: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(timestamp)).total_seconds()


def status(replica_set: Json, pods: Sequence[Json], failure: str | None) -> tuple[Json, float | None]:
    """The ReplicaSet's status with these active Pods, and in how many seconds another one will be available."""
    labels = (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
    patience = replica_set["spec"].get("minReadySeconds") or 0
    waits = [
        patience - _age((find_condition(pod["status"], "Ready") or {})["lastTransitionTime"])
        for pod in pods
        if is_ready(pod)
    ]
    left = [seconds for seconds in waits if patience and seconds > 0]
    counts = {
        "fullyLabeledReplicas": sum(labels.items() <= pod["metadata"]["labels"].items() for pod in pods),
        "readyReplicas": len(waits),
        "availableReplicas": len(waits) - len(left),
    }
    result: Json = {
        "replicas": len(pods),
        "observedGeneration": replica_set["metadata"].get("generation", 1),
        **{field: count or None for field, count in counts.items()},
        "conditions": None,
    }
    if failure:
        old = find_condition(replica_set.get("status") or {}, FAILURE) or {}
        entry = {"type": FAILURE, "status": "True", "reason": "FailedCreate", "message": failure}
        result["conditions"] = [{**entry, "lastTransitionTime": old.get("lastTransitionTime") or now()}]
    return result, min(left, default=None)


class ReplicaSetController(Controller):
    """Keeps as many Pods as each ReplicaSet wants."""

    name: ClassVar[str] = "replicaset-controller"

    def watches(self) -> Sequence[Watch]:
        return [Watch(REPLICA_SETS), Watch(PODS, self._owners)]

    def _owners(self, pod: Json) -> Iterable[Key]:
        return owner(REPLICA_SETS.kind)(pod)

    async def start(self) -> None:
        self._recorder = Recorder(self.client, self.name)

    async def reconcile(self, key: Key) -> float | None:
        found = self.cache(REPLICA_SETS).get(*key)
        if found is None or found["metadata"].get("deletionTimestamp"):
            return None  # the garbage collector removes its Pods
        pods = [pod for pod in self.cache(PODS).list(key[0]) if is_controlled_by(pod, found) and is_active(pod)]
        for pod in surplus(pods, len(pods) - replicas(found)):
            meta = pod["metadata"]
            await self.client.delete(PODS, meta["name"], meta["namespace"], uid=meta["uid"])
            await self._recorder.normal(REPLICA_SETS, found, "SuccessfulDelete", f"Deleted pod: {meta['name']}")
            pods.remove(pod)
        error = await self._create(found, pods, replicas(found) - len(pods))
        wanted, again = status(found, pods, error.message if error else None)
        if not same_status(found.get("status") or {}, wanted):
            await self.replace(REPLICA_SETS, {**found, "status": wanted}, subresource="status")
        if error:
            raise error
        return again

    async def _create(self, found: Json, pods: list[Json], count: int) -> ApiError | None:
        """Adds the missing Pods to ``pods``; the error that prevented one, if any."""
        for _ in range(count):
            try:
                pod = await self.create(PODS, new_pod(found))
            except ApiError as error:
                message = f"Error creating: {error.message}"
                await self._recorder.warning(REPLICA_SETS, found, "FailedCreate", message)
                return error
            pods.append(pod)
            name = pod["metadata"]["name"]
            await self._recorder.normal(REPLICA_SETS, found, "SuccessfulCreate", f"Created pod: {name}")
        return None
