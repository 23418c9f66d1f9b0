# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments become ReplicaSets: the part of Kubernetes' deployment controller."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from sandbox.client import ApiError
from sandbox.controllers import runner_rollout as rollout
from sandbox.controllers.events import Recorder
from sandbox.controllers.runner_kinds import HASH_LABEL, Json, find_condition, is_controlled_by, same_status
from sandbox.controllers.runtime import Controller, Key, Watch, owner
from sandbox.kinds import DEPLOYMENTS, REPLICA_SETS


class DeploymentController(Controller):
    """Reconciles one Deployment a key: the ReplicaSet of its template, the others' ends, its status."""

    name: ClassVar[str] = "deployment-controller"

    def watches(self) -> Sequence[Watch]:
        return [Watch(DEPLOYMENTS), Watch(REPLICA_SETS, owner(DEPLOYMENTS.kind))]

    async def start(self) -> None:
        self._recorder = Recorder(self.client, self.name)

    async def reconcile(self, key: Key) -> float | None:
        deployment = self.cache(DEPLOYMENTS).get(*key)
        if deployment is None or deployment["metadata"].get("deletionTimestamp"):
            return None  # the garbage collector removes what it owned
        owned = [one for one in self.cache(REPLICA_SETS).list(key[0]) if is_controlled_by(one, deployment)]
        owned.sort(key=lambda one: (one["metadata"]["creationTimestamp"], rollout.revision(one)))
        digest = rollout.template_hash(deployment["spec"]["template"])
        new = next((one for one in owned if one["metadata"]["labels"].get(HASH_LABEL) == digest), None)
        old = [one for one in owned if one is not new]
        event = None
        if deployment["spec"].get("paused"):
            if not find_condition(deployment.get("status") or {}, "Progressing"):
                event = ("DeploymentPaused", "Deployment is paused")
        else:
            if new is None:
                new = await self._create(deployment, old)
                event = ("NewReplicaSetCreated", f'Created new replica set "{new["metadata"]["name"]}"')
            else:
                new = await self._renumber(deployment, new, old)
            deployment = await self._annotate(deployment, rollout.revision(new))
        if new is not None:
            sets = {one["metadata"]["name"]: one for one in (new, *old)}
            if deployment["spec"].get("paused"):
                wanted = {new["metadata"]["name"]: rollout.replicas(deployment)} if not old else {}
            else:
                wanted = rollout.sizes(deployment, new, old)
            for name, size in wanted.items():
                sets[name] = await self._resize(deployment, sets[name], size)
            new, old = sets[new["metadata"]["name"]], [sets[one["metadata"]["name"]] for one in old]
        status = rollout.status(deployment, new, old, event)
        if not same_status(deployment.get("status") or {}, status):
            # The whole metadata: writing a status replaces a Deployment's owners and annotations too.
            deployment = await self.replace(DEPLOYMENTS, {**deployment, "status": status}, subresource="status")
        await self._clean_up(deployment, new, old)
        left = rollout.deadline_left(deployment)
        failed = (find_condition(deployment.get("status") or {}, "Progressing") or {}).get("status") == "False"
        return None if failed or left == math.inf else max(left, 0) + 1

    async def _create(self, deployment: Json, old: Sequence[Json]) -> Json:
        number = max((rollout.revision(one) for one in old), default=0) + 1
        wanted = rollout.replica_set(deployment, number, 0)
        total = sum(rollout.replicas(one) for one in old)
        if not rollout.is_recreate(deployment) or not total:
            surge = rollout.limits(deployment)[0]
            most = rollout.replicas(deployment) + surge - total
            wanted["spec"]["replicas"] = max(0, min(most, rollout.replicas(deployment)))
        try:
            created = await self.create(REPLICA_SETS, wanted)
        except ApiError as error:
            if not error.conflict:
                await self._recorder.warning(
                    DEPLOYMENTS,
                    deployment,
                    "ReplicaSetCreateError",
                    f"Failed to create new replica set: {error.message}",
                )
            raise
        if size := rollout.replicas(created):
            await self._tell(deployment, created, 0, size)
        return created

    async def _tell(self, deployment: Json, one: Json, before: int, after: int) -> None:
        word = "up" if after > before else "down"
        message = f"Scaled {word} replica set {one['metadata']['name']} from {before} to {after}"
        await self._recorder.normal(DEPLOYMENTS, deployment, "ScalingReplicaSet", message)

    async def _renumber(self, deployment: Json, new: Json, old: Sequence[Json]) -> Json:
        """A template that was there before (a rollback) gets the newest revision; the number it had is remembered."""
        most = max((rollout.revision(one) for one in old), default=0)
        number = max(rollout.revision(new), most + 1)
        wanted = rollout.set_annotations(deployment, number)
        have = new["metadata"].get("annotations") or {}
        if number != rollout.revision(new):
            history = [*filter(None, have.get(rollout.REVISION_HISTORY, "").split(",")), str(rollout.revision(new))]
            wanted[rollout.REVISION_HISTORY] = ",".join(history)
        if wanted.items() <= have.items():
            return new
        return await self.patch(REPLICA_SETS, new, {"metadata": {"annotations": wanted}})

    async def _annotate(self, deployment: Json, number: int) -> Json:
        if rollout.revision(deployment) == number:
            return deployment
        change = {"metadata": {"annotations": {rollout.REVISION: str(number)}}}
        return await self.patch(DEPLOYMENTS, deployment, change)

    async def _resize(self, deployment: Json, one: Json, size: int) -> Json:
        before = rollout.replicas(one)
        if before == size:
            return one
        resized = await self.patch(REPLICA_SETS, one, {"spec": {"replicas": size}})
        await self._tell(deployment, one, before, size)
        return resized

    async def _clean_up(self, deployment: Json, new: Json | None, old: Sequence[Json]) -> None:
        """Forgets the oldest revisions beyond ``spec.revisionHistoryLimit``, once the rollout is complete."""
        limit = deployment["spec"].get("revisionHistoryLimit", 10)
        idle = [
            one
            for one in sorted(old, key=rollout.revision)
            if not rollout.replicas(one) and not rollout.counted(one, "replicas")
        ]
        for one in idle[: max(len(old) - limit, 0)] if new else []:
            meta = one["metadata"]
            await self.client.delete(REPLICA_SETS, meta["name"], meta["namespace"], uid=meta["uid"])
