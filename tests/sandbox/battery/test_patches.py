# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Patches of three kinds: what they do, and how those that cannot be carried out are refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sandbox.battery.support import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Answer, Object, Space

POD = ("spec", "template", "spec")


@pytest.fixture(scope="module")
def deployment(space: Space) -> Iterator[str]:
    """The path of a deployment to patch in dry runs."""
    body = space.deployment("patched", replicas=2)
    pod = body["spec"]["template"]["spec"]
    variables = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    pod["containers"] = [
        {"name": "a", "image": "i:1", "env": variables, "args": ["x", "y"], "ports": [{"containerPort": 80}]},
        {"name": "b", "image": "j:1"},
    ]
    pod["volumes"] = [{"name": "v", "emptyDir": {}}]
    pod["nodeSelector"] = {"disk": "ssd"}
    pod["imagePullSecrets"] = [{"name": "p"}]
    body["metadata"]["finalizers"] = ["example.com/a", "example.com/b"]
    path = space.apps("deployments")
    space.cluster.post(path, body).ok()
    yield f"{path}/patched"
    space.cluster.patch(f"{path}/patched", {"metadata": {"finalizers": None}})


@pytest.fixture(scope="module")
def config(space: Space) -> str:
    """The path of a config map to patch in dry runs."""
    body = space.config_map("patched", {"a": "1", "b": "2"}, labels={"x/y": "z"})
    space.cluster.post(space.core("configmaps"), body).ok()
    return f"{space.core('configmaps')}/patched"


def dry(space: Space, path: str, body: Any, kind: str) -> Answer:
    return space.cluster.patch(f"{path}?dryRun=All", body, kind)


@pytest.mark.parametrize(
    ("operations", "data"),
    [
        ([{"op": "add", "path": "/data/c", "value": "3"}], {"a": "1", "b": "2", "c": "3"}),
        ([{"op": "remove", "path": "/data/a"}], {"b": "2"}),
        ([{"op": "replace", "path": "/data/a", "value": "9"}], {"a": "9", "b": "2"}),
        ([{"op": "replace", "path": "/data/c", "value": "3"}], {"a": "1", "b": "2", "c": "3"}),
        ([{"op": "test", "path": "/data/c", "value": None}], {"a": "1", "b": "2"}),
        ([{"op": "move", "from": "/data/a", "path": "/data/z"}], {"b": "2", "z": "1"}),
        ([{"op": "copy", "from": "/data/a", "path": "/data/z"}], {"a": "1", "b": "2", "z": "1"}),
        ([{"op": "copy", "from": "/metadata/labels/x~1y", "path": "/data/z"}], {"a": "1", "b": "2", "z": "z"}),
        ([{"op": "test", "path": "/data/a", "value": "1"}, {"op": "remove", "path": "/data/b"}], {"a": "1"}),
    ],
)
def test_json_patches(space: Space, config: str, operations: list[Object], data: Object) -> None:
    assert dry(space, config, operations, JSON_PATCH).ok()["data"] == data


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/data/a", "value": "2"},
        {"op": "remove", "path": "/data/missing"},
        {"op": "add", "path": "/missing/below", "value": "x"},
        {"op": "move", "from": "/data/missing", "path": "/data/b"},
        {"op": "add", "path": "", "value": {}},
        {"op": "explode", "path": "/data/a"},
        {"path": "/data/a"},
    ],
)
def test_json_patches_that_cannot_be_carried_out(space: Space, config: str, operation: Object) -> None:
    answer = dry(space, config, [operation], JSON_PATCH)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert answer.body["message"] == "the server rejected our request due to an error in our request"


@pytest.mark.parametrize(
    ("patch", "data"),
    [
        ({"data": {"a": None}}, {"b": "2"}),
        ({"data": {"a": "9", "c": "3"}}, {"a": "9", "b": "2", "c": "3"}),
        ({"data": None}, None),
        ({}, {"a": "1", "b": "2"}),
    ],
)
def test_merge_patches(space: Space, config: str, patch: Object, data: Object | None) -> None:
    assert dry(space, config, patch, MERGE_PATCH).ok().get("data") == data


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        (
            JSON_PATCH,
            b"{}",
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers",
        ),
        (JSON_PATCH, b'["x"]', "json: cannot unmarshal string into Go value of type handlers.jsonPatchOp"),
        (JSON_PATCH, b"[{", "error decoding patch: unexpected end of JSON input"),
        (
            MERGE_PATCH,
            b"[]",
            "error decoding patch: json: cannot unmarshal array into Go value of type map",
        ),
        (
            MERGE_PATCH,
            b"5",
            "error decoding patch: json: cannot unmarshal number into Go value of type map",
        ),
        (MERGE_PATCH, b"", "error decoding patch: unexpected end of JSON input"),
        (STRATEGIC_PATCH, b"[]", "json: cannot unmarshal array into Go value of type map[string]interface {}"),
        (STRATEGIC_PATCH, b"{", "unexpected end of JSON input"),
    ],
)
def test_bodies_that_are_no_patches(space: Space, config: str, kind: str, body: bytes, message: str) -> None:
    answer = dry(space, config, body, kind)
    assert (answer.status, answer.body["reason"]) == (400, "BadRequest")
    assert message in answer.body["message"]


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"data": {"a": 5}}, "json: cannot unmarshal number into Go struct field ConfigMap.data of type string"),
        ({"data": []}, "json: cannot unmarshal array into Go struct field ConfigMap.data of type map[string]string"),
        ({"kind": "ServiceAccount"}, "converting (v1.ServiceAccount) to (core.ConfigMap): unknown conversion"),
        ({"metadata": {"uid": "x"}}, 'metadata.uid: Invalid value: "x": field is immutable'),
        ({"metadata": {"labels": {"b c": "d"}}}, 'metadata.labels: Invalid value: "b c": name part must consist of'),
    ],
)
def test_patches_with_impossible_results(space: Space, config: str, patch: Object, message: str) -> None:
    answer = dry(space, config, patch, MERGE_PATCH)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert message in answer.body["message"]


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        (
            {"metadata": {"name": "other"}},
            "the name of the object (other) does not match the name on the URL",
        ),
        (
            {"metadata": {"name": None}},
            "the name of the object (patched based on URL) was undeterminable: name must",
        ),
        ({"metadata": {"namespace": "x"}}, "the namespace of the provided object does not match the namespace sent"),
    ],
)
def test_patches_that_rename(space: Space, config: str, patch: Object, message: str) -> None:
    answer = dry(space, config, patch, MERGE_PATCH)
    assert answer.status == 400
    assert message in answer.body["message"]


def test_patches_of_an_unknown_kind(space: Space, config: str) -> None:
    answer = dry(space, config, {}, "application/json")
    assert (answer.status, answer.body["message"]) == (415, "415: Unsupported Media Type")


def test_custom_resources_take_no_strategic_patches(space: Space) -> None:
    space.cluster.post(space.widgets, space.widget("plain", {"size": 1})).ok()
    answer = space.cluster.patch(f"{space.widgets}/plain", {"spec": {"size": 2}}, STRATEGIC_PATCH)
    assert (answer.status, answer.body["reason"]) == (415, "UnsupportedMediaType")
    assert "accepted media types include: application/json-patch+json" in answer.body["message"]


def strategic(space: Space, path: str, pod: Object) -> Object:
    """The pod's spec after a strategic patch of it."""
    found = dry(space, path, {"spec": {"template": {"spec": pod}}}, STRATEGIC_PATCH).ok()
    for name in POD:
        found = found[name]
    return found


@pytest.mark.parametrize(
    ("patch", "images"),
    [
        ([{"name": "b", "image": "j:2"}], {"a": "i:1", "b": "j:2"}),
        ([{"name": "a", "$patch": "delete"}], {"b": "j:1"}),
        ([{"$patch": "replace"}, {"name": "z", "image": "q"}], {"z": "q"}),
        ([{"name": "c", "image": "k"}], {"c": "k", "a": "i:1", "b": "j:1"}),
    ],
)
def test_containers_merge_by_name(space: Space, deployment: str, patch: list[Object], images: Object) -> None:
    containers = strategic(space, deployment, {"containers": patch})["containers"]
    assert [(item["name"], item["image"]) for item in containers] == list(images.items())


def test_the_order_of_items_can_be_set(space: Space, deployment: str) -> None:
    order = {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}
    assert [item["name"] for item in strategic(space, deployment, order)["containers"]] == ["b", "a"]
    wrong = {"containers": [{"name": "a", "image": "x"}], "$setElementOrder/containers": [{"name": "b"}]}
    answer = dry(space, deployment, {"spec": {"template": {"spec": wrong}}}, STRATEGIC_PATCH)
    assert answer.status == 500
    assert "doesn't match $setElementOrder list" in answer.body["message"]


@pytest.mark.parametrize(
    ("patch", "field", "value"),
    [
        ({"nodeSelector": {"zone": "a"}}, "nodeSelector", {"disk": "ssd", "zone": "a"}),
        ({"nodeSelector": {"$patch": "replace", "zone": "a"}}, "nodeSelector", {"zone": "a"}),
        ({"nodeSelector": {"$patch": "delete"}}, "nodeSelector", None),
        ({"nodeSelector": None}, "nodeSelector", None),
        ({"volumes": [{"name": "v", "$patch": "delete"}]}, "volumes", None),
        ({"volumes": None}, "volumes", None),
        ({"imagePullSecrets": [{"name": "r"}]}, "imagePullSecrets", [{"name": "r"}, {"name": "p"}]),
    ],
)
def test_directives_of_strategic_patches(space: Space, deployment: str, patch: Object, field: str, value: Any) -> None:
    assert strategic(space, deployment, patch).get(field) == value


def test_lists_without_a_merge_key_are_replaced(space: Space, deployment: str) -> None:
    changed = strategic(space, deployment, {"containers": [{"name": "a", "args": ["z"], "env": [{"name": "A"}]}]})
    first = changed["containers"][0]
    assert first["args"] == ["z"]
    assert [variable["name"] for variable in first["env"]] == ["A", "B"]


def test_fields_that_exclude_each_other_are_exchanged(space: Space, deployment: str) -> None:
    volume = {"name": "v", "configMap": {"name": "c"}, "$retainKeys": ["name", "configMap"]}
    (changed,) = strategic(space, deployment, {"volumes": [volume]})["volumes"]
    assert changed == {"name": "v", "configMap": {"name": "c", "defaultMode": 420}}


def test_finalizers_are_a_set_for_strategic_patches(space: Space, deployment: str) -> None:
    gone = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/a"]}}
    left = dry(space, deployment, gone, STRATEGIC_PATCH).ok()
    assert left["metadata"]["finalizers"] == ["example.com/b"]
    more = dry(space, deployment, {"metadata": {"finalizers": ["example.com/c"]}}, STRATEGIC_PATCH).ok()
    assert more["metadata"]["finalizers"] == ["example.com/c", "example.com/a", "example.com/b"]


@pytest.mark.parametrize(
    ("containers", "message"),
    [
        ([{"image": "x"}], "map: map[image:x] does not contain declared merge key: name"),
        ([{"name": "a", "$patch": "bogus"}], "unknown patch type: bogus in map: map[$patch:bogus name:a]"),
    ],
)
def test_strategic_patches_that_make_no_sense(
    space: Space, deployment: str, containers: list[Object], message: str
) -> None:
    body = {"spec": {"template": {"spec": {"containers": containers}}}}
    answer = dry(space, deployment, body, STRATEGIC_PATCH)
    assert (answer.status, answer.body["message"]) == (500, message)
