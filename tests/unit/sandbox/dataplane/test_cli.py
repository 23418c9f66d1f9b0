# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line where nothing has to be started: refusals, and commands on nothing."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
from pathlib import Path

import pytest
from sandbox import processes
from sandbox.cli import main
from sandbox.state import Folder, State


def test_status_and_down_of_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(tmp_path / "box")
    assert main(["status", "--dir", folder]) == 3
    assert f"start one with 'python -m sandbox up --dir {folder}'" in capsys.readouterr().out
    assert main(["down", "--dir", folder]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert main(["down", "--json", "--dir", folder]) == 0
    assert json.loads(capsys.readouterr().out) == {"stopped": [], "left": []}
    assert not (tmp_path / "box").exists()


@pytest.mark.parametrize(
    ("api", "variable", "message"),
    [
        ("envtest", None, "--api envtest needs KUBEBUILDER_ASSETS: set it to the folder with etcd and kube-apiserver"),
        ("envtest", "/nowhere", "has no program etcd"),
        ("kubeconfig", "/nowhere", "there is no /nowhere: set KUBECONFIG"),
    ],
)
def test_missing_requirements_are_one_sentence(
    api: str, variable: str | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KUBEBUILDER_ASSETS", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
        if variable:
            monkeypatch.setenv(name, variable)
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        assert main(["up", "--api", api, "--dir", str(tmp_path / "box")]) == 1
    assert message in said.getvalue()
    assert len(said.getvalue().splitlines()) == 1
    assert not (tmp_path / "box").exists()


def test_broken_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "config"
    config.write_text("current-context: nowhere\n")
    monkeypatch.setenv("KUBECONFIG", str(config))
    assert main(["up", "--api", "kubeconfig", "--dir", str(tmp_path / "box")]) == 1
    assert "is not a usable kubeconfig: contexts has no entry named 'nowhere'" in capsys.readouterr().err
    assert main(["down", "--dir", str(tmp_path / "box")]) == 0
    assert not (tmp_path / "box").exists()


@pytest.fixture
def standing(tmp_path: Path) -> Folder:
    """A state directory that says that a sandbox is up, with this process in the place of its services."""
    folder = Folder(tmp_path / "box")
    folder.make()
    folder.save(State("embedded", "openshift", ready=True, server="https://127.0.0.1:1"))
    for name in ("api", "controllers"):
        processes.record(folder.processes, name, os.getpid(), folder.logs / "x.log")
    return folder


def test_up_again_does_nothing_and_says_so(standing: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", "--dir", str(standing.path)]) == 0
    assert "is already up." in capsys.readouterr().out
    assert main(["up", "--json", "--dir", str(standing.path)]) == 0
    assert json.loads(capsys.readouterr().out)["changed"] is False


@pytest.mark.parametrize("option", [["--api", "envtest"], ["--profile", "kubernetes"]])
def test_up_with_other_options_is_refused(
    standing: Folder, option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["up", *option, "--dir", str(standing.path)]) == 1
    assert f"run 'python -m sandbox down --dir {standing.path}' first" in capsys.readouterr().err


def test_remains_of_a_dead_sandbox_are_cleared_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Folder(tmp_path / "box")
    folder.make()
    folder.save(State("embedded", "openshift", ready=True))
    left = subprocess.Popen(["sleep", "60"])
    processes.record(folder.processes, "pod-left-over", left.pid, folder.logs / "x.log")
    assert main(["down", "--dir", str(folder.path)]) == 0
    assert "(1 processes ended, files removed)" in capsys.readouterr().out
    assert left.poll() is not None
    assert not folder.path.exists()
