# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway before and after an upgrade, side by side."""

from __future__ import annotations

from ansible_collections.mcpops.gateway.plugins.module_utils._role_upgrade import (
    broker_state,
    upgrade_report,
    upgrade_state,
)

OLD = upgrade_state(
    {
        "operator": {"csv": "gw.v1", "phase": "Succeeded", "version": "1", "api_versions": ["v1alpha1"]},
        "extensions": [{"namespace": "ns", "name": "gw", "ready": True}],
        "registrations": [{"namespace": "ns", "name": "a", "ready": True}],
    },
    endpoint={"works": True, "tools": ["b", "a"]},
)


def test_what_did_not_change_is_said_once() -> None:
    assert upgrade_report(OLD, OLD) == [
        "operator: gw.v1 (Succeeded)",
        "API versions: v1alpha1",
        "extension ns/gw: ready",
        "registration ns/a: ready",
        "endpoint: works",
        "tools: 2",
    ]


def test_what_changed_stands_side_by_side_and_lost_tools_are_named() -> None:
    new = upgrade_state(
        {
            "operator": {"csv": "gw.v2", "phase": "Succeeded", "version": "2", "api_versions": ["v1", "v1alpha1"]},
            "extensions": [{"namespace": "ns", "name": "gw", "ready": False, "reason": "DeploymentNotReady"}],
        },
        endpoint={"works": False, "problem": "nobody listens", "tools": ["a", "c"]},
    )

    assert upgrade_report(OLD, new) == [
        "operator: gw.v1 (Succeeded) -> gw.v2 (Succeeded)",
        "API versions: v1alpha1 -> v1, v1alpha1",
        "extension ns/gw: ready -> not ready (DeploymentNotReady)",
        "registration ns/a: ready -> none",
        "endpoint: works -> nobody listens",
        "tools: 2",
        "tools lost: b",
        "tools new: c",
    ]


def test_a_gateway_that_is_not_there_has_a_state_too() -> None:
    assert upgrade_report(upgrade_state({}, endpoint={}), upgrade_state({}, endpoint={})) == [
        "operator: none",
        "API versions: none",
        "endpoint: was not asked",
        "tools: 0",
    ]


def test_a_broker_is_told_by_its_image_and_pods() -> None:
    deployment = {
        "spec": {"replicas": 2, "template": {"spec": {"containers": [{"image": "broker:1"}]}}},
        "status": {"readyReplicas": 1},
    }
    old = broker_state(deployment, endpoint={"works": True, "tools": ["a"]})

    assert old["image"] == "broker:1"
    assert upgrade_report(old, broker_state(None, endpoint={})) == [
        "broker: broker:1 (1 of 2 Pods ready) -> none",
        "endpoint: works -> was not asked",
        "tools: 1 -> 0",
        "tools lost: a",
    ]
