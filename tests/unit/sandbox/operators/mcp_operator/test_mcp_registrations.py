# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registrations and virtual servers in the broker's configuration, in the exact text that the operator writes."""

from __future__ import annotations

import contextlib

import pytest
from sandbox.client import ApiError, Object
from sandbox.kinds import HTTP_ROUTES, SECRETS
from unit.sandbox.operators.mcp_operator.gateway_kit import Gateway, certificate
from unit.sandbox.operators.mcp_operator.registration_cases import extended, registered

pytestmark = pytest.mark.asyncio(loop_scope="module")
FINALIZERS = ["mcp.kuadrant.io/finalizer"]

NEW_TEXT = """\
servers:
- category:
  - uncategorised
  credential: 'Bearer x: y'
  hint: a hint
  hostname: weather.mcp.local
  name: {team}/weather
  prefix: w_
  state: Enabled
  tags:
  - b
  - a
  tokenURLElicitation:
    url: https://example.com/token
  url: http://weather.{team}.svc.cluster.local:9090/mcp
  userSpecificList: true
"""
OLD_TEXT = """\
servers:
- credential: 'Bearer x: y'
  enabled: true
  hostname: weather.mcp.local
  name: {team}/weather
  toolPrefix: w_
  url: http://weather.{team}.svc.cluster.local:9090/mcp
"""


def marked(route: Object) -> bool:
    """Whether the operator's condition is on the route."""
    return any(entry["type"] == "Programmed" for entry in route["status"]["parents"][0]["conditions"])


async def test_the_text_of_the_configuration(world: Gateway) -> None:
    await world.secret("token", {"token": "Bearer x: y"})
    new = {
        "prefix": "w_",
        "hint": "a hint",
        "tags": ["b", "a"],
        "userSpecificList": "Enabled",
        "tokenURLElicitation": {"url": "https://example.com/token"},
    }
    await registered(credentialRef={"name": "token"}, **(new if world.release.modern else {"toolPrefix": "w_"}))(world)
    await world.config(lambda config: config["servers"])
    text = NEW_TEXT if world.release.modern else OLD_TEXT
    assert await world.config_text() == text.format(team=world.team)


async def test_the_credential_follows_its_secret(world: Gateway) -> None:
    await world.secret("token", {"token": "Bearer x"})
    await registered(credentialRef={"name": "token"})(world)
    await world.config(lambda config: config["servers"] and config["servers"][0]["credential"] == "Bearer x")
    await world.secret("token", {"token": "Bearer y"})
    await world.config(lambda config: config["servers"][0]["credential"] == "Bearer y")


async def test_the_configuration_of_somebody_elses_making_is_kept(world: Gateway) -> None:
    """Entries that no registration has written stay."""
    await extended(world)
    text = "servers:\n- name: by/hand\n  url: http://by.hand/mcp\n"
    await world.cluster.client.merge_patch(
        SECRETS, "mcp-gateway-config", world.team, {"stringData": {"config.yaml": text}}
    )
    await world.service()
    await world.route(section="servers")
    await world.register()
    config = await world.config(lambda found: len(found["servers"]) == 2)
    assert [server["name"] for server in config["servers"]] == ["by/hand", f"{world.team}/weather"]


async def test_a_deleted_registration_is_taken_out(world: Gateway) -> None:
    await registered()(world)
    await world.config(lambda config: config["servers"])
    if world.release.modern:
        await world.there(HTTP_ROUTES, world.team, "weather", marked)
    found = await world.there(world.registrations, world.team, "weather")
    assert found["metadata"]["finalizers"] == FINALIZERS
    await world.cluster.client.delete(world.registrations, "weather", world.team)
    await world.cluster.gone(world.registrations, world.team, "weather")
    assert not (await world.config_now())["servers"]
    await world.there(HTTP_ROUTES, world.team, "weather", lambda route: not marked(route))


async def test_two_registrations_of_one_route(world: Gateway) -> None:
    """The first that goes takes the mark off the route, and the other puts it back."""
    await registered()(world)
    await world.register("twin", target={"name": "weather"})
    config = await world.config(lambda found: len(found["servers"]) == 2)
    assert {server["hostname"] for server in config["servers"]} == {"weather.mcp.local"}
    await world.cluster.client.delete(world.registrations, "twin", world.team)
    await world.cluster.gone(world.registrations, world.team, "twin")
    if world.release.modern:
        await world.there(HTTP_ROUTES, world.team, "weather", marked)


async def test_a_bundle_of_authorities_rules_out_plain_http(world: Gateway) -> None:
    if not world.release.modern:
        pytest.skip("0.6.0 has no bundle")
    await registered()(world)
    await world.config(lambda found: found["servers"])
    authority = certificate(authority=True)
    await world.secret("bundle", {"ca.crt": authority})
    await world.extend(caCertBundleRef={"name": "bundle"})
    await world.config(lambda found: found.get("gatewayCACertPEM") and found["servers"][0]["url"].startswith("https:"))
    assert (await world.config_now())["gatewayCACertPEM"] == authority
    await world.extend()
    await world.config(lambda found: found["servers"][0]["url"].startswith("http:") and len(found) == 1)


async def test_virtual_servers_make_one_list(world: Gateway) -> None:
    """In every namespace with an extension, since 0.8; before, only in mcp-system, and what is deleted stays."""
    namespace = world.team if world.release.modern else "mcp-system"
    if not world.release.modern:
        with contextlib.suppress(ApiError):  # it is there already
            await world.cluster.namespace(namespace)
    await world.grant()
    await world.extend()
    await world.ready()
    prompts = {"prompts": ["p"]} if world.release.modern else {}
    await world.cluster.apply(world.virtual_servers, world.team, "b", {"tools": ["y"], **prompts})
    await world.cluster.apply(world.virtual_servers, world.infra, "a", {"tools": ["x"]})
    own = Gateway(world.cluster, world.release, world.home, world.infra, namespace)
    config = await own.config(lambda found: len(found.get("virtualServers") or []) >= 2)
    wanted = [{"name": f"{world.infra}/a", "tools": ["x"]}, {"name": f"{world.team}/b", "tools": ["y"], **prompts}]
    assert sorted(config["virtualServers"], key=lambda entry: str(entry["tools"])) == wanted
    found = await world.there(world.virtual_servers, world.team, "b")
    assert found["metadata"]["finalizers"] == FINALIZERS
    assert "status" not in found
    await world.settled()
    await world.cluster.client.delete(world.virtual_servers, "b", world.team)
    await world.cluster.gone(world.virtual_servers, world.team, "b")
    left = (await own.config_now())["virtualServers"]
    assert len(left) == (1 if world.release.modern else 2)
