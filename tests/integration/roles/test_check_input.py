# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every problem in the variables is found before a cluster is asked; ansible-playbook runs the check."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
ROLES = ["operator", "gateway", "extension", "servers", "verify"]
BROKER_ROLES = ["gateway", "broker", "verify"]
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  roles:
{roles}
  pre_tasks:
    - name: Check
      mcpops.gateway.check_input:
        roles: {names}
      register: checked
    - name: Stop
      ansible.builtin.meta: end_play
"""


def check(tmp_path: Path, variables: dict[str, Any], roles: list[str] | None = None) -> tuple[int, str]:
    """Exit code and output of a play that only checks the input."""
    names = roles or ROLES
    play = tmp_path / "play.yml"
    play.write_text(PLAY.format(roles="\n".join(f"    - mcpops.gateway.{x}" for x in names), names=names))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
        "ANSIBLE_HOME": str(tmp_path / "home"),
        "ANSIBLE_REMOTE_TEMP": str(tmp_path / "home" / "remote"),
        "ANSIBLE_NOCOLOR": "1",
    }
    words = [str(Path(sys.executable).parent / "ansible-playbook"), "-v", str(play), "-e", json.dumps(variables)]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_all_problems_of_all_roles_come_in_one_message(tmp_path: Path) -> None:
    code, output = check(
        tmp_path,
        {
            "mcp_gateway_state": "gone",
            "mcp_gateway_port": "80x",
            "mcp_gateway_namespace": "MCP",
            "mcp_gateway_servers": "- nme: x",
            "mcp_gateway_wait_timeout": "soon",
        },
    )

    assert code != 0
    assert "nothing was changed" in output
    for said in (
        "mcp_gateway_state 'gone' is none of 'present', 'absent'",
        "mcp_gateway_port '80x' must be a whole number",
        "mcp_gateway_namespace 'MCP' is not a name of a namespace",
        "mcp_gateway_servers[0]: 'nme' is not known here; did you mean name?",
        "mcp_gateway_servers[0]: name is missing",
        "gateway_hostname is missing",
        "mcp_gateway_wait_timeout 'soon' must be a number",
    ):
        assert said in output
    message = output.partition("FAILED! => ")[2].partition('"problems"')[0]
    assert message.count("'MCP' is not a name of a namespace") == 1, "what several roles share is told once"


def test_a_variable_of_one_role_is_told_under_its_own_name(tmp_path: Path) -> None:
    code, output = check(tmp_path, {**SURVEY, "gateway_port": "80x"})

    assert code != 0
    assert "nothing was changed: gateway_port '80x' must be a whole number" in output


SURVEY = {
    "mcp_gateway_hostname": "mcp.example.com",
    "mcp_gateway_port": "8080",
    "mcp_gateway_wait_timeout": "60",
    "mcp_gateway_force_conflicts": "false",
    "mcp_gateway_create_namespaces": "yes",
    "mcp_gateway_public_host": "",
    "mcp_gateway_log_level": "",
    "mcp_gateway_servers": "- name: weather\n  port: '9090'\n  tags: a, b\n",
    "mcp_gateway_session_store": "secret_name: store",
    "mcp_gateway_verify_call": "{name: weather_forecast, arguments: {city: Brno}}",
    "mcp_gateway_min_tools": "2",
}


def test_what_a_survey_sends_is_good_input(tmp_path: Path) -> None:
    code, output = check(tmp_path, SURVEY)

    assert code == 0, output


def test_an_undefined_variable_inside_a_value_is_named(tmp_path: Path) -> None:
    code, output = check(tmp_path, {**SURVEY, "mcp_gateway_hostname": "mcp.{{ domain_of_mine }}"})

    assert code != 0
    assert "mcp_gateway_hostname cannot be worked out" in output
    assert "domain_of_mine" in output


def test_a_misspelt_variable_is_warned_about_with_the_right_name(tmp_path: Path) -> None:
    code, output = check(tmp_path, {**SURVEY, "mcp_gateway_hostnme": "x"})

    assert code == 0
    assert "mcp_gateway_hostnme is not one of mcpops.gateway" in " ".join(output.split())
    assert "did you mean mcp_gateway_hostname?" in " ".join(output.split())


def test_a_wrong_credential_is_not_shown(tmp_path: Path) -> None:
    servers = [{"name": "w", "port": 1, "credential": ["Bearer hidden-word"]}]

    code, output = check(tmp_path, {**SURVEY, "mcp_gateway_servers": servers})

    assert code != 0
    assert "mcp_gateway_servers[0] (w): credential must be one value, not a list" in output
    assert "hidden-word" not in output


@pytest.mark.parametrize("role", ROLES)
def test_the_defaults_of_every_role_have_no_problem_but_the_host_name(tmp_path: Path, role: str) -> None:
    code, output = check(tmp_path, {}, [role])

    assert (code == 0) is (role != "gateway"), output
    if role == "gateway":
        assert "There is a problem in the input; nothing was changed: gateway_hostname is missing" in output


@pytest.mark.parametrize("example", sorted((ROOT / "playbooks" / "vars").glob("*.yml")), ids=lambda path: path.stem)
def test_every_example_is_good_input(tmp_path: Path, example: Path) -> None:
    import yaml

    given = yaml.safe_load(example.read_text())
    roles = BROKER_ROLES if given.get("mcp_gateway_provider") == "broker" else ROLES

    code, output = check(tmp_path, given, roles)

    assert code == 0, output
