# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the variables of roles of this collection; runs on the controller, where the variables are."""

from __future__ import annotations

import difflib
import glob
import os
import re
import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.mcpops.gateway.plugins.module_utils._role_input import check_options
from ansible_collections.mcpops.gateway.plugins.module_utils._role_rules import SHAPES, rule_problems
from ansible_collections.mcpops.gateway.plugins.module_utils._role_rules_broker import SAME_OPTIONS
from ansible_collections.mcpops.gateway.plugins.module_utils._yaml import load_yaml

COLLECTION = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROLES = os.path.join(COLLECTION, "roles")
PREFIX = "mcp_gateway_"
PROVIDERS = ("operator", "broker")
"""Who can serve the endpoint; the first is the default of the playbooks."""


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible has no types
    """The controller side of M(mcpops.gateway.check_input)."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Template the variables that the roles know, and compare them with their specifications and rules."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        _validation, options = self.validate_argument_spec(
            {"roles": {"type": "list", "elements": "str", "required": True}}
        )
        task_vars = task_vars or {}
        problems: list[str] = []
        values: dict[str, t.Any] = {}
        shared = sorted(name for name in task_vars if isinstance(name, str) and name.startswith(PREFIX))
        # On their own, because in a role's default an undefined variable inside would just count as not given.
        provider = self._given(shared, task_vars, problems).get("mcp_gateway_provider", PROVIDERS[0])
        if provider not in PROVIDERS:
            problems.append(f"mcp_gateway_provider {provider!r} is none of {', '.join(map(repr, PROVIDERS))}")
        for role in options["roles"]:
            spec = _options_of(role)
            checked, found = check_options(spec, self._given(spec, task_vars, problems), SHAPES)
            values.update(checked)
            problems += found
        problems += rule_problems(values)
        problems = _as_written(problems, task_vars)
        result.update(changed=False, problems=problems)
        warnings = _unknown(shared)
        if warnings:
            result["warnings"] = warnings
        if problems:
            result.update(failed=True, msg=_message(problems))
        return result

    def _given(self, names: t.Iterable[str], task_vars: t.Mapping[str, t.Any], problems: list[str]) -> dict[str, t.Any]:
        given = {}
        for name in names:
            if name in task_vars:
                try:
                    given[name] = self._templar.template(task_vars[name])
                except AnsibleError as error:
                    problems.append(f"{name} cannot be worked out: {' '.join(str(error).split())}")
        return given


def _as_written(problems: t.Iterable[str], task_vars: t.Mapping[str, t.Any]) -> list[str]:
    """The problems under the names of the variables that people gave, each once.

    A role's variable that is still its default, such as ``{{ mcp_gateway_port | default(8080) }}``, has its value from
    the first of these shared ones that is given; what is wrong with it is then wrong for several roles.
    """

    def shared(match: re.Match[str]) -> str:
        default = str(task_vars.get(match[0]))
        names = re.findall(rf"\b{PREFIX}\w+", default) if default.startswith("{{ " + PREFIX) else []
        return next((name for name in names if name in task_vars), match[0])

    return list(dict.fromkeys(re.sub(r"\A\w+", shared, problem) for problem in problems))


def _options_of(role: str) -> dict[str, t.Any]:
    """The options of a role's main entry point, complete with those that stand with another role."""
    options = _specified(role)
    for name, (other, same) in SAME_OPTIONS.items():
        if name in options:
            options[name] = {**options[name], "options": _specified(other)[same]["options"]}
    return options


def _specified(role: str) -> dict[str, t.Any]:
    path = os.path.join(ROLES, role, "meta", "argument_specs.yml")
    try:
        with open(path, encoding="utf-8") as file:
            options: dict[str, t.Any] = load_yaml(file.read())["argument_specs"]["main"]["options"]
    except OSError as error:
        raise AnsibleError(f"mcpops.gateway has no role {role!r} with an argument specification.") from error
    return options


def _unknown(names: t.Iterable[str]) -> list[str]:
    """Warnings about variables that look like this collection's and are not: most likely misspelt."""
    known: set[str] = set()
    files = glob.glob(os.path.join(ROLES, "*", "defaults", "main.yml"))
    for path in [*files, *glob.glob(os.path.join(COLLECTION, "playbooks", "*.yml"))]:
        with open(path, encoding="utf-8") as file:
            known.update(re.findall(rf"\b{PREFIX}\w+", file.read()))
    warnings = []
    for name in sorted(set(names) - known):
        close = difflib.get_close_matches(name, known, 1)
        meant = f"; did you mean {close[0]}?" if close else "."
        warnings.append(f"The variable {name} is not one of mcpops.gateway and has no effect of its own{meant}")
    return warnings


def _message(problems: t.Sequence[str]) -> str:
    if len(problems) == 1:
        return f"There is a problem in the input; nothing was changed: {problems[0]}."
    listed = "".join(f"\n  {number}. {problem}." for number, problem in enumerate(problems, 1))
    return f"There are {len(problems)} problems in the input; nothing was changed:{listed}"
