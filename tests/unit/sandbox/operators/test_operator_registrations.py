# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The MCP operator stand-in against an API server: registrations and virtual servers of 0.9.0."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sandbox.client import Object
from sandbox.controllers.operator_release import HTTP_ROUTES
from unit.sandbox.operators.gateway_kit import Gateway, gateway, release
from unit.sandbox.operators.kit import Cluster

SERVERS = {"name": "servers", "port": 8080, "protocol": "HTTP", "hostname": "*.mcp.local"}
OTHER_PORT = {"name": "other", "port": 9000, "protocol": "HTTP", "hostname": "*.mcp.local"}


@pytest.fixture
async def world(cluster: Cluster) -> AsyncIterator[Gateway]:
    async with gateway(cluster, release("0.9.0")) as found:
        yield found


async def test_a_registration_is_written_into_the_configuration(world: Gateway) -> None:
    await world.grant()
    await world.listeners(SERVERS)
    await world.extend()
    await world.ready()
    await world.service()
    await world.route(section="servers")
    await world.secret("token", {"token": "Bearer x"})
    await world.register(prefix="weather_", credentialRef={"name": "token"}, hint="weather")
    await world.registered("Ready: config written successfully")
    config = await world.config(lambda found: found["servers"])
    assert config["servers"] == [
        {
            "name": f"{world.team}/weather",
            "url": f"http://weather.{world.team}.svc.cluster.local:9090/mcp",
            "hostname": "weather.mcp.local",
            "prefix": "weather_",
            "state": "Enabled",
            "credential": "Bearer x",
            "category": ["uncategorised"],
            "hint": "weather",
        }
    ]

    def marked(route: Object) -> bool:
        conditions = route["status"]["parents"][0]["conditions"]
        return any(entry.get("reason") == "InUseByMCPServerRegistration" for entry in conditions)

    await world.cluster.until(HTTP_ROUTES, world.team, "weather", marked)
    await world.cluster.client.delete(world.registrations, "weather", world.team)
    await world.config(lambda found: not found["servers"])
    await world.cluster.until(HTTP_ROUTES, world.team, "weather", lambda route: not marked(route))
    await world.cluster.gone(world.registrations, world.team, "weather")


async def test_a_disabled_server_is_configured_but_not_ready(world: Gateway) -> None:
    await world.grant()
    await world.listeners(SERVERS)
    await world.extend()
    await world.ready()
    await world.service()
    await world.route(section="servers")
    await world.register(prefix="weather_", state="Disabled")
    await world.registered("Disabled: server is disabled", status="False")
    config = await world.config(lambda found: found["servers"])
    assert config["servers"][0]["state"] == "Disabled"


async def test_what_keeps_a_server_out_is_told_step_by_step(world: Gateway) -> None:
    await world.listeners(SERVERS, OTHER_PORT)
    await world.register()
    await world.registered(f"NotReady: failed to get targeted httproute {world.team}/weather", status="False")
    await world.route(section="other", rules=[{}, {}])
    await world.registered("no valid mcpgatewayextensions configured", status="False")
    await world.grant()
    await world.extend()
    await world.ready()
    await world.registered("no matching mcpgatewayextensions for attached listener", status="False")
    client = world.cluster.client
    await client.delete(HTTP_ROUTES, "weather", world.team)
    await world.route(section="servers", rules=[{}, {}])
    await world.registered("has > 1 rule, which is unsupported", status="False")
    await world.route(section="servers")
    await world.registered(f'failed to get service {world.team}/weather: services "weather" not found', status="False")
    await world.service()
    await world.register(credentialRef={"name": "token"})
    await world.registered("credential secret token not found", status="False")
    await world.secret("token", {"token": "x"})
    await world.registered("config written successfully")


async def test_virtual_servers_make_one_list(world: Gateway) -> None:
    await world.grant()
    await world.extend()
    await world.ready()
    await world.cluster.apply(world.virtual_servers, world.team, "b", {"tools": ["y"], "prompts": ["p"]})
    await world.cluster.apply(world.virtual_servers, world.infra, "a", {"tools": ["x"]})
    config = await world.config(lambda found: len(found["virtualServers"]) == 2)
    assert sorted(config["virtualServers"], key=lambda entry: entry["tools"]) == [
        {"name": f"{world.infra}/a", "tools": ["x"]},
        {"name": f"{world.team}/b", "tools": ["y"], "prompts": ["p"]},
    ]
    await world.cluster.client.delete(world.virtual_servers, "b", world.team)
    await world.config(lambda found: len(found["virtualServers"]) == 1)
