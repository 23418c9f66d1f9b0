# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The official conformance suite against the fixtures' servers themselves and through the broker."""

from __future__ import annotations

from pathlib import Path

import pytest
from broker.conformance import suite
from broker.conformance.conftest import Through

NOT_TRANSLATABLE: dict[str, str] = {}
"""Checks that no server of an older revision can pass, with the reason."""


@pytest.mark.parametrize("version", suite.VERSIONS)
def test_the_server_itself(upstreams: dict[str, str], version: str, tmp_path: Path) -> None:
    report = suite.run(upstreams["modern"], version, tmp_path)

    assert not [*report.failures, *report.warnings], str(report)
    assert report.passed >= suite.CHECKS[version], str(report)


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("version", suite.VERSIONS)
def test_through_the_broker(through: Through, version: str, workers: str, tmp_path: Path) -> None:
    broker = through("modern", "--workers", workers)

    report = suite.run(broker.url + "/mcp", version, tmp_path)

    assert not [*report.failures, *report.warnings], str(report)
    assert report.passed >= suite.CHECKS[version], str(report)


@pytest.mark.parametrize("version", ["2025-06-18", "2025-11-25"])
def test_older_revisions_through_the_broker_to_an_older_server(through: Through, version: str, tmp_path: Path) -> None:
    broker = through("legacy", "--workers", "2")

    report = suite.run(broker.url + "/mcp", version, tmp_path)

    assert not [*report.failures, *report.warnings], str(report)
    assert report.passed >= suite.CHECKS[version], str(report)


def test_the_stateless_revision_through_the_broker_to_an_older_server(through: Through, tmp_path: Path) -> None:
    broker = through("legacy", "--workers", "2")

    report = suite.run(broker.url + "/mcp", "2026-07-28", tmp_path)

    found = {f"{one.scenario}:{one.check}" for one in [*report.failures, *report.warnings]}
    assert found == set(NOT_TRANSLATABLE), str(report)
