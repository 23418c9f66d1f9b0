# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Extensions with two faults: Ready tells the one that the operator checks first. One row a neighbouring pair."""

from __future__ import annotations

from typing import Any

from unit.sandbox.operators.mcp_operator.extension_cases import (
    CHECKED,
    INVALID,
    LISTENER,
    SECRET_NOT_FOUND,
    Arrange,
    Case,
    granted,
    second_in_namespace,
    with_listener,
)
from unit.sandbox.operators.mcp_operator.gateway_kit import NEW, Gateway

NO_STORE: dict[str, Any] = {"sessionStore": {"secretName": "redis"}}
NO_KEYS: dict[str, Any] = {"trustedHeadersKey": {"secretName": "trust"}}
NO_BUNDLE: dict[str, Any] = {"caCertBundleRef": {"name": "bundle"}}
BAD_HOST: dict[str, Any] = {"publicHost": "https://x"}


async def second_without_gateway(world: Gateway) -> None:
    await second_in_namespace(world)
    await world.extend("a-third", target={"name": "nowhere"})


def ungranted(**listener: Any) -> Arrange:
    """An extension without a grant for a listener with these fields."""

    async def arrange(world: Gateway) -> None:
        await world.listeners(**listener)
        await world.extend()

    return arrange


def on_taken_port(*, granted_too: bool, **spec: Any) -> Arrange:
    """An extension whose port somebody has."""

    async def arrange(world: Gateway) -> None:
        rival = await world.cluster.namespace(f"{world.team}-rival")
        await world.rival(rival)
        if granted_too:
            await world.grant()
        await world.extend(**spec)

    return arrange


ORDER_CASES = [
    Case(
        "namespace before gateway",
        second_without_gateway,
        INVALID,
        "conflict: namespace {team} already has MCPGatewayExtension first (only one per namespace allowed)",
        "config key account deployment service route filter",
        subject="a-third",
    ),
    Case(
        "gateway before listener",
        granted(target={"name": "nowhere", "sectionName": "nope"}),
        INVALID,
        "invalid: gateway target {infra}/nowhere not found",
        "",
    ),
    Case(
        "listener before routes",
        with_listener(allowed="Same", target={"sectionName": "nope"}),
        INVALID,
        'listener "nope" not found on gateway {infra}/gw',
        "",
    ),
    Case(
        "hostname before routes",
        with_listener(allowed="Same", hostname=""),
        INVALID,
        f"{LISTENER} has no hostname and spec.publicHost is not set",
        "",
    ),
    Case(
        "routes before grant",
        ungranted(allowed="Same"),
        INVALID,
        f'{LISTENER} does not allow routes from namespace "{{team}}"',
        "",
    ),
    Case(
        "grant before port",
        on_taken_port(granted_too=False),
        "ReferenceGrantRequired",
        "invalid: ReferenceGrant required in {infra} to allow cross-namespace reference from {team}",
        "config",
    ),
    Case(
        "port before keys",
        on_taken_port(granted_too=True, **NO_KEYS),
        INVALID,
        "conflict: listener port 8080 on gateway {infra}/gw is already configured by MCPGatewayExtension "
        "{team}-rival/elder (listener mcps)",
        "",
    ),
    Case(
        "keys before store",
        granted(**NO_KEYS, **NO_STORE),
        SECRET_NOT_FOUND,
        "secret trust not found in namespace {team}",
        "config",
    ),
    Case(
        "store before bundle",
        granted(**NO_STORE, **NO_BUNDLE),
        SECRET_NOT_FOUND,
        "session store secret redis not found in namespace {team}",
        CHECKED,
        versions=NEW,
    ),
    Case(
        "store before host",
        granted(**NO_STORE, **BAD_HOST),
        SECRET_NOT_FOUND,
        "session store secret redis not found in namespace {team}",
        CHECKED,
    ),
    Case(
        "bundle before host",
        granted(**NO_BUNDLE, **BAD_HOST),
        SECRET_NOT_FOUND,
        "CA bundle secret bundle not found",
        CHECKED,
        versions=NEW,
    ),
    Case(
        "host before broker",
        with_listener(hostname="", publicHost="broken.example.com:80:80"),
        INVALID,
        'invalid public host "broken.example.com:80:80": {dns}',
        CHECKED,
    ),
]
