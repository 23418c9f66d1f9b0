# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The MCP operator stand-in as 0.6.0: older API version, older field names, and Ready by the broker's word."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sandbox.catalog.crds import operator_crds
from sandbox.client import ApiError, Object
from sandbox.controllers.operator_release import DEPLOYMENTS, HTTP_ROUTES, ROUTE
from unit.sandbox.operators.gateway_kit import Gateway, gateway, release
from unit.sandbox.operators.kit import Cluster

SERVERS = {"name": "servers", "port": 8080, "protocol": "HTTP", "hostname": "*.mcp.local"}


@pytest.fixture
async def world(cluster: Cluster) -> AsyncIterator[Gateway]:
    async with gateway(cluster, release("0.6.0")) as found:
        yield found


async def test_an_extension_becomes_ready(world: Gateway) -> None:
    await world.grant()
    await world.extend()
    await world.ready()
    route = await world.cluster.client.get(HTTP_ROUTES, ROUTE, world.team)
    assert route
    assert [rule["matches"][0]["path"]["value"] for rule in route["spec"]["rules"]] == ["/mcp"]
    deployment = await world.cluster.client.get(DEPLOYMENTS, "mcp-gateway", world.team)
    assert deployment
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert [entry["name"] for entry in container["env"]] == ["JWT_SESSION_SIGNING_KEY"]
    assert f"--mcp-gateway-private-host=gw-istio.{world.infra}.svc.cluster.local:8080" in container["command"]
    assert "readinessProbe" not in container


async def test_a_registration_waits_for_the_broker_to_know_it(world: Gateway) -> None:
    await world.grant()
    await world.listeners(SERVERS)
    await world.extend()
    await world.ready()
    await world.service()
    await world.route(section="servers")
    await world.register(toolPrefix="weather_")
    await world.registered("NotReady: mcp server is not present in gateway yet", status="False")
    config = await world.config(lambda found: found["servers"])
    assert (config["servers"][0]["toolPrefix"], config["servers"][0]["enabled"]) == ("weather_", True)


async def test_oauth_metadata_is_refused(world: Gateway) -> None:
    with pytest.raises(ApiError, match=r"\.spec\.oauthProtectedResource: field not declared in schema"):
        await world.extend(oauthProtectedResource={"authorizationServers": ["https://a"]})


async def test_an_upgrade_brings_the_objects_up_to_date(world: Gateway) -> None:
    await world.grant()
    await world.extend()
    await world.ready()
    await world.cluster.install(operator_crds("0.9.0"))
    world.release = release("0.9.0")
    await world.start_operator()

    def upgraded(deployment: Object) -> bool:
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        names = [entry["name"] for entry in container["env"]]
        return bool(
            container["image"].endswith(":v0.9.0")
            and "readinessProbe" in container
            and names == ["GATEWAY_SIGNING_KEY"]
            and not any(flag.startswith("--mcp-router-key") for flag in container["command"])
        )

    await world.cluster.until(DEPLOYMENTS, world.team, "mcp-gateway", upgraded)
    await world.cluster.until(HTTP_ROUTES, world.team, ROUTE, lambda route: len(route["spec"]["rules"]) == 3)
    await world.ready()
