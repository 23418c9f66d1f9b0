# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pod as local processes: its folder, its volumes, its containers, their restarts and probes.

States, reasons, messages and events are the kubelet's (kubernetes, pkg/kubelet: kuberuntime/kuberuntime_manager.go,
kuberuntime_container.go, images/image_manager.go, prober/prober.go).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sandbox import processes
from sandbox.controllers import images, runner_volumes
from sandbox.controllers.children import Child, Supervisor
from sandbox.controllers.events import Recorder
from sandbox.controllers.gateway_status import now
from sandbox.controllers.runner_kinds import go_duration
from sandbox.controllers.runner_objects import ContainerState
from sandbox.controllers.runner_probes import Probe, probes_of
from sandbox.faults import switches
from sandbox.faults.book import Fault
from sandbox.faults.upstream import FOLDER
from sandbox.kinds import CRDS, PODS

Json = dict[str, Any]

BACKOFF_FIRST, BACKOFF_MOST = 0.5, 15.0
"""Seconds before the second restart (the first is at once), and the longest pause that doubling leads to: a twentieth
of Kubernetes'."""
STEADY_SECONDS = 30.0
"""A container that ran this long starts again without a pause."""

LAST_BYTES, LAST_LINES = 2048, 80
"""Of its log in a container's termination message (kubernetes, pkg/kubelet/container/runtime.go)."""


class Container:
    """A container of the pod: what its status tells, its process and when it may start again."""

    def __init__(self, spec: Json, old: Json | None) -> None:
        self.spec = spec
        self.tells = ContainerState(spec["name"], spec["image"])
        self.child: Child | None = None
        self.tasks: list[asyncio.Task[None]] = []
        self.pause = 0.0
        self.due = 0.0
        self.began = 0.0
        self.log_start = 0
        """Where in the log that begins which it has written since it was started."""
        self.up = asyncio.Event()
        """Whether its startup probe has succeeded; the others wait for it."""
        self.ended = False
        self.finished = False
        if old and (old.get("restartCount") or old.get("started") or old.get("lastState")):
            # The process went with the runner that had started it.
            self.tells.restarts = old.get("restartCount", 0) + 1
            lost = {"exitCode": 137, "reason": "ContainerStatusUnknown", "startedAt": None, "finishedAt": None}
            lost["message"] = "The container could not be located when the pod was terminated"
            self.tells.last = {"terminated": lost}

    @property
    def path(self) -> str:
        """The field of the pod that its events are about."""
        return f"spec.containers{{{self.spec['name']}}}"

    def waits(self, reason: str, message: str = "") -> bool:
        """Sets the state to waiting; says whether that is news."""
        state = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
        news = state != self.tells.state
        self.tells.state, self.tells.ready, self.tells.started = state, False, False
        return news

    def end_tasks(self) -> None:
        """Ends its probes."""
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self.tasks.clear()


class Instance:
    """A Pod object brought to life; ``changed`` is called whenever the status of a container changed."""

    def __init__(
        self,
        pod: Json,
        ports: Mapping[int, int],
        *,
        env: Mapping[str, str],
        folder: Path,
        logs: Path,
        proxy: str,
        supervisor: Supervisor,
        recorder: Recorder,
        changed: Callable[[], None],
    ) -> None:
        self.pod = pod
        self.ports = ports
        self._env = env
        """Of every container, beside its own."""
        old = {entry["name"]: entry for entry in (pod.get("status") or {}).get("containerStatuses") or []}
        self.containers = [Container(spec, old.get(spec["name"])) for spec in pod["spec"]["containers"]]
        self._folder = folder
        self._logs = logs
        self._proxy = proxy
        self._supervisor = supervisor
        self._recorder = recorder
        self._changed = changed
        self._timers: set[asyncio.TimerHandle] = set()
        self._stopped = False

    def states(self) -> list[ContainerState]:
        """What the status tells of the containers."""
        return [container.tells for container in self.containers]

    def log_file(self, container: str) -> Path:
        """Where a container's output is."""
        meta = self.pod["metadata"]
        return self._logs / f"pod-{meta['namespace']}-{meta['name']}-{container}.log"

    async def sync(self, lookup: runner_volumes.Lookup) -> None:
        """Brings the volumes up to date and starts the containers that are to start now."""
        try:
            mounts = self._write_volumes(lookup)
        except runner_volumes.NotReadyError as error:
            # The containers stay in ContainerCreating until the object appears.
            await self._warn("FailedMount", str(error))
            return
        for container in self.containers:
            if container.tells.running and _held(container):
                self._ended(container, 1, "Error", "")
            if not container.child and not container.finished and not self._stopped and self._is_due(container):
                await self._start(container, mounts, lookup)

    def _is_due(self, container: Container) -> bool:
        return not container.tells.running and time.monotonic() >= container.due

    def _write_volumes(self, lookup: runner_volumes.Lookup) -> dict[str, Path]:
        """Writes all volumes; returns their folders by name."""
        folders = {}
        for volume in self.pod["spec"].get("volumes") or []:
            files = runner_volumes.volume_files(volume, lookup)
            folders[volume["name"]] = self._folder / "volumes" / volume["name"]
            runner_volumes.write(folders[volume["name"]], files)
        return folders

    # ---- start

    async def _start(self, container: Container, volumes: Mapping[str, Path], lookup: runner_volumes.Lookup) -> None:
        reference = container.spec["image"]
        image = images.find(reference)
        if image is None:
            await self._cannot_pull(container, reference)
            return
        try:
            env = runner_volumes.environment(container.spec, self.pod, lookup)
        except runner_volumes.NotReadyError as error:
            if container.waits("CreateContainerConfigError", str(error)):
                await self._warn("Failed", f"Error: {error}", container.path)
            return
        await self._tell("Pulled", f'Container image "{reference}" already present on machine', container.path)
        await self._tell("Created", f"Created container: {container.spec['name']}", container.path)
        if container.ended:
            container.ended = False
            container.tells.restarts += 1
        if image.program is None:
            await self._pretend(container, image, lookup)
            return
        mounts = {}
        for mount in container.spec.get("volumeMounts") or []:
            if source := volumes.get(mount["name"]):
                mounts[mount["mountPath"]] = source / mount["subPath"] if mount.get("subPath") else source
        program = image.program(container.spec, images.Place(self.ports, mounts))
        meta = self.pod["metadata"]
        proxy = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"), self._proxy)
        proxy |= dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
        log_file = self.log_file(container.spec["name"])
        container.log_start = log_file.stat().st_size if log_file.exists() else 0
        try:
            container.child = await self._supervisor.start(
                log_file.stem,
                program.command,
                log=log_file,
                env=processes.environment(
                    {
                        **proxy,
                        "HOSTNAME": meta["name"],
                        FOLDER: str(self._logs.parent),
                        **self._env,
                        **env,
                        **program.env,
                    }
                ),
                on_exit=lambda code: self._on_exit(container, code),
                restart=False,
            )
        except OSError as error:
            await self._not_started(container, str(error))
            return
        await self._running(container, image)

    async def _cannot_pull(self, container: Container, reference: str) -> None:
        problem = f'failed to pull and unpack image "{reference}": the sandbox has no such image'
        if container.pause == 0:
            await self._tell("Pulling", f'Pulling image "{reference}"', container.path)
            await self._warn("Failed", f'Failed to pull image "{reference}": {problem}', container.path)
            await self._warn("Failed", "Error: ErrImagePull", container.path)
            container.waits("ErrImagePull", problem)
            self._again(container, BACKOFF_FIRST)
        elif container.waits("ImagePullBackOff", f'Back-off pulling image "{reference}": ErrImagePull: {problem}'):
            await self._tell("BackOff", f'Back-off pulling image "{reference}"', container.path)
            await self._warn("Failed", "Error: ImagePullBackOff", container.path)
            container.finished = True  # what images there are does not change

    async def _not_started(self, container: Container, problem: str) -> None:
        await self._warn("Failed", f"Error: {problem}", container.path)
        self._ended(container, 128, "StartError", problem)

    async def _pretend(self, container: Container, image: images.Image, lookup: runner_volumes.Lookup) -> None:
        """A program whose work the sandbox does elsewhere: it only ends when something that it needs is missing."""
        await self._running(container, image)
        missing = [name for name in image.needs if lookup(CRDS.kind, name) is None]
        problems = [f"no matches for the kind of {name}: its CRD is missing" for name in missing]
        if fault := _held(container):
            problems.append(f"the fault {fault.name} is active")
        if not problems:
            return
        with self.log_file(container.spec["name"]).open("a", encoding="utf-8") as log:
            log.writelines(f"{now()} ERROR setup: {problem}\n" for problem in problems)
        self._ended(container, 1, "Error", "")

    async def _running(self, container: Container, image: images.Image) -> None:
        tells, served = container.tells, image.port(container.spec)
        container.began = time.monotonic()
        tells.identity = f"{self.pod['metadata']['uid']}-{container.spec['name']}-{tells.restarts}"
        tells.state = {"running": {"startedAt": now()}}
        await self._tell("Started", f"Started container {container.spec['name']}", container.path)
        if not container.child and image.program is not None:
            return  # it ended meanwhile
        annotations = self.pod["metadata"].get("annotations") or {}
        probes = probes_of(container.spec, self.ports, served, annotations) if image.program is not None else []
        kinds = {probe.kind for probe in probes}
        tells.started = "Startup" not in kinds
        container.up = asyncio.Event()
        if tells.started:
            container.up.set()
        tells.ready = tells.started and "Readiness" not in kinds
        for probe in probes:
            container.tasks.append(asyncio.create_task(self._watch_over(container, probe)))
        self._changed()

    # ---- probes

    async def _watch_over(self, container: Container, probe: Probe) -> None:
        async def failed(problem: str) -> None:
            await self._warn("Unhealthy", f"{probe.kind} probe failed: {problem}", container.path)

        async def judged(good: bool) -> None:
            if probe.kind == "Readiness":
                container.tells.ready = good and container.tells.started
                self._changed()
            elif good:
                container.tells.started = True
                container.up.set()
                if not container.spec.get("readinessProbe"):
                    container.tells.ready = True
                self._changed()
            else:
                await self._kill(container, f"failed {probe.kind.lower()} probe, will be restarted")

        if probe.kind != "Startup":
            await container.up.wait()
        await probe.run(judged, failed, good=probe.kind == "Liveness")

    async def _kill(self, container: Container, why: str) -> None:
        await self._tell("Killing", f"Container {container.spec['name']} {why}", container.path)
        if container.child:
            container.child.terminate()

    # ---- end

    def _on_exit(self, container: Container, code: int) -> None:
        container.child = None
        number = 128 - code if code < 0 else code
        policy = container.spec.get("terminationMessagePolicy")
        message = self._last_lines(container) if code and policy == "FallbackToLogsOnError" else ""
        self._ended(container, number, "Completed" if code == 0 else "Error", message)

    def _last_lines(self, container: Container) -> str:
        """The end of what its program wrote since it started (the file of termination messages is always empty)."""
        with self.log_file(container.spec["name"]).open("rb") as log:
            log.seek(max(container.log_start, log.seek(0, os.SEEK_END) - LAST_BYTES))
            return "".join(log.read().decode(errors="replace").splitlines(keepends=True)[-LAST_LINES:])

    def _ended(self, container: Container, code: int, reason: str, message: str) -> None:
        """Notes the end and decides when the container starts again."""
        container.end_tasks()
        container.ended = True
        tells = container.tells
        begun = (tells.state.get("running") or {}).get("startedAt")
        end = {"exitCode": code, "reason": reason, "startedAt": begun, "finishedAt": now()}
        end |= {"containerID": f"sandbox://{tells.identity}", **({"message": message} if message else {})}
        tells.ready = tells.started = False
        tells.state = {"terminated": end}
        policy = self.pod["spec"].get("restartPolicy", "Always")
        if self._stopped or policy == "Never" or (policy == "OnFailure" and code == 0):
            container.finished = True
            self._changed()
            return
        if time.monotonic() - container.began > STEADY_SECONDS:
            container.pause = 0.0
        pause = container.pause
        tells.last = {"terminated": end}
        if pause:
            meta = self.pod["metadata"]
            where = f"{container.spec['name']} in pod {meta['name']}_{meta['namespace']}({meta['uid']})"
            text = f"back-off {go_duration(pause)} restarting failed container={container.spec['name']} "
            container.waits("CrashLoopBackOff", f"{text}pod={meta['name']}_{meta['namespace']}({meta['uid']})")
            task = asyncio.create_task(
                self._warn("BackOff", f"Back-off restarting failed container {where}", container.path)
            )
            container.tasks.append(task)
        self._again(container, pause)
        self._changed()

    def _again(self, container: Container, pause: float) -> None:
        container.due = time.monotonic() + pause
        container.pause = min(max(2 * pause, BACKOFF_FIRST), BACKOFF_MOST)
        loop = asyncio.get_running_loop()
        self._timers = {timer for timer in self._timers if timer.when() > loop.time()}
        self._timers.add(loop.call_later(pause, self._changed))

    async def stop(self, patience: float | None = None) -> None:
        """Ends the processes (SIGKILL after the grace period or ``patience``) and removes the pod's folder."""
        self._stopped = True
        for timer in self._timers:
            timer.cancel()
        if patience is None:
            patience = self.pod["spec"].get("terminationGracePeriodSeconds", 30)
        children = []
        for container in self.containers:
            container.end_tasks()
            if container.child:
                children.append(container.child)
        await asyncio.gather(*(self._supervisor.stop(child, patience) for child in children))
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def say_goodbye(self) -> None:
        """Records that the containers are being stopped."""
        for container in self.containers:
            if container.tells.running:
                await self._tell("Killing", f"Stopping container {container.spec['name']}", container.path)

    async def _tell(self, reason: str, message: str, path: str = "") -> None:
        await self._recorder.normal(PODS, self.pod, reason, message, path)

    async def _warn(self, reason: str, message: str, path: str = "") -> None:
        await self._recorder.warning(PODS, self.pod, reason, message, path)


def _held(container: Container) -> Fault | None:
    """The fault that lets a pretended program end, if it is active."""
    image = images.find(container.spec["image"])
    if image is None or image.program is not None:
        return None
    fault = switches.on("operator-crash-looping")
    if fault:
        switches.strike(fault, f"container {container.spec['name']}")
    return fault
