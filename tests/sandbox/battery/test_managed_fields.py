# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From client-side to server-side apply, and managedFields that clients write themselves."""

from __future__ import annotations

import json

import pytest
from sandbox.battery.support import API_VERSION, JSON_PATCH, Object, Space, program, run

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def managers(obj: Object) -> list[tuple[str, str]]:
    return [(entry["manager"], entry["operation"]) for entry in obj["metadata"].get("managedFields", ())]


def kubectl(space: Space, name: str, data: Object, *options: str) -> Object:
    """Apply a config map with kubectl, and return what is there then."""
    config = json.dumps(space.config_map(name, data))
    run(program("kubectl"), "--kubeconfig", space.cluster.kubeconfig, "apply", "-f", "-", *options, stdin=config)
    return space.cluster.get(f"{space.core('configmaps')}/{name}").ok()


def test_client_side_apply_is_an_update(space: Space) -> None:
    made = kubectl(space, "client", {"a": "1"})
    assert managers(made) == [("kubectl-client-side-apply", "Update")]
    assert json.loads(made["metadata"]["annotations"][LAST_APPLIED])["data"] == {"a": "1"}


def test_kubectl_takes_over_what_it_applied_itself(space: Space) -> None:
    kubectl(space, "migrated", {"a": "1", "b": "1"})
    migrated = kubectl(space, "migrated", {"a": "2"}, "--server-side")
    assert migrated["data"] == {"a": "2"}
    assert set(managers(migrated)) == {("kubectl", "Apply"), ("kubectl-last-applied", "Apply")}
    assert json.loads(migrated["metadata"]["annotations"][LAST_APPLIED])["data"] == {"a": "2"}


def test_others_conflict_with_client_side_apply(space: Space) -> None:
    kubectl(space, "fought", {"a": "1"})
    path = f"{space.core('configmaps')}/fought"
    answer = space.cluster.apply(path, space.config_map("fought", {"a": "2"}), "other")
    conflict = 'conflict with "kubectl-client-side-apply" using v1: .data.a'
    assert answer.body["message"] == f"Apply failed with 1 conflict: {conflict}"


def test_kubectl_hears_of_conflicts_with_others_only(space: Space) -> None:
    kubectl(space, "partly", {"a": "1", "b": "1"})
    path = f"{space.core('configmaps')}/partly"
    space.cluster.patch(f"{path}?fieldManager=hand", {"data": {"b": "2"}}).ok()
    answer = space.cluster.apply(path, space.config_map("partly", {"a": "3", "b": "3"}), "kubectl")
    assert answer.body["message"] == 'Apply failed with 1 conflict: conflict with "hand" using v1: .data.b'


def test_an_entry_is_rewritten_by_a_guarded_json_patch(space: Space) -> None:
    """What kubectl's migration does: Update becomes Apply, if nobody was faster."""
    made = space.cluster.post(f"{space.widgets}?fieldManager=helm", space.widget("turned", {"size": 1})).ok()
    entries = [{**entry, "operation": "Apply"} for entry in made["metadata"]["managedFields"]]
    path = f"{space.widgets}/turned"

    def turn(version: str) -> list[Object]:
        return [
            {"op": "replace", "path": "/metadata/managedFields", "value": entries},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
        ]

    assert space.cluster.patch(path, turn("1"), JSON_PATCH).status == 409
    turned = space.cluster.patch(path, turn(made["metadata"]["resourceVersion"]), JSON_PATCH).ok()
    assert managers(turned) == [("helm", "Apply")]
    assert space.cluster.apply(path, space.widget("turned", {"size": 2}), "helm").ok()["spec"]["size"] == 2


@pytest.mark.parametrize("emptied", [[], [{}]])
def test_managed_fields_can_be_reset(space: Space, emptied: list[Object]) -> None:
    name = f"reset-{len(emptied)}"
    space.cluster.post(space.core("configmaps"), space.config_map(name, {"a": "1"})).ok()
    path = f"{space.core('configmaps')}/{name}"
    assert managers(space.cluster.patch(path, {"metadata": {"managedFields": emptied}}).ok()) == []
    space.cluster.patch(path, {"data": {"b": "1"}}).ok()
    first = space.cluster.apply(path, space.config_map(name, {"c": "1"}), "one").ok()
    assert managers(first) == [("one", "Apply"), ("before-first-apply", "Update")]


def test_leaving_managed_fields_out_keeps_them(space: Space) -> None:
    made = space.cluster.post(f"{space.core('configmaps')}?fieldManager=one", space.config_map("kept", {"a": "1"})).ok()
    path = f"{space.core('configmaps')}/kept"
    assert managers(space.cluster.patch(path, {"metadata": {"managedFields": None}}).ok()) == managers(made)
    replaced = space.cluster.put(f"{path}?fieldManager=two", space.config_map("kept", {"b": "1"})).ok()
    assert managers(replaced) == [("one", "Update"), ("two", "Update")]


@pytest.mark.parametrize(
    "wrong",
    [{"operation": "Bad"}, {"fieldsType": "FieldsV9"}, {"apiVersion": ""}, {"fieldsV1": {"spec": {}}}],
)
def test_entries_that_make_no_sense_change_nothing(space: Space, wrong: Object) -> None:
    name = f"nonsense-{'-'.join(wrong).lower()}"
    made = space.cluster.post(f"{space.widgets}?fieldManager=one", space.widget(name, {"size": 1})).ok()
    good = {"manager": "x", "operation": "Apply", "apiVersion": API_VERSION, "fieldsType": "FieldsV1", "fieldsV1": {}}
    body = {"metadata": {"managedFields": [{**good, **wrong}]}}
    assert managers(space.cluster.patch(f"{space.widgets}/{name}", body).ok()) == managers(made)


def test_many_update_managers_become_ancient(space: Space) -> None:
    path = f"{space.core('configmaps')}/crowd"
    space.cluster.post(f"{space.core('configmaps')}?fieldManager=m0", space.config_map("crowd", {"k0": ""})).ok()
    for number in range(1, 13):
        crowd = space.cluster.patch(f"{path}?fieldManager=m{number}", {"data": {f"k{number}": ""}}).ok()
    names = [name for name, _ in managers(crowd)]
    assert len(names) == 10
    assert "ancient-changes" in names
