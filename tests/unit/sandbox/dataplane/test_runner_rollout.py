# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules by which a Deployment rolls out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sandbox.controllers import runner_rollout as rollout
from sandbox.controllers.runner_kinds import HASH_LABEL

Json = dict[str, Any]


def deployment(replicas: int = 1, image: str = "x", **more: Any) -> Json:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": image}]}}
    meta = {"name": "web", "namespace": "apps", "uid": "u-1", "generation": 3}
    selector = {"matchLabels": {"app": "web"}}
    return {"metadata": meta, "spec": {"replicas": replicas, "selector": selector, "template": template, **more}}


def sized(name: str, size: int, available: int | None = None) -> Json:
    count = size if available is None else available
    status = {"replicas": size, "readyReplicas": count, "availableReplicas": count}
    return {"metadata": {"name": name}, "spec": {"replicas": size}, "status": status}


def conditions(status: Json) -> dict[str, Json]:
    return {entry["type"]: entry for entry in status["conditions"]}


def test_hash_changes_with_the_template_only() -> None:
    def digest(one: Json) -> str:
        return rollout.template_hash(one["spec"]["template"])

    assert digest(deployment(1)) == digest(deployment(5))
    assert digest(deployment(image="x")) != digest(deployment(image="y"))
    again = rollout.replica_set(deployment(), 1, 1)
    assert digest(again) == digest(deployment())


def test_a_replica_set_belongs_to_its_deployment_and_carries_the_hash() -> None:
    one = deployment(4)
    one["metadata"]["annotations"] = {"note": "kept", rollout.REVISION: "1"}
    found = rollout.replica_set(one, 2, 3)
    digest = found["metadata"]["labels"][HASH_LABEL]
    assert found["metadata"]["name"] == f"web-{digest}"
    assert found["metadata"]["ownerReferences"][0]["uid"] == "u-1"
    assert found["spec"]["selector"]["matchLabels"] == {"app": "web", HASH_LABEL: digest}
    assert found["spec"]["template"]["metadata"]["labels"] == {"app": "web", HASH_LABEL: digest}
    assert found["metadata"]["annotations"] == {
        "note": "kept",
        rollout.REVISION: "2",
        rollout.DESIRED: "4",
        rollout.MAXIMUM: "5",
    }


@pytest.mark.parametrize(
    ("replicas", "rolling", "expected"),
    [
        (4, {}, (1, 1)),
        (1, {}, (1, 0)),
        (10, {"maxSurge": "25%", "maxUnavailable": "25%"}, (3, 2)),
        (2, {"maxSurge": 0, "maxUnavailable": 0}, (0, 1)),
        (2, {"maxSurge": 3, "maxUnavailable": 9}, (3, 2)),
    ],
)
def test_limits(replicas: int, rolling: Json, expected: tuple[int, int]) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    assert rollout.limits(deployment(replicas, strategy=strategy)) == expected


def test_a_rolling_update_surges_then_takes_away_what_is_replaced() -> None:
    one = deployment(2)  # one more than two, none fewer
    assert rollout.sizes(one, sized("new", 0), [sized("old", 2)]) == {"new": 1}
    assert rollout.sizes(one, sized("new", 1, 0), [sized("old", 2)]) == {}
    assert rollout.sizes(one, sized("new", 1), [sized("old", 2)]) == {"old": 1}
    assert rollout.sizes(one, sized("new", 1), [sized("old", 1)]) == {"new": 2}
    assert rollout.sizes(one, sized("new", 2), [sized("old", 1)]) == {"old": 0}
    assert rollout.sizes(one, sized("new", 2), [sized("old", 0)]) == {}


def test_what_is_broken_among_the_old_goes_first() -> None:
    assert rollout.sizes(deployment(2), sized("new", 1, 0), [sized("old", 2, 0)]) == {}
    strategy = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}
    one = deployment(2, strategy=strategy)
    assert rollout.sizes(one, sized("new", 1, 1), [sized("old", 2, 1)]) == {"old": 0}


def test_recreate_ends_the_old_before_it_begins() -> None:
    one = deployment(2, strategy={"type": "Recreate"})
    assert rollout.sizes(one, sized("new", 0), [sized("old", 2)]) == {"old": 0}
    ending = {**sized("old", 0), "status": {"replicas": 1}}
    assert rollout.sizes(one, sized("new", 0), [ending]) == {}
    assert rollout.sizes(one, sized("new", 0), [sized("old", 0)]) == {"new": 2}


def test_available_deployment() -> None:
    status = rollout.status(deployment(2), sized("new", 2), [])
    assert (status["observedGeneration"], status["replicas"], status["readyReplicas"]) == (3, 2, 2)
    assert status["unavailableReplicas"] is None
    found = conditions(status)
    assert (found["Available"]["status"], found["Available"]["reason"]) == ("True", "MinimumReplicasAvailable")
    assert found["Progressing"]["message"] == 'ReplicaSet "new" has successfully progressed.'


def test_deployment_that_is_starting() -> None:
    one = deployment(2)
    begun = rollout.status(one, sized("new", 2, 0), [], ("NewReplicaSetCreated", 'Created new replica set "new"'))
    assert conditions(begun)["Progressing"]["reason"] == "NewReplicaSetCreated"
    one["status"] = begun
    status = rollout.status(one, sized("new", 2, 1), [])
    assert (status["readyReplicas"], status["unavailableReplicas"]) == (1, 1)
    found = conditions(status)
    assert (found["Available"]["status"], found["Available"]["reason"]) == ("False", "MinimumReplicasUnavailable")
    assert found["Progressing"]["reason"] == "ReplicaSetUpdated"


def test_a_complete_deployment_stays_complete_when_a_pod_fails() -> None:
    one = deployment(1)
    one["status"] = rollout.status(one, sized("new", 1), [])
    status = rollout.status(one, sized("new", 1, 0), [])
    found = conditions(status)
    assert found["Available"]["status"] == "False"
    assert found["Progressing"]["reason"] == "NewReplicaSetAvailable"


def test_a_rollout_that_does_not_come_forward_fails_after_its_deadline() -> None:
    one = deployment(1, progressDeadlineSeconds=60)
    one["status"] = rollout.status(one, sized("new", 1, 0), [], ("NewReplicaSetCreated", ""))
    assert 50 < rollout.deadline_left(one) <= 60
    progressing = conditions(one["status"])["Progressing"]
    late = datetime.now(UTC) - timedelta(seconds=61)
    progressing["lastUpdateTime"] = late.strftime("%Y-%m-%dT%H:%M:%SZ")
    found = conditions(rollout.status(one, sized("new", 1, 0), []))["Progressing"]
    assert (found["status"], found["reason"]) == ("False", "ProgressDeadlineExceeded")
    assert found["message"] == 'ReplicaSet "new" has timed out progressing.'


def test_scaled_to_zero_is_available() -> None:
    assert conditions(rollout.status(deployment(0), sized("new", 0), []))["Available"]["status"] == "True"


def test_a_pod_that_could_not_be_created_is_told() -> None:
    failed = sized("new", 0)
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "Error creating: no"}
    failed["status"]["conditions"] = [{**failure, "lastTransitionTime": "2026-01-01T00:00:00Z"}]
    found = conditions(rollout.status(deployment(1), failed, []))["ReplicaFailure"]
    assert (found["reason"], found["message"]) == ("FailedCreate", "Error creating: no")
