# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This plugin_util is PRIVATE to the collection: it may change at any time.

"""Modules of this collection, run inside the task's own process when they would run on this machine anyway.

Packing a module, starting another Python and compiling everything again takes longer than the work itself. Tasks on
the controller (``hosts: localhost``, ``delegate_to: localhost``) need none of it. Whatever speaks against it, such as
another host, another interpreter, become, async or variables of the environment, leads to the ordinary way.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import typing as t

from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase
from ansible_collections.mcpops.gateway.plugins.module_utils._module import perform

MODULES = "ansible_collections.mcpops.gateway.plugins.modules"
SWITCH = "mcpops_in_process"
"""A variable that switches this off when it is false."""


class HereActionModule(ActionBase):  # type: ignore[misc]  # Ansible has no types
    """The controller's side of the module of the same name."""

    TRANSFERS_FILES = False
    module = ""

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Here if nothing speaks against it, else as any module."""
        self._supports_check_mode = True
        self._supports_async = True
        variables = task_vars or {}
        result: dict[str, t.Any] = super().run(tmp, variables)
        if not self._is_here(variables):
            result.update(self._execute_module(task_vars=variables, wrap_async=bool(self._task.async_val)))
            return result
        self._load_name = f"mcpops.gateway.{self.module}"  # how messages about options call the module
        frame = importlib.import_module(f"{MODULES}.{self.module}")
        validation, options = self.validate_argument_spec(frame.SPEC, **frame.CONSTRAINTS)
        # As a module: where relative paths begin is the folder of the playbook.
        with contextlib.chdir(self._loader.get_basedir()):
            done = perform(
                frame.JOB, plain(options), check=bool(self._task.check_mode), diff=bool(self._task.diff), say=self._say
            )
        hidden = set(validation._no_log_values) | done.secrets
        result.update(remove_values(done.result, hidden))
        warnings = [str(text) for text in remove_values(done.warnings, hidden)]
        if warnings:
            result["warnings"] = [*result.get("warnings", []), *warnings]
        return result

    def _say(self, text: str) -> None:
        """A line of progress while a wait goes on; a task with no_log waits in silence."""
        if not self._task.no_log:
            self._display.display(f"    {text}")

    def _is_here(self, variables: dict[str, t.Any]) -> bool:
        """Whether the module would run on this machine, as this user, with this Python and this environment."""
        interpreter = str(self._templar.template(variables.get("ansible_python_interpreter")) or "auto")
        return (
            (interpreter.startswith("auto") or is_this_python(interpreter))
            and getattr(self._connection, "transport", "") == "local"
            and not self._play_context.become
            and not self._task.async_val
            and not any(self._task.environment or ())
            and str(self._templar.template(variables.get(SWITCH, True))).lower() not in {"false", "no", "0"}
        )


def is_this_python(interpreter: str) -> bool:
    """Whether a path is the Python that runs this: the same program in the same folder (``python``, ``python3``).

    The folder counts, since virtual environments with different libraries are links to one program.
    """
    ours, theirs = os.path.abspath(sys.executable), os.path.abspath(interpreter)
    same_folder = os.path.dirname(ours) == os.path.dirname(theirs)
    return same_folder and os.path.realpath(ours) == os.path.realpath(theirs)


def plain(value: t.Any) -> t.Any:
    """Options as a module would get them, without the types of Ansible's templating and vaults."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or type(value) in {bool, int, float, str}:
        return value
    return next((kind(value) for kind in (bool, int, float) if isinstance(value, kind)), str(value))
