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


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("limit=abc", 400, 'strconv.ParseInt: parsing "abc": invalid syntax'),
        ("timeoutSeconds=abc", 400, 'strconv.ParseInt: parsing "abc": invalid syntax'),
        ("resourceVersion=abc", 400, 'Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax'),
        ("resourceVersionMatch=Exact", 422, "resourceVersionMatch is forbidden unless resourceVersion is provided"),
        ("resourceVersion=1&resourceVersionMatch=Near", 422, 'Unsupported value: "Near"'),
        ("resourceVersion=0&resourceVersionMatch=Exact", 422, 'forbidden for resourceVersion "0"'),
        ("resourceVersion=999999999&resourceVersionMatch=NotOlderThan", 504, "Too large resource version: 999999999"),
        ("resourceVersion=999999999&resourceVersionMatch=Exact", 504, "Too large resource version: 999999999"),
        ("sendInitialEvents=true", 422, "sendInitialEvents is forbidden for list"),
        ("continue=abc", 400, "continue key is not valid"),
        ("labelSelector=a%20b", 400, "found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("labelSelector=%3Da", 400, "found '=', expected: !, identifier, or 'end of string'"),
        ("labelSelector=a,", 400, "found '', expected: identifier after ','"),
        ("labelSelector=a%3Db%20c", 400, "found 'c', expected: ',' or 'end of string'"),
        ("labelSelector=a%3Ex", 400, "for 'Gt', 'Lt' operators, the value must be an integer"),
        ("labelSelector=a%3D-b", 400, 'values[0][a]: Invalid value: "-b"'),
        ("labelSelector=-a", 400, 'Invalid value: "-a": name part must consist of'),
        ("fieldSelector=spec.size%3D1", 400, "field label not supported: spec.size"),
        ("fieldSelector=nonsense", 400, "invalid selector: 'nonsense'; can't understand 'nonsense'"),
    ],
)
def test_options_of_lists_are_checked(space: Space, query: str, code: int, message: str) -> None:
    refused = space.cluster.get(f"{space.widgets}?{query}")
    assert refused.status == code
    assert message in refused.body["message"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("sendInitialEvents=true", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
        ("sendInitialEvents=false", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
        ("sendInitialEvents=true&resourceVersionMatch=Exact", 'Unsupported value: "Exact"'),
        ("resourceVersionMatch=NotOlderThan", "is forbidden for watch unless sendInitialEvents is provided"),
        ("continue=x", "resourceVersionMatch is forbidden when continue is provided"),
    ],
)
def test_options_of_watches_are_checked(space: Space, query: str, message: str) -> None:
    refused = space.cluster.get(f"{space.widgets}?watch=1&timeoutSeconds=1&{query}")
    assert (refused.status, refused.body["reason"]) == (422, "Invalid")
    assert message in refused.body["message"]


def test_lists_of_any_version_take_the_present_one(space: Space) -> None:
    """With resourceVersion=0 a kube-apiserver answers from its cache, which does not know pages."""
    found = space.cluster.get(f"{space.widgets}?resourceVersion=0&limit=2").ok()
    assert len(found["items"]) == 5
    assert "continue" not in {key for key, value in found["metadata"].items() if value}


def test_lists_not_older_than_a_version_are_of_now(space: Space) -> None:
    before = revision(space.cluster, space.widgets)
    space.cluster.post(space.widgets, space.widget("fresh", {"size": 1})).ok()
    for query in (f"resourceVersion={before}&resourceVersionMatch=NotOlderThan", f"resourceVersion={before}"):
        assert "fresh" in names(space.cluster.get(f"{space.widgets}?{query}").ok())
    space.cluster.delete(f"{space.widgets}/fresh").ok()


def test_pages_of_a_selection_do_not_count_the_rest(space: Space) -> None:
    first = space.cluster.get(f"{space.widgets}?limit=1&labelSelector=kind%3Dodd").ok()
    assert names(first) == ["w0"]
    assert "remainingItemCount" not in first["metadata"]
    second = space.cluster.get(
        f"{space.widgets}?limit=1&labelSelector=kind%3Dodd&continue={first['metadata']['continue']}"
    ).ok()
    assert names(second) == ["w2"]


def test_a_page_and_a_version_do_not_go_together(space: Space) -> None:
    page = space.cluster.get(f"{space.widgets}?limit=1").ok()["metadata"]
    query = f"limit=1&continue={page['continue']}&resourceVersion={page['resourceVersion']}"
    refused = space.cluster.get(f"{space.widgets}?{query}")
    assert refused.status == 400
    assert refused.body["message"] == "specifying resource version is not allowed when using continue"


@pytest.mark.parametrize(
    ("path", "selector", "found"),
    [
        ("pods", "spec.nodeName=,status.phase=Pending", True),
        ("pods", "spec.restartPolicy=Never", False),
        ("pods", "spec.hostNetwork=false", True),
        ("secrets", "type=Opaque", True),
        ("secrets", "type!=Opaque", False),
        ("services", "spec.type=ClusterIP", True),
        ("events", "involvedObject.name=chosen,type=Warning", True),
        ("events", "reason=Other", False),
        ("events", "source=tester", True),
    ],
)
@pytest.mark.usefixtures("chosen")
def test_fields_of_built_in_kinds_can_be_selected(space: Space, path: str, selector: str, found: bool) -> None:
    listed = names(space.cluster.get(f"{space.core(path)}?fieldSelector={quote(selector)}").ok())
    assert ("chosen" in listed) is found


@pytest.fixture(scope="module")
def chosen(space: Space) -> None:
    """An object of each of the kinds whose fields are selected."""
    about = {"kind": "Pod", "name": "chosen", "namespace": space.name}
    bodies: dict[str, Object] = {
        "pods": {"kind": "Pod", "spec": {"containers": [{"name": "main", "image": "image:1"}]}},
        "secrets": {"kind": "Secret"},
        "services": {"kind": "Service", "spec": {"ports": [{"port": 80}]}},
        "events": {"kind": "Event", "involvedObject": about, "type": "Warning", "source": {"component": "tester"}},
    }
    for plural, body in bodies.items():
        space.cluster.post(space.core(plural), {"apiVersion": "v1", **body, "metadata": {"name": "chosen"}}).ok()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("configmaps", '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"'),
        ("pods", "field label not supported: data.a"),
    ],
)
def test_other_fields_cannot_be_selected(space: Space, path: str, message: str) -> None:
    refused = space.cluster.get(f"{space.core(path)}?fieldSelector=data.a%3Db")
    assert (refused.status, refused.body["message"]) == (400, message)


def test_collections_are_deleted_by_selectors(space: Space) -> None:
    path = space.core("configmaps")
    for name, kind in (("one", "a"), ("two", "a"), ("three", "b")):
        space.cluster.post(path, space.config_map(f"many-{name}", {}, labels={"many": kind})).ok()
    assert space.cluster.delete(f"{path}?labelSelector=many%3Dnothing").ok()["items"] == []
    space.cluster.delete(f"{path}?labelSelector=many%3Da&dryRun=All").ok()
    assert names(space.cluster.get(f"{path}?labelSelector=many").ok()) == ["many-one", "many-three", "many-two"]
    deleted = space.cluster.delete(f"{path}?labelSelector=many%3Da").ok()
    assert (deleted["kind"], names(deleted)) == ("ConfigMapList", ["many-one", "many-two"])
    assert names(space.cluster.get(f"{path}?labelSelector=many").ok()) == ["many-three"]
    space.cluster.delete(f"{path}?fieldSelector=metadata.name%3Dmany-three").ok()
    assert names(space.cluster.get(f"{path}?labelSelector=many").ok()) == []


def test_objects_can_be_read_at_least_as_new_as_a_version(space: Space) -> None:
    assert space.cluster.get(f"{space.widgets}/w0?resourceVersion=0").status == 200
    refused = space.cluster.get(f"{space.widgets}/w0?resourceVersion=999999999")
    assert (refused.status, refused.body["reason"]) == (504, "Timeout")
    assert space.cluster.get(f"{space.widgets}/w0?resourceVersion=abc").status == 500


def test_watches_from_the_future_wait(space: Space) -> None:
    assert list(space.cluster.events(f"{space.widgets}?watch=1&timeoutSeconds=1&resourceVersion=999999999")) == []


def test_the_initial_state_of_the_future_cannot_be_had(space: Space) -> None:
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    path = f"{space.widgets}?watch=1&timeoutSeconds=5&resourceVersion=999999999&{query}"
    found = list(space.cluster.events(path))
    assert [(event["type"], event["object"]["code"]) for event in found] == [("ERROR", 504)]


def test_initial_events_can_be_left_out(space: Space) -> None:
    query = "sendInitialEvents=false&resourceVersionMatch=NotOlderThan"
    assert list(space.cluster.events(f"{space.widgets}?watch=1&timeoutSeconds=1&{query}")) == []


@pytest.mark.parametrize("value", ["true", "1", "yes", ""])
def test_almost_anything_means_true(space: Space, value: str) -> None:
    found = list(space.cluster.events(f"{space.widgets}?watch={value}&timeoutSeconds=1&limit=1"))
    assert {event["type"] for event in found} == {"ADDED"}


def test_watches_of_one_object_by_its_name(space: Space) -> None:
    query = "watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Dw1"
    found = list(space.cluster.events(f"{space.widgets}?{query}"))
    assert [event["object"]["metadata"]["name"] for event in found] == ["w1"]


def test_objects_that_come_to_match_are_added(space: Space) -> None:
    space.cluster.post(space.widgets, space.widget("comer", {"size": 1})).ok()
    start = revision(space.cluster, space.widgets)
    path = f"{space.widgets}/comer"
    space.cluster.patch(path, {"spec": {"size": 2}}).ok()
    space.cluster.patch(path, {"metadata": {"labels": {"comes": "yes"}}}).ok()
    space.cluster.delete(path).ok()
    query = f"watch=1&timeoutSeconds=1&labelSelector=comes&resourceVersion={start}"
    found = list(space.cluster.events(f"{space.widgets}?{query}"))
    assert [event["type"] for event in found] == ["ADDED", "DELETED"]
