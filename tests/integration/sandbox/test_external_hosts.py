# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers outside the cluster: ServiceEntry, DestinationRule and a Hostname backendRef lead to a local TLS server."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from dataplane_box import APPS, INFRA, Box, Json, conditions, listener, local_port, until
from sandbox import seed
from sandbox.kinds import DESTINATION_RULES, HTTP_ROUTES, SERVICE_ENTRIES

EXTERNAL = "api.external.example"
PUBLIC = "external.mcp.local"


@asynccontextmanager
async def tls_server(folder: Path, name: str = EXTERNAL) -> AsyncIterator[tuple[int, bytes]]:
    """An HTTPS server that answers with the host and server name that it was asked for: port, certificate."""
    chain, key = seed.self_signed(name)
    (folder / "server.pem").write_bytes(key + chain)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem")
    names: list[str | None] = []
    context.sni_callback = lambda _, asked, __: names.append(asked)

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"host": request.host, "sni": names[-1], "path": request.path})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listening, ssl_context=context).start()
    yield listening.getsockname()[1], chain
    await runner.cleanup()


def outside(box: Box, hosts: dict[str, str], authority: bytes | None) -> None:
    """Writes the sandbox's idea of the outside world."""
    folder = box.folder / "outside"
    folder.mkdir(exist_ok=True)
    for name, content in (("hosts.json", json.dumps(hosts).encode()), ("ca.pem", authority)):
        if content is None:
            (folder / name).unlink(missing_ok=True)
        else:
            draft = folder / f"{name}.new"
            draft.write_bytes(content)
            draft.replace(folder / name)


async def entry(cluster: Box, **more: Any) -> None:
    spec = {
        "hosts": [EXTERNAL],
        "location": "MESH_EXTERNAL",
        "resolution": "DNS",
        "ports": [{"number": 443, "name": "https", "protocol": "HTTPS"}],
        **more,
    }
    await cluster.make(SERVICE_ENTRIES, "external", spec=spec)


async def rule(cluster: Box, **tls: Any) -> None:
    spec = {"host": EXTERNAL, "trafficPolicy": {"tls": {"mode": "SIMPLE", "sni": EXTERNAL, **tls}}}
    await cluster.make(DESTINATION_RULES, "external", spec=spec)


async def route(cluster: Box, **backend: Any) -> Json:
    """The route to the external host, once its present generation is judged."""
    ref = {"group": "networking.istio.io", "kind": "Hostname", "name": EXTERNAL, "port": 443, **backend}
    ref = {name: value for name, value in ref.items() if value is not None}
    filters = [{"type": "URLRewrite", "urlRewrite": {"hostname": EXTERNAL}}]
    spec = {
        "parentRefs": [{"name": "gw", "namespace": INFRA}],
        "hostnames": [PUBLIC],
        "rules": [{"filters": filters, "backendRefs": [ref]}],
    }
    made = await cluster.make(HTTP_ROUTES, "external", spec=spec)

    async def judged() -> Json | None:
        found = await cluster.client.get(HTTP_ROUTES, "external", APPS)
        assert found is not None
        for parent in (found.get("status") or {}).get("parents") or []:
            seen = conditions(parent)
            if seen["Accepted"]["observedGeneration"] >= made["metadata"]["generation"]:
                return seen
        return None

    return await until(judged)


async def get(port: int) -> tuple[int, str]:
    url = f"http://127.0.0.1:{port}/mcp"
    async with aiohttp.ClientSession() as session, session.get(url, headers={"Host": PUBLIC}) as answer:
        return answer.status, await answer.text()


@pytest.fixture
async def port(cluster: Box) -> int:
    return local_port(await cluster.gateway(listener(hostname="*.mcp.local")), 80)


async def test_external_server_is_reached_by_tls_under_its_own_name(cluster: Box, port: int, tmp_path: Path) -> None:
    async with tls_server(tmp_path) as (local, authority):
        outside(cluster, {f"{EXTERNAL}:443": f"127.0.0.1:{local}"}, authority)
        await entry(cluster)
        await rule(cluster)
        found = await route(cluster)
        assert found["ResolvedRefs"]["reason"] == "ResolvedRefs"

        async def answered() -> Json | None:
            status, text = await get(port)
            return json.loads(text) if status == 200 else None

        assert await until(answered) == {"host": EXTERNAL, "sni": EXTERNAL, "path": "/mcp"}


async def test_external_certificate_is_verified_against_the_given_authority(
    cluster: Box, port: int, tmp_path: Path
) -> None:
    async with tls_server(tmp_path) as (local, authority):
        outside(cluster, {f"{EXTERNAL}:443": f"127.0.0.1:{local}"}, seed.self_signed("somebody.else")[0])
        await entry(cluster)
        await rule(cluster)
        await route(cluster)

        async def refused() -> bool:
            return (await get(port))[0] == 503

        await until(refused)
        outside(cluster, {f"{EXTERNAL}:443": f"127.0.0.1:{local}"}, authority)

        async def trusted() -> bool:
            return (await get(port))[0] == 200

        await until(trusted)


async def test_without_destination_rule_the_server_gets_no_tls(cluster: Box, port: int, tmp_path: Path) -> None:
    async with tls_server(tmp_path) as (local, authority):
        outside(cluster, {f"{EXTERNAL}:443": f"127.0.0.1:{local}"}, authority)
        await entry(cluster)
        await route(cluster)

        async def disappointed() -> bool:
            return (await get(port))[0] in (400, 502, 503)

        await until(disappointed)
        await rule(cluster)

        async def answered() -> bool:
            return (await get(port))[0] == 200

        await until(answered)


@pytest.mark.parametrize(
    ("backend", "reason", "words"),
    [
        ({"name": "other.example"}, "BackendNotFound", "backend(other.example) not found"),
        ({"namespace": INFRA}, "RefNotPermitted", "missing a ReferenceGrant?"),
        ({"namespace": APPS}, "InvalidDestination", "namespace may not be set with Hostname type"),
        ({"port": None}, "InvalidDestination", "port is required in backendRef"),
    ],
)
async def test_hostname_that_cannot_be_used(cluster: Box, port: int, backend: Json, reason: str, words: str) -> None:
    await entry(cluster)
    assert port
    found = await route(cluster, **backend)
    assert found["ResolvedRefs"]["reason"] == reason
    assert words in found["ResolvedRefs"]["message"]


async def test_entry_for_another_namespace_is_not_found(cluster: Box, port: int) -> None:
    assert port
    await entry(cluster, exportTo=["elsewhere"])
    found = await route(cluster)
    assert found["ResolvedRefs"]["reason"] == "BackendNotFound"
