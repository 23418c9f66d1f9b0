# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OLM stand-in's catalogues that misbehave: each failure shows where OLM shows it, with OLM's own words."""

from __future__ import annotations

import json

from sandbox.catalog import PROPERTIES, packages_in
from sandbox.catalog.behaviour import (
    INSTALL_PLAN_FAILING,
    SKIPPING,
    SLOW,
    UNHEALTHY,
    UNSATISFIED_DEPENDENCY,
    behaviour_of,
)
from sandbox.client import Object
from sandbox.controllers.olm_base import find_condition
from sandbox.kinds import CATALOG_SOURCES, CSVS, EVENTS, INSTALL_PLANS, SUBSCRIPTIONS
from unit.sandbox.operators.olm_kit import NAME, NEW, OLD, Olm


def test_a_tag_without_a_meaning_is_a_catalogue_without_faults() -> None:
    for image in ("sandbox.mcpops.io/catalog:1", "sandbox.mcpops.io/catalog:v1-2", "quay.io/x:slow-3", None):
        assert behaviour_of(image) == behaviour_of("")


def test_a_tag_may_say_how_long() -> None:
    assert behaviour_of(f"{SLOW}-2.5").unpack_seconds == 2.5
    assert behaviour_of(f"{INSTALL_PLAN_FAILING}-3").retry_seconds == 3
    assert behaviour_of(INSTALL_PLAN_FAILING).retry_seconds == 60
    assert packages_in(UNHEALTHY) is None


async def test_a_catalogue_whose_pod_does_not_answer(world: Olm) -> None:
    await world.catalog("down", image=UNHEALTHY)

    def failing(catalog: Object) -> bool:
        state: Object = (catalog.get("status") or {}).get("connectionState") or {}
        return state.get("lastObservedState") == "TRANSIENT_FAILURE" and state["address"].endswith(".svc:50051")

    await world.cluster.until(CATALOG_SOURCES, world.market, "down", failing)
    await world.group()
    await world.subscribe(source="down")
    await world.failed("CatalogSourcesUnhealthy", f"targeted catalogsource {world.market}/down unhealthy")
    condition = await world.failed(
        "ResolutionFailed", f"failed to populate resolver cache from source down/{world.market}"
    )
    assert condition["reason"] == "ErrorPreventedResolution"


async def test_a_dependency_that_no_catalogue_has(world: Olm) -> None:
    await world.catalog("lonely", image=UNSATISFIED_DEPENDENCY)
    await world.group()
    await world.subscribe(source="lonely")
    condition = await world.failed("ResolutionFailed", "constraints not satisfiable: ")
    needs = "requires an operator with package: kuadrant-operator and with version in range: >=1.4.3"
    place = f"lonely/{world.market}/preview"
    assert condition["reason"] == "ConstraintsNotSatisfiable"
    assert condition["message"].partition(": ")[2].split(", ") == [
        f"bundle {NEW} {needs}",
        f"bundle {OLD} {needs}",
        f"subscription {NAME} requires at least one of {place}/{NEW} or {place}/{OLD}",
        f"subscription {NAME} exists",
    ]


async def test_a_dependency_that_is_installed_is_enough(world: Olm) -> None:
    await world.catalog("lonely", image=UNSATISFIED_DEPENDENCY)
    await world.group()
    package = {"type": "olm.package", "value": {"packageName": "kuadrant-operator", "version": "1.5.0"}}
    annotations = {PROPERTIES: json.dumps({"properties": [package]})}
    spec = {"displayName": "Kuadrant", "install": {"strategy": "deployment", "spec": {"deployments": []}}}
    modes = [{"type": "OwnNamespace", "supported": True}]
    await world.cluster.apply(
        CSVS,
        world.namespace,
        "kuadrant-operator.v1.5.0",
        {**spec, "installModes": modes},
        metadata={"annotations": annotations},
    )
    await world.subscribe(source="lonely")
    await world.phase(NEW, "Succeeded")


async def test_unpacking_takes_its_time_and_is_told(world: Olm) -> None:
    await world.catalog("slow", image=f"{SLOW}-1")
    await world.group()
    await world.subscribe(source="slow")
    condition = await world.failed("BundleUnpacking", "UnpackingInProgress")
    assert "message" not in condition
    sub = await world.subscription(installedCSV=NEW)
    assert find_condition(sub["status"], "BundleUnpacking") is None
    lookup = (await world.plan())["status"]["bundleLookups"]
    assert [(entry["identifier"], entry["replaces"], entry["catalogSourceRef"]["name"]) for entry in lookup] == [
        (NEW, OLD, "slow")
    ]


async def test_an_install_plan_is_tried_again_and_then_fails(world: Olm) -> None:
    await world.catalog("unknown", image=f"{INSTALL_PLAN_FAILING}-3")
    await world.group()
    await world.subscribe(source="unknown")
    said = "api-server resource not found installing ServiceMonitor mcp-controller: "
    said += "GroupVersionKind monitoring.coreos.com/v1, Kind=ServiceMonitor not found on the cluster."
    name = (await world.plan())["metadata"]["name"]

    def retried(plan: Object) -> bool:
        return bool((plan["status"].get("message") or "").startswith(f"retrying execution due to error: {said}"))

    await world.cluster.until(INSTALL_PLANS, world.namespace, name, retried)
    failed = await world.cluster.until(
        INSTALL_PLANS, world.namespace, name, lambda plan: plan["status"]["phase"] == "Failed"
    )
    condition = find_condition(failed["status"], "Installed")
    assert condition
    assert (condition["status"], condition["reason"]) == ("False", "InstallComponentFailed")
    await world.failed("InstallPlanFailed", f"InstallComponentFailed: {said}")
    # The plan's first steps were done: the operator has its CSV and its CRDs, but no service account.
    await world.phase(NEW, "Pending", "RequirementsNotMet: one or more requirements couldn't be found")


async def test_deleting_only_the_subscription_leaves_the_operator(world: Olm) -> None:
    await world.group()
    await world.subscribe()
    await world.phase(NEW, "Succeeded")
    await world.cluster.client.delete(SUBSCRIPTIONS, NAME, world.namespace)
    await world.cluster.gone(SUBSCRIPTIONS, world.namespace, NAME)
    csv = await world.phase(NEW, "Succeeded")
    assert "deletionTimestamp" not in csv["metadata"]


async def test_two_operators_for_the_same_namespace_and_apis(world: Olm) -> None:
    await world.group()
    await world.subscribe()
    await world.phase(NEW, "Succeeded")
    other = Olm(world.cluster, world.market, await world.cluster.namespace())
    await other.group(targetNamespaces=[world.namespace])
    await other.subscribe()
    conflict = "InterOperatorGroupOwnerConflict: intersecting operatorgroups provide the same apis"
    await other.phase(NEW, "Failed", conflict)
    await world.phase(NEW, "Succeeded")
    await world.cluster.client.delete(SUBSCRIPTIONS, NAME, world.namespace)
    await world.cluster.client.delete(CSVS, NEW, world.namespace)
    await other.phase(NEW, "Succeeded")
    await other.clean()


async def test_a_copy_of_an_operator_elsewhere_counts_as_installed(world: Olm) -> None:
    await world.group(upgradeStrategy="Default")
    await world.subscribe()
    await world.phase(NEW, "Succeeded")
    other = Olm(world.cluster, world.market, await world.cluster.namespace())
    await world.cluster.until(
        CSVS, other.namespace, NEW, lambda csv: (csv.get("status") or {}).get("reason") == "Copied"
    )
    await other.group()
    await other.subscribe()
    await other.subscription(state="AtLatestKnown", installedCSV=NEW)
    plan = await other.plan()
    done = await world.cluster.until(
        INSTALL_PLANS, other.namespace, plan["metadata"]["name"], lambda obj: obj["status"]["phase"] == "Complete"
    )
    assert [step["status"] for step in done["status"]["plan"] if step["resource"]["kind"] == CSVS.kind] == ["Present"]
    sub = await other.subscription(installPlanGeneration=1)
    assert sub["status"]["installPlanRef"]["name"] == plan["metadata"]["name"]
    await other.clean()


async def test_a_catalogue_without_image_and_address(world: Olm) -> None:
    await world.cluster.apply(CATALOG_SOURCES, world.market, "empty", {"sourceType": "grpc"})
    found = await world.cluster.until(
        CATALOG_SOURCES, world.market, "empty", lambda obj: (obj.get("status") or {}).get("reason")
    )
    assert found["status"]["reason"] == "SpecInvalidError"
    assert found["status"]["message"] == "image and address unset: at least one must be set for sourcetype: grpc"
    await world.catalog("empty")

    def ready(catalog: Object) -> bool:
        status = catalog["status"]
        return "reason" not in status and status["connectionState"]["lastObservedState"] == "READY"

    await world.cluster.until(CATALOG_SOURCES, world.market, "empty", ready)


async def test_a_polled_catalogue_says_when_it_was_looked_at(world: Olm) -> None:
    spec = {"sourceType": "grpc", "image": "sandbox.mcpops.io/catalog:1"}
    poll = {"updateStrategy": {"registryPoll": {"interval": "1s"}}}
    await world.cluster.apply(CATALOG_SOURCES, world.market, "polled", {**spec, **poll})
    seen: set[str] = set()

    def twice(catalog: Object) -> bool:
        seen.update(filter(None, [(catalog.get("status") or {}).get("latestImageRegistryPoll")]))
        return len(seen) == 2

    await world.cluster.until(CATALOG_SOURCES, world.market, "polled", twice)


async def test_a_version_that_skips_the_one_before_takes_its_place(world: Olm) -> None:
    await world.catalog("skipping", image=SKIPPING)
    await world.group()
    await world.subscribe(source="skipping", startingCSV=OLD)
    await world.phase(OLD, "Replacing", f"BeingReplaced: being replaced by csv: {NEW}")
    csv = await world.phase(NEW, "Succeeded")
    assert (csv["spec"]["replaces"], csv["spec"]["skips"]) == (OLD, [OLD])
    await world.cluster.gone(CSVS, world.namespace, OLD)


async def test_what_happens_is_told_in_events(world: Olm) -> None:
    await world.group()
    await world.subscribe(channel="stable")

    def about_us(one: Object) -> bool:
        about = (one["reason"], one["involvedObject"]["name"]) == ("ResolutionFailed", world.namespace)
        # The catalogue may be told first as one that does not answer yet.
        return about and "no operators found in channel stable" in one["message"]

    # Events about what has no namespace are in the namespace default.
    await world.cluster.first(EVENTS, "default", about_us)
    await world.subscribe()
    reasons: set[str] = set()

    def all_told(one: Object) -> bool:
        if one["involvedObject"]["kind"] == CSVS.kind:
            reasons.add(one["reason"])
        return {"RequirementsUnknown", "AllRequirementsMet", "InstallSucceeded"} <= reasons

    await world.cluster.first(EVENTS, world.namespace, all_told)
