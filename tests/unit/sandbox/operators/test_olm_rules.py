# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OLM stand-in's rules: what a Subscription resolves to, how a ClusterServiceVersion moves on."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.catalog import packages_in
from sandbox.controllers.olm_csv_rules import (
    CONDITIONS_KEPT,
    copy_of,
    deployment_problem,
    deployments,
    install_mode_problem,
    requirements,
    set_phase,
)
from sandbox.controllers.olm_resolution import Catalog, NotSatisfiableError, resolve

Object = dict[str, Any]

SANDBOX_IMAGE = "sandbox.mcpops.io/catalog:1"
OLD, NEW = "mcp-gateway.v0.6.0", "mcp-gateway.v0.9.0"


def catalog() -> Catalog:
    return Catalog("redhat-operators", "openshift-marketplace", packages_in(SANDBOX_IMAGE) or [])


def subscription(status: Object | None = None, **spec: Any) -> Object:
    source = {"source": "redhat-operators", "sourceNamespace": "openshift-marketplace"}
    return {
        "metadata": {"name": "sub", "namespace": "mcp-system"},
        "spec": {"name": "mcp-gateway", "channel": "preview", **source, **spec},
        "status": status or {},
    }


def csv(name: str = NEW, **status: Any) -> Object:
    package = (packages_in(SANDBOX_IMAGE) or [])[0]
    bundle = next(bundle for bundle in package.channels["preview"] if bundle.name == name)
    annotations = {"olm.operatorGroup": "og", "olm.targetNamespaces": "mcp-system"}
    meta = {"name": name, "namespace": "mcp-system", "annotations": annotations, "labels": {}}
    return {"metadata": meta, "spec": bundle.csv["spec"], "status": status}


def test_a_new_subscription_starts_with_the_head_of_the_channel() -> None:
    bundle = resolve(subscription(), catalog(), [])
    assert bundle
    assert (bundle.name, bundle.replaces) == (NEW, OLD)


def test_without_a_channel_the_default_one_counts() -> None:
    sub = subscription()
    del sub["spec"]["channel"]
    bundle = resolve(sub, catalog(), [])
    assert bundle
    assert bundle.name == NEW


def test_starting_csv_is_where_a_new_subscription_starts() -> None:
    bundle = resolve(subscription(startingCSV=OLD), catalog(), [])
    assert bundle
    assert bundle.name == OLD


def test_an_installed_version_leads_to_the_one_that_replaces_it() -> None:
    bundle = resolve(subscription({"installedCSV": OLD}, startingCSV=OLD), catalog(), [csv(OLD)])
    assert bundle
    assert bundle.name == NEW


def test_the_newest_version_is_up_to_date() -> None:
    status = {"currentCSV": NEW, "installedCSV": OLD}
    assert resolve(subscription(status), catalog(), [csv(OLD), csv(NEW)]) is None


UNSATISFIABLE = {
    "catalog": (
        subscription(source="nope"),
        None,
        "no operators found from catalog nope in namespace openshift-marketplace referenced by subscription sub, "
        "subscription sub exists",
    ),
    "package": (
        subscription(name="nope"),
        catalog(),
        "no operators found in package nope in the catalog referenced by subscription sub, subscription sub exists",
    ),
    "channel": (
        subscription(channel="stable"),
        catalog(),
        "no operators found in channel stable of package mcp-gateway in the catalog referenced by subscription sub, "
        "subscription sub exists",
    ),
    "starting CSV": (
        subscription(startingCSV="mcp-gateway.v9.9.9"),
        catalog(),
        "no operators found with name mcp-gateway.v9.9.9 in channel preview of package mcp-gateway in the catalog "
        "referenced by subscription sub, subscription sub exists",
    ),
}


@pytest.mark.parametrize(("sub", "source", "message"), UNSATISFIABLE.values(), ids=UNSATISFIABLE.keys())
def test_what_cannot_be_resolved_is_told_in_olms_words(sub: Object, source: Catalog | None, message: str) -> None:
    with pytest.raises(NotSatisfiableError) as caught:
        resolve(sub, source, [])
    assert str(caught.value) == f"constraints not satisfiable: {message}"


def test_a_version_that_no_subscription_knows_blocks_the_installation() -> None:
    with pytest.raises(NotSatisfiableError) as caught:
        resolve(subscription(), catalog(), [csv(NEW)])
    assert f"clusterserviceversion {NEW} exists and is not referenced by a subscription" in str(caught.value)


def test_the_upstream_catalogues_hold_one_version() -> None:
    packages = packages_in("ghcr.io/kuadrant/mcp-controller-catalog:v0.6.0")
    assert packages
    assert [bundle.version for bundle in packages[0].channels["preview"]] == ["0.6.0"]
    assert packages[0].channels["preview"][0].replaces is None
    assert packages_in("ghcr.io/kuadrant/mcp-controller-catalog:v9.9.9") is None
    assert packages_in("quay.io/somebody/catalog:latest") is None
    assert packages_in(None) is None


@pytest.mark.parametrize(
    ("targets", "problem"),
    [
        (["mcp-system"], None),
        ([""], None),
        (["elsewhere"], None),
        (["a", "b"], "MultiNamespace InstallModeType not supported, cannot configure to watch 2 namespaces"),
        ([], "operatorgroup has invalid selected namespaces, cannot configure to watch zero namespaces"),
    ],
)
def test_install_modes_of_the_gateway(targets: list[str], problem: str | None) -> None:
    assert install_mode_problem(csv(), targets) == problem


@pytest.mark.parametrize(
    ("targets", "problem"),
    [
        (["mcp-system"], "OwnNamespace InstallModeType not supported, cannot configure to watch own namespace"),
        ([""], "AllNamespaces InstallModeType not supported, cannot configure to watch all namespaces"),
        (["elsewhere"], "SingleNamespace InstallModeType not supported, cannot configure to watch one namespace"),
    ],
)
def test_install_modes_that_an_operator_lacks(targets: list[str], problem: str) -> None:
    lacking = csv() | {"spec": {"installModes": []}}
    assert install_mode_problem(lacking, targets) == problem


def established(owned: Object, **condition: str) -> Object:
    conditions = {"Established": "True", "NamesAccepted": "True", **condition}
    return {
        "metadata": {"uid": "u"},
        "spec": {"versions": [{"name": owned["version"], "served": True}]},
        "status": {"conditions": [{"type": key, "status": value} for key, value in conditions.items()]},
    }


def test_requirements_name_what_is_missing() -> None:
    found = csv()
    owned = found["spec"]["customresourcedefinitions"]["owned"]
    crds = {owned[0]["name"]: established(owned[0]), owned[1]["name"]: established(owned[1], Established="False")}
    met, entries = requirements(found, crds, [], "v1.27.3+k3s1")
    assert not met
    assert [(entry["kind"], entry["status"], entry["message"]) for entry in entries] == [
        (
            "ClusterServiceVersion",
            "PresentNotSatisfied",
            "CSV version requirement not met: minKubeVersion (1.28.0) > server version (1.27.3)",
        ),
        ("CustomResourceDefinition", "Present", "CRD is present and Established condition is true"),
        (
            "CustomResourceDefinition",
            "NotAvailable",
            "CRD is present but the Established condition is False (not available)",
        ),
        ("CustomResourceDefinition", "NotPresent", "CRD is not present"),
        ("ServiceAccount", "NotPresent", "Service account does not exist"),
    ]


def test_requirements_are_met() -> None:
    found = csv()
    crds = {owned["name"]: established(owned) for owned in found["spec"]["customresourcedefinitions"]["owned"]}
    met, entries = requirements(found, crds, ["mcp-controller"], "v1.36.2")
    assert met
    assert {entry["status"] for entry in entries} == {"Present"}


def test_a_version_that_is_not_served_is_missing() -> None:
    found = csv(NEW)
    owned = found["spec"]["customresourcedefinitions"]["owned"]
    crds = {entry["name"]: established({"version": "v1alpha1"}) for entry in owned}
    _, entries = requirements(found, crds, ["mcp-controller"], "v1.36.2")
    assert "CRD version not served" in [entry["message"] for entry in entries]


def test_a_new_phase_is_remembered_and_the_same_one_changes_nothing() -> None:
    first = set_phase({}, "Pending", "RequirementsUnknown", "requirements not yet checked")
    assert [entry["phase"] for entry in first["conditions"]] == ["Pending"]
    assert set_phase(first, "Pending", "RequirementsUnknown", "requirements not yet checked") == first
    second = set_phase(first, "Pending", "RequirementsNotMet", "one or more requirements couldn't be found")
    assert second["lastTransitionTime"] == first["lastTransitionTime"]
    assert [entry["reason"] for entry in second["conditions"]] == ["RequirementsUnknown", "RequirementsNotMet"]


def test_old_conditions_are_dropped() -> None:
    status: Object = {}
    for number in range(CONDITIONS_KEPT + 5):
        status = set_phase(status, "Pending", f"Reason{number}", "")
    assert len(status["conditions"]) == CONDITIONS_KEPT
    assert status["conditions"][-1]["reason"] == f"Reason{CONDITIONS_KEPT + 4}"


def live(**status: Any) -> Object:
    found = deployments(csv())[0]
    found["metadata"]["generation"] = 2
    found["status"] = {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, **status}
    return found


def available(status: str, message: str) -> list[Object]:
    return [{"type": "Available", "status": status, "message": message}]


START = "waiting for deployment mcp-gateway-controller to become ready: "
NAME = '"mcp-gateway-controller"'
PROBLEMS = {
    "available": (live(conditions=available("True", "")), None),
    "missing": (None, ("missing", "missing deployment with name=mcp-gateway-controller")),
    "not observed": (
        live(observedGeneration=1),
        ("waiting", f"{START}waiting for spec update of deployment {NAME} to be observed..."),
    ),
    "outdated": (
        live(replicas=2),
        ("waiting", f"{START}deployment {NAME} waiting for 1 outdated replica(s) to be terminated"),
    ),
    "no condition": (live(), ("waiting", f'{START}deployment {NAME} not available: missing condition "Available"')),
    "unavailable": (
        live(conditions=available("False", "Deployment does not have minimum availability.")),
        (
            "waiting",
            f"{START}deployment {NAME} not available: Deployment does not have minimum availability.",
        ),
    ),
    "timed out": (
        live(conditions=[{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]),
        ("failed", f"deployment {NAME} exceeded its progress deadline"),
    ),
}


@pytest.mark.parametrize(("found", "problem"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_when_a_deployment_counts_as_installed(found: Object | None, problem: tuple[str, str] | None) -> None:
    assert deployment_problem(deployments(csv())[0], found) == problem


def test_a_changed_deployment_is_installed_again() -> None:
    problem = deployment_problem(deployments(csv(NEW))[0], live() | {"metadata": deployments(csv(OLD))[0]["metadata"]})
    assert problem
    assert problem[0] == "changed"


def test_the_operators_deployment_knows_its_group_and_its_condition_name() -> None:
    found = deployments(csv())[0]
    template = found["spec"]["template"]
    assert template["metadata"]["annotations"]["olm.targetNamespaces"] == "mcp-system"
    env = {entry["name"]: entry["value"] for entry in template["spec"]["containers"][0]["env"]}
    assert env == {"RELATED_IMAGE_ROUTER_BROKER": "ghcr.io/kuadrant/mcp-gateway:v0.9.0", "OPERATOR_CONDITION_NAME": NEW}
    assert found["metadata"]["labels"]["olm.owner"] == NEW


def test_a_copy_says_where_the_operator_runs() -> None:
    original = csv(phase="Succeeded", reason="InstallSucceeded")
    original["metadata"]["labels"] = {"operators.coreos.com/mcp-gateway.mcp-system": "", "olm.managed": "true"}
    copy = copy_of(original, "elsewhere")
    assert copy["metadata"]["labels"] == {"olm.managed": "true", "olm.copiedFrom": "mcp-system"}
    assert "olm.targetNamespaces" not in copy["metadata"]["annotations"]
    assert (copy["status"]["phase"], copy["status"]["reason"]) == ("Succeeded", "Copied")
    assert copy["status"]["message"] == "The operator is running in mcp-system but is managing this namespace"
