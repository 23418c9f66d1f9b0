# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes: recorded by pid and time of creation, ended with their descendants, and nothing else touched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest
from sandbox import processes

FAMILY = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def first_line(path: Path) -> str:
    while not path.exists() or not path.read_text().endswith("\n"):
        os.sched_yield()
    return path.read_text().splitlines()[0]


def test_started_process_is_recorded_and_ended_with_its_children(tmp_path: Path) -> None:
    log = tmp_path / "log"
    entry = processes.start_detached(tmp_path, "family", [sys.executable, "-c", FAMILY], log, os.environ)
    child = psutil.Process(int(first_line(log)))
    assert [found.name for found in processes.records(tmp_path)] == ["family"]
    assert oct((tmp_path / "family.json").stat().st_mode)[-3:] == "600"
    assert oct(log.stat().st_mode)[-3:] == "600"
    assert processes.stop(processes.records(tmp_path)) == ["family"]
    assert entry.process() is None
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    entry = processes.start_detached(tmp_path, "stubborn", [sys.executable, "-c", STUBBORN], log, os.environ)
    first_line(log)
    assert processes.stop([entry], patience=0.2) == ["stubborn"]
    assert entry.process() is None


def test_pid_of_somebody_else_is_left_alone(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    entry = processes.record(tmp_path, "old", sleeper.pid, tmp_path / "log")
    reused = replace(entry, created=entry.created - 100)
    (tmp_path / "old.json").write_text(json.dumps(asdict(reused)))
    assert processes.stop(processes.records(tmp_path)) == []
    assert sleeper.poll() is None


def test_half_written_and_foreign_records_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text('{"name": "x"')
    (tmp_path / "other.json").write_text('{"what": 1}')
    assert processes.records(tmp_path) == []


def test_environment_has_the_package_and_no_proxy_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://corporate:3128")
    monkeypatch.setenv("http_proxy", "http://corporate:3128")
    found = processes.environment({"EXTRA": "1"})
    assert found["PYTHONPATH"].split(os.pathsep)[0] == str(processes.SANDBOX_ROOT)
    assert not {"HTTP_PROXY", "http_proxy"} & set(found)
    assert found["EXTRA"] == "1"


def test_log_tail_of_a_missing_and_of_a_long_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert processes.log_tail(log) == ""
    log.write_text("a\nb\nc\nd\n")
    assert processes.log_tail(log, 2) == "c | d"
