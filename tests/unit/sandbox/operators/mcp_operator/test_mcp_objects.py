# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The MCP operator stand-in: routes, EnvoyFilter, keys and conditions that it makes."""

from __future__ import annotations

from sandbox.controllers.operator_base import with_condition
from sandbox.controllers.operator_certificates import new_key_pair
from sandbox.controllers.operator_objects import envoy_filter, http_route, listener_condition
from unit.sandbox.operators.mcp_operator.operator_objects_kit import NEW, OLD, extension, gateway, listener


def test_the_automatic_route() -> None:
    spec = http_route(extension(), "mcp.example.com", NEW)["spec"]
    assert spec["hostnames"] == ["mcp.example.com"]
    assert spec["parentRefs"][0]["sectionName"] == "mcps"
    paths = [(rule["name"], rule["matches"][0]["path"]["value"]) for rule in spec["rules"]]
    assert paths == [("mcp", "/mcp"), ("well-known", "/.well-known/oauth-protected-resource"), ("status", "/status")]
    removed = spec["rules"][0]["filters"][0]["requestHeaderModifier"]["remove"]
    assert removed == ["mcp-init-host", "router-key"]


def test_the_old_releases_route_has_one_plain_rule() -> None:
    rules = http_route(extension(), "mcp.example.com", OLD)["spec"]["rules"]
    assert [set(rule) for rule in rules] == [{"matches", "backendRefs"}]


def test_the_envoy_filter_lives_with_the_gateway() -> None:
    found = envoy_filter(extension(), gateway(), listener("mcps"))
    assert found["metadata"]["name"] == "mcp-ext-proc-mcp-system-gateway"
    assert found["metadata"]["namespace"] == "infra"
    assert found["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "mcp-gateway-controller"
    assert found["metadata"]["labels"]["istio.io/rev"] == "default"
    assert found["spec"]["configPatches"][0]["match"]["listener"]["portNumber"] == 8080
    revised = envoy_filter(extension(), gateway(**{"istio.io/rev": "canary"}), listener("mcps"))
    assert revised["metadata"]["labels"]["istio.io/rev"] == "canary"


def test_the_listeners_condition_names_both_sides() -> None:
    assert listener_condition(extension(), gateway())["message"] == (
        "listener in use by MCP Gateway: mcp-system/mcp-gateway EnvoyFilter: infra/mcp-ext-proc-mcp-system-gateway"
    )


def test_a_conditions_time_moves_only_with_its_status() -> None:
    old = {"type": "Ready", "status": "False", "reason": "A", "message": "", "lastTransitionTime": "then"}
    same = with_condition([old], {"type": "Ready", "status": "False", "reason": "B", "message": ""})
    assert (same[0]["reason"], same[0]["lastTransitionTime"]) == ("B", "then")
    turned = with_condition([old], {"type": "Ready", "status": "True", "reason": "C", "message": ""})
    assert turned[0]["lastTransitionTime"] != "then"
    assert [entry["type"] for entry in with_condition([old], {"type": "Other", "status": "True"})] == ["Ready", "Other"]


def test_generated_keys_are_a_pair_in_pem() -> None:
    public, private = new_key_pair()
    assert public.startswith("-----BEGIN PUBLIC KEY-----")
    assert private.startswith("-----BEGIN EC PRIVATE KEY-----")
