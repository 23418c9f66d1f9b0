# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The MCP operator stand-in's verdicts: one row for every reason and message, in both versions, on an API server."""

from __future__ import annotations

import pytest
from unit.sandbox.operators.mcp_operator.extension_cases import DNS_RULE, EXTENSION_CASES, Case
from unit.sandbox.operators.mcp_operator.gateway_kit import Gateway, existing, objects_of
from unit.sandbox.operators.mcp_operator.order_cases import ORDER_CASES
from unit.sandbox.operators.mcp_operator.registration_cases import REGISTRATION_CASES, RegistrationCase

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("case", [*EXTENSION_CASES, *ORDER_CASES], ids=lambda case: case.name)
async def test_an_extension(world: Gateway, case: Case) -> None:
    if world.release.version not in case.versions:
        pytest.skip(f"not in {world.release.version}")
    wanted = set(case.objects.split())
    message = case.message.format(infra=world.infra, team=world.team, dns=DNS_RULE)
    await case.arrange(world)
    key = (world.team, case.subject)
    await world.cluster.condition(world.extensions, key, "Ready", case.status, message)
    for short in wanted:
        await world.there(*objects_of(world)[short])
    condition = await world.cluster.condition(world.extensions, key, "Ready", case.status, message)
    assert (condition["reason"], condition["message"]) == (case.reason, message)
    assert condition["observedGeneration"] == 1
    assert await existing(world) == wanted


@pytest.mark.parametrize("case", REGISTRATION_CASES, ids=lambda case: case.name)
async def test_a_registration(world: Gateway, case: RegistrationCase) -> None:
    if world.release.version not in case.versions:
        pytest.skip(f"not in {world.release.version}")
    message = case.message.format(infra=world.infra, team=world.team)
    await case.arrange(world)
    condition = await world.registered(message, status=case.status)
    assert condition["reason"] == case.reason
    assert condition["message"] == message or (case.begins and condition["message"].startswith(message))
    config = await world.config_now()
    assert len(config["servers"]) == case.configured
