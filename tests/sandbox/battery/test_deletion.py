# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deletion: finalizers, owners, propagation, preconditions, namespaces, definitions."""

from __future__ import annotations

import copy

import pytest
from sandbox.battery.support import CRD, Object, Space, until


def make(space: Space, name: str, **metadata: object) -> Object:
    return space.cluster.post(space.widgets, space.widget(name, {"size": 1}, **metadata)).ok()


def owner_of(obj: Object, **extra: object) -> Object:
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
        **extra,
    }


def gone(space: Space, name: str) -> bool:
    return space.cluster.get(f"{space.widgets}/{name}").status == 404


def test_deletion_answers_with_a_status(space: Space) -> None:
    made = make(space, "plain")
    answer = space.cluster.delete(f"{space.widgets}/plain").ok()
    assert (answer["kind"], answer["status"]) == ("Status", "Success")
    assert answer["details"]["uid"] == made["metadata"]["uid"]
    assert space.cluster.delete(f"{space.widgets}/plain").status == 404


def test_finalizers_hold_an_object(space: Space) -> None:
    make(space, "held", finalizers=["example.com/hold"])
    path = f"{space.widgets}/held"
    marked = space.cluster.delete(path).ok()
    assert marked["metadata"]["deletionTimestamp"]
    assert marked["metadata"]["generation"] == 2
    added = space.cluster.patch(path, {"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}})
    assert added.status == 422
    assert "no new finalizers can be added if the object is being deleted" in added.body["message"]
    space.cluster.patch(path, {"metadata": {"finalizers": None}}).ok()
    assert gone(space, "held")


def test_preconditions(space: Space) -> None:
    made = make(space, "guarded")
    path = f"{space.widgets}/guarded"
    refused = space.cluster.delete(path, {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}})
    assert (refused.status, refused.body["reason"]) == (409, "Conflict")
    space.cluster.delete(path, {"preconditions": {"resourceVersion": made["metadata"]["resourceVersion"]}}).ok()


def test_collections_are_deleted_by_selector(space: Space) -> None:
    for name in ("c1", "c2", "c3"):
        make(space, name, labels={"set": "keep" if name == "c3" else "drop"})
    space.cluster.delete(f"{space.widgets}?labelSelector=set%3Ddrop").ok()
    found = space.cluster.get(f"{space.widgets}?labelSelector=set").ok()
    assert [item["metadata"]["name"] for item in found["items"]] == ["c3"]


@pytest.mark.usefixtures("controllers")
def test_dependents_go_with_their_owner(space: Space) -> None:
    owner = make(space, "owner")
    make(space, "child", ownerReferences=[owner_of(owner)])
    space.cluster.delete(f"{space.widgets}/owner").ok()
    until(lambda: gone(space, "child"), "the child is collected")


@pytest.mark.usefixtures("controllers")
def test_dependents_with_another_owner_stay(space: Space) -> None:
    owners = [make(space, "first"), make(space, "second")]
    make(space, "ward", ownerReferences=[owner_of(owner) for owner in owners])
    space.cluster.delete(f"{space.widgets}/first").ok()

    def references() -> list[str]:
        ward = space.cluster.get(f"{space.widgets}/ward").ok()
        return [reference["name"] for reference in ward["metadata"]["ownerReferences"]]

    until(lambda: references() == ["second"], "the reference to the deleted owner is removed")


@pytest.mark.usefixtures("controllers")
def test_foreground_deletion_waits_for_dependents(space: Space) -> None:
    owner = make(space, "front")
    reference = owner_of(owner, blockOwnerDeletion=True)
    make(space, "blocker", ownerReferences=[reference], finalizers=["example.com/hold"])
    space.cluster.delete(f"{space.widgets}/front", {"propagationPolicy": "Foreground"}).ok()

    def deleting() -> bool:
        found = space.cluster.get(f"{space.widgets}/blocker").ok()
        return "deletionTimestamp" in found["metadata"]

    until(deleting, "the dependent is being deleted")
    waiting = space.cluster.get(f"{space.widgets}/front").ok()
    assert waiting["metadata"]["finalizers"] == ["foregroundDeletion"]
    blocker = space.cluster.get(f"{space.widgets}/blocker").ok()
    kept = [name for name in blocker["metadata"]["finalizers"] if name != "example.com/hold"]
    space.cluster.patch(f"{space.widgets}/blocker", {"metadata": {"finalizers": kept}}).ok()
    until(lambda: gone(space, "front"), "the owner goes after its dependent")


@pytest.mark.usefixtures("controllers")
def test_orphans_stay(space: Space) -> None:
    owner = make(space, "parent")
    make(space, "orphan", ownerReferences=[owner_of(owner)])
    space.cluster.delete(f"{space.widgets}/parent", {"propagationPolicy": "Orphan"}).ok()
    until(lambda: gone(space, "parent"), "the owner goes")
    assert "ownerReferences" not in space.cluster.get(f"{space.widgets}/orphan").ok()["metadata"]


@pytest.mark.usefixtures("controllers")
def test_namespaces_empty_themselves_first(space: Space) -> None:
    name = f"{space.name}-going"
    path = f"/api/v1/namespaces/{name}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    space.cluster.post("/api/v1/namespaces", body).ok()
    inside = Space(space.cluster, name)
    make(inside, "last", finalizers=["example.com/hold"])
    space.cluster.post(inside.core("configmaps"), inside.config_map("soon", {})).ok()
    assert space.cluster.delete(path).ok()["status"]["phase"] == "Terminating"

    def remaining() -> str:
        conditions = space.cluster.get(path).ok()["status"].get("conditions", [])
        return next((c["message"] for c in conditions if c["type"] == "NamespaceFinalizersRemaining"), "")

    until(lambda: "example.com/hold in 1 resource instances" in remaining(), "the namespace says what holds it")
    refused = space.cluster.post(inside.core("configmaps"), inside.config_map("late", {}))
    assert refused.status == 403
    assert refused.body["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    assert f"unable to create new content in namespace {name} because it is being terminated" in refused.body["message"]
    space.cluster.patch(f"{inside.widgets}/last", {"metadata": {"finalizers": None}}).ok()
    until(lambda: space.cluster.get(path).status == 404, "the namespace goes")


def test_definitions_take_their_objects_along(space: Space) -> None:
    crd = copy.deepcopy(CRD)
    crd["spec"]["names"] = {"plural": "gizmos", "singular": "gizmo", "kind": "Gizmo", "listKind": "GizmoList"}
    crd["metadata"]["name"] = f"gizmos.{crd['spec']['group']}"
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    path, gizmos = f"{definitions}/{crd['metadata']['name']}", space.widgets.replace("widgets", "gizmos")
    space.cluster.post(definitions, crd).ok()

    def established() -> bool:
        conditions = space.cluster.get(path).ok()["status"].get("conditions") or []
        return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)

    until(established, "the definition is established")
    until(lambda: space.cluster.get(gizmos).status == 200, "gizmos are served")
    space.cluster.post(gizmos, {**space.widget("one", {"size": 1}), "kind": "Gizmo"}).ok()
    space.cluster.delete(path).ok()
    until(lambda: space.cluster.get(path).status == 404, "the definition goes")
    until(lambda: space.cluster.get(gizmos).status == 404, "gizmos are served no more")


def test_what_is_being_deleted_can_change_but_not_be_made_again(space: Space) -> None:
    make(space, "leaving", finalizers=["example.com/hold"])
    path = f"{space.widgets}/leaving"
    first = space.cluster.delete(path).ok()
    assert space.cluster.delete(path).ok()["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    changed = space.cluster.patch(path, {"spec": {"size": 2}, "metadata": {"deletionTimestamp": None}}).ok()
    assert changed["metadata"]["deletionTimestamp"] == first["metadata"]["deletionTimestamp"]
    again = space.cluster.post(space.widgets, space.widget("leaving", {"size": 1}))
    assert again.status == 409
    assert again.body["message"].startswith("object is being deleted: widgets.battery.mcpops.example.com")
    space.cluster.patch(path, {"metadata": {"finalizers": None}}).ok()
    assert gone(space, "leaving")


def test_a_dry_run_deletes_nothing(space: Space) -> None:
    make(space, "dry")
    space.cluster.delete(f"{space.widgets}/dry?dryRun=All").ok()
    assert not gone(space, "dry")


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        ({"propagationPolicy": "X"}, 422, 'propagationPolicy: Unsupported value: "X": supported values: "Foreground"'),
        (
            {"propagationPolicy": "Orphan", "orphanDependents": True},
            422,
            "orphanDependents and deletionPropagation cannot be both set",
        ),
        (
            {"preconditions": {"resourceVersion": "1"}},
            409,
            "the ResourceVersion in the precondition (1) does not match the ResourceVersion in record",
        ),
        ({"preconditions": {"uid": "x"}}, 409, "the UID in the precondition (x) does not match the UID in record"),
    ],
)
def test_deletions_that_are_refused(space: Space, options: Object, status: int, message: str) -> None:
    space.cluster.post(space.widgets, space.widget("stays", {"size": 1}))
    answer = space.cluster.delete(f"{space.widgets}/stays", options)
    assert answer.status == status
    assert message in answer.body["message"]
    assert not gone(space, "stays")


@pytest.mark.parametrize(("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")])
def test_policies_are_finalizers_for_the_garbage_collector(space: Space, policy: str, finalizer: str) -> None:
    name = f"policy-{policy.lower()}"
    make(space, name, finalizers=["example.com/hold"])
    path = f"{space.widgets}/{name}"
    marked = space.cluster.delete(path, {"propagationPolicy": policy}).ok()
    assert marked["metadata"]["finalizers"] == ["example.com/hold", finalizer]
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 0
    space.cluster.patch(path, {"metadata": {"finalizers": None}}).ok()
    until(lambda: gone(space, name), "the object goes without its finalizers")


def test_built_in_kinds_answer_with_what_they_were(space: Space) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "account"}}
    space.cluster.post(space.core("serviceaccounts"), account).ok()
    assert space.cluster.delete(f"{space.core('serviceaccounts')}/account").ok()["kind"] == "ServiceAccount"
    space.cluster.post(space.core("configmaps"), space.config_map("config", {})).ok()
    assert space.cluster.delete(f"{space.core('configmaps')}/config").ok()["kind"] == "Status"


def test_new_objects_are_refused_where_a_namespace_is_going(space: Space) -> None:
    name = f"{space.name}-gone"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "finalizers": ["example.com/hold"]}}
    space.cluster.post("/api/v1/namespaces", body).ok()
    space.cluster.delete(f"/api/v1/namespaces/{name}").ok()
    inside = Space(space.cluster, name)
    why = f"unable to create new content in namespace {name} because it is being terminated"
    refused = space.cluster.post(inside.core("configmaps"), inside.config_map("late", {}))
    assert (refused.status, refused.body["message"]) == (403, f'configmaps "late" is forbidden: {why}')
    applied = space.cluster.apply(f"{inside.core('configmaps')}/late", inside.config_map("late", {}), "one")
    assert (applied.status, applied.body["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating")
    unnamed = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "late-"}}
    refused = space.cluster.post(inside.core("configmaps"), unnamed)
    assert refused.body["message"] == f'configmaps "late-" is forbidden: {why}'
    space.cluster.patch(f"/api/v1/namespaces/{name}", {"metadata": {"finalizers": None}}).ok()
