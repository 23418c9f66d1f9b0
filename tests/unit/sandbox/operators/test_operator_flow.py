# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The MCP operator stand-in against an API server: extensions of 0.9.0."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sandbox.controllers import operator_extension
from sandbox.controllers.operator_release import (
    CONFIG_SECRET,
    DEPLOYMENTS,
    ENVOY_FILTERS,
    GATEWAYS,
    HTTP_ROUTES,
    REFERENCE_GRANTS,
    ROUTE,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    SIGNING_KEY_SECRET,
    TOKENS_ROUTE,
)
from sandbox.controllers.runtime import CRDS
from unit.sandbox.operators.gateway_kit import Gateway, certificate, gateway, release
from unit.sandbox.operators.kit import Cluster

SERVERS = {"name": "servers", "port": 8080, "protocol": "HTTP", "hostname": "*.mcp.local"}


@pytest.fixture
async def world(cluster: Cluster) -> AsyncIterator[Gateway]:
    async with gateway(cluster, release("0.9.0")) as found:
        yield found


def filter_name(world: Gateway) -> str:
    return f"mcp-ext-proc-{world.team}-gateway"


async def test_an_extension_becomes_ready_with_all_its_objects(world: Gateway) -> None:
    await world.grant()
    await world.extend()
    condition = await world.ready()
    assert condition["message"] == "successfully verified and configured"
    assert condition["observedGeneration"] == 1
    client = world.cluster.client
    for resource, name in (
        (SECRETS, CONFIG_SECRET),
        (SECRETS, SIGNING_KEY_SECRET),
        (SERVICE_ACCOUNTS, "mcp-gateway"),
        (DEPLOYMENTS, "mcp-gateway"),
        (SERVICES, "mcp-gateway"),
        (HTTP_ROUTES, ROUTE),
    ):
        found = await client.get(resource, name, world.team)
        assert found, name
        owners = [owner["kind"] for owner in found["metadata"].get("ownerReferences") or []]
        assert owners == ([] if name == CONFIG_SECRET else ["MCPGatewayExtension"])
    envoy_filter = await client.get(ENVOY_FILTERS, filter_name(world), world.infra)
    assert envoy_filter
    assert "ownerReferences" not in envoy_filter["metadata"]
    assert await world.config() == {"servers": [], "virtualServers": []}
    listener = (await client.get(GATEWAYS, "gw", world.infra) or {})["status"]["listeners"][0]
    assert [entry["type"] for entry in listener["conditions"]] == ["Accepted", "MCPGatewayExtension"]


async def test_a_ready_extension_is_left_alone(world: Gateway) -> None:
    await world.grant()
    await world.extend()
    await world.ready()
    client = world.cluster.client
    places = [
        (world.extensions, world.team),
        (HTTP_ROUTES, world.team),
        (DEPLOYMENTS, world.team),
        (SECRETS, world.team),
    ]
    before = [item["metadata"]["resourceVersion"] for place in places for item in (await client.list(*place))[0]]
    # A grant for somebody else makes the operator look again at nothing; one for the team makes it look at all.
    await world.grant(name="again")
    await world.grant("somebody", name="else")
    await world.extend("second", target={"sectionName": "nope"})
    await world.refused("conflict: namespace", "second")
    after = [item["metadata"]["resourceVersion"] for place in places for item in (await client.list(*place))[0]]
    assert set(before) <= set(after)


async def test_the_operator_does_nothing_before_its_deployment_runs(world: Gateway) -> None:
    await world.stop_operator()
    await world.grant()
    await world.extend()
    found = await world.cluster.client.get(world.extensions, "mcp-gateway", world.team)
    assert found
    assert "finalizers" not in found["metadata"]
    await world.start_operator()
    await world.ready()


async def test_a_missing_gateway_is_told_and_noticed_when_it_comes(world: Gateway) -> None:
    await world.grant()
    await world.cluster.client.delete(GATEWAYS, "gw", world.infra)
    await world.extend()
    await world.refused(f"InvalidMCPGatewayExtension: invalid: gateway target {world.infra}/gw not found")
    await world.listeners()
    await world.ready()


async def test_a_target_without_namespace_is_not_found(world: Gateway) -> None:
    target = {"name": "gw", "sectionName": "mcps"}
    await world.cluster.apply(world.extensions, world.infra, "mcp-gateway", {"targetRef": target})
    await world.refused("invalid: gateway target /gw not found", namespace=world.infra)


async def test_the_listener_must_exist_and_have_a_name(world: Gateway) -> None:
    await world.grant()
    await world.listeners(hostname="")
    await world.extend(target={"sectionName": "nope"})
    await world.refused(f'listener "nope" not found on gateway {world.infra}/gw')
    await world.extend()
    await world.refused(f'listener "mcps" on gateway {world.infra}/gw has no hostname and spec.publicHost is not set')
    await world.extend(publicHost="http://mcp.example.com")
    await world.refused('invalid public host "http://mcp.example.com": must be a hostname, not a URL')
    await world.extend(publicHost="mcp.example.com")
    await world.ready()


async def test_the_listener_must_admit_the_namespace(world: Gateway) -> None:
    await world.grant()
    await world.listeners(allowed="Same")
    await world.extend()
    await world.refused(
        f'listener "mcps" on gateway {world.infra}/gw does not allow routes from namespace "{world.team}"'
    )
    await world.listeners()
    await world.ready()


async def test_another_namespace_needs_a_grant(world: Gateway) -> None:
    await world.extend()
    await world.refused(
        f"ReferenceGrantRequired: invalid: ReferenceGrant required in {world.infra} to allow cross-namespace reference "
        f"from {world.team}"
    )
    await world.grant()
    await world.ready()


async def test_a_lost_grant_empties_the_configuration(world: Gateway) -> None:
    await world.grant()
    await world.listeners(SERVERS)
    await world.extend()
    await world.ready()
    await world.service()
    await world.route(section="servers")
    await world.register(prefix="weather_")
    await world.config(lambda config: config["servers"])
    await world.cluster.client.delete(REFERENCE_GRANTS, "grant", world.infra)
    await world.refused("ReferenceGrantRequired")
    await world.config(lambda config: not config["servers"])


async def test_a_namespace_has_one_extension_the_oldest(world: Gateway) -> None:
    await world.grant()
    await world.extend("a-first")
    await world.ready("a-first")
    await world.extend("b-second")
    await world.refused(
        f"conflict: namespace {world.team} already has MCPGatewayExtension a-first (only one per namespace allowed)",
        "b-second",
    )
    await world.cluster.client.delete(world.extensions, "a-first", world.team)
    await world.ready("b-second")


async def test_a_port_has_one_extension_the_oldest(world: Gateway) -> None:
    rivals = await world.cluster.namespace(f"{world.team}-rivals")
    await world.grant()
    await world.grant(rivals, name="rivals")
    await world.listeners(SERVERS)
    await world.extend()
    await world.ready()
    await world.extend("late", rivals, target={"sectionName": "servers"})
    await world.refused(
        f"conflict: listener port 8080 on gateway {world.infra}/gw is already configured by MCPGatewayExtension "
        f"{world.team}/mcp-gateway (listener mcps)",
        "late",
        rivals,
    )
    await world.cluster.client.delete(world.extensions, "mcp-gateway", world.team)
    await world.ready("late", rivals)


async def test_a_broker_that_is_not_available_keeps_the_extension_waiting(
    world: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator_extension, "POLL_SECONDS", 0.1)
    await world.grant()
    labels = {"app.kubernetes.io/name": "mcp-gateway", "app.kubernetes.io/managed-by": "mcp-gateway-controller"}
    pod = {"containers": [{"name": "mcp-gateway", "image": "x"}]}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    broken = {"metadata": {"annotations": {"test/broken": ""}}}
    await world.cluster.apply(DEPLOYMENTS, world.team, "mcp-gateway", spec, **broken)
    await world.extend()
    await world.refused("DeploymentNotReady: broker-router deployment is not ready")
    assert await world.absent(ENVOY_FILTERS, world.infra, filter_name(world))
    await world.cluster.client.merge_patch(
        DEPLOYMENTS, "mcp-gateway", world.team, {"metadata": {"annotations": {"test/broken": None}}}
    )
    await world.ready()


async def test_the_session_stores_secret_is_checked(world: Gateway) -> None:
    await world.grant()
    await world.extend(sessionStore={"secretName": "redis"})
    await world.refused(f"SecretNotFound: session store secret redis not found in namespace {world.team}")
    await world.secret("redis", {"other": "x"})
    await world.refused('SecretInvalid: session store secret redis is missing required data entry "CACHE_CONNECTION_')
    await world.secret("redis", {"CACHE_CONNECTION_STRING": "redis://redis:6379"})
    await world.ready()


async def test_keys_for_trusted_headers_are_generated_on_demand(world: Gateway) -> None:
    await world.grant()
    await world.extend(trustedHeadersKey={"secretName": "trust"})
    await world.refused(f"SecretNotFound: secret trust not found in namespace {world.team}")
    await world.extend(trustedHeadersKey={"secretName": "trust", "generate": "Enabled"})
    await world.ready()
    assert not await world.absent(SECRETS, world.team, "trust-private")


async def test_a_bundle_of_authorities_reaches_the_broker_and_forces_tls(world: Gateway) -> None:
    await world.grant()
    await world.listeners(SERVERS)
    await world.service()
    await world.route(section="servers")
    await world.extend(caCertBundleRef={"name": "bundle"})
    await world.refused("SecretNotFound: CA bundle secret bundle not found")
    await world.secret("bundle", {"ca.crt": certificate(authority=False)})
    await world.refused("SecretInvalid: CA bundle secret bundle is invalid: ")
    authority = certificate(authority=True)
    await world.secret("bundle", {"ca.crt": authority})
    await world.ready()
    await world.register()
    config = await world.config(lambda found: found["servers"])
    assert config["gatewayCACertPEM"] == authority
    assert config["servers"][0]["url"].startswith("https://")


async def test_of_a_grant_only_the_first_source_is_noticed(world: Gateway) -> None:
    await world.extend()
    await world.refused("ReferenceGrantRequired")
    await world.grant("somebody", world.team)
    grant = await world.cluster.client.get(REFERENCE_GRANTS, "grant", world.infra)
    assert grant
    assert list(world.extension_controller._granted(grant)) == []
    await world.extend(backendPingIntervalSeconds=30)  # whatever makes the operator look again
    await world.ready()


async def test_the_route_can_be_left_to_the_user(world: Gateway) -> None:
    await world.grant()
    await world.extend(httpRouteManagement="Disabled")
    await world.ready()
    assert await world.absent(HTTP_ROUTES, world.team, ROUTE)
    await world.extend(httpRouteManagement="Enabled")
    await world.cluster.until(HTTP_ROUTES, world.team, ROUTE, lambda route: True)
    await world.extend(httpRouteManagement="Disabled", urlElicitation="Enabled")
    await world.cluster.until(
        DEPLOYMENTS,
        world.team,
        "mcp-gateway",
        lambda obj: "--enable-url-elicitation" in obj["spec"]["template"]["spec"]["containers"][0]["command"],
    )
    await world.ready()
    assert not await world.absent(HTTP_ROUTES, world.team, ROUTE)
    assert await world.absent(HTTP_ROUTES, world.team, TOKENS_ROUTE)


async def test_the_tokens_route_comes_and_goes(world: Gateway) -> None:
    await world.grant()
    await world.extend(urlElicitation="Enabled")
    await world.cluster.until(HTTP_ROUTES, world.team, TOKENS_ROUTE, lambda route: True)
    await world.extend(urlElicitation="Disabled")
    await world.cluster.gone(HTTP_ROUTES, world.team, TOKENS_ROUTE)


async def test_what_somebody_changes_is_set_right_again(world: Gateway) -> None:
    await world.grant()
    await world.extend()
    await world.ready()
    client, team = world.cluster.client, world.team
    await client.merge_patch(HTTP_ROUTES, ROUTE, team, {"spec": {"hostnames": ["evil.example.com"]}})
    await world.cluster.until(HTTP_ROUTES, team, ROUTE, lambda obj: obj["spec"]["hostnames"] == ["mcp.example.com"])
    labels = {"metadata": {"labels": {"mine": "yes"}}, "spec": {"configPatches": []}}
    await client.merge_patch(ENVOY_FILTERS, filter_name(world), world.infra, labels)
    found = await world.cluster.until(
        ENVOY_FILTERS, world.infra, filter_name(world), lambda obj: obj["spec"]["configPatches"]
    )
    assert found["metadata"]["labels"]["mine"] == "yes"
    await client.delete(SERVICES, "mcp-gateway", team)
    await world.cluster.until(SERVICES, team, "mcp-gateway", lambda obj: obj["spec"]["ports"])


async def test_how_many_brokers_run_is_up_to_the_user(world: Gateway) -> None:
    await world.grant()
    await world.extend()
    await world.ready()
    await world.cluster.client.merge_patch(DEPLOYMENTS, "mcp-gateway", world.team, {"spec": {"replicas": 3}})
    await world.extend(backendPingIntervalSeconds=30)
    found = await world.cluster.until(
        DEPLOYMENTS,
        world.team,
        "mcp-gateway",
        lambda obj: "--mcp-check-interval=30" in obj["spec"]["template"]["spec"]["containers"][0]["command"],
    )
    assert found["spec"]["replicas"] == 3


async def test_deleting_an_extension_cleans_up(world: Gateway) -> None:
    await world.grant()
    await world.listeners(SERVERS)
    await world.extend()
    await world.ready()
    await world.service()
    await world.route(section="servers")
    await world.register(prefix="weather_")
    await world.config(lambda config: config["servers"])
    await world.cluster.client.delete(world.extensions, "mcp-gateway", world.team)
    await world.cluster.gone(world.extensions, world.team, "mcp-gateway")
    assert await world.absent(ENVOY_FILTERS, world.infra, filter_name(world))
    assert await world.config() == {"servers": [], "virtualServers": []}
    listeners = (await world.cluster.client.get(GATEWAYS, "gw", world.infra) or {})["status"]["listeners"]
    assert [entry["type"] for entry in listeners[0]["conditions"]] == ["Accepted"]


async def test_without_the_operator_a_deleted_extension_stays(world: Gateway) -> None:
    await world.grant()
    await world.extend()
    await world.ready()
    client = world.cluster.client
    await world.stop_operator()
    await client.delete(world.extensions, "mcp-gateway", world.team)
    found = await client.get(world.extensions, "mcp-gateway", world.team)
    assert found
    assert found["metadata"]["finalizers"] == ["mcp.kuadrant.io/finalizer"]
    await world.start_operator()
    await world.cluster.gone(world.extensions, world.team, "mcp-gateway")


async def test_without_istio_the_operator_cannot_start(world: Gateway) -> None:
    """Its real counterpart crashes while the CRD of EnvoyFilter is missing."""
    await world.grant()
    await world.cluster.client.delete(CRDS, ENVOY_FILTERS.crd_name)
    await world.cluster.gone(CRDS, "", ENVOY_FILTERS.crd_name)
    await world.operator_stopped()
    await world.extend()
    found = await world.cluster.client.get(world.extensions, "mcp-gateway", world.team)
    assert found
    assert "finalizers" not in found["metadata"]
    await world.cluster.install()
    await world.extend(backendPingIntervalSeconds=30)
    await world.ready()
