# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The official suite's scenarios of the tasks extension through the broker, to a server that has tasks."""

from __future__ import annotations

from pathlib import Path

import pytest
from broker.conformance import suite
from broker.conformance.conftest import Through

SCENARIOS = {
    "tasks-lifecycle": 9,
    "tasks-capability-negotiation": 5,
    "tasks-wire-fields": 4,
    "tasks-request-state-removal": 3,
    "tasks-mrtr-input": 4,
    "tasks-request-headers": 5,
    "tasks-dispatch-and-envelope": 9,
    "tasks-required-task-error": 3,
    "tasks-mrtr-composition": 2,
}
"""How many checks a server passes that fails none. Left out: tasks-status-notifications, which are optional."""


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_tasks_through_the_broker(through: Through, scenario: str, tmp_path: Path) -> None:
    broker = through("tasks", "--workers", "2")

    report = suite.run_scenario(broker.url + "/mcp", scenario, "2026-07-28", tmp_path)

    assert not [*report.failures, *report.warnings], str(report)
    assert report.passed >= SCENARIOS[scenario], str(report)
