# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for the input of the roles route, dns, auth, and for several extensions."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._role_rules import rule_problems

GATEWAY: dict[str, Any] = {
    "gateway_manage": "create",
    "gateway_name": "gw",
    "gateway_namespace": "infra",
    "gateway_listeners": [
        {"name": "mcps", "port": 8080, "protocol": "HTTP", "hostname": "a.example.com"},
        {"name": "again", "port": 8080, "protocol": "HTTP", "hostname": "b.example.com"},
    ],
}
ROUTE = {"route_state": "present", "route_replace_automatic": True, "route_path": "/mcp"}
AUTH = {"auth_issuer": "https://sso.example.com/realms/mcp", "auth_calls_listener": "mcp-servers"}
LIMIT = {"name": "all", "limit": 1, "window": "1m"}
CORS = {"allow_origins": ["https://chat.example.com"]}
PLACE = {"extension_gateway": "gw", "extension_gateway_namespace": "infra", "extension_listener": "mcps"}


def test_good_input_has_no_problems() -> None:
    tools = [{"server": "weather", "groups": ["a"]}, {"tools": ["x"]}]
    values = {
        **ROUTE,
        **AUTH,
        "route_cors": {**CORS, "allow_credentials": True},
        "extension_http_route_management": "Disabled",
        "auth_tools": tools,
        "auth_servers": [{"name": "weather"}],
        "auth_groups_claim": "realm_access.roles",
        "auth_rate_limits": [LIMIT, {**LIMIT, "scope": "calls", "window": "1h30m"}],
        "auth_rules": {"metadata": {}},
        "auth_open_paths": ["/healthz"],
        "dns_policy": True,
        "dns_provider_secrets": ["aws"],
        "dns_health_check": {"path": "/healthz", "port": 8443, "interval": "90s"},
    }

    assert rule_problems(values) == []


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({**ROUTE, "route_cors": {"allow_origins": ["*"], "allow_credentials": True}}, "refused by every browser"),
        ({**ROUTE, "route_cors": {"allow_origins": ["chat.example.com"]}}, "chat.example.com"),
        ({**ROUTE, "route_cors": {"allow_origins": []}}, "cors.allow_origins is empty"),
        ({**ROUTE, "route_hostnames": ["https://mcp.example.com"]}, "route_hostnames has https://mcp.example.com,"),
        ({**ROUTE, "route_path": "mcp"}, "route_path: path 'mcp' is none"),
        ({**ROUTE, "route_backend_port": 0}, "route_backend_port 0 is not between 1 and 65535"),
        ({**ROUTE, "route_rules": ["x"]}, "route_rules[0] must be a dictionary"),
        ({**ROUTE, "extension_http_route_management": "Enabled"}, "would make its own route again"),
        ({**GATEWAY, **ROUTE, "route_gateway": "gw", "route_gateway_namespace": "infra", "route_listener": "x"},
         "route_listener 'x' is none of the Gateway's listeners (mcps, again)"),
        ({"dns_policy": False, "dns_provider_secrets": ["aws"]}, "has no effect without a DNSPolicy"),
        ({"dns_delegate": "maybe"}, "dns_delegate 'maybe' must be true or false"),
        ({"dns_health_check": {"port": 8}}, "dns_health_check.port 8 is none that Kuadrant takes"),
        ({"dns_delegate": "yes", "dns_provider_secrets": ["aws"]}, "dns_delegate and provider_secrets exclude each"),
        ({"dns_load_balancing": {"geo": "E"}}, "dns_load_balancing.geo 'E' is no code of a region"),
        ({"auth_issuer": "sso.example.com"}, "auth_issuer 'sso.example.com' is not an address"),
        ({"auth_audiences": ["a"]}, "auth_audiences needs to know whose tokens are meant"),
        ({**AUTH, "auth_calls_listener": "", "auth_tool_roles": True}, "need auth_calls_listener"),
        ({**AUTH, "auth_listener": "mcp-servers"}, "a listener takes one policy of a kind"),
        ({**AUTH, "auth_tools": [{}]}, "auth_tools[0] says nothing"),
        ({**AUTH, "auth_tools": [{"server": "wether"}], "auth_servers": [{"name": "weather"}]},
         "server 'wether' is none of the registered servers (weather)"),
        ({"auth_groups_claim": "a..b"}, "auth_groups_claim has an empty name"),
        ({"auth_groups_claim": "[a"}, "auth_groups_claim is not YAML"),
        ({"auth_rate_limits": [{**LIMIT, "limit": 0}]}, "limit 0 must be at least 1"),
        ({"auth_rate_limits": [{**LIMIT, "window": "soon"}]}, "window 'soon' is not a time"),
        ({"auth_rate_limits": [LIMIT, LIMIT]}, "another limit has this name"),
        ({"auth_calls_listener": "", "auth_rate_limits": [{**LIMIT, "scope": "calls"}]}, "scope calls needs"),
        ({**AUTH, "auth_rules": {"autorization": {}}}, "auth_rules: 'autorization' is not known here"),
        ({"auth_open_paths": ["/"]}, "auth_open_paths[0] '/' must be the beginning of some paths"),
        ({**PLACE, "extension_list": [{"namespace": "a"}, {"namespace": "A", "listener": "x"}]},
         "extension_list (A): extension_namespace 'A' is not a name of a namespace"),
        ({**PLACE, "extension_list": [{"namespace": "a"}, {"namespace": "a", "listener": "x"}]},
         "a namespace can have one extension"),
        ({**GATEWAY, **PLACE, "extension_list": [{"namespace": "a"}, {"namespace": "b", "listener": "again"}]},
         "a and b stand in each other's way; a port of a Gateway can have one extension"),
        ({**GATEWAY, **PLACE, "extension_list": [{"namespace": "a", "listener": "x"}]},
         "extension_list (a): extension_listener 'x' is none of the Gateway's listeners"),
        ({"extension_list": [{"namespace": "a", "public_host": "http://x"}]}, "(a): extension_public_host 'http://x'"),
    ],
)  # fmt: skip
def test_each_rule_says_what_is_wrong(values: dict[str, Any], problem: str) -> None:
    problems = rule_problems(values)

    assert len(problems) == 1, problems
    assert problem in problems[0]


def test_what_is_absent_needs_no_sense() -> None:
    states = {"route_state": "absent", "dns_state": "absent", "auth_state": "absent"}

    assert rule_problems({**states, "route_path": "x", "dns_delegate": "x", "auth_issuer": "x"}) == []
    assert rule_problems({**PLACE, "extension_list": [{"namespace": "a"}, {"namespace": "b", "state": "absent"}]}) == []


def test_cookies_for_every_origin_can_be_asked_for() -> None:
    cors = {"allow_origins": ["*"], "allow_credentials": True, "any_origin_with_credentials": True}

    assert rule_problems({**ROUTE, "route_cors": cors}) == []
