# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Envoy dies in a running sandbox: it comes back, and the Gateway's status tells both."""

from __future__ import annotations

import asyncio
import os
import signal
import socket

import aiohttp
from dataplane_box import INFRA, Box, Json, conditions, listener, local_port, until
from sandbox.controllers.ports import free_port
from sandbox.kinds import GATEWAYS

HOST = "weather.mcp.local"


async def gateway_when(cluster: Box, status: str, reason: str) -> Json:
    """The Gateway once its Programmed condition is like this."""

    async def check() -> Json | None:
        found = await cluster.client.get(GATEWAYS, "gw", INFRA)
        assert found is not None
        programmed = conditions(found["status"])["Programmed"]
        return found if (programmed["status"], programmed["reason"]) == (status, reason) else None

    return await until(check)


async def answers(port: int) -> bool:
    """Whether the weather server answers through the Gateway."""
    url = f"http://127.0.0.1:{port}/mcp"
    try:
        async with aiohttp.ClientSession() as session, session.get(url, headers={"Host": HOST}) as answer:
            return answer.status not in (404, 503)
    except aiohttp.ClientError:
        return False


async def test_killed_envoy_comes_back_and_the_status_tells(cluster: Box) -> None:
    gateway = await cluster.gateway(listener(hostname="*.mcp.local"))
    await cluster.route("weather", HOST, "weather")
    port, pid = local_port(gateway, 80), cluster.pids()["envoy"]
    down = asyncio.create_task(gateway_when(cluster, "False", "AddressNotAssigned"))
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    message = conditions((await down)["status"])["Programmed"]["message"]
    instances = f'no instances found for hostname "gw-openshift-default.{INFRA}.svc.cluster.local"'
    assert message == f"Failed to assign to any requested addresses: {instances}"
    await gateway_when(cluster, "True", "Programmed")
    assert await until(lambda: answers(port))
    assert cluster.pids()["envoy"] != pid


async def test_port_that_was_taken_meanwhile_is_mapped_anew(cluster: Box) -> None:
    wanted = free_port()
    await cluster.gateway(listener(port=wanted, hostname="*.mcp.local"))
    await cluster.route("weather", HOST, "weather")
    os.kill(cluster.pids()["envoy"], signal.SIGKILL)
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

        async def taken() -> bool:
            try:
                thief.bind(("127.0.0.1", wanted))
            except OSError:
                return False
            thief.listen()
            return True

        await until(taken)

        async def elsewhere() -> Json | None:
            found = await gateway_when(cluster, "True", "Programmed")
            return found if local_port(found, wanted) != wanted else None

        gateway = await until(elsewhere)
        assert await until(lambda: answers(local_port(gateway, wanted)))
