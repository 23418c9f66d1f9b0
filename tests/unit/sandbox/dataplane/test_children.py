# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Children of the controllers: started again when they end, ended completely, never outliving their parent."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from envoy_bench import until
from sandbox import processes
from sandbox.controllers.children import Supervisor


@pytest.fixture
async def supervisor(tmp_path: Path) -> AsyncIterator[Supervisor]:
    (tmp_path / "processes").mkdir()
    one = Supervisor(tmp_path / "processes")
    yield one
    await one.stop_all()


async def test_child_that_ends_is_started_again_and_its_end_is_told(supervisor: Supervisor, tmp_path: Path) -> None:
    codes: list[int] = []
    starts: list[int] = []
    child = await supervisor.start(
        "short",
        ["sh", "-c", "exit 3"],
        log=tmp_path / "log",
        on_start=lambda: starts.append(1),
        on_exit=codes.append,
    )
    await until(lambda: len(codes) >= 2)
    assert codes[:2] == [3, 3]
    assert child.restarts >= 1
    await supervisor.stop(child)
    count = len(starts)
    assert child.pid is None
    assert len(starts) == count
    assert processes.records(tmp_path / "processes") == []


async def test_killed_child_comes_back_with_a_new_record(supervisor: Supervisor, tmp_path: Path) -> None:
    child = await supervisor.start("long", ["sleep", "60"], log=tmp_path / "log")
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.pid not in (None, first))
    assert [entry.pid for entry in processes.records(tmp_path / "processes")] == [child.pid]


async def test_stop_ends_grandchildren_too(supervisor: Supervisor, tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = await supervisor.start("tree", ["sh", "-c", "sleep 60 & echo $!; wait"], log=log)
    await until(lambda: log.exists() and log.read_text().endswith("\n"))
    grandchild = psutil.Process(int(log.read_text()))
    await supervisor.stop(child)
    await until(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE)


async def test_stubborn_child_is_killed(supervisor: Supervisor, tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = await supervisor.start(
        "stubborn", ["sh", "-c", "trap '' TERM; echo on; while :; do sleep 60; done"], log=log
    )
    await until(lambda: log.read_text() == "on\n")
    pid = child.pid
    await supervisor.stop(child, patience=0.2)
    assert pid is not None
    assert not psutil.pid_exists(pid)


async def test_two_may_stop_a_child_at_the_same_time(supervisor: Supervisor, tmp_path: Path) -> None:
    child = await supervisor.start("twice", ["sleep", "60"], log=tmp_path / "log")
    pid = child.pid
    await asyncio.gather(child.stop(), child.stop(), supervisor.stop_all())
    assert pid is not None
    assert not psutil.pid_exists(pid)


async def test_child_that_is_not_to_be_started_again(supervisor: Supervisor, tmp_path: Path) -> None:
    codes: list[int] = []
    command = ["sh", "-c", "trap 'exit 4' TERM; echo on; while :; do sleep 0.05; done"]
    log = tmp_path / "log"
    child = await supervisor.start("once", command, log=log, on_exit=codes.append, restart=False)
    await until(lambda: log.read_text() == "on\n")
    child.terminate()
    await until(lambda: bool(codes))
    assert codes == [4]
    assert child.pid is None
    assert processes.records(tmp_path / "processes") == []


async def test_program_that_does_not_exist_is_an_error_at_once(supervisor: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await supervisor.start("none", ["/no/such/program"], log=tmp_path / "log")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
async def test_children_die_with_a_killed_parent(tmp_path: Path) -> None:
    (tmp_path / "processes").mkdir()
    script = f"""
        import asyncio, pathlib
        from sandbox.controllers.children import Supervisor

        async def main():
            one = Supervisor(pathlib.Path({str(tmp_path / "processes")!r}))
            child = await one.start("kid", ["sleep", "60"], log=pathlib.Path({str(tmp_path / "log")!r}))
            print(child.pid, flush=True)
            await asyncio.sleep(60)

        asyncio.run(main())
    """
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(script), stdout=asyncio.subprocess.PIPE, env=processes.environment()
    )
    assert parent.stdout is not None
    kid = psutil.Process(int(await parent.stdout.readline()))
    parent.kill()
    await parent.wait()
    await until(lambda: not kid.is_running() or kid.status() == psutil.STATUS_ZOMBIE)
