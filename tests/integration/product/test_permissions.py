# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job under the roles that the collection ships and nothing more; what is missing is named."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator

import pytest
from accounts import ACCOUNT, PLACE, credentials, kubectl
from harness import Play, Sandbox

ROLE = ("rbac.authorization.k8s.io/v1", "ClusterRole")


@pytest.fixture(scope="module")
def granted(sandbox: Sandbox) -> tuple[Play, Play]:
    """Two runs of the playbook for permissions, by the administrator."""
    return sandbox.play("permissions"), sandbox.play("permissions")


@pytest.fixture(scope="module")
def account(sandbox: Sandbox, granted: tuple[Play, Play]) -> dict[str, str]:
    """Variables with which a playbook runs as the account."""
    assert [play.exit_code for play in granted] == [0, 0], granted[0].output
    return credentials(sandbox)


@pytest.fixture
def without(sandbox: Sandbox, request: pytest.FixtureRequest) -> Iterator[None]:
    """A ClusterRole without one verb on one resource; as it was afterwards."""
    role, resource, verb = request.param
    whole = json.loads(kubectl(sandbox, "get", "clusterrole", role, "-o", "json"))
    less = copy.deepcopy(whole)
    for rule in list(less["rules"]):
        if resource in rule["resources"]:
            rule["resources"].remove(resource)
            less["rules"].append(
                {**rule, "resources": [resource], "verbs": [one for one in rule["verbs"] if one != verb]}
            )
    less["rules"] = [rule for rule in less["rules"] if rule["resources"]]
    kubectl(sandbox, "replace", "-f", "-", given=less)
    yield
    whole["metadata"].pop("resourceVersion")
    kubectl(sandbox, "replace", "-f", "-", given=whole)


def test_the_second_run_changes_nothing(granted: tuple[Play, Play]) -> None:
    first, second = granted

    assert first.recap()["changed"] == 3 and second.recap()["changed"] == 0


@pytest.mark.parametrize(
    "without",
    [
        ("mcpops-gateway-operator", "subscriptions", "create"),
        ("mcpops-gateway-gateway", "gateways", "patch"),
        ("mcpops-gateway-cluster", "namespaces", "get"),
    ],
    indirect=True,
    ids="-".join,
)
@pytest.mark.usefixtures("without")
def test_a_missing_rule_is_named(sandbox: Sandbox, account: dict[str, str], request: pytest.FixtureRequest) -> None:
    role, resource, verb = request.node.callspec.params["without"]

    play = sandbox.play("site", variables=account)

    assert play.exit_code != 0
    for words in (f"system:serviceaccount:{PLACE}:{ACCOUNT}", verb, resource, role):
        assert words in play.message, play.message


def test_the_main_job(sandbox: Sandbox, account: dict[str, str]) -> None:
    first = sandbox.play("site", variables=account)
    again = sandbox.play("site", variables=account)
    proven = sandbox.play("verify", variables=account)

    for play in (first, again, proven):
        assert play.exit_code == 0, play.output
    assert first.recap()["changed"] > 0 and again.recap()["changed"] == 0


def test_policies_come_and_go(sandbox: Sandbox, account: dict[str, str]) -> None:
    """The rights of role auth: what protects the listeners is made and removed."""
    kuadrant = {"apiVersion": "kuadrant.io/v1beta1", "kind": "Kuadrant"}
    kubectl(sandbox, "apply", "-f", "-", given={**kuadrant, "metadata": {"name": "kuadrant", "namespace": PLACE}})
    limits = {"mcp_gateway_rate_limits": "[{name: all, limit: 10000, window: 1h}]"}

    made = sandbox.play("site", variables={**account, **limits})
    removed = sandbox.play("site", variables=account)

    assert (made.exit_code, removed.exit_code) == (0, 0), made.output + removed.output
    assert made.recap()["changed"] > 0 and removed.recap()["changed"] == 1


def test_its_end(sandbox: Sandbox, account: dict[str, str]) -> None:
    gone = sandbox.play("teardown", variables=account)
    again = sandbox.play("teardown", variables=account)

    assert (gone.exit_code, again.exit_code) == (0, 0), gone.output
    assert gone.recap()["changed"] > 0 and again.recap()["changed"] == 0
