# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback that writes what a run reports as changed, a JSON line each, into the file $CHANGES_FILE."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: changes
type: aggregate
short_description: What a run reports as changed
description: [Writes task, object and action of every change as lines of JSON.]
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible has no types
    """One line for every object that a task reports as changed, or for the task when it names none."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "changes"
    CALLBACK_NEEDS_ENABLED = True

    def v2_runner_on_ok(self, result: Any) -> None:
        """A task has ended well; one with a loop has its items in the result."""
        task, answer = result.task, result.result
        lines = []
        for one in answer.get("results") or [answer]:
            if not (isinstance(one, dict) and one.get("changed")):
                continue
            changed = [entry for entry in one.get("objects") or [] if entry["action"] not in {"unchanged", "absent"}]
            lines += [
                {
                    "task": task.get_name(),
                    "object": f"{entry['kind']} {entry['namespace'] or '-'}/{entry['name']}",
                    "action": entry["action"],
                    "fields": entry["fields"],
                }
                for entry in changed
            ] or [{"task": task.get_name(), "object": "", "action": "changed", "fields": []}]
        with Path(os.environ["CHANGES_FILE"]).open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
