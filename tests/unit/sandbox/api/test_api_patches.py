# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON merge patch, JSON patch and strategic merge patch."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.api.builtins import load_definitions
from sandbox.api.errors import ApiError
from sandbox.api.patches import json_patch, merge_patch, strategic_merge_patch
from sandbox.api.schema import Schema


@pytest.mark.parametrize(
    ("current", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_has_the_examples_of_its_rfc(current: Any, patch: Any, result: Any) -> None:
    assert merge_patch(current, patch) == result


DOCUMENT = {"list": [1, 2, 3], "map": {"a/b": 1, "m~n": 2}, "nothing": None}


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        ({"op": "add", "path": "/list/1", "value": 9}, {"list": [1, 9, 2, 3]}),
        ({"op": "add", "path": "/list/-", "value": 9}, {"list": [1, 2, 3, 9]}),
        ({"op": "add", "path": "/new", "value": 9}, {"new": 9}),
        ({"op": "remove", "path": "/list/0"}, {"list": [2, 3]}),
        ({"op": "replace", "path": "/map/a~1b", "value": 9}, {"map": {"a/b": 9, "m~n": 2}}),
        ({"op": "replace", "path": "/map/m~0n", "value": 9}, {"map": {"a/b": 1, "m~n": 9}}),
        ({"op": "move", "from": "/list/0", "path": "/list/2"}, {"list": [2, 3, 1]}),
        ({"op": "copy", "from": "/list/0", "path": "/first"}, {"first": 1}),
        ({"op": "test", "path": "/nothing", "value": None}, {}),
        ({"op": "test", "path": "/missing", "value": None}, {}),
        ({"op": "replace", "path": "/new", "value": 9}, {"new": 9}),
    ],
)
def test_json_patch(operation: dict[str, Any], result: dict[str, Any]) -> None:
    assert json_patch(DOCUMENT, [operation]) == {**DOCUMENT, **result}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/list/0", "value": True},
        {"op": "remove", "path": "/missing"},
        {"op": "add", "path": "/missing/below", "value": 1},
        {"op": "add", "path": "/list/9", "value": 1},
        {"op": "add", "path": "no-pointer", "value": 1},
        {"op": "add", "path": "", "value": {}},
        {"op": "add", "path": "/new"},
        {"op": "explode", "path": "/list"},
    ],
)
def test_json_patches_that_do_not_fit_change_nothing(operation: dict[str, Any]) -> None:
    before = {"list": [1, 2, 3]}
    with pytest.raises(ApiError) as caught:
        json_patch(before, [{"op": "add", "path": "/list/-", "value": 4}, operation])
    assert (caught.value.code, before) == (422, {"list": [1, 2, 3]})


def test_what_is_no_json_patch() -> None:
    with pytest.raises(ApiError, match="error decoding patch") as caught:
        json_patch({}, {"op": "add"})
    assert caught.value.code == 400


@pytest.fixture(scope="module")
def pod() -> Schema:
    return load_definitions().kind("", "v1", "Pod")


def containers(pod: Schema, current: list[Any], patch: list[Any], **more: Any) -> Any:
    body = {"spec": {"containers": patch, **more}}
    return strategic_merge_patch({"spec": {"containers": current}}, body, pod)["spec"]["containers"]


def test_strategic_lists_merge_by_their_key(pod: Schema) -> None:
    current = [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]
    assert containers(pod, current, [{"name": "b", "image": "2"}, {"name": "c"}]) == [
        {"name": "a", "image": "1"},
        {"name": "b", "image": "2"},
        {"name": "c"},
    ]


def test_strategic_directives(pod: Schema) -> None:
    current = [{"name": "a"}, {"name": "b"}]
    assert containers(pod, current, [{"name": "a", "$patch": "delete"}]) == [{"name": "b"}]
    assert containers(pod, current, [{"name": "c"}, {"$patch": "replace"}]) == [{"name": "c"}]
    order = {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}]}
    assert containers(pod, current, [{"name": "c"}], **order) == [{"name": "c"}, {"name": "a"}, {"name": "b"}]


def test_strategic_directives_on_objects(pod: Schema) -> None:
    labels = {"metadata": {"labels": {"a": "1", "b": "2"}}}
    patched = strategic_merge_patch(labels, {"metadata": {"labels": {"$patch": "replace", "c": "3"}}}, pod)
    assert patched == {"metadata": {"labels": {"c": "3"}}}
    volume = {"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}
    patch = {"spec": {"volumes": [{"name": "v", "configMap": {"name": "c"}, "$retainKeys": ["name", "configMap"]}]}}
    assert strategic_merge_patch(volume, patch, pod)["spec"]["volumes"] == [{"name": "v", "configMap": {"name": "c"}}]


def test_strategic_lists_of_plain_values(pod: Schema) -> None:
    current = {"metadata": {"finalizers": ["a", "b"]}}
    assert strategic_merge_patch(current, {"metadata": {"finalizers": ["c", "a"]}}, pod) == {
        "metadata": {"finalizers": ["c", "a", "b"]}
    }
    gone = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert strategic_merge_patch(current, gone, pod) == {"metadata": {"finalizers": ["b"]}}


def test_strategic_patches_need_the_key(pod: Schema) -> None:
    with pytest.raises(ApiError, match="does not contain declared merge key: name") as caught:
        containers(pod, [], [{"image": "x"}])
    assert caught.value.code == 500
