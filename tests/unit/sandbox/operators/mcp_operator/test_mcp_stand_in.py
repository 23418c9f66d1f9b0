# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is particular to the stand-in of the MCP operator: when it works, its setting, and our broker behind it."""

from __future__ import annotations

import pytest
from mcpops_broker.config.parse import parse
from sandbox.client import Object
from sandbox.controllers.operator_config import server_entry, virtual_server_entry, write_config
from sandbox.controllers.operator_release import RESYNC_VARIABLE, Release
from sandbox.kinds import CRDS, DEPLOYMENTS, ENVOY_FILTERS
from unit.sandbox.operators.mcp_operator.gateway_kit import CONTROLLER, Gateway, certificate, operator_stopped
from unit.sandbox.operators.mcp_operator.operator_objects_kit import NEW, OLD

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def untouched(world: Gateway) -> bool:
    """Whether nobody has put a finalizer on the extension."""
    found = await world.cluster.client.get(world.extensions, "mcp-gateway", world.team)
    assert found
    return "finalizers" not in found["metadata"]


async def test_it_does_nothing_before_the_operators_deployment_runs(world: Gateway) -> None:
    await world.stop_operator()
    await world.grant()
    await world.extend()
    assert await untouched(world)
    await world.start_operator()
    await world.ready()


async def test_without_istio_the_operator_cannot_start(world: Gateway) -> None:
    """Its real counterpart ends while the CRD of EnvoyFilter is missing (#811)."""
    await world.grant()
    await world.cluster.client.delete(CRDS, ENVOY_FILTERS.crd_name)
    await world.cluster.gone(CRDS, "", ENVOY_FILTERS.crd_name)
    await operator_stopped()
    await world.extend()
    assert await untouched(world)
    await world.cluster.install()
    await world.ready()


async def test_a_short_resync_notices_what_is_not_watched(world: Gateway) -> None:
    await world.grant()
    await world.extend(trustedHeadersKey={"secretName": "trust"})
    await world.refused("SecretNotFound")
    await world.canary()
    await world.secret("trust", {"key": "PEM"}, labelled=False)
    await world.canary()
    await world.refused("SecretNotFound")
    deployment = await world.there(DEPLOYMENTS, world.home, CONTROLLER)
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    own = container["env"]
    for env in ([*own, {"name": RESYNC_VARIABLE, "value": "0.2"}], own):
        spec = {"template": {"spec": {"containers": [{**container, "env": env}]}}}
        await world.cluster.client.merge_patch(DEPLOYMENTS, CONTROLLER, world.home, {"spec": spec})
        await world.ready()


def registration(release: Release) -> Object:
    """A registration with every field of a version."""
    new = {
        "prefix": "w_",
        "state": "Disabled",
        "category": ["demo"],
        "hint": "a hint",
        "tags": ["a"],
        "userSpecificList": "Enabled",
        "tokenURLElicitation": {"url": "https://example.com/token"},
    }
    spec = new if release.modern else {"toolPrefix": "w_"}
    return {"metadata": {"name": "weather", "namespace": "servers"}, "spec": spec}


@pytest.mark.parametrize("release", [NEW, OLD], ids=["0.9.0", "0.6.0"])
async def test_our_broker_understands_what_the_operator_writes(release: Release) -> None:
    ca = certificate(authority=True)
    server = server_entry(
        registration(release), "http://weather:9090/mcp", "weather.mcp.local", release, credential="Bearer x", ca=ca
    )
    virtual = {"metadata": {"name": "v", "namespace": "n"}, "spec": {"tools": ["w_a"], "prompts": ["p"]}}
    config = {"servers": [server], "virtualServers": [virtual_server_entry(virtual, release)]}
    found = parse(write_config({**config, "gatewayCACertPEM": ca if release.modern else ""}))
    read = found.servers[0]
    assert (read.name, read.url, read.hostname) == ("servers/weather", "http://weather:9090/mcp", "weather.mcp.local")
    assert (read.prefix, read.credential) == ("w_", "Bearer x")
    assert read.enabled is not release.modern
    assert [(entry.name, list(entry.tools)) for entry in found.virtual_servers] == [("n/v", ["w_a"])]
