# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments, ReplicaSets, Pods and Endpoints against an API server, with processes of this machine as containers."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from sandbox.client import Object, Resource
from sandbox.controllers.children import Supervisor
from sandbox.controllers.runner import LOGS_ANNOTATION, RunnerController
from sandbox.controllers.runner_deployments import DeploymentController
from sandbox.controllers.runner_endpoints import SERVICE_LABEL, EndpointsController
from sandbox.controllers.runner_kinds import find_condition, is_ready
from sandbox.controllers.runner_replicasets import ReplicaSetController
from sandbox.controllers.runner_rollout import REVISION, REVISION_HISTORY
from sandbox.kinds import DEPLOYMENTS, ENDPOINT_SLICES, ENDPOINTS, EVENTS, PODS, REPLICA_SETS, SERVICES
from unit.sandbox.operators.kit import Cluster, running

SERVE = [
    sys.executable,
    "-c",
    "import http.server as h, os; h.test(h.SimpleHTTPRequestHandler, port=int(os.environ['PORT']), bind='127.0.0.1')",
]
LABELS = {"app": "web"}


class Site:
    """One test's namespace."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace

    async def deploy(self, container: Object | None = None, replicas: int = 1, **spec: Any) -> None:
        main = {"name": "main", "image": "sandbox.mcpops.io/local", "ports": [{"name": "http", "containerPort": 80}]}
        pod = {"containers": [{**main, "command": SERVE, **(container or {})}]}
        template = {"metadata": {"labels": LABELS}, "spec": pod}
        body = {"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": template, **spec}
        await self.cluster.apply(DEPLOYMENTS, self.namespace, "web", body)

    async def until(self, resource: Resource, name: str, when: Callable[[Object], Any]) -> Object:
        return await self.cluster.until(resource, self.namespace, name, when)

    async def rolled_out(self, replicas: int = 1, number: int = 1) -> Object:
        def done(one: Object) -> bool:
            status = one.get("status") or {}
            names = ("replicas", "updatedReplicas", "availableReplicas")
            counts = [status.get(name, 0) for name in names] == [replicas] * 3
            fresh = status.get("observedGeneration") == one["metadata"]["generation"]
            return counts and fresh and (one["metadata"].get("annotations") or {}).get(REVISION) == str(number)

        return await self.until(DEPLOYMENTS, "web", done)

    async def pods(self) -> list[Object]:
        return (await self.cluster.client.list(PODS, self.namespace))[0]

    async def pod(self, when: Callable[[Object], Any]) -> Object:
        """The first Pod for which it holds."""
        return await self.cluster.first(PODS, self.namespace, when)

    async def events(self, *reasons: str) -> dict[str, Object]:
        """The events with these reasons, once each of them is there."""
        found: dict[str, Object] = {}

        def all_there(event: Object) -> bool:
            found[event["reason"]] = event
            return set(reasons) <= found.keys()

        await self.cluster.first(EVENTS, self.namespace, all_there)
        return found


@pytest.fixture
async def site(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Site]:
    for name in ("processes", "logs", "pods"):
        (tmp_path / name).mkdir()
    supervisor = Supervisor(tmp_path / "processes")
    parts = [
        DeploymentController(),
        ReplicaSetController(),
        EndpointsController(),
        RunnerController(tmp_path, supervisor, 1),
    ]
    async with running(cluster.client, parts):
        one = Site(cluster, await cluster.namespace())
        yield one
        await cluster.client.delete(DEPLOYMENTS, "web", one.namespace)
    await supervisor.stop_all()


def state(pod: Object) -> Object:
    found: Object = (pod.get("status") or {}).get("containerStatuses", [{"state": {}}])[0]
    return found


async def test_a_deployment_has_a_replica_set_which_has_the_pods(site: Site) -> None:
    await site.deploy(replicas=2)
    deployment = await site.rolled_out(2)
    ((one,), _) = await site.cluster.client.list(REPLICA_SETS, site.namespace)
    assert one["metadata"]["ownerReferences"][0]["uid"] == deployment["metadata"]["uid"]
    assert one["status"]["fullyLabeledReplicas"] == 2
    pods = await site.pods()
    assert {pod["metadata"]["ownerReferences"][0]["uid"] for pod in pods} == {one["metadata"]["uid"]}
    digest = one["metadata"]["labels"]["pod-template-hash"]
    assert {pod["metadata"]["labels"]["pod-template-hash"] for pod in pods} == {digest}
    log = Path(pods[0]["metadata"]["annotations"][LOGS_ANNOTATION])
    assert (log / f"pod-{site.namespace}-{pods[0]['metadata']['name']}-main.log").is_file()
    events = await site.events("ScalingReplicaSet", "SuccessfulCreate", "Scheduled", "Pulled", "Created", "Started")
    assert events["ScalingReplicaSet"]["message"] == f"Scaled up replica set web-{digest} from 0 to 2"


async def test_rollout_rollback_and_scaling(site: Site) -> None:
    await site.deploy()
    await site.rolled_out()
    await site.deploy({"env": [{"name": "A", "value": "b"}]})
    await site.rolled_out(number=2)
    sets = {
        one["metadata"]["annotations"][REVISION]: one
        for one in (await site.cluster.client.list(REPLICA_SETS, site.namespace))[0]
    }
    assert {number: one["spec"]["replicas"] for number, one in sets.items()} == {"1": 0, "2": 1}
    await site.deploy()  # what kubectl rollout undo comes to
    await site.rolled_out(number=3)
    first = await site.cluster.client.get(REPLICA_SETS, sets["1"]["metadata"]["name"], site.namespace)
    assert first
    assert first["metadata"]["annotations"][REVISION_HISTORY] == "1"
    await site.deploy(replicas=0)
    await site.rolled_out(0, 3)
    await site.deploy(replicas=3)
    await site.rolled_out(3, 3)


async def test_a_rollout_that_cannot_end_leaves_the_old_pods_and_exceeds_its_deadline(site: Site) -> None:
    await site.deploy(progressDeadlineSeconds=1)
    await site.rolled_out()
    await site.deploy({"image": "sandbox.mcpops.io/missing"}, progressDeadlineSeconds=1)

    def exceeded(one: Object) -> bool:
        found = find_condition(one.get("status") or {}, "Progressing")
        return found is not None and found["reason"] == "ProgressDeadlineExceeded"

    deployment = await site.until(DEPLOYMENTS, "web", exceeded)
    available = find_condition(deployment["status"], "Available")
    assert available
    assert available["status"] == "True"
    await site.pod(lambda pod: state(pod)["state"].get("waiting", {}).get("reason") == "ImagePullBackOff")
    events = await site.events("Pulling", "Failed", "BackOff")
    assert events["Pulling"]["message"] == 'Pulling image "sandbox.mcpops.io/missing"'


async def test_a_container_that_ends_is_started_again_with_pauses(site: Site) -> None:
    await site.deploy({"command": ["sh", "-c", "echo out of luck; exit 3"]})
    pod = await site.pod(
        lambda pod: (
            state(pod)["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff"
            and state(pod)["restartCount"] >= 1
        )
    )
    found = state(pod)
    assert (found["lastState"]["terminated"]["exitCode"], found["lastState"]["terminated"]["reason"]) == (3, "Error")
    meta = pod["metadata"]
    assert found["state"]["waiting"]["message"].endswith(
        f" restarting failed container=main pod={meta['name']}_{meta['namespace']}({meta['uid']})"
    )
    assert pod["status"]["phase"] == "Running"
    await site.events("BackOff")
    log = Path(meta["annotations"][LOGS_ANNOTATION]) / f"pod-{site.namespace}-{meta['name']}-main.log"
    assert log.read_text().startswith("out of luck\n")


async def test_the_last_words_of_a_container_are_its_termination_message_when_that_is_asked(site: Site) -> None:
    script = "import sys; print('a', flush=True); print('out of luck', file=sys.stderr); sys.exit(3)"
    fallback = {"terminationMessagePolicy": "FallbackToLogsOnError"}

    await site.deploy({"command": [sys.executable, "-c", script], **fallback})

    pod = await site.pod(lambda pod: state(pod).get("restartCount", 0) >= 2 and bool(state(pod)["lastState"]))
    assert state(pod)["lastState"]["terminated"]["message"] == "a\nout of luck\n"


async def test_a_missing_secret_keeps_the_container_from_starting(site: Site) -> None:
    reference = {"secretKeyRef": {"name": "word", "key": "a"}}
    await site.deploy({"env": [{"name": "A", "valueFrom": reference}]})
    waiting = {"reason": "CreateContainerConfigError", "message": 'secret "word" not found'}
    await site.pod(lambda pod: state(pod)["state"].get("waiting") == waiting)
    events = await site.events("Failed")
    assert events["Failed"]["message"] == 'Error: secret "word" not found'


async def test_a_missing_volume_keeps_the_pod_in_container_creating(site: Site) -> None:
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    pod = {"containers": [{"name": "main", "image": "sandbox.mcpops.io/local", "command": SERVE, **mount}]}
    template = {
        "metadata": {"labels": LABELS},
        "spec": {**pod, "volumes": [{"name": "v", "configMap": {"name": "none"}}]},
    }
    body = {"selector": {"matchLabels": LABELS}, "template": template}
    await site.cluster.apply(DEPLOYMENTS, site.namespace, "web", body)
    await site.pod(lambda one: state(one)["state"] == {"waiting": {"reason": "ContainerCreating"}})
    events = await site.events("FailedMount")
    assert events["FailedMount"]["message"] == 'MountVolume.SetUp failed for volume "v" : configmap "none" not found'


async def test_endpoints_follow_readiness(site: Site) -> None:
    probe = {"httpGet": {"path": "/none", "port": "http"}}
    port = {"name": "web", "port": 8080, "targetPort": "http", "protocol": "TCP"}
    await site.cluster.apply(SERVICES, site.namespace, "web", {"selector": LABELS, "ports": [port]})
    await site.deploy({"readinessProbe": probe})
    found = await site.until(ENDPOINTS, "web", lambda one: one.get("subsets"))
    (subset,) = found["subsets"]
    assert "addresses" not in subset
    assert subset["ports"] == [{"name": "web", "port": 80, "protocol": "TCP"}]
    events = await site.events("Unhealthy")
    assert events["Unhealthy"]["message"].startswith("Readiness probe failed: ")
    await site.deploy()
    await site.rolled_out(number=2)
    found = await site.until(
        ENDPOINTS, "web", lambda one: one.get("subsets") and "notReadyAddresses" not in one["subsets"][0]
    )
    pod = next(pod for pod in await site.pods() if is_ready(pod))
    assert found["subsets"][0]["addresses"][0]["ip"] == pod["status"]["podIP"]
    selector = f"{SERVICE_LABEL}=web"
    ((one,), _) = await site.cluster.client.list(ENDPOINT_SLICES, site.namespace, selector)
    assert one["endpoints"][0]["conditions"] == {"ready": True, "serving": True, "terminating": False}


async def test_a_failing_liveness_probe_restarts_the_container(site: Site) -> None:
    probe = {"tcpSocket": {"port": 81}, "periodSeconds": 1, "failureThreshold": 2}
    await site.deploy({"livenessProbe": probe})
    await site.pod(lambda pod: state(pod).get("restartCount", 0) >= 1)
    events = await site.events("Unhealthy", "Killing")
    assert events["Killing"]["message"] == "Container main failed liveness probe, will be restarted"


async def test_a_deleted_pod_has_its_grace_period_and_is_replaced(site: Site) -> None:
    await site.deploy()
    await site.rolled_out()
    (pod,) = await site.pods()
    name = pod["metadata"]["name"]
    going = await site.cluster.client.delete(PODS, name, site.namespace)
    assert going
    assert going["metadata"]["deletionGracePeriodSeconds"] == 30
    await site.cluster.gone(PODS, site.namespace, name)
    await site.pod(lambda one: one["metadata"]["name"] != name and is_ready(one))
    events = await site.events("Killing")
    assert events["Killing"]["message"] == "Stopping container main"
