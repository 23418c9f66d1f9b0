# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of a Pod, from the states of its containers."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.controllers.runner_kinds import go_duration, same_status
from sandbox.controllers.runner_objects import ContainerState, address, pod_status, ports_text

Json = dict[str, Any]
STARTED = "2026-01-01T00:00:00Z"


def running(**more: Any) -> ContainerState:
    state = {"running": {"startedAt": STARTED}}
    return ContainerState("c", "x", **{"state": state, "started": True, "ready": True, "identity": "u-c-0", **more})


def ended(code: int) -> ContainerState:
    return ContainerState("c", "x", state={"terminated": {"exitCode": code}}, identity="u-c-0")


def pod(policy: str = "Always", **status: Any) -> Json:
    return {"metadata": {"uid": "u"}, "spec": {"restartPolicy": policy}, "status": status}


def conditions(status: Json) -> dict[str, str]:
    return {entry["type"]: entry["status"] for entry in status["conditions"]}


def test_running_pod() -> None:
    status = pod_status(pod(), [running()], "10.244.0.1")
    assert status["phase"] == "Running"
    assert set(conditions(status).values()) == {"True"}
    assert list(conditions(status)) == [
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ]
    (container,) = status["containerStatuses"]
    assert container["state"] == {"running": {"startedAt": STARTED}}
    assert (container["containerID"], container["imageID"]) == ("sandbox://u-c-0", "sandbox://x")


def test_pod_whose_image_is_unknown_stays_pending_and_says_why() -> None:
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    status = pod_status(pod(), [ContainerState("c", "x", state=waiting)], "10.244.0.1")
    assert status["phase"] == "Pending"
    assert status["containerStatuses"][0]["state"] == waiting
    assert conditions(status)["PodReadyToStartContainers"] == "False"
    ready = next(entry for entry in status["conditions"] if entry["type"] == "Ready")
    assert (ready["reason"], ready["message"]) == ("ContainersNotReady", "containers with unready status: [c]")


def test_crashed_container_leaves_a_running_pod_unready() -> None:
    before = pod_status(pod(), [running()], "10.244.0.1")
    crashed = running(state={"waiting": {"reason": "CrashLoopBackOff"}}, ready=False, restarts=1)
    after = pod_status(pod(**before), [crashed], "10.244.0.1")
    assert after["phase"] == "Running"
    assert conditions(after)["Ready"] == "False"
    assert after["containerStatuses"][0]["restartCount"] == 1
    assert after["startTime"] == before["startTime"]


@pytest.mark.parametrize(
    ("policy", "code", "phase"),
    [
        ("Never", 0, "Succeeded"),
        ("Never", 3, "Failed"),
        ("OnFailure", 0, "Succeeded"),
        ("OnFailure", 3, "Running"),
        ("Always", 0, "Running"),
    ],
)
def test_what_the_end_of_all_containers_means(policy: str, code: int, phase: str) -> None:
    assert pod_status(pod(policy), [ended(code)], "10.244.0.1")["phase"] == phase


def test_unchanged_status_is_equal_even_with_the_servers_nulls() -> None:
    one = pod_status(pod(), [running()], "10.244.0.1")
    stored = {**one, "conditions": [{**entry, "extra": None} for entry in one["conditions"]]}
    assert same_status(stored, pod_status(pod(**one), [running()], "10.244.0.1"))
    assert not same_status(stored, pod_status(pod(**one), [running(ready=False)], "10.244.0.1"))


def test_addresses_are_of_one_network_and_not_given_twice() -> None:
    first = address("some-uid")
    second = address("some-uid", {first})
    assert first != second
    for found in (first, second, address("other")):
        numbers = [int(part) for part in found.split(".")]
        assert numbers[:2] == [10, 244]
        assert 1 <= numbers[3] <= 254


def test_ports_are_listed_in_order() -> None:
    assert ports_text({81: 4001, 80: 4000}) == '{"80": 4000, "81": 4001}'


@pytest.mark.parametrize(("seconds", "text"), [(0.5, "500ms"), (10, "10s"), (160, "2m40s"), (1.5, "1.5s")])
def test_durations_are_written_as_go_does(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text
