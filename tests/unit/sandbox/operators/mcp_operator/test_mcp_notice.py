# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes the MCP operator look again, and what it does not notice until something else does."""

from __future__ import annotations

import pytest
from sandbox.kinds import GATEWAYS, HTTP_ROUTES, NAMESPACES, SECRETS
from unit.sandbox.operators.mcp_operator.gateway_kit import Gateway
from unit.sandbox.operators.mcp_operator.registration_cases import NOT_FOUND, SERVERS, extended

pytestmark = pytest.mark.asyncio(loop_scope="module")
LABEL = {"metadata": {"labels": {"mcp.kuadrant.io/secret": "true"}}}
TRUST = {"secretName": "trust"}


async def test_a_gateway_that_comes(world: Gateway) -> None:
    await world.grant()
    await world.cluster.client.delete(GATEWAYS, "gw", world.infra)
    await world.extend()
    await world.refused("not found")
    await world.listeners()
    await world.ready()


async def test_a_listener_that_changes(world: Gateway) -> None:
    await world.grant()
    await world.listeners(allowed="Same")
    await world.extend()
    await world.refused("does not allow routes from namespace")
    await world.listeners()
    await world.ready()


async def test_a_grant_that_comes(world: Gateway) -> None:
    await world.extend()
    await world.refused("ReferenceGrantRequired")
    await world.grant()
    await world.ready()


async def test_of_a_grant_only_the_first_source(world: Gateway) -> None:
    await world.extend()
    await world.refused("ReferenceGrantRequired")
    await world.canary()
    await world.grant("somebody", world.team)
    await world.canary()
    await world.refused("ReferenceGrantRequired")
    await world.extend(backendPingIntervalSeconds=30)  # whatever makes the operator look again
    await world.ready()


async def test_a_secret_with_the_label(world: Gateway) -> None:
    await world.grant()
    await world.extend(sessionStore={"secretName": "redis"})
    await world.refused("SecretNotFound")
    await world.canary()
    await world.secret("redis", {"CACHE_CONNECTION_STRING": "redis://redis:6379"}, labelled=False)
    await world.canary()
    await world.refused("SecretNotFound")
    await world.cluster.client.merge_patch(SECRETS, "redis", world.team, LABEL)
    await world.ready()


async def test_no_secret_without_the_label(world: Gateway) -> None:
    await world.grant()
    await world.extend(trustedHeadersKey=TRUST)
    await world.refused("SecretNotFound")
    await world.canary()
    await world.secret("trust", {"key": "PEM"}, labelled=False)
    await world.canary()
    await world.refused("SecretNotFound")
    await world.extend(trustedHeadersKey=TRUST, backendPingIntervalSeconds=30)
    await world.ready()


async def test_no_label_of_a_namespace(world: Gateway) -> None:
    selector = {"matchLabels": {"mcp": "yes"}}
    await world.listener(allowedRoutes={"namespaces": {"from": "Selector", "selector": selector}})
    await world.grant()
    await world.extend()
    await world.refused("does not allow routes")
    await world.canary()
    await world.cluster.client.merge_patch(NAMESPACES, world.team, None, {"metadata": {"labels": {"mcp": "yes"}}})
    await world.canary()
    await world.refused("does not allow routes")
    await world.extend(backendPingIntervalSeconds=30)
    await world.ready()


async def test_the_end_of_an_elder_in_the_namespace_by_the_gateways_status(world: Gateway) -> None:
    await world.grant()
    await world.extend("elder")
    await world.ready("elder")
    await world.age(world.team, "elder")
    await world.extend("younger")
    await world.refused("conflict: namespace", "younger")
    await world.cluster.client.delete(world.extensions, "elder", world.team)
    await world.ready("younger")


async def test_the_end_of_an_elder_on_the_port_when_the_gateway_changes(world: Gateway) -> None:
    rival = await world.cluster.namespace(f"{world.team}-rival")
    await world.rival(rival)
    await world.grant()
    await world.extend()
    await world.refused("conflict: listener port 8080")
    await world.cluster.client.delete(world.extensions, "elder", rival)
    await world.cluster.gone(world.extensions, rival, "elder")
    await world.cluster.client.merge_patch(GATEWAYS, "gw", world.infra, {"metadata": {"labels": {"again": "yes"}}})
    await world.ready()


async def test_a_service_by_trying_again(world: Gateway) -> None:
    """Services are not watched: a registration that failed is tried again, later each time."""
    await extended(world)
    await world.route(section="servers")
    await world.register()
    await world.registered('failed to get service weather: Service "weather" not found', status="False")
    await world.service()
    await world.config(lambda config: config["servers"])


async def test_the_route_that_is_named_and_not_the_one_that_is_read(world: Gateway) -> None:
    """With ``targetRef.namespace`` the operator reads one route and watches and marks another (#1199)."""
    await extended(world)
    await world.register(target={"namespace": world.infra})
    await world.registered(NOT_FOUND, status="False")
    await world.service()
    await world.route(section="servers")
    parent = {"name": "gw", "namespace": world.infra, "sectionName": "servers"}
    spec = {"parentRefs": [parent], "hostnames": ["named.mcp.local"]}
    await world.cluster.apply(HTTP_ROUTES, world.infra, "weather", spec)
    config = await world.config(lambda found: found["servers"])
    assert config["servers"][0]["hostname"] == "weather.mcp.local"


async def test_an_extension_that_becomes_ready(world: Gateway) -> None:
    await world.listeners(SERVERS)
    await world.service()
    await world.route(section="servers")
    await world.register()
    await world.registered("no valid mcpgatewayextensions configured", status="False")
    await world.grant()
    await world.extend()
    await world.config(lambda config: config["servers"])
