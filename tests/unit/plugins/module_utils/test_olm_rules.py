# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an installation by OLM stands, read from its objects."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils import _olm_neighbours as near
from ansible_collections.mcpops.gateway.plugins.module_utils import _olm_rules as olm

Json = dict[str, Any]
NEW, OLD = "mcp-gateway.v0.9.0", "mcp-gateway.v0.6.0"
WISH = olm.Wish("ns", "mcp-gateway", approve=False)


def sub(**status: Any) -> Json:
    return {"metadata": {"name": "mcp-gateway"}, "status": status}


def ref(name: str = "p") -> Json:
    return {"installPlanRef": {"name": name}}


def plans(phase: str, *csvs: str, approved: bool = True) -> dict[str, Any]:
    spec = {"approved": approved, "clusterServiceVersionNames": list(csvs or (NEW,))}
    return {"p": {"metadata": {"name": "p"}, "spec": spec, "status": {"phase": phase}}}


def csvs(**phases: str) -> dict[str, Any]:
    names = {"new": NEW, "old": OLD}
    return {names[key]: {"metadata": {"name": names[key]}, "status": {"phase": phase}} for key, phase in phases.items()}


@pytest.mark.parametrize(
    ("subscription", "known_plans", "known_csvs", "step"),
    [
        (None, {}, {}, olm.FAILED),
        (sub(), {}, {}, olm.PLAN),
        (sub(**ref()), {}, {}, olm.PLAN),
        (sub(conditions=[{"type": "BundleUnpacking", "status": "True"}]), {}, {}, olm.UNPACK),
        (sub(conditions=[{"type": "BundleUnpacking", "status": "False"}]), {}, {}, olm.PLAN),
        (sub(**ref()), plans("Installing"), {}, olm.INSTALL),
        (sub(**ref()), plans("Failed"), {}, olm.FAILED),
        (sub(currentCSV=NEW, **ref()), plans("Complete"), {}, olm.CSV),
        (sub(currentCSV=NEW, **ref()), plans("Complete"), csvs(new="Installing"), olm.CSV),
        (sub(currentCSV=NEW, installedCSV=NEW, **ref()), plans("Complete"), csvs(new="Succeeded"), olm.DONE),
        (sub(currentCSV=NEW, installedCSV=OLD, **ref()), plans("Complete"), csvs(old="Succeeded"), olm.CSV),
        (sub(currentCSV=NEW, **ref()), plans("Complete"), csvs(new="Failed"), olm.FAILED),
        (sub(currentCSV=NEW, **ref()), plans("RequiresApproval", approved=False), {}, olm.FAILED),
        (
            sub(currentCSV=NEW, installedCSV=OLD, **ref()),
            plans("RequiresApproval", approved=False),
            csvs(old="Succeeded"),
            olm.DONE,
        ),
    ],
)
def test_steps(subscription: Json | None, known_plans: Json, known_csvs: Json, step: str) -> None:
    assert olm.stage(subscription, known_plans, known_csvs, WISH).step == step


def test_a_changed_subscription_is_not_done_with_what_it_had() -> None:
    done = sub(currentCSV=OLD, installedCSV=OLD, **ref())
    wish = olm.Wish("ns", "mcp-gateway", approve=False, head=NEW)

    stage = olm.stage(done, plans("Complete", OLD), csvs(old="Succeeded"), wish)

    assert stage.step == olm.CSV and NEW in stage.seen and "upgrade path" in stage.fix


@pytest.mark.parametrize(("starting", "step"), [(None, olm.APPROVE), (NEW, olm.APPROVE), (OLD, olm.FAILED)])
def test_only_a_plan_that_installs_what_was_asked_for_is_approved(starting: str | None, step: str) -> None:
    wish = olm.Wish("ns", "mcp-gateway", approve=True, starting_csv=starting)

    assert olm.stage(sub(currentCSV=NEW, **ref()), plans("RequiresApproval", approved=False), {}, wish).step == step


@pytest.mark.parametrize(("phase", "step"), [("Installing", olm.CSV), ("Succeeded", olm.DONE), ("Failed", olm.FAILED)])
def test_the_plan_of_an_upgrade_may_wait_before_what_was_asked_for_runs(phase: str, step: str) -> None:
    pending = sub(currentCSV=NEW, installedCSV=OLD, **ref())
    wish = olm.Wish("ns", "mcp-gateway", approve=True, starting_csv=OLD)

    stage = olm.stage(pending, plans("RequiresApproval", NEW, approved=False), csvs(old=phase), wish)

    assert stage.step == step and OLD in stage.seen


@pytest.mark.parametrize("installed", [None, OLD])
def test_the_news_of_what_was_asked_for_may_come_after_the_plan_of_its_upgrade(installed: str | None) -> None:
    """The CSV before the Subscription's word of it, and the other way round."""
    wish = olm.Wish("ns", "mcp-gateway", approve=True, starting_csv=OLD)
    pending = sub(currentCSV=NEW, installedCSV=installed, **ref())
    plan = plans("RequiresApproval", NEW, approved=False)

    unseen = olm.stage(pending, plan, {}, wish)
    seen = olm.stage(pending, plan, csvs(old="Installing"), wish)

    assert (unseen.step, unseen.grace) == (olm.FAILED, olm.APPROVAL_GRACE)
    assert f"does not install {OLD}" in unseen.fix and NEW in unseen.fix
    assert seen.step == olm.CSV


def other(csv: str, installed: str | None = None, **annotations: str) -> Json:
    status = {"currentCSV": csv, "installedCSV": installed}
    return {"metadata": {"name": "other", "annotations": annotations}, "spec": {"name": "other"}, "status": status}


@pytest.mark.parametrize(
    ("neighbour", "step"),
    [
        (other("other.v2", "other.v1"), olm.FAILED),
        (other("other.v2"), olm.FAILED),
        (other("other.v2", "other.v2"), olm.APPROVE),
        (other("other.v3", "other.v1"), olm.APPROVE),
        (other("other.v2", **{"olm.generated-by": "p"}), olm.APPROVE),
    ],
)
def test_a_plan_with_the_operators_of_others_is_not_approved(neighbour: Json, step: str) -> None:
    wish = olm.Wish("ns", "mcp-gateway", approve=True)
    plan = plans("RequiresApproval", NEW, "other.v2", approved=False)

    stage = olm.stage(sub(currentCSV=NEW, **ref()), plan, {}, wish, [neighbour])

    assert stage.step == step
    if step == olm.FAILED:
        assert "other (other.v2)" in stage.seen and "oc patch installplan p" in stage.fix


def test_a_csv_that_stands_in_the_way_of_resolution_is_told_to_be_removed() -> None:
    said = "constraints not satisfiable: clusterserviceversion x.v1 exists and is not referenced by a subscription"
    condition = {"type": "ResolutionFailed", "status": "True", "reason": "ConstraintsNotSatisfiable", "message": said}

    assert "remove that ClusterServiceVersion" in olm.stage(sub(conditions=[condition]), {}, {}, WISH).fix


@pytest.mark.parametrize("name", list(olm.FAILURES))
def test_failures_of_the_subscription_are_told_with_a_hint(name: str) -> None:
    condition = {"type": name, "status": "True", "reason": "Why", "message": "so it is"}

    stage = olm.stage(sub(conditions=[condition]), {}, {}, WISH)

    assert stage.step == olm.FAILED and f"{name} (Why: so it is)" in stage.seen and stage.fix


def test_what_olm_says_of_a_plan_that_is_tried_again_is_told() -> None:
    plan = plans("Installing")
    plan["p"]["status"]["message"] = "retrying execution due to error: no such kind"

    seen = olm.stage(sub(currentCSV=NEW, **ref()), plan, {}, WISH).seen

    assert seen == "InstallPlan p has the phase Installing (retrying execution due to error: no such kind)"


def test_requirements_that_are_missing_are_named() -> None:
    csv = csvs(new="Pending")
    csv[NEW]["status"]["requirementStatus"] = [
        {"kind": "CustomResourceDefinition", "name": "kuadrants.kuadrant.io", "status": "NotPresent"}
    ]

    assert "kuadrants.kuadrant.io" in olm.stage(sub(currentCSV=NEW, **ref()), plans("Complete"), csv, WISH).seen


def test_a_final_reason_counts_at_once_and_any_other_after_a_while() -> None:
    csv = csvs(new="Failed")
    assert olm.stage(sub(currentCSV=NEW, **ref()), plans("Complete"), csv, WISH).grace == olm.CSV_GRACE
    csv[NEW]["status"]["reason"] = "TooManyOperatorGroups"
    assert olm.stage(sub(currentCSV=NEW, **ref()), plans("Complete"), csv, WISH).grace == 0


class TestOperatorGroups:
    def group(self, *targets: str, **spec: Any) -> Json:
        return {"metadata": {"name": "g"}, "spec": {**({"targetNamespaces": list(targets)} if targets else {}), **spec}}

    @pytest.mark.parametrize("targets", [["ns"], []])
    def test_one_for_all_namespaces_fits_everything(self, targets: list[str]) -> None:
        assert near.group_problem([self.group()], "ns", targets) == ""

    def test_one_for_our_namespaces_fits(self) -> None:
        assert near.group_problem([self.group("ns", "more")], "ns", ["ns"]) == ""

    @pytest.mark.parametrize(("group_targets", "wanted"), [(["other"], ["ns"]), (["ns"], []), (["ns"], ["ns", "more"])])
    def test_one_for_fewer_does_not(self, group_targets: list[str], wanted: list[str]) -> None:
        assert "already has the OperatorGroup g" in near.group_problem([self.group(*group_targets)], "ns", wanted)

    def test_one_with_a_selector_cannot_be_judged(self) -> None:
        assert "selection" in near.group_problem([self.group(selector={"matchLabels": {"a": "b"}})], "ns", ["ns"])


class TestSubscription:
    OPTIONS = {
        "name": "mcp-gateway", "namespace": "ns", "package": None, "channel": None, "source": "s",
        "source_namespace": "sn", "starting_csv": OLD, "install_plan_approval": "Automatic", "state": "present",
    }  # fmt: skip

    def test_the_starting_version_counts_only_once(self) -> None:
        assert olm.subscription(self.OPTIONS, None)["spec"]["startingCSV"] == OLD
        assert "startingCSV" not in olm.subscription(self.OPTIONS, {"spec": {}})["spec"]
        kept = olm.subscription(self.OPTIONS, {"spec": {"startingCSV": NEW}})
        assert kept["spec"]["startingCSV"] == NEW

    def test_what_is_not_given_is_not_stated(self) -> None:
        assert "channel" not in olm.subscription(self.OPTIONS, None)["spec"]


class TestCatalog:
    PACKAGE = {
        "status": {
            "defaultChannel": "preview",
            "channels": [
                {"name": "preview", "currentCSV": NEW, "entries": [{"name": NEW}, {"name": OLD}]},
                {"name": "stable", "currentCSV": OLD},
            ],
        }
    }

    def test_channels_and_versions(self) -> None:
        assert olm.channel_problem(self.PACKAGE, "preview", OLD) == ""
        assert olm.channel_problem(self.PACKAGE, None, None) == ""
        assert "it has: preview, stable" in olm.channel_problem(self.PACKAGE, "beta", None)
        assert OLD in olm.channel_problem(self.PACKAGE, None, "mcp-gateway.v0.1.0")

    def test_the_newest_of_a_channel(self) -> None:
        assert olm.head_of(self.PACKAGE, None) == NEW
        assert olm.head_of(self.PACKAGE, "stable") == OLD
        assert olm.head_of(None, "stable") is None


class TestNeighbours:
    def test_another_subscription_of_the_package(self) -> None:
        rival = {"metadata": {"name": "by-hand"}, "spec": {"name": "mcp-gateway"}}

        assert "set name to by-hand" in near.package_rival([rival], "mcp-gateway", "mcp-gateway")
        assert near.package_rival([rival], "by-hand", "mcp-gateway") == ""
        assert near.package_rival([rival], "mcp-gateway", "other") == ""

    @pytest.mark.parametrize(
        ("metadata", "stray"),
        [
            ({"name": NEW}, True),
            ({"name": "mcp-gateway.v0.1.0", "labels": {"operators.coreos.com/mcp-gateway.ns": ""}}, True),
            ({"name": NEW, "labels": {"olm.copiedFrom": "elsewhere"}}, False),
            ({"name": NEW, "deletionTimestamp": "2026-01-01T00:00:00Z"}, False),
            ({"name": "other.v1"}, False),
        ],
    )
    def test_a_csv_without_a_subscription(self, metadata: Json, stray: bool) -> None:
        said = near.stray_csv([{"metadata": metadata}], [], "mcp-gateway", "ns", [NEW, OLD])

        assert (metadata["name"] in said) if stray else (said == "")

    def test_a_csv_with_a_subscription_is_fine(self) -> None:
        claiming = {"metadata": {"name": "other"}, "status": {"installedCSV": NEW}}

        assert near.stray_csv([{"metadata": {"name": NEW}}], [claiming], "mcp-gateway", "ns", [NEW]) == ""

    @pytest.mark.parametrize(
        ("supported", "namespaces", "said"),
        [
            ("AllNamespaces", ["ns"], "OwnNamespace InstallModeType not supported"),
            ("AllNamespaces", [""], ""),
            ("OwnNamespace", [""], "set operator_group.target_namespaces to its own namespace"),
            ("SingleNamespace", ["a", "b"], "MultiNamespace"),
            ("", ["ns"], "no install mode"),
        ],
    )
    def test_install_modes(self, supported: str, namespaces: list[str], said: str) -> None:
        names = ("OwnNamespace", "SingleNamespace", "MultiNamespace", "AllNamespaces")
        modes = [{"type": name, "supported": name == supported} for name in names]
        problem = near.modes_problem(modes, "ns", namespaces)

        assert said in problem and bool(problem) == bool(said)

    def test_unknown_install_modes_are_left_to_olm(self) -> None:
        assert near.modes_problem([], "ns", ["ns"]) == ""

    @pytest.mark.parametrize(
        ("spec", "status", "found"),
        [
            ({}, {}, [""]),
            ({"targetNamespaces": ["a"]}, {}, ["a"]),
            ({"selector": {"matchLabels": {"x": "y"}}}, {"namespaces": ["a", "b"]}, ["a", "b"]),
            ({"selector": {"matchLabels": {"x": "y"}}}, {}, None),
        ],
    )
    def test_what_an_operator_group_selects(self, spec: Json, status: Json, found: list[str] | None) -> None:
        assert near.group_namespaces({"metadata": {"name": "g"}, "spec": spec, "status": status}) == found
