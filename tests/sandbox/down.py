# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m sandbox down``: ends exactly the recorded processes and removes what the sandbox wrote."""

from __future__ import annotations

import asyncio

from sandbox import cluster, processes
from sandbox.client import ApiError, Client
from sandbox.state import Folder, State


def down(folder: Folder, *, keep_logs: bool = False) -> tuple[list[str], list[str]]:
    """Ends the sandbox; returns the names of the processes that were running, and what stayed in the cluster.

    Works whatever is left of the sandbox: after a crash, an interrupted `up`, a restart of the machine.
    """
    state = folder.state()
    left = asyncio.run(_leave(folder, state)) if state and state.made and state.api == "kubeconfig" else []
    stopped = stop_processes(folder)
    folder.remove(keep_logs=keep_logs)
    return stopped, left


def stop_processes(folder: Folder, *, keep_api: bool = False) -> list[str]:
    """Ends the recorded processes: the controllers, which end their own, then what is left, then the API server."""
    entries = folder.records()
    rank = {"controllers": 0, "api-proxy": 2, "api": 2, "api-etcd": 3}
    stopped = [entry.name for entry in entries if entry.process()]
    for number in range(2 if keep_api else 4):
        # The controllers remove the records of their children; what they could not end is still recorded.
        processes.stop([entry for entry in folder.records() if rank.get(entry.name, 1) == number])
    for entry in entries:
        if keep_api and rank.get(entry.name, 1) >= 2:
            continue
        processes.forget(folder.processes, entry.name)
    folder.ready.unlink(missing_ok=True)
    return stopped


async def _leave(folder: Folder, state: State) -> list[str]:
    """Removes from a foreign cluster what `up` made there, while the controllers can still finish their work."""
    try:
        async with Client.from_kubeconfig(folder.controllers_kubeconfig, user_agent="mcpops-sandbox") as client:
            return await cluster.Cluster(client).remove(state.made)
    except (ApiError, OSError, ValueError) as error:
        return [f"{len(state.made)} objects with the label app.kubernetes.io/managed-by=mcpops-sandbox: {error}"]
