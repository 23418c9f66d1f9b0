# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workloads of a running sandbox as ``kubectl`` sees and steers them, and after the controllers were killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from dataplane_box import APPS, Box, alive, until
from sandbox.client import Object
from sandbox.controllers.runner_kinds import is_ready
from sandbox.kinds import DEPLOYMENTS, PODS, REPLICA_SETS

KUBECTL = str(Path(sys.executable).with_name("kubectl"))
LOCAL = "sandbox.mcpops.io/local"
SLEEP = {"image": f"{LOCAL}:1", "command": ["sleep", "600"]}


class Kubectl:
    """kubectl on a sandbox, in the namespace of the demo's servers; returns what it prints."""

    def __init__(self, box: Box) -> None:
        self._box = box

    def __call__(self, *words: str) -> str:
        command = [KUBECTL, "--kubeconfig", str(self._box.folder / "kubeconfig"), "-n", APPS, *words]
        env = {**os.environ, "KUBECACHEDIR": str(self._box.folder / "kubectl")}
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=env)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def kubectl(cluster: Box) -> Kubectl:
    """kubectl as the sandbox's administrator, in the namespace of the demo's servers."""
    return Kubectl(cluster)


async def test_rollouts_are_followed_undone_and_restarted(cluster: Box, kubectl: Kubectl) -> None:
    await cluster.deployment("steered", SLEEP)
    assert 'deployment "steered" successfully rolled out' in kubectl("rollout", "status", "deploy/steered")
    kubectl("set", "image", "deploy/steered", f"main={LOCAL}:2")
    assert "successfully rolled out" in kubectl("rollout", "status", "deploy/steered")
    history = kubectl("rollout", "history", "deploy/steered")
    assert [line.split()[0] for line in history.splitlines() if line[:1].isdigit()] == ["1", "2"]
    assert "rolled back" in kubectl("rollout", "undo", "deploy/steered")
    kubectl("rollout", "status", "deploy/steered")
    found = await cluster.client.get(DEPLOYMENTS, "steered", APPS)
    assert found
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == f"{LOCAL}:1"
    before = {pod["metadata"]["name"] for pod in await cluster.pods("steered") if is_ready(pod)}
    kubectl("rollout", "restart", "deploy/steered")
    kubectl("rollout", "status", "deploy/steered")

    async def renewed() -> bool:
        names = {pod["metadata"]["name"] for pod in await cluster.pods("steered")}
        return len(names) == 1 and not names & before

    await until(renewed)


async def test_scaling_to_none_and_to_many(cluster: Box, kubectl: Kubectl) -> None:
    await cluster.deployment("scaled", SLEEP)
    kubectl("scale", "deploy/scaled", "--replicas=3")
    kubectl("rollout", "status", "deploy/scaled")
    assert len(await cluster.pods("scaled")) == 3
    kubectl("scale", "deploy/scaled", "--replicas=0")
    found = await cluster.available("scaled")
    assert not found["status"].get("replicas")
    kubectl("wait", "pod", "-l", "app=scaled", "--for=delete", "--timeout=60s")


async def test_describe_shows_what_happened(cluster: Box, kubectl: Kubectl) -> None:
    await cluster.deployment("told", {"image": f"{LOCAL}:1", "command": ["sh", "-c", "exit 7"]})

    async def looping() -> bool:
        pods = [await cluster.client.get(PODS, pod["metadata"]["name"], APPS) for pod in await cluster.pods("told")]
        return any("CrashLoopBackOff" in str((pod or {}).get("status")) for pod in pods)

    await until(looping)
    text = kubectl("describe", "pod", "-l", "app=told")
    for part in ("Exit Code:    7", "Reason:       Error", "Back-off restarting failed container main", "Scheduled"):
        assert part in text, text
    assert "Scaled up replica set told-" in kubectl("describe", "deploy/told")


async def test_a_foreground_deletion_takes_everything(cluster: Box, kubectl: Kubectl) -> None:
    await cluster.deployment("whole", SLEEP)
    await cluster.available("whole")
    kubectl("delete", "deploy/whole", "--cascade=foreground", "--timeout=60s")
    assert await cluster.pods("whole") == []
    sets, _ = await cluster.client.list(REPLICA_SETS, APPS, "app=whole")
    assert sets == []


async def test_pods_survive_their_killed_runner(cluster: Box) -> None:
    await cluster.deployment("survivor", SLEEP)
    await cluster.available("survivor")
    (before,) = await cluster.pods("survivor")
    pids = cluster.pids()
    os.kill(pids["controllers"], signal.SIGKILL)
    children = [pid for name, pid in pids.items() if not name.startswith(("api", "controllers"))]

    async def ended() -> bool:
        return not any(alive(pid) for pid in children)

    await until(ended)  # by the kernel on Linux, by the next `up` elsewhere
    cluster.run("up", "--api", cluster.api)

    async def again() -> Object | None:
        pods = await cluster.pods("survivor")
        return next((pod for pod in pods if is_ready(pod) and _restarts(pod)), None)

    after = await until(again)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    last = after["status"]["containerStatuses"][0]["lastState"]["terminated"]
    assert (last["exitCode"], last["reason"]) == (137, "ContainerStatusUnknown")


def _restarts(pod: Object) -> int:
    return int(pod["status"]["containerStatuses"][0]["restartCount"])
