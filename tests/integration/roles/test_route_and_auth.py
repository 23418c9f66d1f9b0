# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A protected endpoint by variables: tokens, tools, limits, the custom route, and back. The tests run in this order."""

from __future__ import annotations

import json
from typing import Any

import kubernetes
import pytest
from asking import ask, asking_on
from harness import Play, Sandbox
from sandbox.servers.token_issuer import TokenIssuer

GATEWAY = "openshift-ingress"
AUTH = ("kuadrant.io/v1", "AuthPolicy")
LIMITS = ("kuadrant.io/v1", "RateLimitPolicy")
ROUTE = ("gateway.networking.k8s.io/v1", "HTTPRoute")
ORIGIN = "https://chat.example.com"
WELL_KNOWN = "/.well-known/oauth-protected-resource"


@pytest.fixture(scope="module")
def audience() -> str:
    return "http://mcp.example.com/mcp"


@pytest.fixture(scope="module")
def token(issuer: TokenIssuer, audience: str) -> str:
    """Of somebody who may use the tools of weather, but not those of time."""
    return issuer.token(aud=["account", audience], groups=["forecasters"])


@pytest.fixture(scope="module")
def protection(issuer: TokenIssuer, audience: str, token: str) -> dict[str, Any]:
    """Variables as a survey sends them."""
    return {
        "mcp_gateway_auth_issuer": issuer.url,
        "mcp_gateway_auth_audiences": audience,
        "mcp_gateway_auth_tools": "[{tools: weather_get_weather, groups: forecasters}, {server: time, groups: [x]}]",
        "mcp_gateway_rate_limits": "- {name: all, limit: '4', window: 1h, when: [\"'x-test' in request.headers\"]}",
        "mcp_gateway_token": token,
        "mcp_gateway_verify_call": "",
    }


@pytest.fixture(scope="module")
def port(sandbox: Sandbox) -> int:
    return int(sandbox.variables["mcp_gateway_port"])


@pytest.fixture(scope="module")
def first(sandbox: Sandbox, protection: dict[str, Any]) -> Play:
    """The first run, with everything on."""
    kuadrants = sandbox.client.resources.get(api_version="kuadrant.io/v1beta1", kind="Kuadrant")
    body = {"apiVersion": "kuadrant.io/v1beta1", "kind": "Kuadrant", "metadata": {"name": "kuadrant"}}
    kuadrants.create(namespace=GATEWAY, body=body)
    return sandbox.play("site", variables=protection)


def names(sandbox: Sandbox, kind: tuple[str, str], namespace: str) -> set[str]:
    resource = sandbox.client.resources.get(api_version=kind[0], kind=kind[1])
    return {item["metadata"]["name"] for item in resource.get(namespace=namespace).to_dict()["items"]}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_the_first_run_protects_and_proves_with_a_token_that_is_never_shown(first: Play, token: str) -> None:
    assert first.exit_code == 0, first.output
    assert token not in first.output
    assert "The MCP gateway works." in first.output


def test_only_tokens_of_the_issuer_for_this_endpoint_are_let_in(
    first: Play, port: int, issuer: TokenIssuer, token: str, audience: str
) -> None:
    del first
    statuses = {
        "good": ask(port, **bearer(token)).status,
        "one audience": ask(port, **bearer(issuer.token(aud=audience))).status,
        "none": ask(port).status,
        "hidden path": ask(port, f"/mcp?x={WELL_KNOWN}").status,
        "expired": ask(port, **bearer(issuer.token(aud=audience, lifetime=-10))).status,
        "other audience": ask(port, **bearer(issuer.token(aud="other"))).status,
        "no audience": ask(port, **bearer(issuer.token())).status,
    }
    assert statuses == {
        "good": 200,
        "one audience": 200,
        "none": 401,
        "hidden path": 401,
        "expired": 401,
        "other audience": 403,
        "no audience": 403,
    }
    refused = ask(port)
    assert refused.headers["www-authenticate"] == f'Bearer resource_metadata="http://localhost:{port}{WELL_KNOWN}/mcp"'
    assert json.loads(refused.text)["error"] == "unauthorized"
    assert ask(port, f"{WELL_KNOWN}/mcp", method="GET").status == 200
    assert ask(port, method="OPTIONS").status not in (401, 403)


def test_calls_are_decided_by_tool_and_group(first: Play, port: int, token: str) -> None:
    del first

    def call(server: str, tool: str, **headers: str) -> int:
        name = server.partition("/")[2]
        sent = {"x_mcp_servername": server, "x_mcp_toolname": tool, **headers}
        return ask(port, host=f"{name}.mcp.local", **sent).status

    assert call("mcp-servers/weather", "get_weather", **bearer(token)) not in (401, 403)
    assert call("mcp-servers/weather", "get_weather") == 401
    assert call("mcp-servers/weather", "list_cities", **bearer(token)) == 403
    assert call("mcp-servers/time", "get_current_time", **bearer(token)) == 403


def test_verify_passes_with_a_token_and_tells_what_is_missing_without(
    sandbox: Sandbox, first: Play, protection: dict[str, Any]
) -> None:
    del first
    good = sandbox.play("verify", "-vvv", variables=protection)
    bad = sandbox.play("verify", variables={**protection, "mcp_gateway_token": "", "mcp_gateway_wait_timeout": 1})

    assert good.exit_code == 0, good.output
    assert protection["mcp_gateway_token"] not in good.output.replace(json.dumps(protection), "")
    assert bad.exit_code != 0
    assert "401" in bad.message, bad.message


def test_limits_answer_429(first: Play, port: int, token: str) -> None:
    del first
    statuses = [ask(port, x_test="1", **bearer(token)).status for _ in range(6)]

    assert statuses.count(429) == 2, statuses


def test_again_changes_nothing_and_check_mode_says_so(
    sandbox: Sandbox, first: Play, protection: dict[str, Any]
) -> None:
    del first
    again = sandbox.play("site", variables=protection)
    checked = sandbox.play("site", "--check", variables=protection)

    assert (again.recap()["changed"], checked.recap()["changed"]) == (0, 0), again.output


def test_a_policy_of_somebody_else_stays_and_ours_go_when_they_are_not_wanted(
    sandbox: Sandbox, first: Play, port: int
) -> None:
    del first
    limits = sandbox.client.resources.get(api_version=LIMITS[0], kind=LIMITS[1])
    target = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "mcp-gateway", "sectionName": "http"}
    spec = {"targetRef": target, "limits": {"all": {"rates": [{"limit": 1000, "window": "1s"}]}}}
    theirs = {"apiVersion": LIMITS[0], "kind": LIMITS[1], "metadata": {"name": "mcp-gateway-calls"}, "spec": spec}
    limits.create(namespace=GATEWAY, body=theirs)

    play = sandbox.play("site", "--tags", "auth")

    assert play.exit_code == 0, play.output
    assert names(sandbox, AUTH, GATEWAY) == set()
    assert names(sandbox, LIMITS, GATEWAY) == {"mcp-gateway-calls"}
    assert ask(port).status == 200


def test_the_custom_route_takes_over_and_gives_back_without_an_outage(sandbox: Sandbox, first: Play, port: int) -> None:
    del first
    custom = {"mcp_gateway_route": "custom", "mcp_gateway_cors": f"allow_origins: [{ORIGIN}]"}
    tags = ("--tags", "extension,route")

    with asking_on(port) as statuses:
        there = sandbox.play("site", *tags, variables=custom)
        routes, allowed = names(sandbox, ROUTE, "mcp-system"), ask(port, Origin=ORIGIN)
        again = sandbox.play("site", *tags, variables=custom)
        back = sandbox.play("site", *tags)
        after = names(sandbox, ROUTE, "mcp-system")

    assert (there.exit_code, back.exit_code) == (0, 0), there.output + back.output
    assert routes == {"mcp-gateway-custom"}
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-credentials" not in allowed.headers
    assert again.recap()["changed"] == 0, again.output
    assert after == {"mcp-gateway-route"}
    assert len(statuses) > 100
    assert set(statuses) == {200}, {status: statuses.count(status) for status in set(statuses)}


def test_a_route_that_somebody_else_made_under_the_name_stays(sandbox: Sandbox, first: Play) -> None:
    del first
    routes = sandbox.client.resources.get(api_version=ROUTE[0], kind=ROUTE[1])
    parent = {"name": "mcp-gateway", "namespace": GATEWAY, "sectionName": "http"}
    body = {
        "apiVersion": ROUTE[0],
        "kind": ROUTE[1],
        "metadata": {"name": "mcp-gateway-custom"},
        "spec": {"parentRefs": [parent], "hostnames": ["else.example.com"]},
    }
    routes.create(namespace="mcp-system", body=body)

    play = sandbox.play("site", "--tags", "route")

    assert play.recap()["changed"] == 0, play.output
    assert "mcp-gateway-custom" in names(sandbox, ROUTE, "mcp-system")
    routes.delete(name="mcp-gateway-custom", namespace="mcp-system")
    with pytest.raises(kubernetes.client.ApiException):
        sandbox.get(*ROUTE, "mcp-gateway-custom", "mcp-system")
