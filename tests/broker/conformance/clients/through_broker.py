# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The suite starts this as the client that it judges: `python -m broker.conformance.clients.through_broker URL`.
"""A session client behind a broker: what the suite's server sees is the broker as a client of its upstreams."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import mcp_types as types
from broker.conformance.content import Json
from broker.harness import run_broker, server
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError

ARGUMENTS: Json = {"string": "text", "integer": 3, "number": 2.5, "boolean": True, "array": [], "object": {}}


def arguments(schema: Json) -> Json:
    """Make up the arguments that a tool requires."""
    required = schema.get("required", [])
    return {key: ARGUMENTS[schema["properties"][key].get("type", "string")] for key in required}


async def use(client: Client, scenario: str, calls: list[Json]) -> None:
    """Do what a scenario waits for."""
    tools = (await client.list_tools()).tools
    if scenario == "json-schema-2020-12-preservation":
        (focal,) = (tool for tool in tools if tool.name == "json_schema_2020_12_tool")
        calls = [{"name": "json_schema_echo", "arguments": {"schema": focal.input_schema}}]
    elif scenario == "json-schema-ref-no-deref":
        return
    elif not calls:
        calls = [{"name": tool.name, "arguments": arguments(tool.input_schema)} for tool in tools]
    for call in calls:
        await client.call_tool(call["name"], call["arguments"])
    try:
        for resource in (await client.list_resources()).resources:
            await client.read_resource(resource.uri)
        for prompt in (await client.list_prompts()).prompts:
            await client.get_prompt(prompt.name)
    except MCPError as error:
        print(f"resources and prompts: {error}")


async def main(url: str) -> None:
    """Run a broker before the suite's server and use it."""
    scenario = os.environ["MCP_CONFORMANCE_SCENARIO"]
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}"))

    async def on_elicitation(context: Any, params: types.ElicitRequestFormParams) -> types.ElicitResult:
        if scenario == "sep-2322-client-request-state":
            await client.call_tool("test_mrtr_unrelated", {})
        defaults = {key: value.get("default", True) for key, value in params.requested_schema["properties"].items()}
        return types.ElicitResult(action="accept", content=defaults)

    # the suite's server of 2026-07-28 takes initialize, too, but a client of that revision must not send it
    protocol = "stateless" if os.environ["MCP_CONFORMANCE_PROTOCOL_VERSION"] >= "2026" else "auto"
    with (
        tempfile.TemporaryDirectory() as directory,
        run_broker(Path(directory), {"servers": [server("ns/suite", url, protocol=protocol)]}) as broker,
    ):
        broker.wait_ready("ns/suite")
        async with Client(broker.url + "/mcp", mode="legacy", elicitation_callback=on_elicitation) as client:
            await use(client, scenario, context.get("toolCalls", []))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
