# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The official conformance suite against the fixtures' servers themselves and through the broker."""

from __future__ import annotations

from pathlib import Path

import pytest
from broker.conformance import suite
from broker.conformance.conftest import Through

NOT_TRANSLATABLE = {
    "input-required-result-basic-elicitation:sep-2322-elicitation-incomplete": "a question of a session has no name",
    "input-required-result-multiple-input-requests:sep-2322-multiple-inputs-incomplete": "it asks one after the other",
    "input-required-result-ignore-extra-params:sep-2322-ignore-unexpected-params": "answers need a call that asked",
}
"""Checks of 2026-07-28 that no translation of a server with sessions can pass, and why."""
MISSED = 5
"""How many checks are not reached or not passed for these reasons."""
AT_THE_BROKER = {**suite.CHECKS, "2025-11-25": 82}
"""How many checks the broker passes. Two are of what a server may do, and the broker does not: it answers by JSON when
nothing comes before the result, and it keeps the stream of a call open when its upstream closes the one behind it."""


@pytest.mark.parametrize("version", suite.VERSIONS)
def test_the_server_itself(upstreams: dict[str, str], version: str, tmp_path: Path) -> None:
    report = suite.run(upstreams["both"], version, tmp_path)

    assert not [*report.failures, *report.warnings], str(report)
    assert report.passed >= suite.CHECKS[version], str(report)


@pytest.mark.parametrize("version", suite.VERSIONS)
@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("eras", ["modern", "both", "legacy"])
def test_through_the_broker(through: Through, eras: str, workers: str, version: str, tmp_path: Path) -> None:
    broker = through(eras, "--workers", workers)

    report = suite.run(broker.url + "/mcp", version, tmp_path)

    found = {f"{one.scenario}:{one.check}" for one in [*report.failures, *report.warnings]}
    excused = NOT_TRANSLATABLE if (eras, version) == ("legacy", "2026-07-28") else {}
    assert found == set(excused), str(report)
    assert report.passed >= AT_THE_BROKER[version] - MISSED * bool(excused), str(report)
