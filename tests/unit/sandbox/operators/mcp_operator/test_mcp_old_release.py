# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""0.6.0 alone: Ready by the broker's word, older names; and the way from it to 0.9.0."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from sandbox.catalog.crds import operator_crds
from sandbox.client import ApiError, Object
from sandbox.controllers.gateway_world import PORTS_ANNOTATION
from sandbox.controllers.operator_release import APP_LABELS, ROUTE
from sandbox.kinds import CRDS, HTTP_ROUTES, PODS
from unit.sandbox.operators.mcp_operator.gateway_kit import OLD, Gateway, release
from unit.sandbox.operators.mcp_operator.registration_cases import registered
from unit.sandbox.operators.mcp_operator.test_mcp_registrations import marked

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("operator", OLD, indirect=True, scope="module"),
]


class Broker:
    """A broker that says of its servers what a test wants."""

    def __init__(self) -> None:
        self.answer = web.json_response({"servers": []})

    def says(self, **server: Any) -> None:
        self.answer = web.json_response({"servers": [server]})

    async def serve(self, request: web.Request) -> web.Response:
        assert request.path == "/status"
        return web.Response(body=self.answer.body, status=self.answer.status)


@pytest_asyncio.fixture(loop_scope="module")
async def broker(world: Gateway) -> AsyncIterator[Broker]:
    """The broker of the team, as the sandbox's runner makes it known."""
    found = Broker()
    app = web.Application()
    app.router.add_get("/{path:.*}", found.serve)
    async with TestServer(app) as server:
        annotations = {PORTS_ANNOTATION: json.dumps({"8080": server.port})}
        meta = {"labels": APP_LABELS, "annotations": annotations}
        spec = {"containers": [{"name": "broker", "image": "broker"}]}
        await world.cluster.apply(PODS, world.team, "broker", spec, metadata=meta)
        yield found


async def tools(world: Gateway) -> int | None:
    """The registration's number of tools."""
    found = await world.there(world.registrations, world.team, "weather")
    count = found["status"].get("discoveredTools")
    return None if count is None else int(count)


async def test_the_broker_must_know_the_server(world: Gateway, broker: Broker) -> None:
    """By its id, which has the prefix and the host name in it."""
    broker.says(id=f"{world.team}/weather::weather.mcp.local", ready=True, message="fine", totalTools=3)
    await registered(toolPrefix="w_")(world)
    await world.registered("NotReady: mcp server is not present in gateway yet", status="False")
    assert await tools(world) is None


async def test_the_broker_says_that_it_is_ready(world: Gateway, broker: Broker) -> None:
    broker.says(id=f"{world.team}/weather:w_:weather.mcp.local", ready=True, message="fine", totalTools=3)
    await registered(toolPrefix="w_")(world)
    await world.registered("Ready: fine")
    assert await tools(world) == 3
    await world.there(HTTP_ROUTES, world.team, "weather", marked)
    # From then on nobody asks until something changes.
    await world.settled()
    broker.says(id=f"{world.team}/weather:w_:weather.mcp.local", ready=False, message="broken", totalTools=0)
    await world.canary()
    await world.registered("Ready: fine")


async def test_the_broker_says_that_it_is_not_ready(world: Gateway, broker: Broker) -> None:
    broker.says(id=f"{world.team}/weather::weather.mcp.local", ready=False, message="broken", totalTools=1)
    await registered()(world)
    await world.registered("NotReady: broken", status="False")
    assert await tools(world) == 1


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (web.Response(status=503), "NotReady: Validation failed: received status 503"),
        (web.Response(text="{"), "NotReady: Validation failed: failed to decode response: "),
    ],
    ids=["503", "no JSON"],
)
async def test_the_broker_is_of_no_use(world: Gateway, broker: Broker, answer: web.Response, message: str) -> None:
    broker.answer = answer
    await registered()(world)
    await world.registered(message, status="False")


async def test_a_server_that_matches_nowhere_gets_no_status(world: Gateway) -> None:
    await registered({"section": "other"})(world)
    await world.settled()
    found = await world.there(world.registrations, world.team, "weather")
    assert found["metadata"]["finalizers"]
    assert "status" not in found


async def test_fields_of_later_versions_are_refused(world: Gateway) -> None:
    with pytest.raises(ApiError, match=r"\.spec\.oauthProtectedResource: field not declared in schema"):
        await world.extend(oauthProtectedResource={"authorizationServers": ["https://a"]})


async def test_an_upgrade(world: Gateway) -> None:
    """Prefixes get lost: the new CRD has another field for them, and the API server drops what it does not know."""
    await registered(toolPrefix="w_")(world)
    await world.config(lambda config: config["servers"])
    await world.ready_again()
    await world.stop_operator()
    await world.cluster.install(operator_crds("0.9.0"))
    world.release = release("0.9.0")
    await world.start_operator()

    def upgraded(container: Object) -> bool:
        names = [entry["name"] for entry in container["env"]]
        return bool(
            container["image"].endswith(":v0.9.0")
            and "readinessProbe" in container
            and names == ["GATEWAY_SIGNING_KEY", "JWT_SESSION_SIGNING_KEY"]
            and not any(flag.startswith("--mcp-router-key") for flag in container["command"])
        )

    await world.broker(upgraded)
    await world.there(HTTP_ROUTES, world.team, ROUTE, lambda route: len(route["spec"]["rules"]) == 3)
    world.extensions, world.registrations = world.release.extensions, world.release.registrations
    await world.ready()
    config = await world.config(lambda found: found["servers"] and "state" in found["servers"][0])
    assert {"prefix", "toolPrefix", "enabled"} & set(config["servers"][0]) == set()
    found = await world.there(world.registrations, world.team, "weather")
    assert {"prefix", "toolPrefix"} & set(found["spec"]) == set()
    await world.register(prefix="w_")
    await world.config(lambda config: config["servers"][0].get("prefix") == "w_")


async def test_there_is_no_way_back(world: Gateway) -> None:
    """Objects are stored in the new version then, which the old CRDs do not have."""
    await world.cluster.install(operator_crds("0.9.0"))
    old = operator_crds("0.6.0")[0]
    found = await world.cluster.client.get(CRDS, old["metadata"]["name"])
    assert found
    with pytest.raises(ApiError, match=r"status\.storedVersions"):
        await world.cluster.client.replace(CRDS, {**found, "spec": old["spec"]})
