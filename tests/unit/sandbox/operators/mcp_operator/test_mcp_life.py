# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of what the MCP operator makes: owners, finalizers, repair, deletion, and nothing written without need."""

from __future__ import annotations

import pytest
from sandbox.client import Object
from sandbox.controllers.operator_release import CONFIG_SECRET, ROUTE, SIGNING_KEY_SECRET, TOKENS_ROUTE
from sandbox.kinds import (
    DEPLOYMENTS,
    ENVOY_FILTERS,
    GATEWAYS,
    HTTP_ROUTES,
    REFERENCE_GRANTS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
)
from unit.sandbox.operators.mcp_operator.gateway_kit import Gateway, existing, objects_of
from unit.sandbox.operators.mcp_operator.registration_cases import extended, registered

pytestmark = pytest.mark.asyncio(loop_scope="module")
FINALIZERS = ["mcp.kuadrant.io/finalizer"]
ALL = {"config", "key", "account", "deployment", "service", "route", "filter"}


def conditions(gateway: Object) -> list[str]:
    """Types of the conditions of the Gateway's first listener."""
    return [entry["type"] for entry in gateway["status"]["listeners"][0]["conditions"]]


async def test_who_owns_what(world: Gateway) -> None:
    await world.grant()
    await world.extend(trustedHeadersKey={"secretName": "trust", "generate": "Enabled"})
    await world.ready()
    extension = await world.cluster.client.get(world.extensions, "mcp-gateway", world.team)
    assert extension
    assert extension["metadata"]["finalizers"] == FINALIZERS
    owner = {
        "apiVersion": world.extensions.api_version,
        "kind": "MCPGatewayExtension",
        "name": "mcp-gateway",
        "uid": extension["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    for short, place in objects_of(world).items():
        found = await world.cluster.client.get(place[0], place[2], place[1])
        if found and short not in ("config", "filter"):
            assert found["metadata"]["ownerReferences"] == [owner], short
            assert found["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "mcp-gateway-controller"
        elif found:
            assert "ownerReferences" not in found["metadata"], short
    assert await existing(world) == {*ALL, "private"}
    gateway = await world.there(GATEWAYS, world.infra, "gw")
    assert conditions(gateway) == ["Accepted", "MCPGatewayExtension"]
    assert gateway["status"]["listeners"][0]["conditions"][1]["message"] == (
        f"listener in use by MCP Gateway: {world.team}/mcp-gateway "
        f"EnvoyFilter: {world.infra}/mcp-ext-proc-{world.team}-gateway"
    )


async def test_nothing_is_written_when_nothing_changed(world: Gateway) -> None:
    await registered()(world)
    await world.cluster.apply(world.virtual_servers, world.team, "some", {"tools": ["x"]})
    await world.config(lambda config: config["servers"])
    await world.settled()
    before = await world.versions()
    # What makes the operator look at everything again: a changed grant, Gateway, route and Secret.
    await world.cluster.client.merge_patch(
        REFERENCE_GRANTS, "grant", world.infra, {"metadata": {"labels": {"again": "yes"}}}
    )
    await world.canary()
    after = await world.versions()
    assert {key: value for key, value in after.items() if before.get(key, value) != value} == {}


async def test_what_somebody_changes_is_set_right_again(world: Gateway) -> None:
    await world.grant()
    await world.extend()
    await world.ready()
    client, team, name = world.cluster.client, world.team, f"mcp-ext-proc-{world.team}-gateway"
    await client.merge_patch(HTTP_ROUTES, ROUTE, team, {"spec": {"hostnames": ["evil.example.com"]}})
    await world.there(HTTP_ROUTES, team, ROUTE, lambda obj: obj["spec"]["hostnames"] == ["mcp.example.com"])
    mine = {"labels": {"mine": "yes"}, "annotations": {"mine": "yes"}}
    await client.merge_patch(ENVOY_FILTERS, name, world.infra, {"metadata": mine, "spec": {"configPatches": []}})
    found = await world.there(ENVOY_FILTERS, world.infra, name, lambda obj: obj["spec"]["configPatches"])
    assert found["metadata"]["labels"]["mine"] == "yes"
    assert "annotations" not in found["metadata"]
    await client.merge_patch(SERVICES, "mcp-gateway", team, {"spec": {"selector": {"mine": "yes"}}})
    await world.there(SERVICES, team, "mcp-gateway", lambda obj: len(obj["spec"]["selector"]) == 2)
    await client.merge_patch(SERVICE_ACCOUNTS, "mcp-gateway", team, {"automountServiceAccountToken": True})
    await world.there(SERVICE_ACCOUNTS, team, "mcp-gateway", lambda obj: not obj["automountServiceAccountToken"])
    await client.merge_patch(SECRETS, SIGNING_KEY_SECRET, team, {"data": {"key": ""}})
    await world.there(SECRETS, team, SIGNING_KEY_SECRET, lambda obj: obj["data"]["key"])
    for short in ("service", "route", "filter", "deployment"):
        resource, space, own = objects_of(world)[short]
        await client.delete(resource, own, space)
        await world.there(resource, space, own)


async def test_what_users_set_on_the_broker_stays(world: Gateway) -> None:
    await world.grant()
    await world.extend()
    await world.ready()
    found = await world.broker()
    extra = {**found, "command": [*found["command"], "--discovery-tool-threshold=50"]}
    extra["env"] = [*found["env"], {"name": "MINE", "value": "1"}]
    spec = {"replicas": 3, "template": {"spec": {"containers": [extra]}}}
    await world.cluster.client.merge_patch(DEPLOYMENTS, "mcp-gateway", world.team, {"spec": spec})
    await world.extend(backendPingIntervalSeconds=30)
    found = await world.broker(lambda container: "--mcp-check-interval=30" in container["command"])
    assert found["command"][-1] == "--discovery-tool-threshold=50"
    assert found["env"][-1] == {"name": "MINE", "value": "1"}
    deployment = await world.there(DEPLOYMENTS, world.team, "mcp-gateway")
    assert deployment["spec"]["replicas"] == 3


async def test_a_generated_pair_that_lost_one_half_is_made_anew(world: Gateway) -> None:
    await world.grant()
    await world.extend(trustedHeadersKey={"secretName": "trust", "generate": "Enabled"})
    await world.ready()
    old = await world.there(SECRETS, world.team, "trust-private")
    await world.cluster.client.delete(SECRETS, "trust", world.team)
    await world.extend(trustedHeadersKey={"secretName": "trust", "generate": "Enabled"}, backendPingIntervalSeconds=30)
    await world.there(SECRETS, world.team, "trust")
    await world.there(SECRETS, world.team, "trust-private", lambda obj: obj["data"] != old["data"])


async def test_switching_the_routes_off_leaves_them(world: Gateway) -> None:
    more = {"urlElicitation": "Enabled"} if world.release.modern else {}
    routes = {ROUTE, TOKENS_ROUTE} if world.release.modern else {ROUTE}
    await world.grant()
    await world.extend(**more)
    await world.ready()
    await world.extend(httpRouteManagement="Disabled", publicHost="new.example.com")
    await world.broker(lambda container: "--mcp-gateway-public-host=new.example.com" in container["command"])
    await world.ready_again()
    items, _ = await world.cluster.client.list(HTTP_ROUTES, world.team)
    assert {item["metadata"]["name"] for item in items} == routes
    assert {item["spec"]["hostnames"][0] for item in items} == {"mcp.example.com"}


async def test_a_gateway_that_goes_leaves_everything_behind(world: Gateway) -> None:
    await world.grant()
    await world.extend()
    await world.ready()
    await world.cluster.client.delete(GATEWAYS, "gw", world.infra)
    await world.refused(f"InvalidMCPGatewayExtension: invalid: gateway target {world.infra}/gw not found")
    assert await existing(world) == ALL


async def test_a_lost_grant_empties_the_configuration(world: Gateway) -> None:
    await registered()(world)
    await world.config(lambda config: config["servers"])
    await world.cluster.client.delete(REFERENCE_GRANTS, "grant", world.infra)
    await world.refused("ReferenceGrantRequired")
    await world.config(lambda config: not config["servers"])
    await world.registered("no valid mcpgatewayextensions configured", status="False")
    assert await existing(world) == ALL


async def test_another_target_leaves_the_old_filter_behind(world: Gateway) -> None:
    await world.grant()
    await world.extend()
    await world.ready()
    elsewhere = await world.cluster.namespace()
    other = Gateway(world.cluster, world.release, world.home, elsewhere, world.team)
    await other.listeners()
    await other.grant()
    await other.extend()
    name = f"mcp-ext-proc-{world.team}-gateway"
    await world.there(ENVOY_FILTERS, elsewhere, name)
    assert not await world.absent(ENVOY_FILTERS, world.infra, name)


async def test_deleting_an_extension_cleans_up(world: Gateway) -> None:
    await registered()(world)
    await world.config(lambda config: config["servers"])
    await world.ready_again()
    await world.cluster.client.delete(world.extensions, "mcp-gateway", world.team)
    await world.cluster.gone(world.extensions, world.team, "mcp-gateway")
    assert await world.absent(ENVOY_FILTERS, world.infra, f"mcp-ext-proc-{world.team}-gateway")
    assert await world.config_text() == "servers: []\nvirtualServers: []\n"
    assert conditions(await world.there(GATEWAYS, world.infra, "gw")) == ["Accepted"]


async def test_a_configuration_that_is_gone_comes_back_with_the_deletion(world: Gateway) -> None:
    await world.grant()
    await world.extend()
    await world.ready()
    await world.cluster.client.delete(SECRETS, CONFIG_SECRET, world.team)
    await world.cluster.client.delete(world.extensions, "mcp-gateway", world.team)
    await world.cluster.gone(world.extensions, world.team, "mcp-gateway")
    assert await world.config_text() == "servers: []\nvirtualServers: []\n"


async def test_deleting_the_loser_of_a_namespace_takes_the_winners_objects_for_a_moment(world: Gateway) -> None:
    await extended(world)
    name = f"mcp-ext-proc-{world.team}-gateway"
    old = await world.there(ENVOY_FILTERS, world.infra, name)
    await world.age(world.team, "mcp-gateway")
    await world.extend("a-second")
    await world.refused("conflict: namespace", "a-second")
    await world.cluster.client.delete(world.extensions, "a-second", world.team)
    await world.there(ENVOY_FILTERS, world.infra, name, lambda obj: obj["metadata"]["uid"] != old["metadata"]["uid"])
    await world.there(GATEWAYS, world.infra, "gw", lambda obj: len(conditions(obj)) == 2)


async def test_without_the_operator_a_deleted_extension_stays(world: Gateway) -> None:
    await world.grant()
    await world.extend()
    await world.ready()
    client = world.cluster.client
    await world.stop_operator()
    await client.delete(world.extensions, "mcp-gateway", world.team)
    found = await client.get(world.extensions, "mcp-gateway", world.team)
    assert found
    assert found["metadata"]["finalizers"] == FINALIZERS
    await world.start_operator()
    await world.cluster.gone(world.extensions, world.team, "mcp-gateway")
