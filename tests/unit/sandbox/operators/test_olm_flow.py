# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OLM stand-in against an API server: from a Subscription to a running operator, and what goes wrong on the way."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.catalog.behaviour import BROKEN_BUNDLES
from sandbox.client import Object
from sandbox.controllers.olm_base import CLUSTER_ROLES, PACKAGE_MANIFESTS
from sandbox.kinds import CATALOG_SOURCES, CRDS, CSVS, DEPLOYMENTS, INSTALL_PLANS, OPERATOR_GROUPS, SUBSCRIPTIONS
from unit.sandbox.operators.kit import Log
from unit.sandbox.operators.olm_kit import EXTENSIONS_CRD, NAME, NEW, OLD, Olm


async def test_a_catalogue_becomes_ready_and_shows_its_packages(world: Olm) -> None:
    def state(catalog: Object) -> Any:
        return (catalog.get("status") or {}).get("connectionState", {}).get("lastObservedState") == "READY"

    await world.cluster.until(CATALOG_SOURCES, world.market, "redhat-operators", state)
    manifest = await world.cluster.until(PACKAGE_MANIFESTS, world.market, NAME, lambda obj: obj.get("status"))
    assert manifest["status"]["defaultChannel"] == "preview"
    channel = manifest["status"]["channels"][0]
    assert (channel["name"], channel["currentCSV"]) == ("preview", NEW)
    await world.cluster.client.delete(CATALOG_SOURCES, "redhat-operators", world.market)
    await world.cluster.gone(PACKAGE_MANIFESTS, world.market, NAME)


async def test_a_subscription_leads_to_a_running_operator(world: Olm) -> None:
    await world.group()
    await world.subscribe()
    csv = await world.phase(NEW, "Succeeded")
    sub = await world.subscription(state="AtLatestKnown", installedCSV=NEW, currentCSV=NEW)
    passed = [entry["phase"] for entry in csv["status"]["conditions"]]
    assert [phase for index, phase in enumerate(passed) if phase not in passed[:index]] == [
        "Pending",
        "InstallReady",
        "Installing",
        "Succeeded",
    ]
    assert (csv["status"]["reason"], csv["status"]["message"]) == (
        "InstallSucceeded",
        "install strategy completed with no errors",
    )
    assert csv["metadata"]["annotations"]["olm.targetNamespaces"] == world.namespace
    assert [entry["type"] for entry in sub["status"]["conditions"] if entry["status"] == "True"] in (
        [],
        ["InstallPlanPending"],
    )
    plan = await world.plan()
    assert plan["metadata"]["name"].startswith("install-")
    assert (plan["spec"]["approval"], plan["spec"]["approved"]) == ("Automatic", True)
    done = await world.cluster.condition(
        INSTALL_PLANS, (world.namespace, plan["metadata"]["name"]), "Installed", "True"
    )
    assert "reason" not in done
    deployment = await world.cluster.client.get(DEPLOYMENTS, "mcp-gateway-controller", world.namespace)
    assert deployment
    assert deployment["metadata"]["ownerReferences"][0]["name"] == NEW
    crd = await world.cluster.client.get(CRDS, EXTENSIONS_CRD)
    assert crd
    assert [version["name"] for version in crd["spec"]["versions"]] == ["v1", "v1alpha1"]


async def test_the_operators_objects_carry_its_label(world: Olm) -> None:
    await world.group()
    await world.subscribe()

    def labelled(obj: Object) -> bool:
        return world.label in (obj["metadata"].get("labels") or {})

    await world.cluster.until(CSVS, world.namespace, NEW, labelled)
    await world.cluster.until(SUBSCRIPTIONS, world.namespace, NAME, labelled)
    plan = await world.plan()
    await world.cluster.until(INSTALL_PLANS, world.namespace, plan["metadata"]["name"], labelled)


async def test_manual_plans_wait_for_approval_one_version_at_a_time(world: Olm) -> None:
    await world.group()
    await world.subscribe(installPlanApproval="Manual", startingCSV=OLD)
    await world.failed("InstallPlanPending", "RequiresApproval")
    plan = await world.plan()
    assert plan["spec"]["clusterServiceVersionNames"] == [OLD]
    assert plan["spec"]["approved"] is False
    assert await world.cluster.client.get(CRDS, EXTENSIONS_CRD) is None
    await world.approve(plan)
    await world.phase(OLD, "Succeeded")
    sub = await world.subscription(state="UpgradePending", currentCSV=NEW, installedCSV=OLD)
    assert sub["status"]["installPlanGeneration"] == 2
    await world.approve(await world.plan())
    await world.phase(NEW, "Succeeded")
    await world.cluster.gone(CSVS, world.namespace, OLD)


async def test_automatic_upgrades_follow_the_chain(world: Olm) -> None:
    await world.group()
    await world.subscribe(startingCSV=OLD)
    csv = await world.phase(OLD, "Replacing", f"BeingReplaced: being replaced by csv: {NEW}")
    assert "Succeeded" in [entry["phase"] for entry in csv["status"]["conditions"]]
    await world.phase(NEW, "Succeeded")
    await world.cluster.gone(CSVS, world.namespace, OLD)
    await world.subscription(state="AtLatestKnown", installedCSV=NEW)
    deployment = await world.cluster.client.get(DEPLOYMENTS, "mcp-gateway-controller", world.namespace)
    assert deployment
    assert [owner["name"] for owner in deployment["metadata"]["ownerReferences"]] == [NEW]
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":v0.9.0")


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"channel": "stable"}, "no operators found in channel stable of package mcp-gateway"),
        ({"name": "nope"}, "no operators found in package nope in the catalog"),
        ({"startingCSV": "mcp-gateway.v9.9.9"}, "no operators found with name mcp-gateway.v9.9.9"),
    ],
    ids=["channel", "package", "startingCSV"],
)
async def test_what_the_catalogue_lacks_fails_the_resolution(world: Olm, spec: Object, text: str) -> None:
    await world.group()
    await world.subscribe(**spec)
    condition = await world.failed("ResolutionFailed", text)
    assert condition["reason"] == "ConstraintsNotSatisfiable"
    assert condition["message"].endswith(f"subscription {NAME} exists")


async def test_a_failed_resolution_is_forgotten_when_it_succeeds(world: Olm) -> None:
    await world.group()
    await world.subscribe(channel="stable")
    await world.failed("ResolutionFailed", "no operators found in channel")
    await world.subscribe(channel="preview")
    sub = await world.subscription(installedCSV=NEW)
    assert "ResolutionFailed" not in [entry["type"] for entry in sub["status"]["conditions"]]


async def test_a_catalogue_that_does_not_exist_is_told_twice(world: Olm) -> None:
    await world.group()
    await world.subscribe(source="nope")
    missing = await world.failed("CatalogSourcesUnhealthy", f"targeted catalogsource {world.market}/nope missing")
    assert missing["reason"] == "UnhealthyCatalogSourceFound"
    await world.failed("ResolutionFailed", f"no operators found from catalog nope in namespace {world.market}")


async def test_a_catalogue_that_cannot_be_pulled_is_unhealthy(world: Olm) -> None:
    await world.catalog("broken", image="quay.io/nobody/nothing:1")
    await world.group()
    await world.subscribe(source="broken")
    await world.failed("CatalogSourcesUnhealthy", f"targeted catalogsource {world.market}/broken unhealthy")
    condition = await world.failed("ResolutionFailed", "failed to populate resolver cache from source broken/")
    assert condition["reason"] == "ErrorPreventedResolution"


async def test_bundles_that_cannot_be_unpacked_are_told(world: Olm) -> None:
    await world.catalog("broken", image=BROKEN_BUNDLES)
    await world.group()
    await world.subscribe(source="broken")
    condition = await world.failed("BundleUnpackFailed", "Bundle unpacking failed - DeadlineExceeded: ")
    assert condition["reason"] == "BundleUnpackFailed"
    await world.subscribe()
    sub = await world.subscription(installedCSV=NEW)
    assert "BundleUnpackFailed" not in [entry["type"] for entry in sub["status"]["conditions"]]


async def test_without_an_operator_group_nothing_happens(world: Olm, log: Log) -> None:
    await world.subscribe()
    await log.until(f"namespace {world.namespace}: found 0 operatorGroups, expected 1")
    sub = await world.cluster.client.get(SUBSCRIPTIONS, NAME, world.namespace)
    assert sub
    assert "installPlanRef" not in (sub.get("status") or {})
    await world.group()
    await world.phase(NEW, "Succeeded")


async def test_two_operator_groups_are_marked_and_stop_everything(world: Olm, log: Log) -> None:
    await world.group("one")
    await world.group("two")
    for name in ("one", "two"):
        await world.cluster.condition(
            OPERATOR_GROUPS,
            (world.namespace, name),
            "MultipleOperatorGroup",
            "True",
            "MultipleOperatorGroupsFound: Multiple OperatorGroup found in the same namespace",
        )
    await world.subscribe()
    await log.until(f"namespace {world.namespace}: found 2 operatorGroups, expected 1")
    await world.cluster.client.delete(OPERATOR_GROUPS, "two", world.namespace)
    await world.phase(NEW, "Succeeded")
    await world.cluster.until(OPERATOR_GROUPS, world.namespace, "one", lambda obj: not obj["status"].get("conditions"))


async def test_a_second_operator_group_fails_a_running_operator_until_it_goes(world: Olm) -> None:
    await world.group()
    await world.subscribe()
    await world.phase(NEW, "Succeeded")
    await world.group("second")
    await world.phase(NEW, "Failed", "TooManyOperatorGroups: csv created in namespace with multiple operatorgroups")
    await world.cluster.client.delete(OPERATOR_GROUPS, "second", world.namespace)
    await world.phase(NEW, "Succeeded")


async def test_an_unsupported_install_mode_fails_the_operator(world: Olm) -> None:
    await world.group(targetNamespaces=[world.namespace, world.market])
    await world.subscribe()
    await world.phase(
        NEW,
        "Failed",
        "UnsupportedOperatorGroup: MultiNamespace InstallModeType not supported, cannot configure to watch 2 names",
    )


async def test_all_namespaces_get_a_copy_without_the_operators_label(world: Olm) -> None:
    await world.group(upgradeStrategy="Default")
    await world.subscribe()
    copy = await world.cluster.until(
        CSVS, world.market, NEW, lambda obj: (obj.get("status") or {}).get("reason") == "Copied"
    )
    assert copy["metadata"]["labels"]["olm.copiedFrom"] == world.namespace
    assert not any(label.startswith("operators.coreos.com/") for label in copy["metadata"]["labels"])
    fresh = await world.cluster.namespace()
    await world.cluster.until(CSVS, fresh, NEW, lambda obj: (obj.get("status") or {}).get("reason") == "Copied")
    await world.cluster.client.delete(CSVS, NEW, world.namespace)
    await world.cluster.gone(CSVS, fresh, NEW)


async def test_an_operator_that_is_not_available_keeps_installing(world: Olm) -> None:
    broken = {"metadata": {"annotations": {"test/broken": ""}}}
    labels = {"app": "mcp-controller", "component": "controller"}
    pod = {"containers": [{"name": "manager", "image": "x"}]}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    await world.cluster.apply(DEPLOYMENTS, world.namespace, "mcp-gateway-controller", spec, **broken)
    await world.group()
    await world.subscribe()
    await world.phase(NEW, "Installing", "not available: Deployment does not have minimum availability.")
    await world.cluster.apply(DEPLOYMENTS, world.namespace, "mcp-gateway-controller", spec)
    await world.phase(NEW, "Succeeded")


async def test_a_lost_deployment_is_installed_again(world: Olm) -> None:
    await world.group()
    await world.subscribe()
    await world.phase(NEW, "Succeeded")
    await world.cluster.client.delete(DEPLOYMENTS, "mcp-gateway-controller", world.namespace)
    await world.phase(
        NEW, "Failed", "ComponentUnhealthy: installing: missing deployment with name=mcp-gateway-controller"
    )
    await world.phase(NEW, "Succeeded")


async def test_uninstalling_leaves_the_crds(world: Olm) -> None:
    await world.group()
    await world.subscribe()
    await world.phase(NEW, "Succeeded")
    await world.cluster.client.delete(SUBSCRIPTIONS, NAME, world.namespace)
    await world.cluster.client.delete(CSVS, NEW, world.namespace)
    await world.cluster.gone(CSVS, world.namespace, NEW)
    assert await world.cluster.client.get(CRDS, EXTENSIONS_CRD)
    roles, _ = await world.cluster.client.list(CLUSTER_ROLES, label_selector=f"olm.owner.namespace={world.namespace}")
    assert roles == []


async def test_a_csv_left_behind_blocks_the_next_subscription(world: Olm) -> None:
    await world.group()
    await world.subscribe()
    await world.phase(NEW, "Succeeded")
    await world.cluster.client.delete(SUBSCRIPTIONS, NAME, world.namespace)
    await world.subscribe()
    await world.failed(
        "ResolutionFailed", f"clusterserviceversion {NEW} exists and is not referenced by a subscription"
    )


async def test_a_crd_may_not_lose_a_version_with_stored_objects(world: Olm) -> None:
    await world.group()
    await world.subscribe()
    await world.phase(NEW, "Succeeded")
    await world.cluster.client.delete(SUBSCRIPTIONS, NAME, world.namespace)
    await world.cluster.client.delete(CSVS, NEW, world.namespace)
    await world.cluster.gone(CSVS, world.namespace, NEW)
    await world.subscribe(startingCSV=OLD, installPlanApproval="Manual")
    await world.failed("InstallPlanPending", "RequiresApproval")
    plan = await world.plan()
    await world.approve(plan)

    def told(obj: Object) -> bool:
        return "risk of data loss updating" in (obj.get("status") or {}).get("message", "")

    await world.cluster.until(INSTALL_PLANS, world.namespace, plan["metadata"]["name"], told)


async def test_deleting_a_pending_plan_starts_the_resolution_over(world: Olm) -> None:
    await world.group()
    await world.subscribe(installPlanApproval="Manual")
    await world.failed("InstallPlanPending", "RequiresApproval")
    first = (await world.plan())["metadata"]["name"]
    await world.cluster.client.delete(INSTALL_PLANS, first, world.namespace)

    def another(sub: Object) -> bool:
        return (sub["status"].get("installPlanRef") or {}).get("name") not in (None, first)

    await world.cluster.until(SUBSCRIPTIONS, world.namespace, NAME, another)
