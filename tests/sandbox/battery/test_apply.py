# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-side apply: ownership, conflicts, what goes when nobody owns it any more."""

from __future__ import annotations

import json

from sandbox.battery.support import API_VERSION, Object, Space


def apply(space: Space, name: str, spec: object, manager: str, query: str = "") -> Object:
    return space.cluster.apply(f"{space.widgets}/{name}", space.widget(name, spec), manager, query).ok()


def owners(obj: Object) -> dict[str, str]:
    """Manager and operation to what is owned."""
    return {
        f"{entry['manager']}/{entry['operation']}": json.dumps(entry["fieldsV1"], sort_keys=True)
        for entry in obj["metadata"]["managedFields"]
    }


def ports(obj: Object) -> list[str]:
    return [port["name"] for port in obj["spec"]["ports"]]


def test_apply_creates_and_owns_what_it_states(space: Space) -> None:
    answer = space.cluster.apply(f"{space.widgets}/new", space.widget("new", {"size": 2}), "one")
    assert answer.status == 201
    assert owners(answer.body) == {"one/Apply": '{"f:spec": {"f:size": {}}}'}
    assert answer.body["spec"]["mode"] == "fast"


def test_creation_owns_defaults_too(space: Space) -> None:
    made = space.cluster.post(f"{space.widgets}?fieldManager=maker", space.widget("posted", {"size": 2})).ok()
    assert owners(made) == {"maker/Update": '{"f:spec": {".": {}, "f:mode": {}, "f:size": {}}}'}


def test_applying_the_same_again_changes_nothing(space: Space) -> None:
    first = apply(space, "same", {"size": 2, "tags": ["a"]}, "one")
    assert apply(space, "same", {"size": 2, "tags": ["a"]}, "one") == first


def test_list_maps_are_owned_item_by_item(space: Space) -> None:
    apply(space, "listed", {"size": 1, "ports": [{"name": "a", "port": 1}]}, "one")
    both = apply(space, "listed", {"ports": [{"name": "b", "port": 2}]}, "two")
    assert ports(both) == ["a", "b"]
    assert ports(apply(space, "listed", {"ports": []}, "two")) == ["a"]


def test_what_is_no_longer_applied_goes_unless_owned_by_another(space: Space) -> None:
    apply(space, "dropped", {"size": 1, "replicas": 2, "note": "x"}, "one")
    apply(space, "dropped", {"replicas": 2}, "two")
    left = apply(space, "dropped", {"size": 1}, "one")
    assert left["spec"] == {"size": 1, "replicas": 2, "mode": "fast"}


def test_conflicts_name_manager_and_field(space: Space) -> None:
    apply(space, "fought", {"size": 1, "ports": [{"name": "a", "port": 1}]}, "one")
    path = f"{space.widgets}/fought"
    answer = space.cluster.apply(path, space.widget("fought", {"size": 2}), "two")
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert answer.body["message"] == 'Apply failed with 1 conflict: conflict with "one": .spec.size'
    cause = {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".spec.size"}
    assert answer.body["details"]["causes"] == [cause]
    config = space.widget("fought", {"size": 2, "ports": [{"name": "a", "port": 2}]})
    answer = space.cluster.apply(path, config, "two")
    assert answer.body["message"] == (
        'Apply failed with 2 conflicts: conflicts with "one":\n- .spec.size\n- .spec.ports[name="a"].port'
    )


def test_force_takes_over(space: Space) -> None:
    apply(space, "forced", {"size": 1}, "one")
    taken = apply(space, "forced", {"size": 2}, "two", "&force=true")
    assert taken["spec"]["size"] == 2
    assert "f:size" not in owners(taken).get("one/Apply", "")


def test_updates_take_over_what_they_change(space: Space) -> None:
    apply(space, "updated", {"size": 1}, "one")
    patched = space.cluster.patch(f"{space.widgets}/updated?fieldManager=hand", {"spec": {"size": 2}}).ok()
    assert owners(patched)["hand/Update"] == '{"f:spec": {"f:size": {}}}'
    answer = space.cluster.apply(f"{space.widgets}/updated", space.widget("updated", {"size": 1}), "one")
    conflict = 'conflict with "hand" using battery.mcpops.example.com/v1: .spec.size'
    assert answer.body["message"] == f"Apply failed with 1 conflict: {conflict}"


def test_the_same_value_is_shared(space: Space) -> None:
    apply(space, "shared", {"size": 1}, "one")
    shared = owners(apply(space, "shared", {"size": 1}, "two"))
    assert "f:size" in shared["one/Apply"]
    assert "f:size" in shared["two/Apply"]


def test_status_is_applied_through_its_subresource(space: Space) -> None:
    apply(space, "stated", {"size": 1}, "one")
    condition = {"type": "Ready", "status": "True"}
    config = {**space.widget("stated", {}), "status": {"conditions": [condition]}}
    applied = space.cluster.apply(f"{space.widgets}/stated/status", config, "controller").ok()
    assert applied["status"]["conditions"] == [condition]
    entry = next(e for e in applied["metadata"]["managedFields"] if e["manager"] == "controller")
    assert entry["subresource"] == "status"


def test_apply_needs_a_manager_and_a_described_object(space: Space) -> None:
    path = f"{space.widgets}/refused"
    answer = space.cluster.patch(path, space.widget("refused", {"size": 1}), "application/apply-patch+yaml")
    assert answer.status == 422
    assert "fieldManager: Required value: is required for apply patch" in answer.body["message"]
    answer = space.cluster.apply(path, space.widget("refused", {"bogus": 1}), "one")
    assert answer.status == 500
    assert answer.body["message"].endswith(".spec.bogus: field not declared in schema")


def test_a_built_in_kind_is_applied_without_effect_the_second_time(space: Space) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "applied"},
        "spec": {"selector": {"app": "x"}, "ports": [{"name": "http", "port": 80}, {"name": "https", "port": 443}]},
    }
    for path, config in (
        (f"{space.core('services')}/applied", service),
        (f"{space.apps('deployments')}/applied", space.deployment("applied")),
        (f"{space.core('configmaps')}/applied", space.config_map("applied", {"a": "b"})),
    ):
        first = space.cluster.apply(path, config, "one").ok()
        assert space.cluster.apply(path, config, "one").ok() == first


def test_yaml_is_understood(space: Space) -> None:
    text = f"apiVersion: {API_VERSION}\nkind: Widget\nmetadata: {{name: yaml}}\nspec: {{size: 2}}\n"
    path = f"{space.widgets}/yaml?fieldManager=one"
    answer = space.cluster.request("PATCH", path, text.encode(), Content_Type="application/apply-patch+yaml")
    assert answer.ok()["spec"]["size"] == 2
