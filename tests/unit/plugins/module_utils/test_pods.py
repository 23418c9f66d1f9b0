# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pods of a rollout tell, and that a wait for it listens to them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._goals import DONE, FAILED, PENDING, Verdict
from ansible_collections.mcpops.gateway.plugins.module_utils._pods import Pods, selector_of

SLOW = Verdict(PENDING, "0 of 1 replicas are ready")
PULL = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
CRASH = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
ENDED = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}


def pod(name: str, template: str = "new", born: str = "2026-01-02T00:00:00Z", **status: Any) -> dict[str, Any]:
    metadata = {"name": name, "labels": {"pod-template-hash": template}, "creationTimestamp": born}
    return {"metadata": metadata, "status": status}


def one(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"containerStatuses": [{"name": "broker", "state": state, "restartCount": 0, "ready": False, **more}]}


def judged(*pods: dict[str, Any], verdict: Verdict = SLOW) -> Verdict:
    found = Pods()
    for found_pod in pods:
        found.take(found_pod["metadata"]["name"], found_pod)
    return found.judge(verdict)


@pytest.mark.parametrize(
    ("status", "state", "said"),
    [
        (one(PULL), FAILED, "pod a, container broker: ImagePullBackOff (no such image)"),
        (one(CRASH, restartCount=1, lastState=ENDED), PENDING, "exit code 137 (OOMKilled)"),
        (
            one(CRASH, restartCount=4, lastState=ENDED),
            FAILED,
            "CrashLoopBackOff after 4 restarts, its program ended with exit code 137 (OOMKilled)",
        ),
        (
            one({"terminated": {"exitCode": 2, "reason": "Error", "message": "config.yaml: a is wrong\n  and b\n"}}),
            PENDING,
            "its program ended with exit code 2 and said: config.yaml: a is wrong / and b",
        ),
        (
            one({"terminated": {"exitCode": 1, "message": "x" * 900 + " the reason"}}),
            PENDING,
            "and said: ..." + "x" * 589 + " the reason",
        ),
        (one({"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "x" not found'}}), PENDING, '"x"'),
        (one({"terminated": {"exitCode": 1, "reason": "Error"}}), PENDING, "its program ended with exit code 1"),
        (one({"running": {}}), PENDING, "pod a, container broker runs and is not ready"),
        (
            {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}]},
            PENDING,
            "pod a cannot be scheduled: 0/3 nodes are available",
        ),
        ({"initContainerStatuses": one(PULL)["containerStatuses"]}, FAILED, "ImagePullBackOff"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_reason_is_told(status: dict[str, Any], state: str, said: str) -> None:
    found = judged(pod("a", **status))

    assert found.state == state
    assert found.seen.startswith("0 of 1 replicas are ready; ") and said in found.seen


@pytest.mark.parametrize(
    "state", [{"waiting": {"reason": "ContainerCreating"}}, {"terminated": {"exitCode": 0}}], ids=str
)
def test_what_is_normal_is_no_reason(state: dict[str, Any]) -> None:
    assert judged(pod("a", **one(state))) == SLOW


def test_only_the_newest_template_counts() -> None:
    old = pod("old", "old", "2026-01-01T00:00:00Z", **one(PULL))

    assert judged(old, pod("a", **one({"waiting": {"reason": "ContainerCreating"}}))) == SLOW


def test_pods_that_go_do_not_count() -> None:
    going = pod("a", **one(PULL))
    going["metadata"]["deletionTimestamp"] = "2026-01-02T00:00:01Z"
    gone = Pods()
    gone.take("a", pod("a", **one(PULL)))
    gone.take("a", None)

    assert judged(going) == SLOW and gone.judge(SLOW) == SLOW


def test_hopeless_ones_come_first() -> None:
    assert "ImagePull" in judged(pod("a", **one({"running": {}})), pod("b", **one(PULL))).seen


def test_a_rollout_that_is_done_is_done() -> None:
    assert judged(pod("a", **one(PULL)), verdict=Verdict(DONE, "")) == Verdict(DONE, "")


def test_the_selector() -> None:
    labels = {"matchLabels": {"b": "2", "a": "1"}}

    assert selector_of({"spec": {"selector": labels}}) == "a=1,b=2"
    assert selector_of({"spec": {"selector": {**labels, "matchExpressions": [{"key": "c"}]}}}) is None
    assert selector_of(None) is None
