# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A playbook that is killed in the middle of writing goes on where it stopped when it runs again."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from harness import ROOT, Sandbox
from integration.kit import until

SEED = int(os.environ.get("MCPOPS_TEST_SEED", "1"))
"""What is random here: how many writes after the task's beginning the playbook is killed."""

POINTS = (
    "Create the namespaces",
    "present | Install the operator with OLM",
    "present | Create the Gateway",
    "present | Create the extension, wait until it is ready and has its route and filter",
    "present | Register the servers",
)
EVERYTHING = '{"mcp_gateway_remove_crds": true, "mcp_gateway_remove_namespaces": true}'


def kill_in_the_middle(sandbox: Sandbox, playbook: str, task: str, writes: int, *words: str) -> None:
    """Kills the run, with all of its processes, as soon as the task has written so many times (or has ended)."""
    command = [str(Path(sys.executable).parent / "ansible-playbook"), f"mcpops.gateway.{playbook}"]
    command += ["-e", f"@{ROOT}/playbooks/vars/demo.yml", "-e", f"@{sandbox.folder}/vars.yml", *words]
    with subprocess.Popen(
        command, cwd=ROOT, env={**sandbox.environment(), "PYTHONUNBUFFERED": "1"}, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        seen = ""
        try:
            for line in process.stdout:
                seen += line
                if line.startswith("TASK [") and task in line and writing(playbook, seen):
                    break
            else:
                raise AssertionError(f"the playbook ended without the task {task!r}:\n{seen}")
            before = len(sandbox.writes())
            until(
                lambda: len(sandbox.writes()) >= before + writes or process.poll() is not None,
                lambda: f"the task {task!r} wrote nothing",
            )
        finally:
            with contextlib.suppress(ProcessLookupError):  # it has ended
                os.killpg(process.pid, signal.SIGKILL)


def writing(playbook: str, seen: str) -> bool:
    """Whether the checks are over: site.yml runs the roles' tasks in check mode first."""
    return playbook != "site" or "TASK [Create the namespaces]" in seen


def test_site_that_is_killed_at_five_points_converges_and_so_does_teardown(sandbox: Sandbox) -> None:
    empty = set(sandbox.snapshot())
    dice = random.Random(SEED)
    for task in POINTS:
        kill_in_the_middle(sandbox, "site", task, dice.choice((1, 1, 2)))

    second = sandbox.play("site")
    third = sandbox.play("site")
    for task in ("Remove registrations, then routes and Secrets", "Remove the extension with everything"):
        kill_in_the_middle(sandbox, "teardown", task, 1, "-e", EVERYTHING)
    removed = sandbox.play("teardown", "-e", EVERYTHING)
    again = sandbox.play("teardown", "-e", EVERYTHING)

    assert second.exit_code == 0, second.output
    assert third.exit_code == 0, third.output
    assert third.recap()["changed"] == 0, third.output
    assert removed.exit_code == 0, removed.output
    assert set(sandbox.snapshot()) - empty == set()
    assert again.recap()["changed"] == 0, again.output
