# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The official conformance suite, as a process, and what it found."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
NODE_MODULES = ROOT / ".cache" / "node" / "node_modules"
PROGRAM = NODE_MODULES / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
VERSIONS = ("2025-06-18", "2025-11-25", "2026-07-28")
CHECKS = {"2025-06-18": 56, "2025-11-25": 84, "2026-07-28": 152}
"""How many checks a server passes that fails none."""


@dataclass(frozen=True)
class Finding:
    """A check that did not pass."""

    scenario: str
    check: str
    message: str

    def __str__(self) -> str:
        return f"{self.scenario}:{self.check}: {self.message}"


@dataclass(frozen=True)
class Report:
    """What the suite found out about one server."""

    passed: int
    failures: list[Finding]
    warnings: list[Finding]

    def __str__(self) -> str:
        lines = [f"{self.passed} passed, {len(self.failures)} failed, {len(self.warnings)} warned"]
        return "\n".join(
            [*lines, *(f"failed: {one}" for one in self.failures), *(f"warned: {one}" for one in self.warnings)]
        )


def run(url: str, version: str, results: Path) -> Report:
    """Run every server scenario of a revision against the server at this URL; its files go to `results`."""
    return _run("server", results, "--url", url, "--suite", "all", "--spec-version", version)


def run_scenario(url: str, scenario: str, version: str, results: Path) -> Report:
    """Run one server scenario against the server at this URL, also one of an extension."""
    return _run("server", results, "--url", url, "--scenario", scenario, "--spec-version", version, "--force")


def run_client(command: str, scenario: str, version: str, results: Path) -> Report:
    """Run one client scenario of a revision; `command` gets the URL of the suite's server as its last argument."""
    options = ["--scenario", scenario, "--spec-version", version, "--timeout", "120000"]
    return _run("client", results, "--command", command, *options)


def _run(side: str, results: Path, *options: str) -> Report:
    command = ["node", str(PROGRAM), side, *options, "--output-dir", str(results)]
    environment = {key: value for key, value in os.environ.items() if "PROXY" not in key.upper()}
    ended = subprocess.run(
        command, cwd=ROOT / "tests", env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    printed = f"{ended.stdout[-3000:]}{ended.stderr[-3000:]}"
    files = sorted(results.glob("*/checks.json"))
    assert files, f"the suite ended with {ended.returncode} and wrote nothing:\n{printed}"
    passed, failures, warnings = 0, [], []
    for file in files:
        scenario = re.sub(r"^server-|-\d{4}-\d\d-\d\dT.*$", "", file.parent.name)
        for check in json.loads(file.read_text()):
            finding = Finding(scenario, check["id"], " ".join(str(check.get("errorMessage", "")).split())[:500])
            if check["status"] == "SUCCESS":
                passed += 1
            elif check["status"] == "FAILURE":
                failures.append(finding)
            elif check["status"] == "WARNING":
                warnings.append(finding)
    return Report(passed, failures, warnings)
