# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policies of role auth: what they say, and which of them are wanted."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._role_access import claim_path, quoted
from ansible_collections.mcpops.gateway.plugins.module_utils._role_policies import metadata_url, policies

SETTINGS: dict[str, Any] = {
    "name": "mcp",
    "gateway": "gw",
    "gateway_namespace": "infra",
    "listener": "mcps",
    "calls_listener": "mcp-servers",
    "issuer": "https://sso.example.com/realms/mcp",
    "url": "https://mcp.example.com/mcp",
    "servers": [{"name": "weather"}, {"name": "time", "prefix": "clock_", "namespace": "team"}],
    "servers_namespace": "mcp-servers",
}
Json = dict[str, Any]


def present(**change: Any) -> dict[str, Json]:
    """The policies that are to be there, by kind and name."""
    found = policies({**SETTINGS, **change}, wanted="present")
    return {f"{one['kind']} {one['metadata']['name']}": one for one in found}


def absent(**change: Any) -> list[str]:
    return [f"{one['kind']} {one['metadata']['name']}" for one in policies({**SETTINGS, **change}, wanted="absent")]


def predicates(policy: Json, rule: str) -> list[str]:
    patterns = policy["spec"]["rules"]["authorization"][rule]["patternMatching"]["patterns"]
    return [pattern["predicate"] for pattern in patterns]


def test_both_listeners_are_protected_and_what_is_not_asked_for_is_absent() -> None:
    found = present()

    assert list(found) == ["AuthPolicy mcp", "AuthPolicy mcp-calls"]
    targets = [one["spec"]["targetRef"] for one in found.values()]
    assert [target["sectionName"] for target in targets] == ["mcps", "mcp-servers"]
    assert {target["name"] for target in targets} == {"gw"}
    assert absent() == ["RateLimitPolicy mcp", "RateLimitPolicy mcp-calls"]


def test_without_an_issuer_or_when_all_is_to_go_nothing_is_present() -> None:
    everything = ["AuthPolicy mcp", "AuthPolicy mcp-calls", "RateLimitPolicy mcp", "RateLimitPolicy mcp-calls"]

    assert (present(issuer=""), absent(issuer="")) == ({}, everything)
    assert (present(state="absent"), absent(state="absent")) == ({}, everything)
    assert list(present(calls_listener="")) == ["AuthPolicy mcp"]
    assert all("spec" not in one for one in policies({**SETTINGS, "state": "absent"}, wanted="absent"))


def test_only_the_metadata_and_preflights_are_open_and_only_at_the_endpoint() -> None:
    found = present()

    assert [one["predicate"] for one in found["AuthPolicy mcp"]["spec"]["when"]] == [
        "!request.url_path.startsWith('/.well-known/oauth-protected-resource')",
        "request.method != 'OPTIONS'",
    ]
    assert "when" not in found["AuthPolicy mcp-calls"]["spec"]
    own = present(open_paths="/healthz", open_preflight="false")["AuthPolicy mcp"]["spec"]["when"]
    assert own == [{"predicate": "!request.url_path.startsWith('/healthz')"}]


def test_a_refused_client_is_led_to_the_metadata() -> None:
    headers = present()["AuthPolicy mcp"]["spec"]["rules"]["response"]["unauthenticated"]["headers"]

    expected = 'Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp"'
    assert headers["WWW-Authenticate"] == {"value": expected}
    unknown = present(url="")["AuthPolicy mcp"]["spec"]["rules"]["response"]["unauthenticated"]["headers"]
    assert "WWW-Authenticate" not in unknown


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("http://a:8080/mcp", "http://a:8080/.well-known/oauth-protected-resource/mcp"),
        ("https://a", "https://a/.well-known/oauth-protected-resource"),
        ("", ""),
    ],
)
def test_the_metadata_stands_before_the_path(endpoint: str, address: str) -> None:
    assert metadata_url(endpoint) == address


def test_audience_scopes_and_issuer_are_claims_of_the_token() -> None:
    policy = present(audiences="a, b", scopes=["mcp"], jwks_url="https://sso.example.com/keys")["AuthPolicy mcp"]

    authentication = policy["spec"]["rules"]["authentication"]["mcp-clients"]
    assert authentication == {"jwt": {"jwksUrl": "https://sso.example.com/keys"}}
    (audience,) = predicates(policy, "audience")
    for part in ("auth.identity.aud == 'a'", "'a' in auth.identity.aud", "'b' in auth.identity.aud"):
        assert part in audience
    assert "contains(' mcp ')" in predicates(policy, "scopes")[1]
    assert SETTINGS["issuer"] in predicates(policy, "issuer")[0]


def test_tools_are_found_by_their_prefix_and_the_longest_prefix_wins() -> None:
    tools = [{"tools": ["weather_today", "clock_now", "plain"], "groups": "staff"}]
    servers = [*SETTINGS["servers"], {"name": "other", "prefix": "weather_to"}]

    (text,) = predicates(present(tools=tools, servers=servers)["AuthPolicy mcp-calls"], "tool-access")

    assert "== 'mcp-servers/other' && request.headers['x-mcp-toolname'] in ['day']" in text
    assert "== 'team/time' && request.headers['x-mcp-toolname'] in ['now']" in text
    assert "(request.headers['x-mcp-toolname'] in ['plain'] && 'groups' in auth.identity" in text
    assert "tool-access" not in present(tools=tools)["AuthPolicy mcp"]["spec"]["rules"].get("authorization", {})


def test_a_server_alone_stands_for_all_that_it_has_and_who_is_not_said_is_everybody() -> None:
    policy = present(tools="[{server: time}]")["AuthPolicy mcp-calls"]

    for rule in ("tool-access", "prompt-access"):
        assert predicates(policy, rule) == ["(request.headers['x-mcp-servername'] == 'team/time')"]
    when = policy["spec"]["rules"]["authorization"]["prompt-access"]["when"]
    assert when == [{"predicate": "request.headers.exists(h, h == 'x-mcp-promptname')"}]


def test_an_entry_about_tools_allows_no_prompt() -> None:
    policy = present(tools=[{"server": "ns/x", "tools": ["a"]}])["AuthPolicy mcp-calls"]

    assert predicates(policy, "prompt-access") == ["false"]
    assert "== 'ns/x'" in predicates(policy, "tool-access")[0]


def test_roles_of_keycloak_and_claims() -> None:
    policy = present(tool_roles="true", tools=[{"claims": {"realm_access.roles": "admin"}}])["AuthPolicy mcp-calls"]

    (text,) = predicates(policy, "tool-access")
    by_role, by_claim = text.split(") || ('")
    assert "('tool:' + request.headers['x-mcp-toolname']) in auth.identity['resource_access']" in by_role
    assert by_claim.startswith("realm_access' in auth.identity && 'roles' in auth.identity['realm_access']")
    assert "'prompt:' + " in predicates(policy, "prompt-access")[0]


def test_values_cannot_break_out_of_the_expression() -> None:
    assert quoted("it's \\ \n") == "'it\\'s \\\\ \\n'"
    (text,) = predicates(present(tools=[{"groups": ["x'] || true || ['"]}])["AuthPolicy mcp-calls"], "tool-access")
    assert r"'x\'] || true || [\''" in text


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("groups", ["groups"]),
        ("realm_access.roles", ["realm_access", "roles"]),
        ("https://example.com/groups", ["https://example.com/groups"]),
        ("[https://example.com/x, roles]", ["https://example.com/x", "roles"]),
        (["a.b"], ["a.b"]),
    ],
)
def test_paths_of_claims(given: Any, path: list[str]) -> None:
    assert claim_path(given) == path


def test_overrides_and_rules_of_the_users_own() -> None:
    own = "response: {success: {headers: {x-user: {plain: {expression: auth.identity.sub}}}}}"

    spec = present(enforce="overrides", rules=own)["AuthPolicy mcp"]["spec"]

    assert set(spec) == {"targetRef", "overrides"}
    response = spec["overrides"]["rules"]["response"]
    assert set(response) == {"unauthenticated", "unauthorized", "success"}


def test_limits_of_the_endpoint_and_of_calls_are_policies_of_their_own() -> None:
    limits = [
        {"name": "all", "limit": "10", "window": "1m"},
        {"name": "mine", "limit": 1, "window": "1s", "scope": "calls", "counters": "request.host", "when": ["true"]},
    ]

    found = present(issuer="", rate_limits=limits)

    assert list(found) == ["RateLimitPolicy mcp", "RateLimitPolicy mcp-calls"]
    assert found["RateLimitPolicy mcp"]["spec"]["limits"] == {"all": {"rates": [{"limit": 10, "window": "1m"}]}}
    assert found["RateLimitPolicy mcp-calls"]["spec"]["limits"]["mine"] == {
        "rates": [{"limit": 1, "window": "1s"}],
        "counters": [{"expression": "request.host"}],
        "when": [{"predicate": "true"}],
    }
