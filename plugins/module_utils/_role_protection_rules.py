# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""Rules for the input of the roles route, dns and auth that a type cannot say."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._dns_policy_rules import option_problems
from ansible_collections.mcpops.gateway.plugins.module_utils._role_access import KINDS, claim_path
from ansible_collections.mcpops.gateway.plugins.module_utils._role_input import is_true
from ansible_collections.mcpops.gateway.plugins.module_utils._route_rules import (
    cors_problems,
    hostnames_problems,
    path_problems,
)

Values = t.Mapping[str, t.Any]
Problems = t.Iterator[str]

WINDOW = re.compile(r"([0-9]{1,5}(h|m|s|ms)){1,4}")
"""Gateway API: a duration."""
RESERVED_RULES = ("authentication", "metadata", "authorization", "response", "callbacks")
_DNS_OPTIONS = ("provider_secrets", "load_balancing", "health_check", "exclude_addresses")
_URL = re.compile(r"https?://[^/\s]+(/\S*)?")


def route_problems(values: Values) -> Problems:
    """Host names and CORS that cannot work, and an operator that would bring its own route back."""
    hostnames = [str(host) for host in values.get("route_hostnames") or []]
    yield from (f"route_{problem}" for problem in hostnames_problems(hostnames))
    yield from (f"route_cors: {problem}" for problem in cors_problems(values.get("route_cors")))
    path = values.get("route_path")
    if path:
        yield from (f"route_path: {problem}" for problem in path_problems(path))
    port = values.get("route_backend_port")
    if port is not None and not 1 <= port <= 65535:
        yield f"route_backend_port {port} is not between 1 and 65535"
    for index, rule in enumerate(values.get("route_rules") or []):
        if not isinstance(rule, dict):
            yield f"route_rules[{index}] must be a dictionary, as a rule of an HTTPRoute"
    if values.get("extension_http_route_management") == "Enabled" and values.get("route_replace_automatic"):
        yield (
            "extension_http_route_management is Enabled, so the operator would make its own route again beside the"
            " custom one; leave mcp_gateway_http_route_management out, or set it to Disabled"
        )


def dns_problems(values: Values) -> Problems:
    """Settings of a DNSPolicy that nobody asked for, and values out of range."""
    delegate = str(values.get("dns_delegate") or "").lower()
    if delegate not in ("", "true", "false", "yes", "no"):
        yield f"dns_delegate {values['dns_delegate']!r} must be true or false"
    asked = [name for name in ("provider_secrets", "load_balancing", "health_check") if values.get(f"dns_{name}")]
    if asked and values.get("dns_policy") is False:
        yield f"dns_{asked[0]} has no effect without a DNSPolicy; set dns_policy (mcp_gateway_dns_policy) to true"
    options = {option: values.get(f"dns_{option}") for option in _DNS_OPTIONS}
    yield from (f"dns_{problem}" for problem in option_problems({**options, "delegate": is_true(delegate)}))


def has_policies(values: Values) -> bool:
    """Whether role auth has anything to make."""
    return any(values.get(f"auth_{option}") for option in ("issuer", "jwks_url", "rate_limits"))


def auth_problems(values: Values) -> Problems:
    """Rules without an issuer, addresses that are none, limits that cannot be."""
    for option in ("auth_issuer", "auth_jwks_url", "auth_metadata_url", "auth_url"):
        given = values.get(option)
        if given and not _URL.fullmatch(given):
            yield f"{option} {given!r} is not an address; write it as https://sso.example.com/realms/mcp"
    secured = values.get("auth_issuer") or values.get("auth_jwks_url")
    for option in ("audiences", "scopes", "tools", "tool_roles", "rules"):
        if values.get(f"auth_{option}") and not secured:
            yield (
                f"auth_{option} needs to know whose tokens are meant; set auth_issuer (mcp_gateway_auth_issuer), or"
                " auth_jwks_url"
            )
    calls = values.get("auth_calls_listener")
    if calls and calls == values.get("auth_listener") and has_policies(values):
        yield (
            f"auth_calls_listener {calls!r} is the endpoint's listener, and a listener takes one policy of a kind: "
            "give the routes of MCP servers a listener of their own (mcp_gateway_servers_listener)"
        )
    yield from _tool_problems(values)
    yield from _limit_problems(values)
    unknown = sorted(set(values.get("auth_rules") or {}) - set(RESERVED_RULES))
    if unknown:
        yield f"auth_rules: {unknown[0]!r} is not known here; known are {', '.join(RESERVED_RULES)}"
    for index, path in enumerate(values.get("auth_open_paths") or []):
        if not str(path).startswith("/") or path == "/":
            yield f"auth_open_paths[{index}] {path!r} must be the beginning of some paths, such as /healthz"


def _tool_problems(values: Values) -> Problems:
    tools = values.get("auth_tools") or []
    if (tools or values.get("auth_tool_roles")) and values.get("auth_calls_listener") == "":
        yield (
            "auth_tools and auth_tool_roles need auth_calls_listener (mcp_gateway_servers_listener), the listener that"
            " the routes of MCP servers attach to, because tool calls arrive there"
        )
    try:
        claim = claim_path(values.get("auth_groups_claim") or "groups")
    except ValueError as error:
        yield f"auth_groups_claim {error}"
    else:
        if not all(claim):
            yield "auth_groups_claim has an empty name in it; write it as groups or realm_access.roles"
    names = {str(server.get("name")) for server in values.get("auth_servers") or [] if isinstance(server, dict)}
    for index, entry in enumerate(tools):
        server = entry.get("server")
        if server and "/" not in server and names and server not in names:
            known = ", ".join(sorted(names))
            yield f"auth_tools[{index}]: server {server!r} is none of the registered servers ({known})"
        if not any(entry.get(field) for field in (*KINDS, "server", "groups", "claims")):
            yield f"auth_tools[{index}] says nothing; give it tools, prompts, server, groups or claims"


def _limit_problems(values: Values) -> Problems:
    seen: set[tuple[str, str]] = set()
    for index, limit in enumerate(values.get("auth_rate_limits") or []):
        label = f"auth_rate_limits[{index}] ({limit.get('name')})"
        if limit.get("limit") is not None and limit["limit"] < 1:
            yield f"{label}: limit {limit['limit']} must be at least 1"
        if limit.get("window") and not WINDOW.fullmatch(limit["window"]):
            yield f"{label}: window {limit['window']!r} is not a time; write it as 10s, 1m or 1h30m"
        scope = limit.get("scope") or "endpoint"
        if (scope, str(limit.get("name"))) in seen:
            yield f"{label}: another limit has this name; every limit needs one of its own"
        seen.add((scope, str(limit.get("name"))))
        if scope == "calls" and values.get("auth_calls_listener") == "":
            yield f"{label}: scope calls needs auth_calls_listener (mcp_gateway_servers_listener)"
