# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a new configuration does to requests that are under way, and what Envoy refuses."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import socket
import ssl

import aiohttp
import pytest
from dataplane_builders import gateway, listener, route, tls_secret
from envoy_bench import GO, Bench, served, until
from sandbox.controllers import envoy_config
from sandbox.controllers.envoy_clusters import cluster
from sandbox.controllers.envoy_process import EnvoyUnavailableError
from sandbox.controllers.gateway_world import Json
from sandbox.controllers.ports import free_port, is_free
from sandbox.seed import self_signed


async def test_events_are_passed_on_one_by_one(bench: Bench) -> None:
    await bench.serve(gateway(listener()), route())
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{bench.ports[8080]}/stream", headers={"Host": "x.org"}) as answer,
    ):
        assert await asyncio.wait_for(answer.content.readuntil(b"\n\n"), 5) == b"data: 1\n\n"
        bench.apps["web"][GO].set()
        assert await asyncio.wait_for(answer.content.readuntil(b"\n\n"), 5) == b"data: 2\n\n"


async def test_open_stream_survives_new_routes(bench: Bench) -> None:
    await bench.serve(gateway(listener()), route())
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{bench.ports[8080]}/stream", headers={"Host": "x.org"}) as answer,
    ):
        await answer.content.readuntil(b"\n\n")
        await bench.serve(gateway(listener()), route(), route(name="second", hosts=("new.org",)))
        assert (await bench.get(host="new.org")).status == 200
        bench.apps["web"][GO].set()
        assert await asyncio.wait_for(answer.content.readuntil(b"\n\n"), 5) == b"data: 2\n\n"


async def test_listener_that_is_gone_gives_its_port_back(bench: Bench) -> None:
    await bench.serve(gateway(listener("a"), listener("b", 81)), route())
    assert (await bench.get(port=81)).status == 200
    await bench.serve(gateway(listener("a")), route())
    await until(lambda: is_free(bench.ports[81]))
    assert (await bench.get()).status == 200
    assert sorted(path.name for path in (bench.envoy.folder.root / "rds").glob("*.json")) == [
        "infra.gw.8080.json",
        "mesh.json",
    ]


async def test_refused_listener_is_named_with_envoys_reason_and_the_others_serve(bench: Bench) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bench.ports[81] = taken.getsockname()[1]
        refused = await bench.serve(gateway(listener("a"), listener("b", 81)), route())
        assert list(refused) == ["infra.gw.81"]
        assert "Address already in use" in refused["infra.gw.81"]
        assert (await bench.get()).status == 200
        assert await bench.serve(gateway(listener("a"), listener("b", 81)), route()) == refused
    bench.ports[81] = free_port()
    assert await bench.serve(gateway(listener("a"), listener("b", 81)), route()) == {}
    assert (await bench.get(port=81)).status == 200


async def test_no_request_is_lost_while_the_configuration_changes_fifty_times(bench: Bench) -> None:
    """Routes, listeners, certificates, endpoints and token checks change under a constant stream of requests."""
    await bench.serve(gateway(listener()), route(name="steady", hosts=("x.org",)))
    statuses: list[int] = []
    done = asyncio.Event()

    async def ask_on() -> None:
        url = f"http://127.0.0.1:{bench.ports[8080]}/"
        async with aiohttp.ClientSession() as session:
            while not done.is_set():
                async with session.get(url, headers={"Host": "x.org"}) as answer:
                    await answer.read()
                    statuses.append(answer.status)

    clients = [asyncio.create_task(ask_on()) for _ in range(4)]
    steady = list(bench.pods)
    for number in range(50):
        other = route(name=f"route-{number}", hosts=(f"host-{number}.org",))
        secure = listener("tls", 443, "HTTPS", hostname="a.org", tls={"certificateRefs": [{"name": "cert"}]})
        extra = [listener("extra", 81)] if number % 2 else [secure]
        bench.pods = [*steady, *([steady[0] | {"metadata": {**steady[0]["metadata"], "name": "web-2"}}] * (number % 3))]
        assert await bench.serve(gateway(listener(), *extra), tls_secret(), other, route(name="steady")) == {}
        assert (await bench.get(host=f"host-{number}.org")).status == 200
    done.set()
    await asyncio.gather(*clients)
    assert len(statuses) > 100
    assert set(statuses) == {200}


async def test_open_stream_survives_other_listeners_and_a_renewed_certificate(bench: Bench) -> None:
    def secure(secret: str) -> Json:
        return listener("tls", 443, "HTTPS", hostname="mcp.example.com", tls={"certificateRefs": [{"name": secret}]})

    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    renewed = tls_secret(pair=self_signed("mcp.example.com"))
    await bench.serve(gateway(secure("cert")), tls_secret(), route())
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            f"https://127.0.0.1:{bench.ports[443]}/stream",
            headers={"Host": "mcp.example.com"},
            ssl=trusting,
            server_hostname="mcp.example.com",
        ) as answer,
    ):
        await answer.content.readuntil(b"\n\n")
        assert await bench.serve(gateway(secure("cert")), renewed, route()) == {}
        assert await bench.serve(gateway(secure("cert"), listener("new")), renewed, route()) == {}
        _, writer = await asyncio.open_connection(
            "127.0.0.1", bench.ports[443], ssl=trusting, server_hostname="mcp.example.com"
        )
        served = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        assert ssl.DER_cert_to_PEM_cert(served).encode() == base64.b64decode(renewed["data"]["tls.crt"])
        for _ in range(150):  # longer than Envoy drains what it replaces: the stream must not be among that
            assert (await bench.get()).status == 200
            await asyncio.sleep(0.01)
        bench.apps["web"][GO].set()
        assert await asyncio.wait_for(answer.content.readuntil(b"\n\n"), 5) == b"data: 2\n\n"


async def test_open_stream_survives_another_pod_of_its_service(bench: Bench) -> None:
    await bench.serve(gateway(listener()), route())
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{bench.ports[8080]}/stream", headers={"Host": "x.org"}) as answer,
    ):
        await answer.content.readuntil(b"\n\n")
        second = {**bench.pods[0], "metadata": {**bench.pods[0]["metadata"], "name": "web-2"}}
        bench.pods = [*bench.pods, second]
        await bench.serve(gateway(listener()), route())
        assert (await bench.get()).status == 200
        bench.apps["web"][GO].set()
        assert await asyncio.wait_for(answer.content.readuntil(b"\n\n"), 5) == b"data: 2\n\n"


async def test_refused_cluster_does_not_keep_the_others_from_being_served(bench: Bench) -> None:
    await bench.serve(gateway(listener()), route())
    config = envoy_config.Config(clusters={"broken": {**cluster("broken", [1]), "connect_timeout": "-1s"}})
    refused = await bench.envoy.push(config, [])
    assert refused
    assert await bench.serve(gateway(listener()), route()) == {}
    assert (await bench.get()).status == 200


async def test_envoy_that_is_killed_comes_back_with_the_same_configuration(bench: Bench) -> None:
    await bench.serve(gateway(listener()), route())
    assert bench.envoy.pid
    os.kill(bench.envoy.pid, signal.SIGKILL)
    with pytest.raises(EnvoyUnavailableError):
        for _ in range(300):
            await bench.serve(gateway(listener()), route())
    assert await served(lambda: bench.serve(gateway(listener()), route())) == {}
    assert (await bench.get()).status == 200
