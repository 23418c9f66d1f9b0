# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deletion: finalizers, owners, namespaces, definitions."""

from __future__ import annotations

from typing import Any

from api_kit import CONFIGMAPS, DEFINITIONS, MERGE, WIDGETS, Api, configmap, widget

NAMESPACES = "/api/v1/namespaces"


def owner(obj: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
    }
    return [{**reference, **more}]


def there(api: Api, path: str) -> bool:
    return api("GET", path).code == 200


def test_finalizers_hold_an_object(api: Api) -> None:
    api.make(CONFIGMAPS, configmap("x", finalizers=["example.com/hold"]))
    marked = api("DELETE", f"{CONFIGMAPS}/x").body["metadata"]
    assert marked["deletionTimestamp"]
    assert api("DELETE", f"{CONFIGMAPS}/x").body["metadata"]["deletionTimestamp"] == marked["deletionTimestamp"]
    answer = api("PATCH", f"{CONFIGMAPS}/x", {"metadata": {"finalizers": ["example.com/other"]}}, MERGE)
    assert (answer.code, answer.body["reason"]) == (422, "Invalid")
    assert api("PATCH", f"{CONFIGMAPS}/x", {"metadata": {"finalizers": None}}, MERGE).code == 200
    assert not there(api, f"{CONFIGMAPS}/x")


def test_preconditions(api: Api) -> None:
    created = api.make(CONFIGMAPS, configmap("x"))
    wrong = api("DELETE", f"{CONFIGMAPS}/x", {"preconditions": {"uid": "other"}})
    assert (wrong.code, wrong.body["reason"]) == (409, "Conflict")
    right = {"preconditions": {"uid": created["metadata"]["uid"]}}
    assert api("DELETE", f"{CONFIGMAPS}/x", right).code == 200


def test_a_dry_run_deletes_nothing(api: Api) -> None:
    api.make(CONFIGMAPS, configmap("x"))
    assert api("DELETE", f"{CONFIGMAPS}/x?dryRun=All").code == 200
    assert there(api, f"{CONFIGMAPS}/x")


async def test_dependents_go_with_their_owner(api: Api) -> None:
    parent = api.make(CONFIGMAPS, configmap("parent"))
    child = api.make(CONFIGMAPS, configmap("child", ownerReferences=owner(parent)))
    api.make(CONFIGMAPS, configmap("grandchild", ownerReferences=owner(child)))
    api("DELETE", f"{CONFIGMAPS}/parent")
    await api.settled()
    assert api("GET", CONFIGMAPS).body["items"] == []


async def test_a_dependent_with_another_owner_stays(api: Api) -> None:
    one, two = (api.make(CONFIGMAPS, configmap(name)) for name in ("one", "two"))
    api.make(CONFIGMAPS, configmap("child", ownerReferences=owner(one) + owner(two)))
    api("DELETE", f"{CONFIGMAPS}/one")
    await api.settled()
    child = api("GET", f"{CONFIGMAPS}/child").body
    assert child["metadata"]["ownerReferences"] == owner(two)


async def test_orphans_stay(api: Api) -> None:
    parent = api.make(CONFIGMAPS, configmap("parent"))
    api.make(CONFIGMAPS, configmap("child", ownerReferences=owner(parent)))
    api("DELETE", f"{CONFIGMAPS}/parent?propagationPolicy=Orphan")
    await api.settled()
    assert not there(api, f"{CONFIGMAPS}/parent")
    assert "ownerReferences" not in api("GET", f"{CONFIGMAPS}/child").body["metadata"]


async def test_foreground_deletion_waits_for_dependents(api: Api) -> None:
    parent = api.make(CONFIGMAPS, configmap("parent"))
    references = owner(parent, blockOwnerDeletion=True)
    api.make(CONFIGMAPS, configmap("child", ownerReferences=references, finalizers=["example.com/hold"]))
    answer = api("DELETE", f"{CONFIGMAPS}/parent", {"propagationPolicy": "Foreground"})
    assert answer.body["metadata"]["finalizers"] == ["foregroundDeletion"]
    await api.settled()
    assert there(api, f"{CONFIGMAPS}/parent")
    api("PATCH", f"{CONFIGMAPS}/child", {"metadata": {"finalizers": None}}, MERGE)
    await api.settled()
    assert not there(api, f"{CONFIGMAPS}/child")
    assert not there(api, f"{CONFIGMAPS}/parent")


async def test_objects_of_owners_that_never_were_are_collected(api: Api) -> None:
    ghost = {"metadata": {"name": "ghost", "uid": "never"}}
    api.make(CONFIGMAPS, configmap("child", ownerReferences=owner(ghost)))
    await api.settled()
    assert not there(api, f"{CONFIGMAPS}/child")


async def test_namespaces_terminate_until_they_are_empty(api: Api) -> None:
    api.make(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}})
    inside = f"{NAMESPACES}/ns/configmaps"
    api.make(inside, configmap("held", finalizers=["example.com/hold"]))
    api.make(inside, configmap("free"))
    assert api("DELETE", f"{NAMESPACES}/ns").body["status"]["phase"] == "Terminating"
    await api.settled()
    assert [item["metadata"]["name"] for item in api("GET", inside).body["items"]] == ["held"]
    refused = api("POST", inside, configmap("late"))
    assert (refused.code, refused.body["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating")
    conditions = {c["type"]: c for c in api("GET", f"{NAMESPACES}/ns").body["status"]["conditions"]}
    assert conditions["NamespaceFinalizersRemaining"]["message"] == (
        "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
    )
    api("PATCH", f"{inside}/held", {"metadata": {"finalizers": None}}, MERGE)
    await api.settled()
    assert not there(api, f"{NAMESPACES}/ns")


def test_some_namespaces_cannot_be_deleted(api: Api) -> None:
    answer = api("DELETE", f"{NAMESPACES}/default")
    assert (answer.code, answer.message) == (
        403,
        'namespaces "default" is forbidden: this namespace may not be deleted',
    )


def test_objects_need_a_namespace(api: Api) -> None:
    answer = api("POST", f"{NAMESPACES}/nowhere/configmaps", configmap("x"))
    assert (answer.code, answer.message) == (404, 'namespaces "nowhere" not found')


async def test_definitions_take_their_objects_along(widgets: Api) -> None:
    widgets.make(WIDGETS, widget("free"))
    widgets.make(WIDGETS, widget("held", finalizers=["example.com/hold"]))
    widgets("DELETE", f"{DEFINITIONS}/widgets.acme.example.com")
    await widgets.settled()
    assert [item["metadata"]["name"] for item in widgets("GET", WIDGETS).body["items"]] == ["held"]
    assert widgets("POST", WIDGETS, widget("late")).code == 405
    widgets("PATCH", f"{WIDGETS}/held", {"metadata": {"finalizers": None}}, MERGE)
    await widgets.settled()
    assert not there(widgets, f"{DEFINITIONS}/widgets.acme.example.com")
    assert widgets("GET", WIDGETS).code == 404
