# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit that role broker writes for systemd, judged by systemd's own tools. It is not started: no systemd here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  vars_files:
    - "{{ role_path }}/defaults/main.yml"
    - "{{ role_path }}/vars/main.yml"
  tasks:
    - ansible.builtin.template:
        src: "{{ role_path }}/templates/mcpops-broker.service.j2"
        dest: "{{ playbook_dir }}/{{ item.name }}"
        mode: "0644"
      loop:
        - {name: mcpops-broker.service, port: 8443}
        - {name: mcpops-broker-low.service, port: 443}
      vars:
        broker_port: "{{ item.port }}"
    - ansible.builtin.template:
        src: "{{ role_path }}/templates/supervisord.conf.j2"
        dest: "{{ playbook_dir }}/{{ item.name }}"
        mode: "0644"
      loop:
        - {name: of-root.conf, ids: ["0", "990", "991"]}
        - {name: of-a-user.conf, ids: ["1000", "990", "991"]}
      vars:
        __broker_ids: "{{ item.ids }}"
    - ansible.builtin.copy:
        content: "{{ __broker_hidden_files | to_json }}"
        dest: "{{ playbook_dir }}/hidden.json"
        mode: "0644"
      vars:
        broker_settings:
          admin: {tokenFile: /home/me/token}
          store: {urlFile: /etc/mcpops-broker/secrets/store, passwordFile: /tmp/password}
          instructions: 'tokenFile: "/home/me/x"'
"""
MOST_EXPOSED = 20
"""Of 100, where systemd counts from 0 (closed) to 10 in tenths; a service without settings has 96."""

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unit")
    program = folder / "mcp" / "current" / "bin" / "mcpops-broker"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (folder / "play.yml").write_text(PLAY)
    given = json.dumps(
        {
            "role_path": str(ROOT / "roles" / "broker"),
            "broker_supervisor": "systemd",
            "broker_install_dir": str(folder / "mcp"),
        }
    )
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"), "ANSIBLE_HOME": str(folder)}
    subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), "play.yml", "-e", given],
        cwd=folder, env=environment, check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.mark.parametrize("name", ["mcpops-broker.service", "mcpops-broker-low.service"])
def test_systemd_understands_every_line(units: Path, name: str) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(units / name)], capture_output=True, text=True, check=False
    )

    about_it = [line for line in done.stderr.splitlines() if name in line]  # the machine's own units may have faults
    assert (done.returncode, about_it) == (0, []), done.stderr


@pytest.mark.parametrize("name", ["mcpops-broker.service", "mcpops-broker-low.service"])
def test_it_is_closed_as_far_as_it_can_be(units: Path, name: str) -> None:
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(units / name)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr


def test_only_a_low_port_needs_a_capability(units: Path) -> None:
    high, low = ((units / f"mcpops-broker{name}.service").read_text() for name in ("", "-low"))

    assert "AmbientCapabilities=" not in high and "\nCapabilityBoundingSet=\n" in high
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE" in low


def test_it_runs_as_its_user_and_in_that_users_group(units: Path) -> None:
    unit = (units / "mcpops-broker.service").read_text()

    assert "\nUser=mcpops-broker\n" in unit
    assert "\nGroup=" not in unit, "a user's primary group may have any name"


def test_by_supervisord_it_runs_as_its_user_when_that_can_be(units: Path) -> None:
    of_root, of_a_user = ((units / f"of-{name}.conf").read_text() for name in ("root", "a-user"))

    assert "\nuser=root\n" in of_root and "\nuser=mcpops-broker\n" in of_root
    assert "\nuser=" not in of_a_user


def test_files_that_the_sandbox_hides_are_found(units: Path) -> None:
    assert json.loads((units / "hidden.json").read_text()) == ["/home/me/token", "/tmp/password"]
