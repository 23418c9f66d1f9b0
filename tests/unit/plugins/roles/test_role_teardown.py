# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the playbook teardown has to know before it removes anything."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._role_teardown import (
    free_namespaces,
    held_objects,
    objects_of_others,
    operator_is_gone,
    teardown_report,
)

NOTHING: dict[str, Any] = {"resources": []}
RUNNING = {"resources": [{"status": {"availableReplicas": 1}}]}
STARTING = {"resources": [{"status": {"replicas": 1}}]}
SKIPPED = {"skipped": True}


def outcome(api_version: str, name: str, action: str) -> dict[str, str]:
    return {"api_version": api_version, "namespace": "ns", "name": name, "action": action}


def test_held_is_what_would_be_removed_and_is_the_operators() -> None:
    look = {
        "objects": [
            outcome("mcp.kuadrant.io/v1", "a", "deleted"),
            outcome("mcp.kuadrant.io/v1", "b", "absent"),
            outcome("v1", "c", "deleted"),
        ]
    }

    assert held_objects(look) == ["ns/a"]


@pytest.mark.parametrize(
    ("here", "anywhere", "gone"),
    [
        (RUNNING, SKIPPED, False),
        (STARTING, SKIPPED, True),
        (NOTHING, NOTHING, True),
        (NOTHING, RUNNING, False),
        (NOTHING, {"failed": True, "msg": "forbidden"}, False),
    ],
)
def test_the_operator_is_gone_when_none_of_its_pods_runs(
    here: dict[str, Any], anywhere: dict[str, Any], gone: bool
) -> None:
    assert operator_is_gone(here, anywhere) is gone


def test_others_are_those_that_are_not_ours() -> None:
    info = {
        "extensions": [{"namespace": "mcp-system", "name": "gw"}, {"namespace": "team-b", "name": "gw"}],
        "registrations": [{"namespace": "team-b", "name": "weather"}],
    }

    assert objects_of_others(info, ["mcp-system/gw"]) == ["team-b/gw", "team-b/weather"]


def test_a_namespace_is_free_when_nobody_else_has_anything_in_it() -> None:
    info = {"gateways": [{"namespace": "gateways", "name": "ours"}, {"namespace": "shared", "name": "theirs"}]}
    names = ["mcp-system", "mcp-servers", "mcp-servers", "team-b", "gateways", "shared"]

    def free(others: list[str]) -> list[str]:
        return free_namespaces(names, info=info, others=others, operator="mcp-system", gateway="gateways/ours")

    assert free([]) == ["mcp-system", "mcp-servers", "team-b", "gateways"]
    assert free(["team-b/gw"]) == ["mcp-servers", "gateways"]


def test_the_report_tells_what_stays_and_why() -> None:
    others = [f"team-{number}/gw" for number in range(7)]

    said = teardown_report(
        {"not_allowed": ["MCPVirtualServer", "Gateway"]}, others=others, managers=["helm"], check=False
    )

    assert said == [
        "The MCP gateway is removed, and nothing of it is left.",
        "The operator stays, because others need it: team-0/gw, team-1/gw, team-2/gw, team-3/gw, team-4/gw and 2 more.",
        "The Gateway stays, because it is managed by helm.",
        "Whether others have MCPVirtualServer could not be seen: listing them is not allowed.",
    ]
