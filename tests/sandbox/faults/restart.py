# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stopping the API server and starting it again as it was: same command line, same port, same data."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import psutil
import yaml
from sandbox import cluster, processes
from sandbox.backends import READY_SECONDS
from sandbox.client import Client
from sandbox.state import Folder, SandboxError


def restart(folder: Folder, pause: float) -> None:
    """Restarts it; for ``pause`` seconds nothing listens. Returns when it answers again.

    Raises `SandboxError` when there is none to restart or it does not come back.
    """
    entry = next((entry for entry in folder.records() if entry.name == "api"), None)
    process = entry.process() if entry else None
    if entry is None or process is None:
        raise SandboxError("no API server of this sandbox is running: start it with 'python -m sandbox up'")
    try:
        command, environment = process.cmdline(), process.environ()
    except psutil.Error as error:
        raise SandboxError(f"the API server (pid {entry.pid}) cannot be looked at: {error}") from error
    if "sandbox.api" in command and "--port" not in command:
        config = yaml.safe_load(folder.controllers_kubeconfig.read_text(encoding="utf-8"))
        command += ["--port", str(config["clusters"][0]["cluster"]["server"]).rpartition(":")[2]]
    processes.stop([entry])
    time.sleep(pause)
    processes.start_detached(folder.processes, "api", command, Path(entry.log), environment)
    asyncio.run(_answers(folder))


async def _answers(folder: Folder) -> None:
    def complaint() -> str | None:
        entry = next((entry for entry in folder.records() if entry.name == "api"), None)
        if entry and entry.process():
            return None
        return f"the API server did not start again ({processes.log_tail(folder.logs / 'api.log')})"

    async with Client.from_kubeconfig(folder.controllers_kubeconfig, user_agent="mcpops-sandbox") as client:
        await cluster.api_ready(client, "/readyz", complaint, READY_SECONDS)
