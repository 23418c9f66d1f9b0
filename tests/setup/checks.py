# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the checks of `make check` and `make test`: `python tests/setup/checks.py fast|all|NAME...`.

Every check runs even when an earlier one failed; a failed one prints its whole output, a passed one its last line.
The closing line counts them: `checks: N passed, N failed`.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTEST = "python -m pytest -q -p no:cacheprovider"
STAND_INS = "tests/unit/sandbox/operators"
"""Each of these starts an API server and the stand-in controllers: not for the fast part."""

CONFORMANCE = "tests/broker/conformance"
"""The official suite and real clients against the broker: they use the programs of Node.js and MCP SDK 1.x."""


@dataclass(frozen=True)
class Check:
    """One check: `command` is run in the repository's root and must exit 0."""

    name: str
    command: str
    fast: bool = False
    show: bool = False
    """Print the output as it comes (long checks, so that a reader sees them live)."""


CHECKS = [
    Check("format", "ruff format --check --diff .", fast=True),
    Check("lint", "ruff check .", fast=True),
    Check("types: collection", "python tests/setup/typecheck.py collection", fast=True),
    Check("types: sandbox", "python tests/setup/typecheck.py sandbox", fast=True),
    Check("types: broker", "python tests/setup/typecheck.py broker", fast=True),
    Check("yaml", "yamllint --strict .", fast=True),
    Check("changelog", "antsibull-changelog lint", fast=True),
    Check("role docs", "python tests/setup/role_docs.py check", fast=True),
    Check("unit", f"{PYTEST} tests/unit -n 2 --ignore {STAND_INS}", fast=True),
    Check("stand-ins", f"{PYTEST} {STAND_INS} -n 2"),
    Check("ansible-lint", "ansible-lint --offline"),
    Check("build and install", "python tests/setup/package.py"),
    Check("docs", "python tests/setup/sanity.py docs"),
    Check("sanity", "python tests/setup/sanity.py ansible-test"),
    Check("api battery", f"{PYTEST} tests/sandbox/battery", show=True),
    Check("broker", f"{PYTEST} tests/broker --ignore {CONFORMANCE} -n 2 --dist loadfile", show=True),
    Check("conformance", f"{PYTEST} {CONFORMANCE} -n 2 --dist loadfile", show=True),
    Check("integration", f"{PYTEST} tests/integration -n 2 --dist loadfile", show=True),
    Check("molecule", "molecule test --all", show=True),
]


def run(check: Check) -> bool:
    """Run one check; True when it passed. Its children are ended with it on an interrupt."""
    print(f"\n=== {check.name}: {check.command}", flush=True)
    started = time.monotonic()
    process = subprocess.Popen(
        shlex.split(check.command),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=None if check.show else subprocess.PIPE,
        stderr=None if check.show else subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = process.communicate()
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise
    seconds = time.monotonic() - started
    passed = process.returncode == 0
    if output and not passed:
        print(output.rstrip())
    elif output and output.strip():
        print(output.rstrip().splitlines()[-1])
    print(
        f"--- {check.name}: {'passed' if passed else f'FAILED (exit {process.returncode})'} in {seconds:.0f} s",
        flush=True,
    )
    return passed


def main(arguments: list[str]) -> int:
    """Run what is asked for; 0 when everything passed, 1 when a check failed, 2 for a wrong call."""
    names = {check.name for check in CHECKS}
    if arguments == ["all"]:
        chosen = CHECKS
    elif arguments == ["fast"]:
        chosen = [check for check in CHECKS if check.fast]
    elif arguments and set(arguments) <= names:
        chosen = [check for check in CHECKS if check.name in arguments]
    else:
        print(f"usage: checks.py fast | all | NAME ...\nnames: {', '.join(sorted(names))}", file=sys.stderr)
        return 2
    started = time.monotonic()
    failed = [check.name for check in chosen if not run(check)]
    print(f"\n{time.monotonic() - started:.0f} s in all" + (f"; failed: {', '.join(failed)}" if failed else ""))
    print(f"checks: {len(chosen) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
