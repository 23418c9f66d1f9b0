# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's one Envoy: started, fed with files, asked whether it took them, restarted when it dies."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from sandbox.controllers.children import Child, Supervisor
from sandbox.controllers.envoy_config import (
    JWT_FILE,
    Config,
    Folder,
    bootstrap,
    route_configuration,
    token_checks,
)

log = logging.getLogger("sandbox.envoy")

Json = dict[str, Any]

ACCEPT_SECONDS = 5.0
"""How long Envoy may take to load new files before that counts as a failure."""
ANSWER_SECONDS = 10.0
"""How long Envoy may take to answer a question about itself; one that is gone refuses the connection at once."""


class EnvoyUnavailableError(Exception):
    """Envoy is not running (yet); what was written will be read when it starts."""


class _State(NamedTuple):
    """What Envoy says about itself: loaded versions and refused updates by statistic, listeners on their way."""

    versions: dict[str, str]
    rejected: dict[str, int]
    warming: bool


class Envoy:
    """Runs Envoy in ``folder.root`` and keeps its configuration files."""

    def __init__(self, folder: Folder, mesh_port: int, supervisor: Supervisor, *, binary: str, log_file: Path) -> None:
        self.folder = folder
        self._mesh_port = mesh_port
        self._supervisor = supervisor
        self._binary = binary
        self._log_file = log_file
        self._child: Child | None = None
        self._written: dict[str, str] = {}
        self._refused: dict[str, str] = {}
        self._checks: tuple[Json, Json] = ({}, {})
        self._unsure = True
        self._changed: Callable[[], None] = lambda: None
        self._admin: aiohttp.ClientSession | None = None

    @property
    def mesh_port(self) -> int:
        """Where pods reach Services by name, as through a forward proxy."""
        return self._mesh_port

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._child.pid if self._child else None

    async def start(self, changed: Callable[[], None] = lambda: None) -> None:
        """Writes an empty configuration and starts Envoy; ``changed`` is called whenever it starts or ends."""
        self._changed = changed
        root = self.folder.root
        for name in ("rds", "ecds", "sds"):
            (root / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        for stale in [*(root / "rds").glob("*.json"), *(root / "sds").glob("*.json")]:
            stale.unlink()
        (root / "admin.sock").unlink(missing_ok=True)
        self._written.clear()
        self._write("rds/mesh.json", [route_configuration("mesh", [], ignore_port=False)])
        self._write("cds.json", [])
        self._write(JWT_FILE, [token_checks({}, {})])
        self._write("lds.json", [])
        _replace(root / "bootstrap.json", json.dumps(bootstrap(self.folder, mesh_port=self._mesh_port)))
        command = [self._binary, "-c", str(root / "bootstrap.json"), "--concurrency", "1", "--disable-hot-restart"]
        command += ["--drain-time-s", "1", "--log-level", "warning"]
        self._child = await self._supervisor.start(
            "envoy", command, cwd=root, log=self._log_file, on_start=self._note_start, on_exit=self._note_exit
        )

    def _note_start(self) -> None:
        """A new process may refuse what the last one took: a port can be gone."""
        self._unsure = True
        self._changed()

    def _note_exit(self, code: int) -> None:
        log.warning("Envoy ended with %d", code)
        self._changed()

    async def stop(self) -> None:
        """Ends Envoy and removes its socket."""
        if self._admin:
            await self._admin.close()
        if self._child:
            await self._child.stop()
        (self.folder.root / "admin.sock").unlink(missing_ok=True)

    async def push(self, config: Config, mesh: list[Json]) -> dict[str, str]:
        """Gives Envoy a configuration and waits until it serves it.

        Returns what it refused: the name of the listener or route configuration with Envoy's reason. Raises
        `EnvoyUnavailableError` when Envoy does not answer.
        """
        before = await self._state()
        routes = {f"rds/{name}.json": [entry] for name, entry in config.routes.items()}
        routes["rds/mesh.json"] = [route_configuration("mesh", mesh, ignore_port=False)]
        secrets = {f"sds/{name}.json": [entry] for name, entry in config.secrets.items()}
        # What is referred to comes first, so that no request meets a gap: clusters, routes, listeners.
        changed = [self._write("cds.json", list(config.clusters.values()))]
        changed.append(self._write_token_checks(config))
        changed += [self._write(name, resources) for name, resources in (secrets | routes).items()]
        changed.append(self._write("lds.json", list(config.listeners.values())))
        if any(changed) or self._unsure:
            self._unsure = True
            self._refused = await self._accepted(before, ignored=set() if config.listeners else {JWT_FILE})
            self._unsure = False
        for name in set(self._written) - set(routes) - set(secrets) - {"cds.json", "lds.json", JWT_FILE}:
            (self.folder.root / name).unlink(missing_ok=True)
            del self._written[name]
        return self._refused

    def _write_token_checks(self, config: Config) -> bool:
        """Also those of the last time: routes that refer to them are replaced a moment later."""
        before, self._checks = self._checks, (config.providers, config.requirements)
        return self._write(JWT_FILE, [token_checks(before[0] | config.providers, before[1] | config.requirements)])

    def _write(self, name: str, resources: list[Json]) -> bool:
        text = json.dumps(resources, separators=(",", ":"), sort_keys=True)
        version = hashlib.sha256(text.encode()).hexdigest()[:16]
        if self._written.get(name) == version:
            return False
        _replace(self.folder.root / name, f'{{"version_info":"{version}","resources":{text}}}')
        self._written[name] = version
        return True

    async def _accepted(self, before: _State, ignored: set[str]) -> dict[str, str]:
        """Waits until Envoy serves every file but the ignored ones (nobody reads them), or refuses one; see `push`."""
        deadline = time.monotonic() + ACCEPT_SECONDS
        while True:
            state = await self._state()
            waiting = [
                name
                for name, version in self._written.items()
                if state.versions.get(_stat(name)) != version and name not in ignored
            ]
            if not waiting and not state.warming:
                return {}
            late = time.monotonic() > deadline
            if late or any(
                state.rejected.get(_stat(name), 0) > before.rejected.get(_stat(name), 0) for name in waiting
            ):
                names = [Path(name).stem for name in waiting]
                return await self._reasons() or dict.fromkeys(names, "it was not taken, see logs/envoy.log")
            await asyncio.sleep(0.005)

    async def _state(self) -> _State:
        text = await self._get(r"/stats?filter=\.(version_text|update_rejected|total_listeners_warming)$")
        rejected = re.findall(r"^(\S+)\.update_rejected: (\d+)$", text, re.MULTILINE)
        return _State(
            dict(re.findall(r'^(\S+)\.version_text: "(.*)"$', text, re.MULTILINE)),
            {name: int(count) for name, count in rejected},
            "total_listeners_warming: 0\n" not in text,
        )

    async def _reasons(self) -> dict[str, str]:
        """Why listeners (or whole files) were refused, in Envoy's words."""
        dump = json.loads(await self._get("/config_dump"))
        reasons: dict[str, str] = {}
        for section in dump.get("configs", []):
            for kind in ("dynamic_listeners", "dynamic_active_clusters", "dynamic_route_configs"):
                for entry in section.get(kind, []):
                    details = entry.get("error_state", {}).get("details")
                    if details and entry.get("name"):
                        reasons[entry["name"]] = details
        return reasons

    async def _get(self, path: str) -> str:
        try:
            async with self._session().get(f"http://envoy{path}") as answer:
                return await answer.text()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise EnvoyUnavailableError(str(error)) from error

    def _session(self) -> aiohttp.ClientSession:
        if self._admin is None:
            connector = aiohttp.UnixConnector(path=_short(self.folder.root / "admin.sock"))
            patience = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
            self._admin = aiohttp.ClientSession(connector=connector, timeout=patience)
        return self._admin


def _stat(name: str) -> str:
    """The prefix of Envoy's statistics about one file."""
    if name == "cds.json":
        return "cluster_manager.cds"
    if name == "lds.json":
        return "listener_manager.lds"
    if name == JWT_FILE:
        return "extension_config_discovery.http_filter.envoy.filters.http.jwt_authn"
    if name.startswith("sds/"):
        return f"sds.{Path(name).stem}"
    route = name.removeprefix("rds/").removesuffix(".json")
    return f"http.{route}.rds.{route}"


def _replace(path: Path, text: str) -> None:
    """Envoy watches for the rename; the file may hold a private key."""
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def _short(path: Path) -> str:
    """A socket's path has at most 107 bytes; a longer one is reached through its open folder (Linux)."""
    if len(os.fsencode(path)) < 104:
        return str(path)
    return f"/proc/self/fd/{os.open(path.parent, os.O_RDONLY)}/{path.name}"
