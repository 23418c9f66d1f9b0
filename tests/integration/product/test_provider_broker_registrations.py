# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The broker in the operator's place, told of its servers by registrations as the operator is: a story, told in order,
by an account with just the rights."""

from __future__ import annotations

from typing import Any

import kubernetes
import pytest
from accounts import credentials
from harness import Play, Sandbox
from sandbox.catalog.crds import operator_crds

BROKER = {
    "mcp_gateway_provider": "broker",
    "mcp_gateway_broker_image": "registry.example.com/mcpops-broker:0.1.0",
    "mcp_gateway_broker_registrations": True,
    "mcp_gateway_broker_replicas": 2,
    "mcp_gateway_virtual_servers": [{"name": "travel", "tools": ["weather_get_forecast"]}],
}
NAMESPACE, GROUP = "mcp-system", "mcp.kuadrant.io/v1"


@pytest.fixture(scope="module")
def account(sandbox: Sandbox) -> dict[str, Any]:
    made = sandbox.play("permissions", variables=BROKER)
    assert made.exit_code == 0, made.output
    return {**BROKER, **credentials(sandbox)}


@pytest.fixture(scope="module")
def refused(sandbox: Sandbox, account: dict[str, Any]) -> Play:
    """A run on a cluster without the kinds."""
    before = len(sandbox.audit())
    play = sandbox.play("site", variables=account)
    assert sandbox.writes(before) == []
    return play


@pytest.fixture(scope="module")
def first(sandbox: Sandbox, account: dict[str, Any], refused: Play) -> Play:
    kinds = sandbox.client.resources.get(api_version="apiextensions.k8s.io/v1", kind="CustomResourceDefinition")
    for crd in operator_crds("0.9.0"):
        if crd["spec"]["names"]["kind"] != "MCPGatewayExtension":
            kinds.create(body=crd)
    return sandbox.play("site", variables=account)


def ready(sandbox: Sandbox, kind: str, name: str, namespace: str) -> dict[str, Any]:
    conditions = sandbox.get(GROUP, kind, name, namespace)["status"]["conditions"]
    found: dict[str, Any] = next(one for one in conditions if one["type"] == "Ready")
    return found


def test_without_the_kinds_nothing_is_begun(refused: Play) -> None:
    assert refused.exit_code != 0
    assert "MCPServerRegistration" in refused.message, refused.output[-3000:]


def test_registrations_are_served_and_ready(sandbox: Sandbox, first: Play) -> None:
    assert first.exit_code == 0, first.output
    assert "tools:       5 (" in first.output
    for name, tools in (("weather", 3), ("time", 2)):
        condition = ready(sandbox, "MCPServerRegistration", name, "mcp-servers")
        assert (condition["status"], condition["reason"]) == ("True", "Ready")
        assert condition["message"] == f"server added successfully. Total tools added {tools}. Total prompts added 0"
    assert ready(sandbox, "MCPVirtualServer", "travel", NAMESPACE)["status"] == "True"
    assert sandbox.get("coordination.k8s.io/v1", "Lease", "mcp-broker", NAMESPACE)["spec"]["holderIdentity"]


def test_the_second_run_changes_nothing(sandbox: Sandbox, account: dict[str, Any], first: Play) -> None:
    requests = len(sandbox.audit())

    play = sandbox.play("site", variables=account)

    assert play.exit_code == 0 and play.recap()["changed"] == 0, play.output
    assert [write for write in sandbox.writes(requests) if "/leases/" not in str(write)] == []


@pytest.mark.usefixtures("first")
def test_its_end_leaves_nothing(sandbox: Sandbox, account: dict[str, Any]) -> None:
    gone = sandbox.play("teardown", variables=account)

    assert gone.exit_code == 0, gone.output
    assert not [key for key in sandbox.snapshot() if "mcp-broker" in key or "MCPServerRegistration" in key]
    with pytest.raises(kubernetes.client.ApiException, match="Not Found"):
        sandbox.get("coordination.k8s.io/v1", "Lease", "mcp-broker", NAMESPACE)
