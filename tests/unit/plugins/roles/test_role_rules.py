# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that only the values together can break."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._role_rules import rule_problems

GATEWAY: dict[str, Any] = {
    "gateway_manage": "create",
    "gateway_name": "mcp-gateway",
    "gateway_namespace": "gw",
    "gateway_hostname": "mcp.example.com",
    "gateway_https_hostname": "apps.example.com",
    "gateway_port": 8080,
    "gateway_certificate": "cert",
    "gateway_servers_hostname": "*.mcp.local",
    "gateway_listeners": [],
}
EXTENSION = {"extension_gateway": "mcp-gateway", "extension_gateway_namespace": "gw", "extension_listener": "mcps"}
SERVER = {"name": "weather", "port": 9090, "state": "enabled"}


def listener(**change: Any) -> dict[str, Any]:
    return {"name": "mcps", "port": 8080, "protocol": "HTTP", "hostname": "mcp.example.com", **change}


def test_the_listeners_of_the_guide_have_no_problems() -> None:
    assert rule_problems({**GATEWAY, **EXTENSION}) == []


def test_listeners_of_policies_count_only_when_there_are_policies() -> None:
    auth = {"auth_gateway": "mcp-gateway", "auth_gateway_namespace": "gw", "auth_listener": "other"}

    assert rule_problems({**GATEWAY, **auth}) == []
    assert rule_problems({**GATEWAY, **auth, "auth_issuer": "https://sso.example.com"}) != []


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({**GATEWAY, "gateway_hostname": ""}, "gateway_hostname is missing"),
        ({**GATEWAY, "gateway_name": "MCP"}, "gateway_name 'MCP' is not a name of a Kubernetes object"),
        ({**GATEWAY, "gateway_namespace": "a.b"}, "gateway_namespace 'a.b' is not a name of a namespace"),
        ({"operator_namespace": "x" * 64}, "is not a name of a namespace"),
        ({**GATEWAY, "gateway_hostname": "http://x/"}, "listener mcps: hostname http://x/ is a URL"),
        (
            {**GATEWAY, "gateway_listeners": [listener(hostname="1.2.3.4")]},
            "gateway_listeners: listener mcps: hostname 1.2.3.4 is an IP",
        ),
        ({**GATEWAY, "gateway_listeners": [listener(port=70000)]}, "port 70000 is not between 1 and 65535"),
        ({**GATEWAY, "gateway_listeners": [listener(protocol="HTTPS")]}, "needs tls.certificate_refs"),
        (
            {**GATEWAY, "gateway_listeners": [listener(tls={"mode": "Terminate"})]},
            "tls must not be set with protocol HTTP",
        ),
        ({**GATEWAY, "gateway_listeners": [listener(), listener(port=1)]}, "the name mcps is used by two listeners"),
        (
            {**GATEWAY, "gateway_listeners": [listener(), listener(name="again")]},
            "mcps and again clash: both have port 8080, protocol HTTP and hostname mcp.example.com",
        ),
        (
            {**GATEWAY, **EXTENSION, "extension_listener": "x"},
            "'x' is none of the Gateway's listeners (http, mcps, https)",
        ),
        ({**GATEWAY, **EXTENSION, "extension_listener": "http"}, "'http' has no hostname"),
        ({"extension_public_host": "http://x"}, "extension_public_host 'http://x' is not a host name"),
        ({"extension_backend_ping_interval": "5"}, "not a number of seconds between 10 and 7200"),
        ({"servers_list": [{"name": "weather"}]}, "port is missing; give the port of the Service weather"),
        ({"servers_list": [{**SERVER, "prefix": "W-"}]}, "prefix 'W-' may only hold"),
        ({"servers_list": [{"name": "x", "url": "http://a.b/"}]}, "url 'http://a.b/' must begin with https://"),
        ({"servers_list": [{"name": "x", "url": "https://a_b/"}]}, "url 'https://a_b/' does not name a host"),
        ({"servers_list": [{**SERVER, "url": "https://a.b/"}]}, "port is for a server in the cluster"),
        ({"servers_list": [{**SERVER, "credential": "Bearer x\n"}]}, "credential holds a line break"),
        ({"servers_list": [{**SERVER, "ca_cert": "cert"}]}, "ca_cert is no certificate in PEM form"),
        ({"servers_list": [{**SERVER, "gateway_ca_secret": "ca"}]}, "is for servers that speak TLS"),
        ({"servers_virtual": [{"name": "A", "tools": ["x"]}]}, "servers_virtual (A): name is not a name"),
        ({"servers_list": [{**SERVER, "path": "mcp"}]}, "path 'mcp' must begin with /"),
        ({"servers_list": [{**SERVER, "hostname": "a_b"}]}, "hostname 'a_b' is not a host name"),
        ({"servers_list": [{**SERVER, "category": list("abcd")}]}, "category has more than 3 entries"),
        (
            {"servers_list": [{**SERVER, "credential": "x", "credential_secret": {"name": "y"}}]},
            "credential and credential_secret exclude each other",
        ),
        ({"servers_virtual": [{"name": "v"}]}, "servers_virtual (v): tools is missing"),
        ({"verify_url": "mcp.example.com"}, "verify_url 'mcp.example.com' is not an address"),
        ({"verify_min_tools": "two"}, "verify_min_tools 'two' is not a whole number"),
    ],
)
def test_a_broken_rule_is_named(values: dict[str, Any], problem: str) -> None:
    problems = rule_problems({"servers_domain": "mcp.local", **values})

    assert len(problems) == 1
    assert problem in problems[0]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"allowed_routes": {"namespaces": {"from": "Selector"}}}, "needs allowed_routes.namespaces.selector"),
        ({"allowed_routes": {"kinds": [{"kind": "TCPRoute"}]}}, "kinds has TCPRoute"),
        ({"hostname": "MCP.example.com"}, "write mcp.example.com"),
        ({"name": "more", "hostname": "b.example.com", "protocol": "TCP"}, "a hostname has no meaning"),
        ({"name": "more", "protocol": "TLS", "tls": {"mode": "Passthrough"}}, "cannot speak both HTTP and TLS"),
    ],
)
def test_listeners_are_judged_as_the_modules_judge_them(change: dict[str, Any], problem: str) -> None:
    wanted = [listener(**change)] if "name" not in change else [listener(), listener(**change)]

    assert any(problem in said for said in rule_problems({**GATEWAY, "gateway_listeners": wanted}))


def test_listeners_with_something_missing_are_judged_as_far_as_possible() -> None:
    kinds = {"kinds": [{"group": "gateway.networking.k8s.io"}]}  # that something is missing is told by their types
    wanted = [{"name": "x"}, {"port": 80}, listener(allowed_routes=kinds), listener(name="b", port=0)]

    assert rule_problems({**GATEWAY, "gateway_listeners": wanted}) == [
        "gateway_listeners: listener b: port 0 is not between 1 and 65535"
    ]


def test_two_servers_may_not_share_prefix_host_or_name() -> None:
    other = {**SERVER, "name": "other", "prefix": "weather_", "hostname": "weather.mcp.local"}

    problems = rule_problems({"servers_list": [SERVER, other, other], "servers_domain": "mcp.local"})

    assert any("weather and other and other have the same prefix weather_" in p for p in problems)
    assert any("the same hostname weather.mcp.local" in p for p in problems)
    assert any("other and other have the same name" in p for p in problems)


def test_a_listener_of_somebody_elses_gateway_cannot_be_judged() -> None:
    assert rule_problems({**GATEWAY, "gateway_manage": "listeners", **EXTENSION, "extension_listener": "x"}) == []
    assert rule_problems({**GATEWAY, **EXTENSION, "extension_gateway": "theirs", "extension_listener": "x"}) == []


def test_what_is_to_be_removed_needs_no_sense() -> None:
    absent = {"gateway_state": "absent", "extension_state": "absent", "servers_state": "absent"}

    assert rule_problems({**GATEWAY, **EXTENSION, **absent, "gateway_hostname": ""}) == []
    assert rule_problems({"servers_list": [{"name": "weather", "state": "absent"}]}) == []


def test_a_public_host_makes_a_listener_without_hostname_usable() -> None:
    values = {**GATEWAY, **EXTENSION, "extension_listener": "http", "extension_public_host": "mcp.example.com"}

    assert rule_problems(values) == []


def test_a_secret_in_an_address_is_not_shown() -> None:
    problems = rule_problems({"servers_list": [{"name": "x", "url": "https://me:hidden-word@a.b/"}]})

    assert "secrets belong into credential" in problems[0]
    assert "hidden-word" not in problems[0]
