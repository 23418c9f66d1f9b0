# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the checks of `make check` and `make test`: `python tests/setup/checks.py fast|all|NAME...`.

Every check runs even when an earlier one failed; a failed one prints its whole output, a passed one its last line.
At the end stands once more what failed, and the closing line counts: `checks: N passed, N failed`.
"""

from __future__ import annotations

import os
import select
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

MOST_CAUSES = 20
"""Lines about what failed in one check that are repeated at the end."""
LONGEST_LINE = 500

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


def run(check: Check) -> list[str]:
    """Run one check; return the lines that say what failed, none when it passed. Its children are ended with it on an
    interrupt."""
    print(f"\n=== {check.name}: {check.command}", flush=True)
    started = time.monotonic()
    process = subprocess.Popen(
        shlex.split(check.command),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output = _read(process, show=check.show)
        process.wait()
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise
    seconds = time.monotonic() - started
    passed = process.returncode == 0
    lines = output.rstrip().splitlines()
    if lines and not check.show:
        print("\n".join(lines[-1:] if passed else lines))
    verdict = f"--- {check.name}: {'passed' if passed else f'FAILED (exit {process.returncode})'} in {seconds:.0f} s"
    print(verdict, flush=True)
    return [] if passed else [verdict, *_causes(lines)]


def _read(process: subprocess.Popen[bytes], *, show: bool) -> str:
    """Return all that a process prints, and print it on as it comes when asked to.

    The process' end is the end, also when something that it started still holds its output open.
    """
    assert process.stdout is not None  # Popen was given a pipe
    pipe = process.stdout.fileno()
    parts: list[bytes] = []
    while True:
        ended = process.poll() is not None
        if not select.select([pipe], [], [], 0 if ended else 1)[0]:
            if ended:
                break
            continue
        part = os.read(pipe, 1 << 16)
        if not part:
            break
        parts.append(part)
        if show:
            sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()
    return b"".join(parts).decode(errors="replace")


def _causes(lines: list[str]) -> list[str]:
    """Return pytest's lines about failed tests; the end of the output when there are none."""
    named = [line for line in lines if line.startswith(("FAILED ", "ERROR "))]
    return [line[:LONGEST_LINE] for line in (named[:MOST_CAUSES] or lines[-MOST_CAUSES:])]


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
    failed = {check.name: causes for check in chosen if (causes := run(check))}
    for causes in failed.values():  # again, since the output between may be long
        print("\n" + "\n".join(causes))
    print(f"\n{time.monotonic() - started:.0f} s in all" + (f"; failed: {', '.join(failed)}" if failed else ""))
    print(f"checks: {len(chosen) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
