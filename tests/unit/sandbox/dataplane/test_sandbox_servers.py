# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's MCP servers, asked by the official client."""

from __future__ import annotations

import pytest
from mcp.client.client import Client
from sandbox.servers import bridge, weather


async def test_weather_depends_on_its_arguments_alone() -> None:
    async with Client(weather.create_server()) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        first = await client.call_tool("get_weather", {"city": "oslo", "date": "2026-05-01"})
        second = await client.call_tool("get_weather", {"city": "Oslo", "date": "2026-05-01"})
        other = await client.call_tool("get_weather", {"city": "Oslo", "date": "2026-05-02"})
        days = await client.call_tool("get_forecast", {"city": "Nairobi", "days": 2})
    assert tools == ["list_cities", "get_weather", "get_forecast"]
    assert first.structured_content == second.structured_content
    assert first.structured_content != other.structured_content
    assert days.structured_content is not None
    assert [entry["date"] for entry in days.structured_content["days"]] == ["2026-01-01", "2026-01-02"]


@pytest.mark.parametrize(
    ("city", "words"), [("Atlantis", "Unknown city: Atlantis. Known cities: Brno"), ("", "Unknown city")]
)
async def test_unknown_city_is_an_answer_the_model_can_read(city: str, words: str) -> None:
    async with Client(weather.create_server()) as client:
        answer = await client.call_tool("get_weather", {"city": city})
    assert answer.is_error
    assert words in str(answer.content)


async def test_bridge_serves_the_package_of_a_stdio_server() -> None:
    async with Client(bridge.load("mcp_server_time.server:create_server", ["UTC"])) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == {"get_current_time", "convert_time"}


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("no_such_module:x", "No module named"),
        ("mcp_server_time.server:nothing", "has no attribute"),
        ("mcp_server_time.server:create_server", "missing 1 required positional argument"),
        ("os:getcwd", "made str, not an MCPServer"),
    ],
)
def test_bridge_says_what_is_wrong_with_a_reference(reference: str, message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        bridge.load(reference, [])
