# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner: Deployments become Pods, and Pods become processes of this machine.

It stands for the deployment controller, the scheduler and the kubelet together. Pods belong to their
Deployment directly; there are no ReplicaSets. A rolling update starts the new pods first and ends an old
one for each new one that is ready (maxSurge 100 %, maxUnavailable 0); strategy Recreate ends the old first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from sandbox.client import ApiError, Resource
from sandbox.controllers import images, ports, runner_objects
from sandbox.controllers.children import Supervisor
from sandbox.controllers.gateway_world import PODS, SECRETS, Json, Key
from sandbox.controllers.runner_instance import Instance
from sandbox.controllers.runtime import Controller, Watch, itself, key_of, owner

log = logging.getLogger("sandbox.runner")

DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")


class RunnerController(Controller):
    """Reconciles one Deployment a key; ``folder`` is the sandbox's state directory."""

    name: ClassVar[str] = "sandbox-runner"
    workers: ClassVar[int] = 4

    def __init__(self, folder: Path, supervisor: Supervisor, mesh_port: int) -> None:
        super().__init__()
        self._folder = folder
        self._supervisor = supervisor
        self._proxy = f"http://127.0.0.1:{mesh_port}"
        self._instances: dict[Key, Instance] = {}

    def watches(self) -> Sequence[Watch]:
        return [
            Watch(DEPLOYMENTS, itself),
            Watch(PODS, owner("Deployment")),
            Watch(SECRETS, self._users),
            Watch(CONFIG_MAPS, self._users),
        ]

    def _users(self, obj: Json) -> Iterable[Key]:
        """Deployments whose pods refer to a Secret or ConfigMap: for few pods, all of its namespace."""
        namespace = obj["metadata"]["namespace"]
        return [key_of(deployment) for deployment in self.cache(DEPLOYMENTS).list(namespace)]

    async def stop(self) -> None:
        await asyncio.gather(*(instance.stop() for instance in self._instances.values()))

    async def reconcile(self, key: Key) -> float | None:
        deployment = self.cache(DEPLOYMENTS).get(*key)
        pods = self._pods_of(key, deployment)
        await self._end_missing(key, pods)
        if deployment is None or deployment["metadata"].get("deletionTimestamp"):
            for pod in pods:
                await self._delete(pod)
            return None
        pods = [pod for pod in pods if not await self._delete_lost(pod)]
        pods = await self._scale(deployment, pods)
        for pod in pods:
            await self._sync(pod)
        status = runner_objects.deployment_status(deployment, self._pods_of(key, deployment))
        if not runner_objects.same_status(deployment.get("status") or {}, status):
            # The whole metadata: writing a status replaces a Deployment's owners and annotations too.
            await self.replace(DEPLOYMENTS, {**deployment, "status": status}, subresource="status")
        return None

    def _pods_of(self, key: Key, deployment: Json | None) -> list[Json]:
        """The Pods that the Deployment owns and that are not on their way out, oldest first."""
        found = []
        for pod in self.cache(PODS).list(key[0]):
            owners = [ref for ref in pod["metadata"].get("ownerReferences") or [] if ref["kind"] == "Deployment"]
            mine = any(
                ref["name"] == key[1] and (not deployment or ref["uid"] == deployment["metadata"]["uid"])
                for ref in owners
            )
            if mine and not pod["metadata"].get("deletionTimestamp"):
                found.append(pod)
        return sorted(found, key=lambda pod: pod["metadata"].get("creationTimestamp", ""))

    async def _end_missing(self, key: Key, pods: Sequence[Json]) -> None:
        """Ends the processes of Pods that were deleted."""
        living = {key_of(pod) for pod in pods}
        for pod_key, instance in list(self._instances.items()):
            owners = {ref["name"] for ref in instance.pod["metadata"].get("ownerReferences") or []}
            if pod_key[0] == key[0] and key[1] in owners and pod_key not in living:
                del self._instances[pod_key]
                await instance.stop()

    async def _delete_lost(self, pod: Json) -> bool:
        """Deletes a Pod whose processes belonged to a runner that is gone."""
        if key_of(pod) in self._instances:
            return False
        await self._delete(pod)
        return True

    async def _delete(self, pod: Json) -> None:
        instance = self._instances.pop(key_of(pod), None)
        await self.client.delete(
            PODS, pod["metadata"]["name"], pod["metadata"]["namespace"], uid=pod["metadata"]["uid"]
        )
        if instance:
            await instance.stop()

    async def _scale(self, deployment: Json, pods: list[Json]) -> list[Json]:
        """Creates and deletes Pods until those of the present template are as many as wanted."""
        wanted = deployment["spec"].get("replicas", 1)
        revision = runner_objects.template_hash(deployment)
        fresh = [pod for pod in pods if pod["metadata"]["labels"].get(runner_objects.HASH_LABEL) == revision]
        stale = [pod for pod in pods if pod not in fresh]
        if (deployment["spec"].get("strategy") or {}).get("type") == "Recreate":
            surplus = stale
        else:
            # An old pod goes for each new one that is ready, and every one too many.
            ready = sum(runner_objects.is_ready(pod) for pod in fresh)
            surplus = stale[: max(ready + len(stale) - wanted, 0)]
        surplus = surplus + fresh[wanted:]
        for pod in surplus:
            await self._delete(pod)
        kept = [pod for pod in pods if pod not in surplus]
        for _ in range(wanted - len(fresh)):
            kept.append(await self._create(deployment))
        return kept

    async def _create(self, deployment: Json) -> Json:
        local: dict[int, int] = {}
        for container in deployment["spec"]["template"]["spec"]["containers"]:
            image = images.find(container["image"])
            port = image.port(container) if image else None
            if port is not None:
                local[port] = ports.free_port(exclude=local.values())
        pod = await self.create(PODS, runner_objects.new_pod(deployment, local))
        key = key_of(pod)
        self._instances[key] = Instance(
            pod,
            local,
            folder=self._folder / "pods" / f"{key[0]}_{key[1]}",
            logs=self._folder / "logs",
            proxy=self._proxy,
            supervisor=self._supervisor,
            changed=lambda: self.queue.add(key_of(deployment)),
        )
        return pod

    async def _sync(self, pod: Json) -> None:
        instance = self._instances[key_of(pod)]
        namespace = pod["metadata"]["namespace"]

        def lookup(kind: str, name: str) -> Json | None:
            return self.cache(SECRETS if kind == "Secret" else CONFIG_MAPS).get(namespace, name)

        await instance.sync(lookup)
        status = runner_objects.pod_status(pod, instance.states())
        if not runner_objects.same_status(pod.get("status") or {}, status):
            try:
                await self.patch(PODS, pod, {"status": status}, subresource="status")
            except ApiError as error:
                if not error.not_found:
                    raise
