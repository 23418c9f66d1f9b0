# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks as AWX and the Automation Platform run them, with their own engine, ansible-runner.

The project is a folder with `collections/requirements.yml` and a file of variables; the collection comes out of its
archive. The cluster is known by the environment of the stock bearer-token credential alone. Answers of the survey are
text. The user owns nothing but the job's folder, and its home cannot be written.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness import ROOT, Sandbox

RUNNER = Path(__file__).parent / "run_job.py"
CREDENTIAL = "Bearer survey-answer-4711"
SURVEY = {
    "mcp_gateway_servers": f"""
        - {{name: weather, port: "9090", credential: "{CREDENTIAL}"}}
        - {{name: time, port: "9090"}}
    """,
    "mcp_gateway_verify_call": "{name: time_get_current_time, arguments: {timezone: Europe/Lisbon}}",
    "mcp_gateway_expect_tools": "[weather_get_forecast, time_convert_time]",
    "mcp_gateway_wait_timeout": "90",
    "mcp_gateway_force_conflicts": "no",
    "mcp_gateway_create_namespaces": "true",
    "mcp_gateway_remove_crds": "true",
    "mcp_gateway_remove_namespaces": "yes",
}
NOBODY = 65534


@dataclass
class Controller:
    """Runs jobs in a folder; each leaves its artifacts there."""

    folder: Path
    environment: dict[str, str]

    def job(self, playbook: str) -> dict[str, Any]:
        """Runs `mcpops.gateway.<playbook>`, as talkative as it can be; what ansible-runner says of it."""
        job = {
            "private_data_dir": str(self.folder),
            "ident": uuid.uuid4().hex,
            "playbook": f"mcpops.gateway.{playbook}",
            "cmdline": "--extra-vars @vars.yml --diff",
            "envvars": self.environment,
            "verbosity": 3,
            "quiet": True,
        }
        done = subprocess.run(
            [*_as_nobody(), sys.executable, str(RUNNER)], input=json.dumps(job), text=True, capture_output=True,
            env={"PATH": self.environment["PATH"], "HOME": self.environment["HOME"]}, cwd="/", check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        answer = json.loads(done.stdout)
        assert isinstance(answer, dict)
        return answer

    def left(self) -> Iterator[tuple[Path, str]]:
        """Every file that jobs have left and its text; of ansible-runner's own note of its environment the rest."""
        for path in [*self.folder.rglob("*"), *Path(self.environment["TMPDIR"]).rglob("*")]:
            if not path.is_file() or path.is_relative_to(self.folder / "env"):
                continue  # what the job was given
            text = path.read_text(errors="replace")
            if path.name == "command":
                text = json.dumps({name: value for name, value in json.loads(text).items() if name != "env"})
            yield path, text


def _as_nobody() -> list[str]:
    """For root: the command that makes a process a user without rights, who may only read (this environment, say)."""
    if os.getuid() != 0:
        return []
    rights = ["--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search", "--no-new-privs"]
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *rights]


def _galaxy(*words: str, collections: Path) -> None:
    command = [str(Path(sys.executable).parent / "ansible-galaxy"), "collection", *words]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections)}
    done = subprocess.run(command, env=environment, cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def controller(sandbox: Sandbox) -> Iterator[Controller]:
    """A controller in a folder that everybody may enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="controller-") as folder:
        Path(folder).chmod(0o755)
        yield _controller(Path(folder), sandbox)


def _controller(base: Path, sandbox: Sandbox) -> Controller:
    """A controller with the project, its collections installed as a project update does."""
    _galaxy("build", "--output-path", str(base), collections=ROOT / ".collections")
    archive = next(base.glob("mcpops-gateway-*.tar.gz"))
    project, installed, home, temporary, programs = (
        base / name for name in ("job/project", "installed", "home", "tmp", "bin")
    )
    for path in (project / "collections", home, temporary, installed, programs):
        path.mkdir(parents=True)
    # ansible-runner asks access(2) for the program, which knows no capabilities; the folder of this one may be closed.
    playbook = programs / "ansible-playbook"
    playbook.write_text(f'#!/bin/sh\nexec {shlex.quote(str(Path(sys.executable).parent / playbook.name))} "$@"\n')
    playbook.chmod(0o755)
    requirements = project / "collections" / "requirements.yml"
    requirements.write_text(yaml.safe_dump({"collections": [{"name": str(archive), "type": "file"}]}))
    shutil.copyfile(ROOT / "playbooks" / "vars" / "openshift.yml", project / "vars.yml")
    core = Path("ansible_collections", "kubernetes", "core")
    shutil.copytree(ROOT / ".collections" / core, installed / core)
    # --force: the development environment's own link to the collection counts as installed, too.
    _galaxy("install", "--offline", "--force", "-r", str(requirements), "-p", str(installed), collections=installed)

    config = yaml.safe_load((sandbox.folder / "kubeconfig").read_text())
    authority = base / "ca.crt"
    authority.write_bytes(base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]))
    environment = {
        "K8S_AUTH_HOST": config["clusters"][0]["cluster"]["server"],
        "K8S_AUTH_API_KEY": config["users"][0]["user"]["token"],
        "K8S_AUTH_SSL_CA_CERT": str(authority),
        "PATH": f"{programs}{os.pathsep}/usr/bin{os.pathsep}/bin",
        "HOME": str(home),
        "ANSIBLE_COLLECTIONS_PATH": str(installed),
        # As in an execution environment, only a folder for temporary files can be written.
        "TMPDIR": str(temporary),
        "ANSIBLE_LOCAL_TEMP": str(temporary),
        "ANSIBLE_REMOTE_TEMP": str(temporary),
        "LC_ALL": "C.UTF-8",
    }
    # The sandbox's port and host name are answers of the survey, too.
    here = {name: str(sandbox.variables[name]) for name in ("mcp_gateway_port", "mcp_gateway_hostname")}
    answers = base / "job" / "env" / "extravars"  # where the controller puts them
    answers.parent.mkdir()
    answers.write_text(json.dumps({**SURVEY, **here}))
    home.chmod(0o555)
    if os.getuid() == 0:
        for path in (base / "job", temporary, *(base / "job").rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    return Controller(base / "job", environment)


def test_site_works_and_changes_nothing_when_run_again(controller: Controller) -> None:
    first = controller.job("site")
    again = controller.job("site")

    assert (first["status"], again["status"]) == ("successful", "successful"), first["stdout"] + again["stdout"]
    assert f"in {controller.environment['ANSIBLE_COLLECTIONS_PATH']}/ansible_collections/mcpops" in first["stdout"]
    assert first["changed"] > 0
    assert again["changed"] == 0, again["stdout"]


def test_verify_finds_what_the_survey_asked_for(controller: Controller) -> None:
    done = controller.job("verify")

    assert done["status"] == "successful", done["stdout"]
    assert done["changed"] == 0
    assert "Europe/Lisbon" in done["stdout"]


def test_teardown_leaves_nothing(controller: Controller, sandbox: Sandbox) -> None:
    done = controller.job("teardown")

    assert done["status"] == "successful", done["stdout"]
    assert not [one for one in sandbox.snapshot() if "mcp-system" in one or "mcp.kuadrant.io" in one]


def test_no_secret_is_in_what_the_jobs_left(controller: Controller) -> None:
    token = controller.environment["K8S_AUTH_API_KEY"]
    secrets = [token, CREDENTIAL, CREDENTIAL.removeprefix("Bearer ")]
    secrets += [base64.b64encode(one.encode()).decode() for one in secrets]

    files = dict(controller.left())

    assert len(files) > 100  # an event a file, from three jobs
    assert [(path, one) for path, text in files.items() for one in secrets if one in text] == []


def test_nothing_is_written_into_the_home(controller: Controller) -> None:
    assert list(Path(controller.environment["HOME"]).iterdir()) == []
