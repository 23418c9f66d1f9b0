# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy by principals: what each of them is listed and may call, and how a client gets to more by more scopes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from broker.harness import BrokerProcess, Json, Reply, rpc, run_broker, server
from broker.issuer import Issuer
from broker.raw_upstream import RawUpstream
from mcpops_broker.access.api_keys import hashed

from broker import stateless

RESOURCE = "https://mcp.example.com/mcp"
KEY = "mcpk_0123456789abcdef0123456789abcdef"
POLICY = {
    "rules": [
        {"name": "everybody", "allow": 'tool.originalName == "look"'},
        {"name": "ops", "allow": '"ops" in principal.groups && tool.originalName != "pay"', "scopes": ["mcp:write"]},
        {"name": "payers", "allow": 'tool.originalName == "pay" && principal.claims.level >= 3'},
        {"name": "suspended", "deny": "has(principal.claims.suspended) && principal.claims.suspended"},
    ]
}


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def running(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """Two workers, so that lists and calls come to different ones."""
    with RawUpstream("look", "change", "pay") as upstream:
        config = {
            "servers": [server("ns/one", upstream.url, "o_")],
            "virtualServers": [{"name": "ns/v", "tools": ["o_change"]}],
            "broker": {
                "policy": POLICY,
                "auth": {
                    "resource": RESOURCE,
                    "scopes": ["mcp"],
                    "issuers": [{"issuer": issuer.url}],
                    "apiKeys": [{"name": "robot", "hash": hashed(KEY.encode()), "groups": ["ops"], "scopes": ["mcp"]}],
                },
                "admin": {"public": ["status", "metrics"]},
            },
        }
        with run_broker(tmp_path_factory.mktemp("principals"), config, "--workers", "2") as broker:
            broker.wait_ready("ns/one")
            yield broker


def post(broker: BrokerProcess, token: str, message: Json, session: str = "", path: str = "/mcp") -> Reply:
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}", "mcp-session-id": session}
    return broker.request("POST", path, message, {name: value for name, value in headers.items() if value})


def begin(broker: BrokerProcess, token: str) -> str:
    reply = post(broker, token, rpc("initialize", {"protocolVersion": "2025-11-25"}))
    return reply.headers["mcp-session-id"]


def called(broker: BrokerProcess, token: str, tool: str) -> list[Any]:
    """Call a tool in both eras; return what came of it."""
    call = {"name": tool, "arguments": {}}
    with_session = post(broker, token, rpc("tools/call", call), begin(broker, token))
    without = stateless.send(broker, stateless.message("tools/call", call), {"authorization": f"Bearer {token}"})
    return ["error" in reply.json for reply in (with_session, without)]


@pytest.mark.parametrize(
    ("claims", "listed", "allowed"),
    [
        ({"scope": "mcp"}, ["o_look"], ["o_look"]),
        ({"scope": "mcp", "groups": ["dev"]}, ["o_look"], ["o_look"]),
        ({"scope": "mcp mcp:write", "groups": ["dev", "ops"]}, ["o_change", "o_look"], ["o_change", "o_look"]),
        ({"scope": "mcp", "groups": ["ops"]}, ["o_change", "o_look"], ["o_look"]),
        ({"scope": "mcp", "level": 3}, ["o_look", "o_pay"], ["o_look", "o_pay"]),
        ({"scope": "mcp", "level": "3"}, ["o_look"], ["o_look"]),
        ({"scope": "mcp mcp:write", "groups": ["ops"], "suspended": True}, [], []),
    ],
)
def test_what_a_token_allows(
    running: BrokerProcess, issuer: Issuer, claims: Json, listed: list[str], allowed: list[str]
) -> None:
    token = issuer.token(RESOURCE, **claims)

    seen = [
        tool["name"] for tool in post(running, token, rpc("tools/list"), begin(running, token)).json["result"]["tools"]
    ]

    assert seen == listed
    for tool in ("o_change", "o_look", "o_pay"):
        assert called(running, token, tool) == [tool not in allowed] * 2, tool


def test_a_key_cannot_get_more_scopes_so_it_is_not_told_of_what_needs_them(running: BrokerProcess) -> None:
    listed = post(running, KEY, rpc("tools/list"), begin(running, KEY)).json["result"]["tools"]

    assert [tool["name"] for tool in listed] == ["o_look"]
    assert called(running, KEY, "o_change") == [True, True]


def test_a_client_is_told_which_scopes_to_ask_for(running: BrokerProcess, issuer: Issuer) -> None:
    token = issuer.token(RESOURCE, scope="mcp", groups=["ops"])
    call = {"name": "o_change", "arguments": {}}

    with_session = post(running, token, rpc("tools/call", call), begin(running, token))
    without = stateless.send(running, stateless.message("tools/call", call), {"authorization": f"Bearer {token}"})

    for refused in (with_session, without):
        assert refused.status == 403
        assert refused.error["message"] == "Forbidden: this needs more scopes than the token has"
        challenge = refused.headers["www-authenticate"]
        assert 'error="insufficient_scope"' in challenge
        assert 'scope="mcp mcp:write"' in challenge
        assert 'resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"' in challenge


def test_the_challenge_of_a_virtual_servers_path_is_about_that_path(running: BrokerProcess, issuer: Issuer) -> None:
    token = issuer.token(f"{RESOURCE}/v/ns/v", scope="mcp", groups=["ops"])
    call = {"name": "o_change", "arguments": {}}
    session = post(running, token, rpc("initialize", {"protocolVersion": "2025-11-25"}), path="/mcp/v/ns/v")

    refused = post(running, token, rpc("tools/call", call), session.headers["mcp-session-id"], "/mcp/v/ns/v")

    assert refused.status == 403
    metadata = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp/v/ns/v"
    assert f'resource_metadata="{metadata}"' in refused.headers["www-authenticate"]
    assert post(running, token, rpc("tools/list")).status == 401, "a token for a virtual server is for nothing else"
