# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-side apply and managedFields: who owns what, conflicts, what goes away."""

from __future__ import annotations

from typing import Any

import pytest
from api_kit import CONFIGMAPS, MERGE, WIDGETS, Api, configmap, managers, widget
from sandbox.api import fieldsets, typed
from sandbox.api.schema import Schema

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
A, B, C = ("f:a",), ("f:a", "f:b"), ("f:c",)


# sets of fields


def test_fields_v1_comes_back_as_it_was() -> None:
    fields = {"f:spec": {"f:ports": {'k:{"name":"a"}': {".": {}, "f:port": {}}}, "f:set": {'v:"x"': {}}}}
    assert fieldsets.to_fields_v1(fieldsets.from_fields_v1(fields)) == fields


def test_what_is_below_a_member_can_be_left_out() -> None:
    assert fieldsets.without({A, B, C}, {A}) == {C}
    assert fieldsets.in_order({B, A, C}) == [A, C, B]


def test_unknown_path_elements_are_refused() -> None:
    with pytest.raises(ValueError, match="'spec'"):
        fieldsets.from_fields_v1({"spec": {}})


def test_paths_are_described_as_conflicts_show_them() -> None:
    path = ("f:spec", "f:ports", 'k:{"name":"a","port":1}', "f:x", 'v:"y"', "i:0")
    assert fieldsets.describe(path) == '.spec.ports[name="a",port=1].x[="y"][0]'


# walking two objects


KEYED = {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"]}
ITEM = {"type": "object", "properties": {"n": {"type": "string"}, "v": {"type": "integer"}}}
LISTS = Schema(
    {
        "type": "object",
        "properties": {
            "keyed": {**KEYED, "items": ITEM},
            "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "atomic": {"type": "array", "items": ITEM},
        },
    }
)


def test_lists_merge_by_their_type() -> None:
    live = {"keyed": [{"n": "a", "v": 1}, {"n": "b"}], "set": ["x", "y"], "atomic": [{"n": "a"}]}
    config = {"keyed": [{"n": "b", "v": 2}], "set": ["z", "y"], "atomic": [{"n": "b"}]}
    assert typed.merge(live, config, LISTS) == {
        "keyed": [{"n": "a", "v": 1}, {"n": "b", "v": 2}],
        "set": ["x", "z", "y"],
        "atomic": [{"n": "b"}],
    }


def test_comparisons_name_elements() -> None:
    old = {"keyed": [{"n": "a", "v": 1}, {"n": "gone"}]}
    new = {"keyed": [{"n": "a", "v": 2}, {"n": "new"}]}
    found = typed.compare(old, new, LISTS)
    shown = [fieldsets.describe(path) for path in fieldsets.in_order(found.changed)]
    assert shown == ['.keyed[n="new"]', '.keyed[n="a"].v', '.keyed[n="new"].n']
    assert '.keyed[n="gone"]' in [fieldsets.describe(path) for path in found.removed]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"other": 1}, ".other: field not declared in schema"),
        ({"set": ["a", "a"]}, '.set: duplicate entries for key [="a"]'),
        ({"keyed": [{"n": 1}]}, ".keyed[n=1].n: expected string, got &value.valueUnstructured{Value:1}"),
        ({"keyed": [{"n": "a", "v": "x"}]}, '.keyed[n="a"].v: expected numeric (int or float), got string'),
        ({"set": [None]}, ".set: element 0: associative list without keys has an element that's an explicit null"),
    ],
)
def test_configurations_are_checked(config: Any, message: str) -> None:
    with pytest.raises(typed.SchemaMismatchError) as caught:
        typed.check(config, LISTS)
    assert str(caught.value) == message


# ownership


def test_apply_creates_and_owns_what_it_states(api: Api) -> None:
    answer = api.apply(CONFIGMAPS, configmap("x", {"a": "1"}, labels={"l": "v"}), "one")
    assert answer.code == 201
    entry = answer.body["metadata"]["managedFields"][0]
    assert (entry["operation"], entry["apiVersion"], entry["fieldsType"]) == ("Apply", "v1", "FieldsV1")
    assert entry["fieldsV1"] == {"f:data": {"f:a": {}}, "f:metadata": {"f:labels": {"f:l": {}}}}


def test_applying_the_same_again_changes_nothing(api: Api) -> None:
    first = api.apply(CONFIGMAPS, configmap("x", {"a": "1"}), "one")
    assert api.apply(CONFIGMAPS, configmap("x", {"a": "1"}), "one").body == first.body


def test_what_is_no_longer_stated_goes_unless_another_owns_it(api: Api) -> None:
    api.apply(CONFIGMAPS, configmap("x", {"a": "1", "b": "1"}), "one")
    api.apply(CONFIGMAPS, configmap("x", {"b": "1"}), "two")
    answer = api.apply(CONFIGMAPS, configmap("x", {"c": "1"}), "one")
    assert answer.body["data"] == {"b": "1", "c": "1"}
    assert managers(answer.body) == {"one": {"f:data": {"f:c": {}}}, "two": {"f:data": {"f:b": {}}}}


def test_conflicts_name_manager_and_field(api: Api) -> None:
    api.apply(CONFIGMAPS, configmap("x", {"a": "1"}), "one")
    answer = api.apply(CONFIGMAPS, configmap("x", {"a": "2"}), "two")
    assert (answer.code, answer.body["reason"]) == (409, "Conflict")
    assert answer.message == 'Apply failed with 1 conflict: conflict with "one": .data.a'
    assert answer.body["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.a"}
    ]


def test_several_conflicts_are_grouped(api: Api) -> None:
    api.make(f"{CONFIGMAPS}?fieldManager=writer", configmap("x", {"a": "1", "b": "1"}))
    answer = api.apply(CONFIGMAPS, configmap("x", {"a": "2", "b": "2"}), "two")
    assert answer.message == ('Apply failed with 2 conflicts: conflicts with "writer" using v1:\n- .data.a\n- .data.b')


def test_force_takes_fields_away(api: Api) -> None:
    api.apply(CONFIGMAPS, configmap("x", {"a": "1", "b": "1"}), "one")
    answer = api.apply(CONFIGMAPS, configmap("x", {"a": "2"}), "two", force=True)
    assert answer.body["data"] == {"a": "2", "b": "1"}
    assert managers(answer.body) == {"one": {"f:data": {"f:b": {}}}, "two": {"f:data": {"f:a": {}}}}


def test_equal_values_are_shared(api: Api) -> None:
    api.apply(CONFIGMAPS, configmap("x", {"a": "1"}), "one")
    answer = api.apply(CONFIGMAPS, configmap("x", {"a": "1"}), "two")
    assert answer.code == 200
    assert set(managers(answer.body)) == {"one", "two"}


def test_other_writes_take_over_what_they_change(api: Api) -> None:
    api.apply(CONFIGMAPS, configmap("x", {"a": "1", "b": "1"}), "one")
    answer = api("PATCH", f"{CONFIGMAPS}/x?fieldManager=writer", {"data": {"a": "2"}}, MERGE)
    assert managers(answer.body) == {"one": {"f:data": {"f:b": {}}}, "writer": {"f:data": {"f:a": {}}}}


def test_items_of_list_maps_have_owners_of_their_own(api: Api) -> None:
    def deployment(name: str) -> dict[str, Any]:
        spec = {"containers": [{"name": name, "image": "i"}]}
        template = {"metadata": {"labels": {"a": "b"}}, "spec": spec}
        meta = {"name": "d"}
        whole = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": whole}

    api.apply(DEPLOYMENTS, deployment("first"), "one")
    api.apply(DEPLOYMENTS, deployment("second"), "two")
    answer = api.apply(DEPLOYMENTS, deployment("other"), "one")
    names = [container["name"] for container in answer.body["spec"]["template"]["spec"]["containers"]]
    assert sorted(names) == ["other", "second"]


def test_the_status_has_managers_of_its_own(widgets: Api) -> None:
    widgets.make(f"{WIDGETS}?fieldManager=user", widget("x", {"size": 1}))
    answer = widgets("PATCH", f"{WIDGETS}/x/status?fieldManager=user", {"status": {"phase": "Up"}}, MERGE)
    entries = [(e["manager"], e.get("subresource"), e["fieldsV1"]) for e in answer.body["metadata"]["managedFields"]]
    assert ("user", "status", {"f:status": {".": {}, "f:phase": {}}}) in entries
    assert ("user", None, {"f:spec": {".": {}, "f:mode": {}, "f:size": {}}}) in entries


def test_many_update_managers_are_joined(api: Api) -> None:
    api.make(f"{CONFIGMAPS}?fieldManager=m00", configmap("x", {"k00": ""}))
    for number in range(1, 14):
        body = {"data": {f"k{number:02}": ""}}
        answer = api("PATCH", f"{CONFIGMAPS}/x?fieldManager=m{number:02}", body, MERGE)
    names = managers(answer.body)
    assert len(names) == 10
    assert "ancient-changes" in names


def test_kubectl_takes_over_its_own_client_side_fields(api: Api) -> None:
    last = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{"a":"1"}}'
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": last}
    created = configmap("x", {"a": "1"}, annotations=annotations)
    api.make(f"{CONFIGMAPS}?fieldManager=kubectl-client-side-apply", created)
    assert api.apply(CONFIGMAPS, configmap("x", {"a": "2"}), "other").code == 409
    assert api.apply(CONFIGMAPS, configmap("x", {"a": "2"}), "kubectl").body["data"] == {"a": "2"}


def test_managed_fields_can_be_reset(api: Api) -> None:
    api.apply(CONFIGMAPS, configmap("x", {"a": "1"}), "one")
    answer = api("PATCH", f"{CONFIGMAPS}/x", {"metadata": {"managedFields": [{}]}}, MERGE)
    assert managers(answer.body) == {}


@pytest.mark.parametrize(
    ("obj", "code", "message"),
    [
        (widget("x", {"no": 1}), 500, ".spec.no: field not declared in schema"),
        (widget("x", managedFields=[]), 400, "metadata.managedFields must be nil"),
        (widget("x", {"size": 11}), 422, "spec.size in body should be less than or equal to 10"),
    ],
)
def test_configurations_that_are_refused(widgets: Api, obj: dict[str, Any], code: int, message: str) -> None:
    answer = widgets.apply(WIDGETS, obj, "one")
    assert answer.code == code
    assert message in answer.message
