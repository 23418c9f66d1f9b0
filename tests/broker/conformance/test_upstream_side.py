# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The official suite's client scenarios: the broker as a client of its upstreams, used by a session client."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from broker.conformance import suite

COMMAND = f"{sys.executable} -m broker.conformance.clients.through_broker"
SCENARIOS = {
    "2025-11-25": ["initialize", "tools_call", "sse-retry", "json-schema-2020-12-preservation"],
    "2026-07-28": [
        "tools_call",
        "request-metadata",
        "sep-2322-client-request-state",
        "http-standard-headers",
        "http-custom-headers",
        "http-invalid-tool-headers",
        "json-schema-ref-no-deref",
        "json-schema-2020-12-preservation",
    ],
}


@pytest.mark.parametrize(
    ("version", "scenario"), [(version, scenario) for version, names in SCENARIOS.items() for scenario in names]
)
def test_the_broker_is_a_client_that_keeps_the_rules(version: str, scenario: str, tmp_path: Path) -> None:
    report = suite.run_client(COMMAND, scenario, version, tmp_path)

    assert not [*report.failures, *report.warnings], str(report)
    assert report.passed
