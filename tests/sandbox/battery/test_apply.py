# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-side apply: ownership, conflicts, what goes when nobody owns it any more."""

from __future__ import annotations

import json

import pytest
from sandbox.battery.support import API_VERSION, APPLY_PATCH, Object, Space


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


def test_a_null_is_applied_as_it_is(space: Space) -> None:
    cluster, path = space.cluster, f"{space.widgets}/nothing"
    refused = cluster.apply(path, space.widget("nothing", {"size": 1, "replicas": None}), "one")
    assert refused.status == 422
    assert refused.body["details"]["causes"][0]["field"] == "spec.replicas"
    assert 'spec.replicas in body must be of type integer: "null"' in refused.body["message"]
    taken = cluster.apply(path, space.widget("nothing", {"size": 1, "note": None, "mode": None}), "one").ok()
    assert taken["spec"] == {"size": 1, "note": None, "mode": "fast"}
    posted = cluster.post(space.widgets, space.widget("posted-null", {"size": 1, "replicas": None})).ok()
    assert posted["spec"] == {"size": 1, "mode": "fast"}


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


def refusal(space: Space, name: str, spec: object, manager: str) -> str:
    """The message of an apply that has to be refused with a conflict."""
    answer = space.cluster.apply(f"{space.widgets}/{name}", space.widget(name, spec), manager)
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    return str(answer.body["message"])


def test_shared_fields_go_with_their_last_owner(space: Space) -> None:
    for manager in ("one", "two"):
        apply(space, "last", {"size": 1, "note": "x"}, manager)
    apply(space, "last", {"size": 1}, "one")
    assert space.cluster.get(f"{space.widgets}/last").ok()["spec"]["note"] == "x"
    assert "note" not in apply(space, "last", {"size": 1}, "two")["spec"]


def test_members_of_sets_have_owners(space: Space) -> None:
    apply(space, "set", {"size": 1, "tags": ["a", "b"]}, "one")
    both = apply(space, "set", {"tags": ["b", "c"]}, "two")
    assert sorted(both["spec"]["tags"]) == ["a", "b", "c"]
    assert owners(both)["two/Apply"] == '{"f:spec": {"f:tags": {"v:\\"b\\"": {}, "v:\\"c\\"": {}}}}'
    assert apply(space, "set", {"size": 1}, "one")["spec"]["tags"] == ["b", "c"]


def test_maps_are_owned_key_by_key(space: Space) -> None:
    apply(space, "maps", {"size": 1, "labels": {"a": "1", "b": "1"}, "free": {"x": {"y": 1}}}, "one")
    apply(space, "maps", {"labels": {"c": "1"}, "free": {"x": {"z": 1}}}, "two")
    left = apply(space, "maps", {"size": 1, "labels": {"b": "1"}}, "one")
    assert (left["spec"]["labels"], left["spec"]["free"]) == ({"b": "1", "c": "1"}, {"x": {"z": 1}})


def test_undescribed_lists_are_owned_as_a_whole(space: Space) -> None:
    apply(space, "whole", {"size": 1, "free": {"list": [1, 2]}}, "one")
    message = refusal(space, "whole", {"free": {"list": [1]}}, "two")
    assert message == 'Apply failed with 1 conflict: conflict with "one": .spec.free.list'


def test_conflicts_with_several_managers_are_listed_by_manager(space: Space) -> None:
    apply(space, "many", {"size": 1}, "one")
    apply(space, "many", {"note": "x"}, "two")
    space.cluster.patch(f"{space.widgets}/many?fieldManager=hand", {"spec": {"replicas": 3}}).ok()
    assert refusal(space, "many", {"size": 2, "note": "y", "replicas": 4}, "three") == (
        'Apply failed with 3 conflicts: conflicts with "hand" using battery.mcpops.example.com/v1:\n- .spec.replicas\n'
        'conflicts with "one":\n- .spec.size\nconflicts with "two":\n- .spec.note'
    )


def test_a_manager_can_conflict_with_its_own_update(space: Space) -> None:
    space.cluster.post(f"{space.widgets}?fieldManager=both", space.widget("self", {"size": 1})).ok()
    message = refusal(space, "self", {"size": 2}, "both")
    assert message.endswith('conflict with "both" using battery.mcpops.example.com/v1: .spec.size')


def test_scaling_takes_the_replicas(space: Space) -> None:
    apply(space, "scaled", {"size": 1, "replicas": 2}, "one")
    space.cluster.patch(f"{space.widgets}/scaled/scale?fieldManager=scaler", {"spec": {"replicas": 5}}).ok()
    entry = space.cluster.get(f"{space.widgets}/scaled").ok()["metadata"]["managedFields"][-1]
    assert (entry["manager"], entry["subresource"]) == ("scaler", "scale")
    conflict = 'conflict with "scaler" with subresource "scale" using battery.mcpops.example.com/v1: .spec.replicas'
    assert refusal(space, "scaled", {"size": 1, "replicas": 2}, "one").endswith(conflict)


def test_the_status_belongs_to_who_writes_it(space: Space) -> None:
    apply(space, "owned", {"size": 1}, "one")
    path = f"{space.widgets}/owned/status"
    for manager, name in (("first", "A"), ("second", "B")):
        config = {**space.widget("owned", {}), "status": {"conditions": [{"type": name, "status": "True"}]}}
        space.cluster.apply(path, config, manager).ok()
    config = {**space.widget("owned", {}), "status": {"conditions": [{"type": "A", "status": "False"}]}}
    answer = space.cluster.apply(path, config, "second")
    assert answer.body["message"] == (
        'Apply failed with 1 conflict: conflict with "first" with subresource "status": '
        '.status.conditions[type="A"].status'
    )
    ignored = apply(space, "owned", {"size": 1}, "one")
    assert [condition["type"] for condition in ignored["status"]["conditions"]] == ["A", "B"]


def test_every_entry_names_the_version_it_was_written_in(space: Space) -> None:
    apply(space, "versions", {"size": 1}, "one")
    old = space.widgets.replace("/v1/", "/v1alpha1/")
    patched = space.cluster.patch(f"{old}/versions?fieldManager=old", {"spec": {"note": "x"}}).ok()
    found = {entry["manager"]: entry["apiVersion"] for entry in patched["metadata"]["managedFields"]}
    assert found == {"one": API_VERSION, "old": API_VERSION.replace("v1", "v1alpha1")}
    conflict = 'conflict with "old" using battery.mcpops.example.com/v1alpha1: .spec.note'
    assert refusal(space, "versions", {"size": 1, "note": "y"}, "one").endswith(conflict)


def test_an_item_is_known_by_the_defaults_of_its_keys(space: Space) -> None:
    def service(*ports: Object) -> Object:
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "keys"}, "spec": {"ports": list(ports)}}

    path, http = f"{space.core('services')}/keys", {"name": "http", "port": 80}
    space.cluster.apply(path, service(http), "one").ok()
    udp = {"name": "dns", "port": 53, "protocol": "UDP"}
    both = space.cluster.apply(path, service({**http, "protocol": "TCP"}, udp), "two").ok()
    assert [port["port"] for port in both["spec"]["ports"]] == [80, 53]
    assert 'k:{\\"port\\":80,\\"protocol\\":\\"TCP\\"}' in owners(both)["one/Apply"]
    twice = space.cluster.apply(path, service(http, {**http, "protocol": "TCP"}), "three")
    assert twice.status == 500
    assert 'duplicate entries for key [port=80,protocol="TCP"]' in twice.body["message"]


def test_applied_items_come_in_the_order_of_the_configuration(space: Space) -> None:
    apply(space, "order", {"size": 1, "ports": [{"name": "a"}, {"name": "b"}]}, "one")
    mixed = apply(space, "order", {"ports": [{"name": "c"}, {"name": "b"}, {"name": "d"}]}, "two")
    assert ports(mixed) == ["a", "c", "b", "d"]


def test_an_empty_list_that_is_always_written_is_owned(space: Space) -> None:
    roles = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{space.name}/roles"
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "empty"}, "rules": []}
    made = space.cluster.post(f"{roles}?fieldManager=maker", role).ok()
    assert owners(made) == {"maker/Update": '{"f:rules": {}}'}
    assert made["rules"] is None


def test_a_dry_run_changes_nothing(space: Space) -> None:
    path = f"{space.widgets}/dry"
    assert space.cluster.apply(path, space.widget("dry", {"size": 1}), "one", "&dryRun=All").status == 201
    assert space.cluster.get(path).status == 404
    kept = apply(space, "dry", {"size": 1}, "one")
    shown = space.cluster.apply(path, space.widget("dry", {"size": 2}), "one", "&dryRun=All").ok()
    assert shown["spec"]["size"] == 2
    assert space.cluster.get(path).ok() == kept


def test_apply_can_insist_on_a_resource_version(space: Space) -> None:
    made = apply(space, "locked", {"size": 1}, "one")
    current = made["metadata"]["resourceVersion"]
    config = space.widget("locked", {"size": 2}, resourceVersion=current)
    space.cluster.apply(f"{space.widgets}/locked", config, "one").ok()
    stale = space.cluster.apply(f"{space.widgets}/locked", config, "one")
    assert stale.status == 409
    assert "the object has been modified; please apply your changes to the latest version" in stale.body["message"]


@pytest.mark.parametrize(
    ("name", "metadata", "status", "message"),
    [
        ("nobody", {"uid": "0-0"}, 409, "uid mismatch: the provided object specified uid 0-0, and no existing object"),
        ("somebody", {"name": "other"}, 400, "the name of the object (other) does not match the name on the URL"),
        ("nobody", {"name": ""}, 400, "the name of the object (nobody based on URL) was undeterminable: name must be"),
        ("somebody", {"managedFields": [{}]}, 400, "metadata.managedFields must be nil"),
        ("somebody", {"namespace": "default"}, 400, "the namespace of the provided object does not match"),
        ("Capital", {"name": "Capital"}, 422, "a lowercase RFC 1123 subdomain must consist of"),
    ],
)
def test_metadata_that_cannot_be_applied(space: Space, name: str, metadata: Object, status: int, message: str) -> None:
    space.cluster.apply(f"{space.core('configmaps')}/somebody", space.config_map("somebody", {}), "one").ok()
    config = space.config_map(name, {})
    config["metadata"] |= metadata
    answer = space.cluster.apply(f"{space.core('configmaps')}/{name}", config, "one")
    assert answer.status == status
    assert message in answer.body["message"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "invalid object type: /, Kind="),
        (b"[]", "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into"),
        (b"a: b: c", "error decoding YAML: error converting YAML to JSON: yaml: mapping values are not allowed"),
        (b"{apiVersion: v1, kind: Secret}", "invalid object type: /v1, Kind=Secret"),
        (b"{kind: ConfigMap}", "invalid object type: /, Kind=ConfigMap"),
    ],
)
def test_bodies_that_cannot_be_applied(space: Space, body: bytes, message: str) -> None:
    answer = space.cluster.patch(f"{space.core('configmaps')}/body?fieldManager=one", body, APPLY_PATCH)
    assert answer.status == 400
    assert message in answer.body["message"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"size": "x"}, ".spec.size: expected numeric (int or float), got string"),
        ({"ports": {}}, ".spec.ports: expected list, got &{map[]}"),
        (
            {"ports": [{"port": 1}]},
            'omits all key fields ["name"] (and doesn\'t have default values for any key fields)',
        ),
        ({"ports": [{"name": "a"}, {"name": "a"}]}, '.spec.ports: duplicate entries for key [name="a"]'),
        ({"tags": ["a", "a"]}, '.spec.tags: duplicate entries for key [="a"]'),
        ({"mode": 5}, ".spec.mode: expected string, got &value.valueUnstructured{Value:5}"),
    ],
)
def test_specs_that_the_schema_does_not_describe(space: Space, spec: Object, message: str) -> None:
    answer = space.cluster.apply(f"{space.widgets}/shape", space.widget("shape", spec), "one")
    assert answer.status == 500
    assert message in answer.body["message"]


@pytest.mark.parametrize(
    ("manager", "message"),
    [
        ("x" * 129, "fieldManager: Too long: may not be more than 128 bytes"),
        ("a%01", 'fieldManager: Invalid value: "a\\x01": invalid character U+0001 (at position 1)'),
    ],
)
def test_managers_that_are_refused(space: Space, manager: str, message: str) -> None:
    answer = space.cluster.apply(f"{space.widgets}/named", space.widget("named", {"size": 1}), manager)
    assert answer.status == 422
    assert message in answer.body["message"]
