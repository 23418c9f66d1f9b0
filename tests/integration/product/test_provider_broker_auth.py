# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The broker in the operator's place asks who its clients are: a story, told in order, with a real issuer of tokens."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import Any

import pytest
from harness import ROOT, Play, Sandbox
from sandbox.servers.token_issuer import TokenIssuer


@pytest.fixture(scope="module")
def issuer(sandbox: Sandbox) -> dict[str, str]:
    """Its address, and a token of it for the endpoint."""
    claims = {"aud": endpoint(sandbox), "scope": "mcp:use", "groups": ["forecasters"]}
    command = [sys.executable, "-m", "sandbox.servers.beside", "token_issuer", "--dir", str(sandbox.folder)]
    subprocess.run(
        [*command, "--claims", json.dumps(claims)], cwd=ROOT, env=sandbox.environment(), check=True, timeout=60
    )
    found: dict[str, str] = json.loads((sandbox.folder / "outside" / "issuer.json").read_text())
    return found


@pytest.fixture(scope="module")
def inputs(sandbox: Sandbox, issuer: dict[str, str]) -> dict[str, Any]:
    auth = {"resource": endpoint(sandbox), "scopes": ["mcp:use"], "issuers": [{"issuer": issuer["url"]}]}
    rules = [{"name": "time for all", "allow": "server.name == 'mcp-servers/time'"}]
    rules.append(
        {"name": "weather", "allow": "'forecasters' in principal.groups && tool.originalName != 'get_weather'"}
    )
    return {
        "mcp_gateway_provider": "broker",
        "mcp_gateway_broker_image": "registry.example.com/mcpops-broker:0.1.0",
        "mcp_gateway_broker_anonymous": False,
        "mcp_gateway_broker_settings": {"auth": auth, "policy": {"rules": rules}},
        "mcp_gateway_verify_oauth_metadata": {"expect_auth": True},
        "mcp_gateway_token": issuer["token"],
    }


@pytest.fixture(scope="module")
def first(sandbox: Sandbox, inputs: dict[str, Any]) -> Play:
    return sandbox.play("site", variables=inputs)


def endpoint(sandbox: Sandbox) -> str:
    return f"http://localhost:{sandbox.variables['mcp_gateway_port']}/mcp"


def test_the_endpoint_works_with_a_token_and_shows_what_its_owner_may_use(
    sandbox: Sandbox, first: Play, issuer: dict[str, str]
) -> None:
    assert first.exit_code == 0, first.output
    assert "tools:       4 (time_convert_time, time_get_current_time, weather_get_forecast, " in first.output
    metadata = endpoint(sandbox).replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
    assert f"OAuth:       {metadata} names {issuer['url']}" in first.output
    assert issuer["token"] not in first.output


def test_the_second_run_changes_nothing(sandbox: Sandbox, inputs: dict[str, Any], first: Play) -> None:
    requests = len(sandbox.audit())

    play = sandbox.play("site", variables=inputs)

    assert play.exit_code == 0 and play.recap()["changed"] == 0, play.output
    assert sandbox.writes(requests) == []


@pytest.mark.usefixtures("first")
def test_who_has_no_token_is_told_where_to_get_one(sandbox: Sandbox, inputs: dict[str, Any]) -> None:
    play = sandbox.play("verify", variables={**inputs, "mcp_gateway_token": ""})

    assert play.exit_code != 0
    assert "HTTP 401" in play.message and "/.well-known/oauth-protected-resource/mcp" in play.output


@pytest.mark.usefixtures("first")
def test_a_token_of_somebody_else_is_refused(sandbox: Sandbox, inputs: dict[str, Any]) -> None:
    async def token() -> str:
        async with TokenIssuer() as stranger:
            settings = inputs["mcp_gateway_broker_settings"]["auth"]
            return stranger.token(
                iss=settings["issuers"][0]["issuer"], aud=settings["resource"], scope="mcp:use", groups=["forecasters"]
            )

    play = sandbox.play("verify", variables={**inputs, "mcp_gateway_token": asyncio.run(token())})

    assert play.exit_code != 0
    assert "HTTP 401" in play.message


@pytest.mark.usefixtures("first")
def test_its_end_leaves_nothing(sandbox: Sandbox, inputs: dict[str, Any]) -> None:
    gone = sandbox.play("teardown", variables=inputs)

    assert gone.exit_code == 0, gone.output
    assert not [key for key in sandbox.snapshot() if "mcp-broker" in key]
