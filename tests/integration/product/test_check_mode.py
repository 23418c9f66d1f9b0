# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What check mode of site.yml says on an empty cluster, the run then does: the same tasks, objects and actions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from harness import Sandbox, running

CALLBACKS = Path(__file__).parent / "callbacks"
EXAMPLES = ["minimal.yml", "tls.yml"]
"""The least and the most that the playbook is asked for."""


class Recorder:
    """Runs site.yml with an example and keeps what it reports as changed."""

    def __init__(self, sandbox: Sandbox, example: str, folder: Path) -> None:
        self._sandbox, self._example, self._folder = sandbox, example, folder

    def run(self, name: str, *arguments: str) -> list[dict[str, Any]]:
        """The changes in the order of the run; the run has to succeed, and its recap to agree."""
        file = self._folder / name
        file.touch()
        environment = {
            "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
            "ANSIBLE_CALLBACKS_ENABLED": "changes",
            "CHANGES_FILE": str(file),
        }
        play = self._sandbox.play("site", *arguments, example=self._example, environment=environment)
        assert play.exit_code == 0, play.output
        changes = [json.loads(line) for line in file.read_text().splitlines()]
        assert play.recap()["changed"] == len({change["task"] for change in changes}), play.output
        return changes


@pytest.mark.parametrize("example", EXAMPLES)
def test_check_mode_says_exactly_what_the_run_then_changes(tmp_path: Path, example: str) -> None:
    with running(tmp_path / "sandbox") as sandbox:
        site = Recorder(sandbox, example, tmp_path)

        said = site.run("said", "--check")
        done = site.run("done")
        again = site.run("again")

    assert [one for one in said if one["object"]], said
    assert said == done
    assert again == []
