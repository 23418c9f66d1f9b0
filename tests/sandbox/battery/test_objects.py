# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creating, reading and changing objects over plain HTTP: what answers say, and what is kept."""

from __future__ import annotations

import pytest
from sandbox.battery.support import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, TABLE, Space


def test_creation_fills_in_what_the_server_decides(space: Space) -> None:
    made = space.cluster.post(space.widgets, space.widget("made", {"size": 3})).ok()
    assert made["metadata"]["uid"]
    assert made["metadata"]["creationTimestamp"].endswith("Z")
    assert made["metadata"]["resourceVersion"].isdigit()
    assert made["metadata"]["generation"] == 1
    assert made["spec"] == {"size": 3, "mode": "fast"}


def test_unknown_fields_are_pruned_with_a_warning(space: Space) -> None:
    answer = space.cluster.post(space.widgets, space.widget("pruned", {"size": 3, "bogus": 1, "free": {"kept": 1}}))
    assert answer.ok()["spec"] == {"size": 3, "mode": "fast", "free": {"kept": 1}}
    assert answer.warnings == ['299 - "unknown field \\"spec.bogus\\""']


def test_strict_validation_refuses_unknown_fields(space: Space) -> None:
    answer = space.cluster.post(f"{space.widgets}?fieldValidation=Strict", space.widget("x", {"size": 3, "bogus": 1}))
    assert answer.status == 400
    assert answer.body["message"] == (
        'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.bogus"'
    )


def test_ignored_validation_says_nothing(space: Space) -> None:
    widget = space.widget("quiet", {"size": 3, "bogus": 1})
    assert space.cluster.post(f"{space.widgets}?fieldValidation=Ignore", widget).warnings == []


BAD_SPECS = [
    ({"size": 99}, "spec.size: Invalid value: 99: spec.size in body should be less than or equal to 10"),
    ({"size": 0}, "spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"),
    ({"size": 1, "mode": "odd"}, 'spec.mode: Unsupported value: "odd": supported values: "fast", "slow"'),
    ({"mode": "fast"}, "spec.size: Required value"),
    ({"size": "big"}, 'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"'),
    ({"size": 1, "owner": "x" * 21}, "spec.owner: Too long: may not be more than 20 bytes"),
    ({"size": 9, "mode": "slow"}, "spec: Invalid value: slow widgets must be small"),
    ({"size": 1, "ports": [{"name": "a", "port": 0}]}, "spec: Invalid value: bad port of a fast widget"),
    ({"size": 1, "ports": [{"name": "a"}, {"name": "a"}]}, 'spec.ports[1]: Duplicate value: {"name":"a"}'),
    ({"size": 1, "tags": ["a", "a"]}, 'spec.tags[1]: Duplicate value: "a"'),
]


@pytest.mark.parametrize(("spec", "problem"), BAD_SPECS, ids=[problem[:40] for _, problem in BAD_SPECS])
def test_schema_and_rules_refuse(space: Space, spec: dict[str, object], problem: str) -> None:
    answer = space.cluster.post(space.widgets, space.widget("bad", spec))
    assert answer.status == 422
    assert answer.body["reason"] == "Invalid"
    assert problem in answer.body["message"]
    assert answer.body["details"]["kind"] == "Widget"


def test_transition_rules_compare_with_the_old_value(space: Space) -> None:
    space.cluster.post(space.widgets, space.widget("owned", {"size": 1, "owner": "me"})).ok()
    answer = space.cluster.patch(f"{space.widgets}/owned", {"spec": {"owner": "you"}})
    assert answer.status == 422
    assert 'spec.owner: Invalid value: "you": owner is immutable' in answer.body["message"]
    space.cluster.patch(f"{space.widgets}/owned", {"spec": {"size": 2}}).ok()


def test_nulls_survive_only_where_they_are_allowed(space: Space) -> None:
    made = space.cluster.post(space.widgets, space.widget("nulls", {"size": 1, "note": None, "mode": None})).ok()
    assert made["spec"] == {"size": 1, "note": None, "mode": "fast"}


def test_a_name_is_taken_once(space: Space) -> None:
    space.cluster.post(space.widgets, space.widget("taken", {"size": 1})).ok()
    answer = space.cluster.post(space.widgets, space.widget("taken", {"size": 1}))
    assert (answer.status, answer.body["reason"]) == (409, "AlreadyExists")
    assert answer.body["message"] == 'widgets.battery.mcpops.example.com "taken" already exists'


def test_names_are_generated(space: Space) -> None:
    widget = space.widget("", {"size": 1}, generateName="some-")
    del widget["metadata"]["name"]
    names = {space.cluster.post(space.widgets, widget).ok()["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("some-") and len(name) == 10 for name in names)


@pytest.mark.parametrize(
    ("name", "status"), [("Upper", 422), ("under_score", 422), ("-dash", 422), ("dotted.name", 201)]
)
def test_names_have_rules(space: Space, name: str, status: int) -> None:
    assert space.cluster.post(f"{space.widgets}?dryRun=All", space.widget(name, {"size": 1})).status == status


def test_missing_objects_and_namespaces(space: Space) -> None:
    answer = space.cluster.get(f"{space.widgets}/nobody")
    assert (answer.status, answer.body["reason"]) == (404, "NotFound")
    assert answer.body["message"] == 'widgets.battery.mcpops.example.com "nobody" not found'
    widget = space.widget("x", {"size": 1}, namespace="no-such-namespace")
    answer = space.cluster.post(space.widgets.replace(space.name, "no-such-namespace"), widget)
    assert (answer.status, answer.body["message"]) == (404, 'namespaces "no-such-namespace" not found')


def test_objects_belong_to_the_namespace_of_the_path(space: Space) -> None:
    answer = space.cluster.post(space.widgets, space.widget("x", {"size": 1}, namespace="other"))
    assert answer.status == 400
    expected = "the namespace of the provided object does not match the namespace sent on the request"
    assert answer.body["message"] == expected


def test_unknown_resources_of_known_groups_get_a_status(space: Space) -> None:
    answer = space.cluster.get("/api/v1/gadgets")
    assert (answer.status, answer.body["message"]) == (404, "the server could not find the requested resource")


def test_paths_that_nobody_serves_get_plain_text(space: Space) -> None:
    answer = space.cluster.get("/apis/nobody.example.com/v1/gadgets")
    assert (answer.status, answer.text) == (404, "404 page not found\n")


def test_a_wrong_token_is_refused(space: Space) -> None:
    answer = space.cluster.get("/api/v1/namespaces", Authorization="Bearer wrong")
    assert answer.status == 401
    assert answer.body["reason"] == answer.body["message"] == "Unauthorized"


def test_replacing_needs_the_present_version(space: Space) -> None:
    made = space.cluster.post(space.widgets, space.widget("replaced", {"size": 1})).ok()
    path = f"{space.widgets}/replaced"
    unlocked = space.cluster.put(path, space.widget("replaced", {"size": 2}))
    assert unlocked.status == 422
    assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in unlocked.body["message"]
    made["spec"]["size"] = 2
    assert space.cluster.put(path, made).ok()["metadata"]["generation"] == 2
    stale = space.cluster.put(path, made)
    assert (stale.status, stale.body["reason"]) == (409, "Conflict")
    assert stale.body["message"] == (
        'Operation cannot be fulfilled on widgets.battery.mcpops.example.com "replaced": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


def test_a_change_without_effect_keeps_the_version(space: Space) -> None:
    made = space.cluster.post(space.widgets, space.widget("still", {"size": 1})).ok()
    same = space.cluster.patch(f"{space.widgets}/still", {"spec": {"size": 1}}).ok()
    assert same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_merge_patch(space: Space) -> None:
    space.cluster.post(space.widgets, space.widget("merged", {"size": 1}, labels={"a": "1"})).ok()
    patch = {"metadata": {"labels": {"a": None, "b": "2"}}, "spec": {"size": 2}}
    patched = space.cluster.patch(f"{space.widgets}/merged", patch).ok()
    assert patched["metadata"]["labels"] == {"b": "2"}
    assert patched["spec"]["size"] == 2
    assert patched["metadata"]["generation"] == 2


def test_json_patch(space: Space) -> None:
    space.cluster.post(space.widgets, space.widget("jsonpatched", {"size": 1, "tags": ["a", "b"]})).ok()
    path = f"{space.widgets}/jsonpatched"
    operations = [{"op": "test", "path": "/spec/size", "value": 1}, {"op": "remove", "path": "/spec/tags/0"}]
    assert space.cluster.patch(path, operations, JSON_PATCH).ok()["spec"]["tags"] == ["b"]
    failed = space.cluster.patch(path, [{"op": "test", "path": "/spec/size", "value": 7}], JSON_PATCH)
    assert (failed.status, failed.body["reason"]) == (422, "Invalid")
    assert failed.body["message"] == "the server rejected our request due to an error in our request"


def test_strategic_merge_patch_merges_lists_of_built_in_kinds(space: Space) -> None:
    space.cluster.post(space.apps("deployments"), space.deployment("strategic")).ok()
    containers = [{"name": "main", "image": "example.com/image:2"}, {"name": "side", "image": "example.com/side:1"}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    path = f"{space.apps('deployments')}/strategic"
    patched = space.cluster.patch(path, patch, STRATEGIC_PATCH).ok()
    found = {item["name"]: item for item in patched["spec"]["template"]["spec"]["containers"]}
    assert found["main"]["image"] == "example.com/image:2"
    assert found["main"]["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "side", "$patch": "delete"}]}}}}
    left = space.cluster.patch(path, patch, STRATEGIC_PATCH).ok()["spec"]["template"]["spec"]["containers"]
    assert [item["name"] for item in left] == ["main"]


def test_strategic_merge_patch_is_not_for_custom_resources(space: Space) -> None:
    space.cluster.post(space.widgets, space.widget("unstrategic", {"size": 1})).ok()
    answer = space.cluster.patch(f"{space.widgets}/unstrategic", {}, STRATEGIC_PATCH)
    assert (answer.status, answer.body["reason"]) == (415, "UnsupportedMediaType")


def test_status_is_written_through_its_subresource_only(space: Space) -> None:
    widget = space.widget("phased", {"size": 1})
    made = space.cluster.post(space.widgets, {**widget, "status": {"phase": "Ignored"}}).ok()
    assert "status" not in made
    path = f"{space.widgets}/phased"
    assert "status" not in space.cluster.patch(path, {"status": {"phase": "Ignored"}}).ok()
    patch = {"status": {"phase": "Ready"}, "spec": {"size": 9}, "metadata": {"labels": {"ignored": "yes"}}}
    shown = space.cluster.patch(f"{path}/status", patch).ok()
    assert shown["status"] == {"phase": "Ready"}
    assert shown["spec"]["size"] == 1
    assert "labels" not in shown["metadata"]
    assert shown["metadata"]["generation"] == 1
    assert space.cluster.patch(path, {"spec": {"size": 2}}).ok()["status"] == {"phase": "Ready"}


def test_scale_of_deployments_and_custom_resources(space: Space) -> None:
    space.cluster.post(space.apps("deployments"), space.deployment("scaled")).ok()
    space.cluster.post(space.widgets, space.widget("scaled", {"size": 1, "replicas": 2})).ok()
    for path, before in ((f"{space.apps('deployments')}/scaled", 1), (f"{space.widgets}/scaled", 2)):
        scale = space.cluster.get(f"{path}/scale").ok()
        assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
        assert scale["spec"]["replicas"] == before
        assert space.cluster.patch(f"{path}/scale", {"spec": {"replicas": 5}}).ok()["spec"]["replicas"] == 5
        assert space.cluster.get(path).ok()["spec"]["replicas"] == 5


@pytest.mark.parametrize("verb", ["create", "replace", "merge", "apply", "delete"])
def test_dry_runs_change_nothing(space: Space, verb: str) -> None:
    space.cluster.post(space.widgets, space.widget(f"dry-{verb}", {"size": 1})).ok()
    path = f"{space.widgets}/dry-{verb}"
    before = space.cluster.get(path).ok()
    changed = {**before, "spec": {"size": 5}}
    if verb == "create":
        space.cluster.post(f"{space.widgets}?dryRun=All", space.widget("dry", {"size": 1})).ok()
        assert space.cluster.get(f"{space.widgets}/dry").status == 404
    elif verb == "replace":
        assert space.cluster.put(f"{path}?dryRun=All", changed).ok()["spec"]["size"] == 5
    elif verb == "merge":
        assert space.cluster.patch(f"{path}?dryRun=All", {"spec": {"size": 5}}).ok()["spec"]["size"] == 5
    elif verb == "apply":
        config = space.widget("dry-apply", {"size": 5})
        assert space.cluster.apply(path, config, "dry", "&dryRun=All&force=true").ok()["spec"]["size"] == 5
    else:
        space.cluster.delete(f"{path}?dryRun=All").ok()
    assert space.cluster.get(path).ok() == before


def test_versions_are_views_of_one_object(space: Space) -> None:
    space.cluster.post(space.widgets, space.widget("viewed", {"size": 1})).ok()
    answer = space.cluster.get(f"{space.widgets.replace('/v1/', '/v1alpha1/')}/viewed")
    assert answer.ok()["apiVersion"] == "battery.mcpops.example.com/v1alpha1"
    assert answer.warnings == [
        '299 - "battery.mcpops.example.com/v1alpha1 Widget is deprecated; use battery.mcpops.example.com/v1 Widget"'
    ]
    older = space.cluster.patch(f"{space.widgets.replace('/v1/', '/v1alpha1/')}/viewed", {"spec": {"size": 2}}).ok()
    assert older["apiVersion"].endswith("v1alpha1")
    assert space.cluster.get(f"{space.widgets}/viewed").ok()["spec"]["size"] == 2


def test_tables(space: Space) -> None:
    space.cluster.post(space.widgets, space.widget("tabled", {"size": 4})).ok()
    condition = {"type": "Ready", "status": "True"}
    space.cluster.patch(f"{space.widgets}/tabled/status", {"status": {"conditions": [condition]}}).ok()
    table = space.cluster.get(f"{space.widgets}/tabled", Accept=TABLE).ok()
    assert table["kind"] == "Table"
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Size", "Ready"]
    assert table["rows"][0]["cells"] == ["tabled", 4, "True"]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


def test_reviews_of_access_allow_administrators(space: Space) -> None:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "delete", "resource": "pods", "namespace": space.name}},
    }
    answer = space.cluster.post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    assert answer.status == 201
    assert answer.body["status"]["allowed"] is True


def test_strategic_patches_do_not_change_what_an_object_is(space: Space) -> None:
    space.cluster.post(space.core("configmaps"), space.config_map("steady", {})).ok()
    path, patch = f"{space.core('configmaps')}/steady", {"kind": "Secret", "apiVersion": "apps/v1", "data": {"a": "b"}}
    found = space.cluster.patch(path, patch, STRATEGIC_PATCH).ok()
    assert (found["kind"], found["data"]) == ("ConfigMap", {"a": "b"})
    assert space.cluster.patch(path, patch, MERGE_PATCH).status in (400, 422)
