# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runner: Pods become processes of this machine. It stands for the kubelet of the one node that there is.

A Pod's local ports and the folder with its logs are in its annotations ``sandbox.mcpops.io/ports`` and
``sandbox.mcpops.io/logs``; the log of a container is ``pod-NAMESPACE-POD-CONTAINER.log`` in it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar

import yaml
from sandbox.client import ApiError
from sandbox.controllers import images, ports
from sandbox.controllers.children import Supervisor
from sandbox.controllers.events import Recorder
from sandbox.controllers.gateway_world import PORTS_ANNOTATION
from sandbox.controllers.runner_instance import Instance
from sandbox.controllers.runner_kinds import NODE, Json, same_status
from sandbox.controllers.runner_objects import address, pod_status, ports_text
from sandbox.controllers.runner_volumes import Lookup
from sandbox.controllers.runtime import Controller, Key, Watch, key_of
from sandbox.kinds import CONFIG_MAPS, CRDS, PODS, SECRETS, SERVICE_ACCOUNTS

LOGS_ANNOTATION = "sandbox.mcpops.io/logs"
TOKEN_SECONDS = 7 * 24 * 3600
"""A sandbox does not live that long, so nothing renews the token."""
KINDS = {"Secret": SECRETS, "ConfigMap": CONFIG_MAPS}


class RunnerController(Controller):
    """Reconciles one Pod a key; ``folder`` is the sandbox's state directory."""

    name: ClassVar[str] = "kubelet"
    workers: ClassVar[int] = 4

    def __init__(self, folder: Path, supervisor: Supervisor, mesh_port: int) -> None:
        super().__init__()
        self._folder = folder
        self._supervisor = supervisor
        self._proxy = f"http://127.0.0.1:{mesh_port}"
        self._instances: dict[str, Instance] = {}
        self._ending: dict[str, asyncio.Task[None]] = {}

    def watches(self) -> Sequence[Watch]:
        return [
            Watch(PODS),
            Watch(SECRETS, self._users),
            Watch(CONFIG_MAPS, self._users),
            Watch(CRDS, lambda _: []),
        ]

    def _users(self, obj: Json) -> Iterable[Key]:
        """Pods that may refer to a Secret or ConfigMap: for few pods, all of its namespace."""
        return [key_of(pod) for pod in self.cache(PODS).list(obj["metadata"]["namespace"])]

    async def start(self) -> None:
        self._recorder = Recorder(self.client, self.name, host=NODE)
        self._scheduler = Recorder(self.client, "default-scheduler")

    async def stop(self) -> None:
        await asyncio.gather(*(instance.stop(2.0) for instance in self._instances.values()))

    async def reconcile(self, key: Key) -> float | None:
        pod = self.cache(PODS).get(*key)
        await self._end_missing(key, pod)
        if pod is None:
            return None
        if pod["metadata"].get("deletionTimestamp"):
            await self._end(pod)
            return None
        if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            return None
        instance = self._instances.get(pod["metadata"]["uid"])
        if instance is None:
            pod, instance = await self._begin(pod)
        await instance.sync(self._lookup(key[0]))
        await self._write_status(key, instance)
        return None

    def _lookup(self, namespace: str) -> Lookup:
        def find(kind: str, name: str) -> Json | None:
            if kind == CRDS.kind:
                return self.cache(CRDS).get("", name)
            return self.cache(KINDS[kind]).get(namespace, name)

        return find

    async def _write_status(self, key: Key, instance: Instance) -> None:
        pod = self.cache(PODS).get(*key)
        if pod is None or pod["metadata"]["uid"] != instance.pod["metadata"]["uid"]:
            return
        taken = {(other.get("status") or {}).get("podIP") for other in self.cache(PODS).list()}
        old = (pod.get("status") or {}).get("podIP")
        ip = old or address(pod["metadata"]["uid"], {found for found in taken if found})
        status = pod_status(pod, instance.states(), ip)
        if not same_status(pod.get("status") or {}, status):
            try:
                await self.patch(PODS, pod, {"status": status}, subresource="status")
            except ApiError as error:
                if not error.not_found:
                    raise

    async def _begin(self, pod: Json) -> tuple[Json, Instance]:
        """Chooses the local ports of a Pod (those that it had, when they are free) and makes its instance."""
        annotations = pod["metadata"].get("annotations") or {}
        known = {int(port): local for port, local in json.loads(annotations.get(PORTS_ANNOTATION, "{}")).items()}
        local: dict[int, int] = {}
        for container in pod["spec"]["containers"]:
            image = images.find(container["image"])
            port = image.port(container) if image else None
            if port is not None:
                kept = known.get(port)
                local[port] = kept if kept and ports.is_free(kept) else ports.free_port(exclude=local.values())
        wanted = {PORTS_ANNOTATION: ports_text(local), LOGS_ANNOTATION: str(self._folder / "logs")}
        if not wanted.items() <= annotations.items():
            pod = await self.patch(PODS, pod, {"metadata": {"annotations": wanted}})
        key = key_of(pod)
        if not (pod.get("status") or {}).get("startTime"):
            message = f"Successfully assigned {key[0]}/{key[1]} to {NODE}"
            await self._scheduler.normal(PODS, pod, "Scheduled", message)
        env = await self._account(pod) if pod["spec"].get("automountServiceAccountToken") else {}
        instance = self._instances[pod["metadata"]["uid"]] = Instance(
            pod,
            local,
            env=env,
            folder=self._folder / "pods" / f"{key[0]}_{key[1]}",
            logs=self._folder / "logs",
            proxy=self._proxy,
            supervisor=self._supervisor,
            recorder=self._recorder,
            changed=lambda: self.queue.add(key),
        )
        return pod, instance

    async def _account(self, pod: Json) -> dict[str, str]:
        """The Pod's service account. There is no /var/run/secrets of the Pod's own here, so it gets a kubeconfig."""
        meta = pod["metadata"]
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": TOKEN_SECONDS, "audiences": []},
        }
        path = SERVICE_ACCOUNTS.path(meta["namespace"], pod["spec"]["serviceAccountName"], "token")
        answer = await self.client.request("POST", path, body=body)
        config = yaml.safe_load((self._folder / "kubeconfig").read_text(encoding="utf-8"))
        for user in config["users"]:
            user["user"] = {"token": answer["status"]["token"]}
        for context in config["contexts"]:
            context["context"]["namespace"] = meta["namespace"]
        folder = self._folder / "pods" / f"{meta['namespace']}_{meta['name']}"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = folder / "kubeconfig"
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        return {"KUBECONFIG": str(file)}

    async def _end(self, pod: Json) -> None:
        """Ends a Pod that is being deleted: its processes have their grace period, then the object goes."""
        meta = pod["metadata"]
        if instance := self._instances.pop(meta["uid"], None):
            self._ending[meta["uid"]] = asyncio.create_task(self._stop(pod, instance))
        elif meta["uid"] not in self._ending:
            await self.client.delete(PODS, meta["name"], meta["namespace"], uid=meta["uid"], grace=0)

    async def _stop(self, pod: Json, instance: Instance) -> None:
        try:
            await instance.say_goodbye()
            await instance.stop(pod["metadata"].get("deletionGracePeriodSeconds"))
        finally:
            del self._ending[pod["metadata"]["uid"]]
            self.queue.add(key_of(pod))

    async def _end_missing(self, key: Key, pod: Json | None) -> None:
        """Ends the processes of a Pod that was removed at once, or replaced by one of the same name."""
        uid = pod["metadata"]["uid"] if pod else ""
        for other, instance in list(self._instances.items()):
            if key_of(instance.pod) == key and other != uid:
                del self._instances[other]
                await instance.stop(0.5)
