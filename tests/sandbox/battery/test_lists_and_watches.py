# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists with selectors and pages, and watches, over plain HTTP."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from sandbox.battery.support import Cluster, Object, Space


@pytest.fixture(scope="module", autouse=True)
def widgets(space: Space) -> None:
    """Five widgets, two of them even."""
    for number in range(5):
        kind = "even" if number % 2 else "odd"
        mode = "slow" if number == 4 else "fast"
        labels = {"kind": kind, "number": str(number)}
        space.cluster.post(space.widgets, space.widget(f"w{number}", {"size": 1, "mode": mode}, labels=labels)).ok()


def names(answer: Object) -> list[str]:
    return [item["metadata"]["name"] for item in answer["items"]]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("kind=even", ["w1", "w3"]),
        ("kind!=even", ["w0", "w2", "w4"]),
        ("number in (0,3)", ["w0", "w3"]),
        ("kind=odd,number notin (0)", ["w2", "w4"]),
        ("!kind", []),
        ("kind", ["w0", "w1", "w2", "w3", "w4"]),
        ("number>2", ["w3", "w4"]),
    ],
)
def test_label_selectors(space: Space, selector: str, expected: list[str]) -> None:
    assert names(space.cluster.get(f"{space.widgets}?labelSelector={quote(selector)}").ok()) == expected


def test_field_selectors(space: Space) -> None:
    found = space.cluster.get(f"{space.widgets}?fieldSelector=metadata.name%3Dw2").ok()
    assert names(found) == ["w2"]
    assert names(space.cluster.get(f"{space.widgets}?fieldSelector=spec.mode%3Dslow").ok()) == ["w4"]
    refused = space.cluster.get(f"{space.widgets}?fieldSelector=spec.size%3D1")
    assert (refused.status, refused.body["message"]) == (400, "field label not supported: spec.size")


def test_pages_come_from_one_snapshot(space: Space) -> None:
    first = space.cluster.get(f"{space.widgets}?limit=2").ok()
    assert names(first) == ["w0", "w1"]
    assert first["metadata"]["remainingItemCount"] == 3
    space.cluster.post(space.widgets, space.widget("w2a", {"size": 1})).ok()
    token = quote(first["metadata"]["continue"])
    second = space.cluster.get(f"{space.widgets}?limit=10&continue={token}").ok()
    assert names(second) == ["w2", "w3", "w4"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    space.cluster.delete(f"{space.widgets}/w2a").ok()


def test_the_past_can_be_listed(space: Space) -> None:
    before = space.cluster.get(space.widgets).ok()["metadata"]["resourceVersion"]
    space.cluster.post(space.widgets, space.widget("later", {"size": 1})).ok()
    space.cluster.delete(f"{space.widgets}/later").ok()
    found = space.cluster.get(f"{space.widgets}?resourceVersion={before}&resourceVersionMatch=Exact").ok()
    assert "later" not in names(found)
    assert found["metadata"]["resourceVersion"] == before


def test_the_future_cannot_be_listed(space: Space) -> None:
    answer = space.cluster.get(f"{space.widgets}?resourceVersion=999999999")
    assert (answer.status, answer.body["reason"]) == (504, "Timeout")
    assert answer.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


def revision(cluster: Cluster, path: str) -> str:
    return str(cluster.get(path).ok()["metadata"]["resourceVersion"])


def change_everything(space: Space) -> None:
    path = f"{space.widgets}/watched"
    space.cluster.post(space.widgets, space.widget("watched", {"size": 1}, labels={"seen": "yes"})).ok()
    space.cluster.patch(path, {"spec": {"size": 2}}).ok()
    space.cluster.patch(path, {"metadata": {"labels": {"seen": "no"}}}).ok()
    space.cluster.delete(path).ok()


def test_watches_see_every_change_after_a_version(space: Space) -> None:
    start = revision(space.cluster, space.widgets)
    change_everything(space)
    found = list(space.cluster.events(f"{space.widgets}?watch=true&timeoutSeconds=1&resourceVersion={start}"))
    assert [event["type"] for event in found] == ["ADDED", "MODIFIED", "MODIFIED", "DELETED"]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in found]
    assert versions == sorted(set(versions))


def test_watches_lose_objects_that_stop_matching(space: Space) -> None:
    start = revision(space.cluster, space.widgets)
    change_everything(space)
    query = f"watch=true&timeoutSeconds=1&labelSelector=seen%3Dyes&resourceVersion={start}"
    found = list(space.cluster.events(f"{space.widgets}?{query}"))
    assert [event["type"] for event in found] == ["ADDED", "MODIFIED", "DELETED"]
    assert found[-1]["object"]["metadata"]["labels"] == {"seen": "yes"}


def test_watches_without_a_version_start_with_what_there_is(space: Space) -> None:
    found = list(space.cluster.events(f"{space.widgets}?watch=true&timeoutSeconds=1"))
    assert [event["type"] for event in found] == ["ADDED"] * 5


def test_watches_mark_the_end_of_the_initial_state(space: Space) -> None:
    query = "watch=true&timeoutSeconds=1&sendInitialEvents=true&allowWatchBookmarks=true"
    found = list(space.cluster.events(f"{space.widgets}?{query}&resourceVersionMatch=NotOlderThan"))
    assert [event["type"] for event in found] == ["ADDED"] * 5 + ["BOOKMARK"]
    assert found[-1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_watches_of_lost_history_end_with_an_error(space: Space) -> None:
    if space.cluster.embedded:
        pytest.skip("the embedded server still has the whole history here; test_server does this with a short one")
    found = list(space.cluster.events(f"{space.widgets}?watch=true&timeoutSeconds=1&resourceVersion=1"))
    assert [event["type"] for event in found] == ["ERROR"]
    assert (found[0]["object"]["code"], found[0]["object"]["reason"]) == (410, "Expired")
