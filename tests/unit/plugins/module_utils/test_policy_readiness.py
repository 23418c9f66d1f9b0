# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a policy of Kuadrant counts as ready."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._goals import DONE, FAILED, PENDING
from ansible_collections.mcpops.gateway.plugins.module_utils._readiness import PolicyReady

ACCEPTED = {"type": "Accepted", "status": "True", "reason": "Accepted"}
ENFORCED = {"type": "Enforced", "status": "True", "reason": "Enforced"}
NOT_ENFORCED = {"type": "Enforced", "status": "False", "reason": "Unknown"}
IDLE = {**NOT_ENFORCED, "message": "AuthPolicy is not in the path to any existing routes"}
WAITING = {**NOT_ENFORCED, "message": "AuthPolicy waiting for the following components to sync: [AuthConfig (a/b)]"}


def policy(*conditions: dict[str, Any], seen: int = 2) -> dict[str, Any]:
    return {"metadata": {"generation": 2}, "status": {"observedGeneration": seen, "conditions": list(conditions)}}


@pytest.mark.parametrize(
    ("live", "state"),
    [
        (None, PENDING),
        (policy(), PENDING),
        (policy(ACCEPTED), PENDING),
        (policy(ACCEPTED, ENFORCED), DONE),
        (policy(ACCEPTED, ENFORCED, seen=1), PENDING),
        (policy(ACCEPTED, WAITING), PENDING),
        (policy(ACCEPTED, IDLE), DONE),
        (policy(ACCEPTED, IDLE, seen=1), PENDING),
        (policy({**ACCEPTED, "status": "False", "reason": "TargetNotFound"}), FAILED),
        (policy(ACCEPTED, {**NOT_ENFORCED, "reason": "MissingResource"}), FAILED),
        (policy(ACCEPTED, {**NOT_ENFORCED, "reason": "Overridden"}), FAILED),
    ],
)
def test_a_policy_is_ready_when_it_is_enforced_or_has_nothing_to_be_enforced_on(live: Any, state: str) -> None:
    assert PolicyReady().judge(live).state == state
