# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pod as local processes: its folder, its volumes, its containers, its readiness."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from sandbox import processes
from sandbox.controllers import images, runner_volumes
from sandbox.controllers.children import Child, Supervisor
from sandbox.controllers.gateway_status import now
from sandbox.faults.upstream import FOLDER

log = logging.getLogger("sandbox.runner")

Json = dict[str, Any]

EAGER_SECONDS = 0.05
"""Pause between probes of a container that is not ready yet; Kubernetes' own delays would only make people wait."""


@dataclass(slots=True)
class Container:
    """The state of one container."""

    spec: Json
    child: Child | None = None
    started: str | None = None
    ready: bool = False
    waiting: tuple[str, str] = ("ContainerCreating", "")
    probe: asyncio.Task[None] | None = field(default=None, repr=False)

    def state(self) -> Json:
        """What `runner_objects.pod_status` needs."""
        return {
            "name": self.spec["name"],
            "image": self.spec["image"],
            "started": self.started,
            "ready": self.ready,
            "restarts": self.child.restarts if self.child else 0,
            "waiting": self.waiting,
        }


class Instance:
    """A Pod object brought to life; ``changed`` is called whenever the status of a container changed."""

    def __init__(
        self,
        pod: Json,
        ports: Mapping[int, int],
        *,
        folder: Path,
        logs: Path,
        proxy: str,
        supervisor: Supervisor,
        changed: Callable[[], None],
    ) -> None:
        self.pod = pod
        self.ports = ports
        self.containers = [Container(spec) for spec in pod["spec"]["containers"]]
        self._folder = folder
        self._logs = logs
        self._proxy = proxy
        self._supervisor = supervisor
        self._changed = changed

    @property
    def complete(self) -> bool:
        """Whether every container has been started (or never will be)."""
        return all(container.child or container.started for container in self.containers)

    def states(self) -> list[Json]:
        """The containers' states."""
        return [container.state() for container in self.containers]

    async def sync(self, lookup: runner_volumes.Lookup) -> None:
        """Brings the volumes up to date and starts the containers that can be started."""
        for container in self.containers:
            if images.find(container.spec["image"]) is None:
                message = f'Back-off pulling image "{container.spec["image"]}": the sandbox has no such image'
                container.waiting = ("ImagePullBackOff", message)
        try:
            mounts = self._write_volumes(lookup)
        except runner_volumes.NotReadyError as error:
            log.info("%s: %s", self.pod["metadata"]["name"], error)
            return  # the pod stays in ContainerCreating, as in a cluster, until the object appears
        for container in self.containers:
            if not container.child and not container.started:
                await self._start(container, mounts, lookup)

    def _write_volumes(self, lookup: runner_volumes.Lookup) -> dict[str, Path]:
        """Writes all volumes; returns their folders by name."""
        folders = {}
        for volume in self.pod["spec"].get("volumes") or []:
            files = runner_volumes.volume_files(volume, lookup)
            folders[volume["name"]] = self._folder / "volumes" / volume["name"]
            runner_volumes.write(folders[volume["name"]], files)
        return folders

    async def _start(self, container: Container, volumes: Mapping[str, Path], lookup: runner_volumes.Lookup) -> None:
        image = images.find(container.spec["image"])
        if image is None:
            return
        if image.program is None:
            container.started, container.ready = now(), True
            return
        try:
            env = runner_volumes.environment(container.spec, self.pod, lookup)
        except runner_volumes.NotReadyError as error:
            container.waiting = ("CreateContainerConfigError", str(error))
            return
        mounts = {}
        for mount in container.spec.get("volumeMounts") or []:
            source = volumes.get(mount["name"])
            if source:
                mounts[mount["mountPath"]] = source / mount["subPath"] if mount.get("subPath") else source
        program = image.program(container.spec, images.Place(self.ports, mounts))
        meta = self.pod["metadata"]
        name = f"pod-{meta['namespace']}-{meta['name']}-{container.spec['name']}"
        proxy = {
            "HTTP_PROXY": self._proxy,
            "http_proxy": self._proxy,
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }
        try:
            container.child = await self._supervisor.start(
                name,
                program.command,
                log=self._logs / f"{name}.log",
                env=processes.environment(
                    {**proxy, "HOSTNAME": meta["name"], FOLDER: str(self._logs.parent), **env, **program.env}
                ),
                on_start=lambda: self._on_start(container, image),
                on_exit=lambda code: self._on_exit(container, code),
            )
        except OSError as error:
            container.waiting = ("RunContainerError", str(error))

    def _on_start(self, container: Container, image: images.Image) -> None:
        container.started = now()
        port = image.port(container.spec)
        container.ready = port is None
        if port is not None:
            container.probe = asyncio.create_task(self._probe(container, self.ports[port]))
        self._changed()

    def _on_exit(self, container: Container, code: int) -> None:
        if container.probe:
            container.probe.cancel()
        container.started, container.ready = None, False
        container.waiting = ("CrashLoopBackOff", f"the process ended with code {code}; see its log in {self._logs}")
        self._changed()

    async def _probe(self, container: Container, default_port: int) -> None:
        """Keeps ``ready`` true to the readiness probe; without one, to whether the port accepts connections."""
        probe = container.spec.get("readinessProbe") or {}
        failures = 0
        while True:
            good = await self._answers(container, probe, default_port)
            failures = 0 if good else failures + 1
            ready = good or (container.ready and failures < probe.get("failureThreshold", 3))
            if ready != container.ready:
                container.ready = ready
                self._changed()
            await asyncio.sleep(min(probe.get("periodSeconds", 10), 2) if container.ready else EAGER_SECONDS)

    async def _answers(self, container: Container, probe: Json, default_port: int) -> bool:
        get = probe.get("httpGet")
        limit = aiohttp.ClientTimeout(total=max(probe.get("timeoutSeconds", 1), 1))
        if not get:
            try:
                _, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", default_port), limit.total)
            except (OSError, TimeoutError):
                return False
            writer.close()
            return True
        url = f"http://127.0.0.1:{self._local(container, get['port']) or default_port}{get.get('path', '/')}"
        headers = {entry["name"]: entry["value"] for entry in get.get("httpHeaders") or []}
        try:
            async with aiohttp.ClientSession(timeout=limit) as session, session.get(url, headers=headers) as answer:
                return 200 <= answer.status < 400
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    def _local(self, container: Container, port: int | str) -> int | None:
        for entry in container.spec.get("ports") or []:
            if port in (entry.get("name"), entry["containerPort"]):
                return self.ports.get(entry["containerPort"])
        return None

    async def stop(self) -> None:
        """Ends the processes and removes the pod's folder."""
        for container in self.containers:
            if container.probe:
                container.probe.cancel()
        patience = min(self.pod["spec"].get("terminationGracePeriodSeconds", 30), 5)
        children = [container.child for container in self.containers if container.child]
        await asyncio.gather(*(self._supervisor.stop(child, patience) for child in children))
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
