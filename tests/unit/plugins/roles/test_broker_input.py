# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role broker says of wrong input before anything is written."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._role_rules import rule_problems

GOOD = {
    "broker_state": "present", "broker_image": "x", "broker_replicas": 1, "broker_workers": 1, "broker_port": 8080,
    "broker_servers": [{"name": "weather", "port": 9090, "state": "enabled"}], "broker_servers_namespace": "ns",
}  # fmt: skip

HOST = {**GOOD, "broker_target": "host", "broker_servers": [{"name": "a", "url": "http://10.0.0.1:9090/mcp"}]}


def test_good_input() -> None:
    assert rule_problems(GOOD) == []
    assert rule_problems({**GOOD, "broker_servers": [{"name": "a", "url": "http://10.0.0.1:9090/mcp"}]}) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"broker_image": ""}, "broker_image is missing: build broker/Containerfile"),
        ({"broker_replicas": 0}, "broker_replicas 0 is not between 1 and 1000"),
        ({"broker_workers": 300}, "broker_workers 300 is not between 1 and 256"),
        ({"broker_name": "A"}, "broker_name 'A' is not a name"),
        ({"broker_namespace": "a.b"}, "broker_namespace 'a.b' is not a name of a namespace"),
        ({"broker_autoscaling": {"max_replicas": 1, "min_replicas": 3}}, "broker_autoscaling: min_replicas 3"),
        ({"broker_autoscaling": {"max_replicas": 1}, "broker_replicas": 2}, "broker_autoscaling: min_replicas 2"),
        (
            {"broker_autoscaling": {"max_replicas": 2, "cpu_percent": 50}, "broker_resources": {"limits": {}}},
            "broker_resources requests no cpu; add requests.cpu",
        ),
        ({"broker_ca_cert": "hello"}, "broker_ca_cert holds no certificate"),
        ({"broker_servers": [{"name": "a"}]}, "servers_list (a): port is missing"),
        ({"broker_servers": [{"name": "a", "port": 1}] * 2}, "a and a have the same name ns/a"),
        ({"broker_servers": [{"name": "a", "url": "mcp.example.com"}]}, "(a): url must be an address with http://"),
        ({"broker_servers": [{"name": "a", "url": "http://u:p@x/mcp"}]}, "(a): url must not hold a user"),
        (
            {"broker_servers": [{"name": "a", "url": "http://x/mcp", "port": 1}]},
            "port is for a server in the cluster",
        ),
        ({"broker_virtual_servers": [{"name": "v"}]}, "servers_virtual (v): tools is missing"),
        (
            {"broker_settings": {"audit": {"output": "/var/log/mcpops-broker/audit.jsonl"}}},
            "audit.output is /var/log/mcpops-broker/audit.jsonl, and nothing can be written to a Pod's file system",
        ),
    ],
    ids=str,
)
def test_problems(change: dict[str, Any], problem: str) -> None:
    found = rule_problems({**GOOD, **change})

    assert any(problem in said for said in found), found


@pytest.mark.parametrize(
    "values",
    [
        {**GOOD, "broker_settings": {"audit": {"output": "stderr"}}},
        {**GOOD, "broker_settings": {"audit": {"output": ""}}},
        {**HOST, "broker_settings": {"audit": {"output": "/var/log/mcpops-broker/audit.jsonl"}}},
    ],
)
def test_where_the_audit_log_may_go(values: dict[str, Any]) -> None:
    assert rule_problems(values) == []


def test_removal_needs_no_image() -> None:
    assert rule_problems({**GOOD, "broker_image": "", "broker_state": "absent"}) == []


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("folder", ["/", "/var/log", "/opt/mcpops-broker/..", "/opt/../mcp/x", "opt/mcp", "/mcp"])
def test_no_folder_of_others_is_ever_removed(state: str, folder: str) -> None:
    values = {**HOST, "broker_state": state, "broker_log_dir": folder}

    assert [said for said in rule_problems(values) if said.startswith(f"broker_log_dir {folder!r} is not")]


@pytest.mark.parametrize("folder", ["/opt/mcpops-broker", "/opt/mcpops-broker/", "/srv/mcp/logs", "/opt/a..b/mcp"])
def test_folders_of_its_own(folder: str) -> None:
    assert rule_problems({**HOST, "broker_log_dir": folder}) == []


@pytest.mark.parametrize(
    ("entries", "host", "problem"),
    [
        ([{"name": "1A", "value": "x"}], False, "'1A' is no name of a variable"),
        ([{"name": "A", "value": "x"}] * 2, False, "A is there twice"),
        ([{"name": "GATEWAY_SIGNING_KEY", "value": "x"}], False, "GATEWAY_SIGNING_KEY is made by the role"),
        ([{"name": "OAUTH_RESOURCE", "value": "x"}], False, "OAUTH_RESOURCE comes from broker_oauth_protected"),
        ([{"name": "A", "value": "", "valueFrom": {"x": {}}}], False, "A has value and valueFrom"),
        ([{"name": "A", "valueFrom": {"secretKeyRef": {}}}], True, "A has valueFrom, which only a cluster knows"),
        ([{"name": "A", "value": "a\nb"}], True, "the value of A has several lines"),
    ],
    ids=str,
)
def test_problems_of_the_environment(entries: list[dict[str, Any]], host: bool, problem: str) -> None:
    values = {**(HOST if host else GOOD), "broker_env": entries, "broker_oauth_protected_resource": {"a": 1}}

    assert any(said.startswith("broker_env: ") and problem in said for said in rule_problems(values))
