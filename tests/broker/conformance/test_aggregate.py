# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers of both eras behind one endpoint, each with a prefix, used by one client of either era."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import mcp_types as types
import pytest
from broker.conformance import content
from broker.conformance.conftest import CLIENTS, Through
from broker.harness import BrokerProcess
from mcp.client.client import Client

ERAS = ("legacy", "modern")


@pytest.fixture
def broker(through: Through) -> BrokerProcess:
    return through("+".join(ERAS), "--workers", "2")


@asynccontextmanager
async def connected(broker: BrokerProcess, client: str) -> AsyncIterator[Client]:
    async def accept(context: Any, params: Any) -> types.ElicitResult:
        return types.ElicitResult(action="accept", content={"username": params.message, "email": "-"})

    async with Client(broker.url + "/mcp", mode=CLIENTS[client], elicitation_callback=accept) as mcp:
        yield mcp


@pytest.mark.parametrize("client", CLIENTS)
async def test_everything_is_listed_under_its_prefix(broker: BrokerProcess, client: str) -> None:
    async with connected(broker, client) as mcp:
        tools = {tool.name for tool in (await mcp.list_tools()).tools}
        prompts = {prompt.name for prompt in (await mcp.list_prompts()).prompts}
        resources = [resource.uri for resource in (await mcp.list_resources()).resources]

    assert tools == {f"{era}_{tool['name']}" for era in ERAS for tool in content.TOOLS}
    assert prompts == {f"{era}_{prompt['name']}" for era in ERAS for prompt in content.PROMPTS}
    assert sorted(resources) == sorted(resource["uri"] for resource in content.RESOURCES)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("era", ERAS)
async def test_names_are_those_of_the_server_when_it_is_asked(broker: BrokerProcess, client: str, era: str) -> None:
    async with connected(broker, client) as mcp:
        asked = await mcp.call_tool(f"{era}_test_elicitation", {"message": era})
        repeated = await mcp.call_tool(f"{era}_{content.HEADER_TOOL}", {"region": " é", "size": 2})
        prompt = await mcp.get_prompt(f"{era}_test_prompt_with_arguments", {"arg1": "a", "arg2": "b"})
        reference = types.PromptReference(type="ref/prompt", name=f"{era}_test_prompt_with_arguments")
        completed = await mcp.complete(reference, {"name": "arg2", "value": "l"})

    assert f'"username": "{era}"' in asked.content[0].text
    assert repeated.content[0].text == '{"region": " \\u00e9", "size": 2}'
    assert prompt.messages[0].content.text == "Prompt with arguments: arg1='a', arg2='b'"
    assert completed.completion.values == ["left"]
