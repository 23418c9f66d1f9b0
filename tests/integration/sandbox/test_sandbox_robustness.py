# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's commands under signals, closed pipes and directories that cannot be used: nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dataplane_box import Box, strays
from sandbox.controllers.ports import is_free


def heed_signals() -> None:
    """A shell without job control starts its background jobs, and so their children, with SIGINT ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def begin(box: Box, *words: str) -> subprocess.Popen[str]:
    """``python -m sandbox up`` under way."""
    command = [sys.executable, "-m", "sandbox", "up", "--api", box.api, "--dir", str(box.folder), *words]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_signals,  # noqa: PLW1509  (this process has no threads that could hold a lock)
    )


def wait_for(process: subprocess.Popen[str], path: Path) -> None:
    """Waits for a file that `up` or one of its processes makes."""
    while not path.exists():
        assert process.poll() is None
        time.sleep(0.001)


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        (signal.SIGINT, "state.json"),
        (signal.SIGINT, "processes/controllers.json"),
        (signal.SIGINT, "kubeconfig"),
        (signal.SIGTERM, "processes/api.json"),
        (signal.SIGTERM, "processes/controllers.json"),
        (signal.SIGHUP, "kubeconfig"),
    ],
)
def test_a_signal_ends_up_and_leaves_nothing_running(fresh: Box, number: signal.Signals, moment: str) -> None:
    process = begin(fresh)
    wait_for(process, fresh.folder / moment)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == "sandbox: interrupted; nothing was left running\n"
    assert strays(fresh.folder) == []


def test_impatience_does_not_help(fresh: Box) -> None:
    process = begin(fresh)
    wait_for(process, fresh.folder / "processes" / "controllers.json")
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    _, said = process.communicate(timeout=30)
    assert "Traceback" not in said.replace("Exception ignored", ""), said
    assert strays(fresh.folder) == []


def test_a_killed_up_is_cleared_away_by_the_next(fresh: Box) -> None:
    process = begin(fresh)
    wait_for(process, fresh.folder / "processes" / "controllers.json")
    process.kill()
    process.communicate(timeout=30)
    said = fresh.run("up", "--api", fresh.api).stdout
    assert "Clearing away what is left" in said and "an earlier start was interrupted" in said
    assert fresh.status()["healthy"] is True


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_a_reader_that_goes_away_does_not_end_it(fresh: Box, options: list[str]) -> None:
    process = begin(fresh, *options)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr.read() == ""
    assert fresh.status()["healthy"] is True


def test_status_to_a_reader_of_one_line(fresh: Box) -> None:
    fresh.run("up", "--api", fresh.api)
    shell = f"{sys.executable} -m sandbox status --dir {fresh.folder} | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Sandbox in ")


def test_the_mcp_port_is_kept_for_the_gateway(fresh: Box) -> None:
    fresh.run("up", "--api", fresh.api)
    port = json.loads((fresh.folder / "vars.yml").read_text())["mcp_gateway_port"]
    assert not is_free(port)
    assert fresh.run("down").returncode == 0
    assert is_free(port)


@pytest.mark.parametrize("place", ["file", "below a file", "lock is a folder"])
def test_a_directory_that_cannot_be_used_is_one_sentence(tmp_path: Path, place: str) -> None:
    path = tmp_path / "box"
    if place == "lock is a folder":
        (path / ".lock").mkdir(parents=True)
    else:
        path.write_text("mine")
    box = Box(path / "below" if place == "below a file" else path)
    before = sorted(str(entry) for entry in tmp_path.rglob("*"))
    done = box.run("up", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"sandbox: {box.folder}") and done.stderr.endswith(": choose another --dir\n")
    assert sorted(str(entry) for entry in tmp_path.rglob("*")) == before


def test_somebody_s_directory_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    box = Box(tmp_path)
    done = box.run("up", check=False)
    assert done.returncode == 1
    assert "holds other files (notes): choose an empty or new --dir" in done.stderr
    assert box.run("down").stdout.endswith("nothing to do.\n")
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 99}', "\x00\xff"])
def test_state_that_cannot_be_read_is_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "state.json").write_bytes(content.encode("latin-1"))
    for command in ("up", "status", "down"):
        done = Box(tmp_path).run(command, check=False)
        assert done.returncode == 1, command
        assert done.stderr.startswith(f"sandbox: {tmp_path / 'state.json'} ")
        assert len(done.stderr.splitlines()) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize("words", [["up", "--profile", "aks"], ["up", "--api", "minikube"], ["upp"], []])
def test_wrong_words_name_the_right_ones(words: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sandbox", *words], capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 2
    assert "invalid choice" in done.stderr or "required" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
