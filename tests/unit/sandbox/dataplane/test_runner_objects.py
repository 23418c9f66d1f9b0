# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods and statuses that the runner writes."""

from __future__ import annotations

import json
from typing import Any

from sandbox.controllers.gateway_world import PORTS_ANNOTATION, Json
from sandbox.controllers.runner_objects import (
    HASH_LABEL,
    deployment_status,
    new_pod,
    pod_status,
    same_status,
    template_hash,
)


def deployment(replicas: int = 1, image: str = "x", **more: Any) -> Json:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": image}]}}
    meta = {"name": "web", "namespace": "apps", "uid": "u-1", "generation": 3}
    return {"metadata": meta, "spec": {"replicas": replicas, "template": template, **more}}


def pods(one: Json, *ready: bool) -> list[Json]:
    found = []
    for state in ready:
        pod = new_pod(one, {80: 4000})
        pod["status"] = {"conditions": [{"type": "Ready", "status": str(state)}]}
        found.append(pod)
    return found


def conditions(status: Json) -> dict[str, Json]:
    return {entry["type"]: entry for entry in status["conditions"]}


def state(**more: Any) -> Json:
    running = {"name": "c", "image": "x", "started": "2026-01-01T00:00:00Z", "ready": True, "restarts": 0}
    return {**running, "waiting": ("ContainerCreating", ""), **more}


def test_pod_belongs_to_its_deployment_and_says_its_ports() -> None:
    one = deployment()
    pod = new_pod(one, {80: 4000, 81: 4001})
    assert pod["metadata"]["ownerReferences"][0]["uid"] == "u-1"
    assert pod["metadata"]["labels"] == {"app": "web", HASH_LABEL: template_hash(one)}
    assert json.loads(pod["metadata"]["annotations"][PORTS_ANNOTATION]) == {"80": 4000, "81": 4001}
    assert pod["metadata"]["name"].startswith(f"web-{template_hash(one)}-")


def test_hash_changes_with_the_template_only() -> None:
    assert template_hash(deployment(1)) == template_hash(deployment(5))
    assert template_hash(deployment(image="x")) != template_hash(deployment(image="y"))


def test_available_deployment() -> None:
    one = deployment(2)
    status = deployment_status(one, pods(one, True, True))
    assert (status["observedGeneration"], status["replicas"], status["readyReplicas"]) == (3, 2, 2)
    assert status["unavailableReplicas"] is None
    found = conditions(status)
    assert (found["Available"]["status"], found["Available"]["reason"]) == ("True", "MinimumReplicasAvailable")
    assert found["Progressing"]["reason"] == "NewReplicaSetAvailable"


def test_deployment_that_is_starting() -> None:
    one = deployment(2)
    status = deployment_status(one, pods(one, True, False))
    assert (status["readyReplicas"], status["unavailableReplicas"]) == (1, 1)
    found = conditions(status)
    assert (found["Available"]["status"], found["Available"]["reason"]) == ("False", "MinimumReplicasUnavailable")
    assert found["Progressing"]["reason"] == "ReplicaSetUpdated"


def test_update_in_progress_counts_old_pods() -> None:
    old, new = deployment(1, "x"), deployment(1, "y")
    status = deployment_status(new, pods(old, True) + pods(new, False))
    assert (status["replicas"], status["updatedReplicas"], status["readyReplicas"]) == (2, 1, 1)
    assert conditions(status)["Available"]["status"] == "True"
    assert conditions(status)["Progressing"]["reason"] == "ReplicaSetUpdated"


def test_scaled_to_zero_is_available() -> None:
    status = deployment_status(deployment(0), [])
    assert conditions(status)["Available"]["status"] == "True"


def test_unchanged_deployment_status_is_equal_even_with_the_servers_nulls() -> None:
    one = deployment()
    one["status"] = deployment_status(one, pods(one, True))
    again = deployment_status(one, pods(one, True))
    assert same_status(one["status"], again)
    stored = {key: value for key, value in one["status"].items() if value is not None}
    stored["conditions"] = [{**entry, "lastProbeTime": None} for entry in stored["conditions"]]
    assert same_status(stored, again)
    assert not same_status(stored, deployment_status(one, pods(one, False)))


def test_running_pod() -> None:
    status = pod_status({"metadata": {}}, [state()])
    assert status["phase"] == "Running"
    assert {name: entry["status"] for name, entry in conditions(status).items()} == {
        "PodScheduled": "True",
        "Initialized": "True",
        "ContainersReady": "True",
        "Ready": "True",
    }
    assert status["containerStatuses"][0]["state"] == {"running": {"startedAt": "2026-01-01T00:00:00Z"}}


def test_pod_whose_image_is_unknown_stays_pending_and_says_why() -> None:
    status = pod_status(
        {"metadata": {}}, [state(started=None, ready=False, waiting=("ImagePullBackOff", "no such image"))]
    )
    assert status["phase"] == "Pending"
    assert status["containerStatuses"][0]["state"] == {
        "waiting": {"reason": "ImagePullBackOff", "message": "no such image"}
    }
    assert conditions(status)["Ready"]["message"] == "containers with unready status: [c]"


def test_crashed_container_leaves_a_running_pod_unready() -> None:
    before: Json = {"metadata": {}}
    before["status"] = pod_status(before, [state()])
    after = pod_status(before, [state(started=None, ready=False, restarts=1, waiting=("CrashLoopBackOff", ""))])
    assert after["phase"] == "Running"
    assert conditions(after)["Ready"]["status"] == "False"
    assert after["containerStatuses"][0]["restartCount"] == 1
    assert after["startTime"] == before["status"]["startTime"]
