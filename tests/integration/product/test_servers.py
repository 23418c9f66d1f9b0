# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of servers as desired state: outside the cluster, credentials, virtual servers, purge. Told in order."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes
import pytest
from harness import ROOT, Play, Sandbox
from integration.kit import until
from mcp import Client
from sandbox.servers.external import HOST

FIRST, SECOND = "Bearer first-secret-value", "Bearer second-secret-value"
ROUTES = ("gateway.networking.k8s.io/v1", "HTTPRoute")
WEATHER = {"name": "weather", "port": 9090}
TIME = {"name": "time", "port": 9090, "category": ["clocks"], "tags": ["utc"], "hint": "Tells the time."}
VIRTUAL = {"name": "support", "tools": ["time_get_current_time", "ext_get_weather"]}


@pytest.fixture(scope="module")
def token_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the external server asks for at this moment."""
    path = tmp_path_factory.mktemp("token") / "token"
    path.write_text(FIRST)
    return path


@pytest.fixture(scope="module")
def outside(sandbox: Sandbox, token_file: Path) -> Iterator[dict[str, Any]]:
    """The entry of a server outside the cluster, which is running."""
    words = ["-m", "sandbox.servers.external", "--dir", str(sandbox.folder), "--token-file", str(token_file)]
    process = subprocess.Popen([sys.executable, *words], cwd=ROOT, env=sandbox.environment())
    try:
        authority = sandbox.folder / "outside" / "ca.pem"
        until((sandbox.folder / "outside" / "hosts.json").exists, lambda: "the external server does not start")
        yield {
            "name": "external",
            "url": f"https://{HOST}/mcp",
            "prefix": "ext_",
            "credential": FIRST,
            "ca_cert": authority.read_text(),
            "expect_tools": ["get_weather"],
        }
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def first(sandbox: Sandbox, outside: dict[str, Any]) -> Play:
    """The first run, at the highest verbosity that people use."""
    return converge(sandbox, [WEATHER, TIME, outside], "-vvv", "--diff", virtual=[VIRTUAL], tags="all")


def converge(
    sandbox: Sandbox,
    servers: list[dict[str, Any]],
    *words: str,
    virtual: Any = (),
    purge: Any = False,
    tags: str = "servers",
) -> Play:
    variables = {
        "mcp_gateway_servers": servers,
        "mcp_gateway_virtual_servers": list(virtual),
        "mcp_gateway_servers_purge": purge,
        "mcp_gateway_verify_call": {},
    }
    return sandbox.play("site", "--tags", tags, *words, variables=variables)


def exists(sandbox: Sandbox, *what: str) -> bool:
    try:
        sandbox.get(*what)
    except (kubernetes.client.ApiException, kubernetes.dynamic.exceptions.ResourceNotFoundError):
        return False
    return True


def through_envoy(sandbox: Sandbox, token: str) -> int:
    """The status of a request that goes the way of a tool call: listener, route, TLS to the external host."""
    request = urllib.request.Request(f"http://127.0.0.1:{sandbox.variables['mcp_gateway_port']}/mcp", method="POST")
    for name, value in (("Host", "external.mcp.local"), ("Authorization", token), ("Content-Type", "application/json")):
        request.add_header(name, value)
    request.add_header("Accept", "application/json, text/event-stream")
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    request.data = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}).encode()
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)


async def test_tools_of_a_server_outside_are_offered_and_called(sandbox: Sandbox, first: Play) -> None:
    assert first.exit_code == 0, first.output
    async with Client(f"http://localhost:{sandbox.variables['mcp_gateway_port']}/mcp", mode="legacy") as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        answer = await client.call_tool("ext_get_weather", {"city": "Oslo"})
    assert {"ext_get_weather", "time_get_current_time"} <= tools
    assert not answer.is_error, answer


def test_the_gateway_reaches_the_server_outside_by_tls_under_its_own_name(sandbox: Sandbox, first: Play) -> None:
    assert first.exit_code == 0
    assert through_envoy(sandbox, FIRST) == 200
    assert through_envoy(sandbox, "Bearer wrong") == 401


def test_categories_and_virtual_servers_are_as_listed(sandbox: Sandbox, first: Play) -> None:
    assert first.exit_code == 0
    registration = sandbox.get("mcp.kuadrant.io/v1", "MCPServerRegistration", "time", "mcp-servers")
    assert {field: registration["spec"][field] for field in ("category", "tags", "hint")} == {
        field: TIME[field] for field in ("category", "tags", "hint")
    }
    virtual = sandbox.get("mcp.kuadrant.io/v1", "MCPVirtualServer", "support", "mcp-system")
    assert virtual["spec"]["tools"] == VIRTUAL["tools"]


def test_the_credential_is_in_no_output_and_no_argument(sandbox: Sandbox, first: Play) -> None:
    assert first.exit_code == 0
    assert "secret-value" not in first.output
    assert "secret-value" not in (sandbox.folder / "audit.jsonl").read_text()


def test_a_new_credential_is_noticed_once(
    sandbox: Sandbox, first: Play, outside: dict[str, Any], token_file: Path
) -> None:
    assert first.exit_code == 0
    token_file.write_text(SECOND)
    servers = [WEATHER, TIME, {**outside, "credential": SECOND}]

    rotated = converge(sandbox, servers, "--diff", virtual=[VIRTUAL])
    again = converge(sandbox, servers, virtual=[VIRTUAL])

    assert rotated.exit_code == 0, rotated.output
    assert rotated.recap()["changed"] == 1, rotated.output
    assert "secret-value" not in rotated.output
    assert again.recap()["changed"] == 0, again.output


def test_a_tool_that_a_server_was_said_to_have_is_missed(sandbox: Sandbox, first: Play) -> None:
    assert first.exit_code == 0
    servers = [{**WEATHER, "expect_tools": ["no_such_tool"]}]

    play = sandbox.play("verify", variables={"mcp_gateway_servers": servers, "mcp_gateway_wait_timeout": 1})

    assert play.exit_code != 0
    assert "weather_no_such_tool" in play.message


def test_what_is_no_longer_listed_stays_without_purge(sandbox: Sandbox, first: Play) -> None:
    assert first.exit_code == 0

    play = converge(sandbox, [TIME])

    assert play.recap()["changed"] == 0, play.output
    assert exists(sandbox, *ROUTES, "external", "mcp-servers")


def test_purge_removes_what_is_no_longer_listed_and_nothing_of_others(sandbox: Sandbox, first: Play) -> None:
    assert first.exit_code == 0
    foreign = sandbox.get(*ROUTES, "weather", "mcp-servers")
    foreign["metadata"] = {"name": "somebody-elses", "namespace": "mcp-servers"}
    del foreign["status"]
    sandbox.client.resources.get(api_version=ROUTES[0], kind=ROUTES[1]).create(body=foreign, namespace="mcp-servers")
    objects = sandbox.snapshot()

    predicted = converge(sandbox, [TIME], "--check", purge="true")
    unchanged = sandbox.snapshot() == objects
    play = converge(sandbox, [TIME], purge="true")
    again = converge(sandbox, [TIME], purge="true")

    assert predicted.recap()["changed"] == play.recap()["changed"] == 1, predicted.output + play.output
    assert unchanged
    gone = {name.split(" ", 1)[1] for name in set(objects) - set(sandbox.snapshot())}
    assert {name for name in gone if "mcp-servers/" in name or "support" in name} == {
        "DestinationRule mcp-servers/external",
        "HTTPRoute mcp-servers/external",
        "HTTPRoute mcp-servers/weather",
        "MCPServerRegistration mcp-servers/external",
        "MCPServerRegistration mcp-servers/weather",
        "MCPVirtualServer mcp-system/support",
        "Secret mcp-servers/external-mcp-credential",
        "ServiceEntry mcp-servers/external",
    }
    assert exists(sandbox, *ROUTES, "somebody-elses", "mcp-servers")
    assert again.recap()["changed"] == 0, again.output


def test_absent_of_one_server_spares_an_object_of_somebody_else(sandbox: Sandbox, first: Play) -> None:
    assert first.exit_code == 0

    play = converge(sandbox, [TIME, {"name": "somebody-elses", "state": "absent"}])

    assert play.exit_code == 0, play.output
    assert play.recap()["changed"] == 0
    assert "was not made by mcpops.gateway" in " ".join(play.output.split())
    assert exists(sandbox, *ROUTES, "somebody-elses", "mcp-servers")


def test_a_credential_that_is_no_longer_given_leaves_no_secret(sandbox: Sandbox, first: Play) -> None:
    assert first.exit_code == 0
    given = converge(sandbox, [{**TIME, "credential": FIRST}])
    had_one = exists(sandbox, "v1", "Secret", "time-mcp-credential", "mcp-servers")

    play = converge(sandbox, [TIME])

    assert given.exit_code == play.exit_code == 0, given.output + play.output
    assert had_one
    assert not exists(sandbox, "v1", "Secret", "time-mcp-credential", "mcp-servers")
