# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who carries out the faults of controllers and processes: a task in the controllers' process.

It looks for faults that began or ended, makes them so, has every controller look at everything again, and says in
``DIR/faults.seen`` which faults are in force. What it cannot do is said there, too.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sandbox.client import ApiError, Client, Object
from sandbox.controllers import images
from sandbox.controllers.children import Child, Supervisor
from sandbox.controllers.runtime import Controller
from sandbox.faults import switches
from sandbox.faults.book import Fault
from sandbox.kinds import PODS, SECRETS
from sandbox.processes import write_private
from sandbox.seed import DEMO_NAMESPACE, DEMO_SERVERS

SEEN = "faults.seen"
log = logging.getLogger("sandbox.faults")

BROKER = "mcpops_broker"
"""A word on the command line of every broker."""


class Saboteur:
    """Carries faults out until cancelled."""

    def __init__(
        self,
        folder: Path,
        client: Client,
        supervisor: Supervisor,
        controllers: Sequence[Controller],
    ) -> None:
        self._folder = folder
        self._client = client
        self._supervisor = supervisor
        self._controllers = controllers
        self._problems: dict[str, str] = {}
        self._struck: dict[str, float] = {}

    async def run(self) -> None:
        """Looks ten times a second."""
        present: dict[str, Fault] = {}
        told: dict[str, str] | None = None
        while True:
            now = {fault.id: fault for fault in switches.active()}
            for identity in now.keys() - present.keys():
                await self._begin(now[identity])
            await self._give_back(set(now))
            if now.keys() != present.keys():
                if any(fault.name == "operator-crash-looping" for fault in {**now, **present}.values()):
                    await self._restart_operators()
                present = now
                for controller in self._controllers:
                    controller.look_again()
            for fault in present.values():
                self._keep_up(fault)
            seen = {identity: self._problems.get(identity, "") for identity in [*present, *self._taken()]}
            if seen != told:
                write_private(self._folder / SEEN, json.dumps(seen) + "\n")
                told = seen
            await asyncio.sleep(switches.PAUSE)

    def _taken(self) -> dict[str, Path]:
        """The kept Secrets by the ids of their faults."""
        return {path.stem.partition("-")[2]: path for path in self._folder.glob("faults-*.json")}

    async def _begin(self, fault: Fault) -> None:
        if fault.name != "certificate-missing":
            return
        try:
            await self._take_certificate(fault)
        except ApiError as error:
            self._problems[fault.id] = str(error)

    async def _restart_operators(self) -> None:
        """Deletes the pods of operators that are only pretended: those that come instead crash, or no longer do."""
        try:
            pods, _ = await self._client.list(PODS)
            for pod in pods:
                if any(_is_pretended(container["image"]) for container in pod["spec"]["containers"]):
                    await self._client.delete(PODS, pod["metadata"]["name"], pod["metadata"]["namespace"])
        except ApiError as error:
            log.warning("the operator's pods cannot be restarted: %s", error)

    def _keep_up(self, fault: Fault) -> None:
        """What has to be done again and again: processes that came back are killed."""
        for child in list(self._victims(fault)):
            if time.monotonic() < self._struck.get(fault.id, 0.0):
                return
            if child.pid is None:
                continue
            switches.strike(fault, f"{child.name} (pid {child.pid})")
            child.kill()
            if fault.name == "broker-crash":
                self._struck[fault.id] = time.monotonic() + fault.number("every")

    def _victims(self, fault: Fault) -> Iterator[Child]:
        chosen: Callable[[Child], bool] | None = {
            "envoy-down": lambda child: child.name == "envoy",
            "broker-crash": lambda child: BROKER in child.command,
            "upstream-dead": lambda child: _is_server(child, fault.text("server")),
        }.get(fault.name)
        return filter(chosen, self._supervisor.children()) if chosen else iter(())

    # ---- the certificate

    async def _take_certificate(self, fault: Fault) -> None:
        """Removes the Secret and keeps what it was."""
        namespace, _, name = fault.text("secret").partition("/")
        kept = self._folder / f"faults-{fault.id}.json"
        if kept.exists():
            return  # taken before these controllers were started again
        found = await self._client.get(SECRETS, name, namespace)
        if found is None:
            self._problems[fault.id] = f"there is no Secret {namespace}/{name}; name another with --option secret="
            return
        write_private(kept, json.dumps(found) + "\n")
        await self._client.delete(SECRETS, name, namespace)
        switches.strike(fault, f"Secret {namespace}/{name}")

    async def _give_back(self, active: set[str]) -> None:
        """Creates the Secrets again whose faults have ended."""
        for identity, kept in self._taken().items():
            if identity in active:
                continue
            secret: Object = json.loads(kept.read_text(encoding="utf-8"))
            meta = {key: secret["metadata"].get(key) for key in ("name", "namespace", "labels", "annotations")}
            body: Object = {key: secret[key] for key in ("type", "data", "immutable") if key in secret}
            body["metadata"] = {key: value for key, value in meta.items() if value}
            try:
                await self._client.create(SECRETS, body)
            except ApiError as error:
                # Somebody made it again, or its namespace is gone: both are fine.
                if not error.conflict and not error.not_found:
                    log.warning("Secret %s cannot be given back yet: %s", meta["name"], error)
                    continue
            kept.unlink()


def _is_pretended(image: str) -> bool:
    found = images.find(image)
    return found is not None and (found.program is None or found is images.CRASHING)


def _is_server(child: Child, server: str) -> bool:
    names = [server] if server else list(DEMO_SERVERS)
    return any(child.name.startswith(f"pod-{DEMO_NAMESPACE}-{name}-") for name in names)
