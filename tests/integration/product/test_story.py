# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job on one cluster, from nothing to a proven gateway and back to nothing. The tests run in this order."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from harness import ROOT, Play, Sandbox
from mcp import Client

MCP = ("mcp.kuadrant.io/v1", "MCPGatewayExtension")


@pytest.fixture(scope="module")
def empty(sandbox: Sandbox) -> dict[str, str]:
    """What is in the cluster before anything was done."""
    return sandbox.snapshot()


@pytest.fixture(scope="module")
def first(sandbox: Sandbox, empty: dict[str, str]) -> Play:
    """The first run of site.yml."""
    del empty  # must have been read before
    return sandbox.play("site")


@pytest.fixture(scope="module")
def url(sandbox: Sandbox, first: Play) -> str:
    """The endpoint's address as the sandbox's variables give it."""
    assert first.exit_code == 0, first.output
    return f"http://localhost:{sandbox.variables['mcp_gateway_port']}/mcp"


def test_check_mode_on_an_empty_cluster_succeeds_and_writes_nothing(sandbox: Sandbox, empty: dict[str, str]) -> None:
    before = len(sandbox.audit())

    play = sandbox.play("site", "--check", "--diff")

    assert play.exit_code == 0, play.output
    assert play.recap()["changed"] > 0
    assert sandbox.writes(before) == []
    assert sandbox.snapshot() == empty


def test_first_run_makes_a_working_gateway_and_reports_it(first: Play) -> None:
    assert first.exit_code == 0, first.output
    assert first.recap()["changed"] > 0
    for said in ("HTTP 200", "2025-11-25", "/mcp"):
        assert said in first.output


def test_the_objects_of_the_guide_are_there_by_their_names(sandbox: Sandbox, first: Play) -> None:
    del first
    assert sandbox.get("v1", "Namespace", "mcp-system")["status"]["phase"] == "Active"
    group = sandbox.get("operators.coreos.com/v1", "OperatorGroup", "mcp-gateway", "mcp-system")
    assert group["spec"]["targetNamespaces"] == ["mcp-system"]
    subscription = sandbox.get("operators.coreos.com/v1alpha1", "Subscription", "mcp-gateway", "mcp-system")
    assert subscription["spec"]["source"] == "redhat-operators"
    assert subscription["spec"]["sourceNamespace"] == "openshift-marketplace"
    assert subscription["spec"]["name"] == "mcp-gateway"
    assert subscription["spec"]["channel"] == "preview"
    gateway = sandbox.get("gateway.networking.k8s.io/v1", "Gateway", "mcp-gateway", "openshift-ingress")
    assert {"http", "mcps", "https"} <= {listener["name"] for listener in gateway["spec"]["listeners"]}
    grants = sandbox.client.resources.get(api_version="gateway.networking.k8s.io/v1beta1", kind="ReferenceGrant")
    granted = grants.get(namespace="openshift-ingress").to_dict()["items"]
    assert any(source["namespace"] == "mcp-system" for grant in granted for source in grant["spec"]["from"])
    extension = sandbox.get(*MCP, "mcp-gateway", "mcp-system")
    ready = next(c for c in extension["status"]["conditions"] if c["type"] == "Ready")
    assert ready["status"] == "True", ready
    route = sandbox.get("gateway.networking.k8s.io/v1", "HTTPRoute", "mcp-gateway-route", "mcp-system")
    assert route["spec"]["hostnames"] == ["localhost"]
    filters = sandbox.client.resources.get(api_version="networking.istio.io/v1alpha3", kind="EnvoyFilter")
    label = "app.kubernetes.io/managed-by=mcp-gateway-controller"
    assert len(filters.get(namespace="openshift-ingress", label_selector=label).to_dict()["items"]) == 1


def test_the_guides_own_curl_is_answered(url: str) -> None:
    body = '{"jsonrpc": "2.0", "id": 1, "method": "initialize"}'

    done = subprocess.run(
        ["curl", "-sS", "-w", "\n%{http_code}", "-X", "POST", url, "-H", "Content-Type: application/json", "-d", body],
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip

    answer, status = done.stdout.rsplit("\n", 1)
    assert status == "200"
    assert json.loads(answer)["result"]["protocolVersion"] == "2025-11-25"
    assert json.loads(answer)["result"]["serverInfo"]["name"]


async def test_the_official_client_lists_and_calls_tools_of_both_servers(url: str) -> None:
    async with Client(url, mode="legacy") as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        clock = await client.call_tool("time_get_current_time", {"timezone": "UTC"})
        weather = next(tool for name, tool in tools.items() if name.startswith("weather_"))
        arguments = dict.fromkeys(weather.input_schema.get("required", []), "Lisbon")
        forecast = await client.call_tool(weather.name, arguments)

    assert not clock.is_error
    assert "UTC" in clock.content[0].text  # type: ignore[union-attr]
    assert not forecast.is_error, forecast


def test_the_inspectors_command_line_lists_tools(sandbox: Sandbox, url: str) -> None:
    inspector = ROOT / ".cache" / "node" / "node_modules" / ".bin" / "mcp-inspector"

    done = subprocess.run(
        [str(inspector), "--cli", url, "--transport", "http", "--method", "tools/list"],
        env=sandbox.environment(), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    names = {tool["name"] for tool in json.loads(done.stdout)["tools"]}
    assert "time_get_current_time" in names


def test_second_run_changes_nothing_and_writes_nothing(sandbox: Sandbox, url: str) -> None:
    del url
    objects, requests = sandbox.snapshot(), len(sandbox.audit())

    play = sandbox.play("site")

    assert play.exit_code == 0, play.output
    assert play.recap()["changed"] == 0, play.output
    assert sandbox.writes(requests) == []
    assert sandbox.snapshot() == objects


def test_check_mode_on_a_converged_cluster_predicts_no_change_and_writes_nothing(sandbox: Sandbox, url: str) -> None:
    del url
    objects, requests = sandbox.snapshot(), len(sandbox.audit())

    play = sandbox.play("site", "--check", "--diff")

    assert play.exit_code == 0, play.output
    assert play.recap()["changed"] == 0, play.output
    assert sandbox.writes(requests) == []
    assert sandbox.snapshot() == objects


def test_drift_is_seen_and_put_right(sandbox: Sandbox, url: str) -> None:
    del url
    gateways = sandbox.client.resources.get(api_version="gateway.networking.k8s.io/v1", kind="Gateway")
    patch: dict[str, Any] = {"spec": {"gatewayClassName": "somebody-elses"}}
    gateways.patch(
        name="mcp-gateway", namespace="openshift-ingress", body=patch, content_type="application/merge-patch+json"
    )

    play = sandbox.play("site", variables={"mcp_gateway_force_conflicts": True})

    assert play.exit_code == 0, play.output
    assert play.recap()["changed"] >= 1
    mended = sandbox.get("gateway.networking.k8s.io/v1", "Gateway", "mcp-gateway", "openshift-ingress")
    assert mended["spec"]["gatewayClassName"] == "openshift-default"


def test_verify_proves_the_gateway_and_changes_nothing(sandbox: Sandbox, url: str) -> None:
    del url
    requests = len(sandbox.audit())

    play = sandbox.play("verify")

    assert play.exit_code == 0, play.output
    assert play.recap()["changed"] == 0
    assert sandbox.writes(requests) == []


def test_teardown_leaves_nothing_and_again_changes_nothing(
    sandbox: Sandbox, url: str, empty: dict[str, str], tmp_path: Path
) -> None:
    del url, tmp_path
    everything = {"mcp_gateway_remove_crds": True, "mcp_gateway_remove_namespaces": True}

    play = sandbox.play("teardown", variables=everything)
    again = sandbox.play("teardown", variables=everything)

    assert play.exit_code == 0, play.output
    assert set(sandbox.snapshot()) - set(empty) == set()
    assert again.exit_code == 0, again.output
    assert again.recap()["changed"] == 0, again.output
