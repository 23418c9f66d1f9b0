# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# FastMCP: `python -m broker.conformance.clients.fastmcp_client URL legacy|auto`.
"""A tour by FastMCP's client in either era."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import mcp_types as types
from broker.conformance.clients import tour
from broker.conformance.clients.sdk2 import elicited, watched
from broker.conformance.content import Json
from fastmcp import Client


class FastMcp(tour.Client):
    """The tour's calls."""

    def __init__(self, client: Client[Any], logs: list[Any], changes: tour.Changes) -> None:
        self._client = client
        self._changes = changes
        self.logs = logs
        self.protocol = str(client.session.protocol_version)
        self.server = client.session.server_info.name

    async def names(self, kind: str) -> list[str]:
        match kind:
            case "tools":
                return [tool.name for tool in await self._client.list_tools()]
            case "prompts":
                return [prompt.name for prompt in await self._client.list_prompts()]
            case "resources":
                return [str(resource.uri) for resource in await self._client.list_resources()]
        return [template.uri_template for template in await self._client.list_resource_templates()]

    async def call(self, tool: str, arguments: Json, progress: list[float] | None = None) -> Json:
        async def note(value: float, total: float | None, message: str | None) -> None:
            if progress is not None:
                progress.append(value)

        result = await self._client.call_tool_mcp(tool, arguments, progress_handler=None if progress is None else note)
        dumped: Json = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        return dumped

    async def read(self, uri: str) -> str:
        return str((await self._client.read_resource(uri))[0].text)

    async def prompt(self, name: str, arguments: dict[str, str]) -> str:
        return str((await self._client.get_prompt(name, arguments)).messages[0].content.text)

    async def complete(self, prompt: str, argument: str, value: str) -> list[str]:
        reference = types.PromptReference(type="ref/prompt", name=prompt)
        return list((await self._client.complete(reference, {"name": argument, "value": value})).values)

    async def watch(self, uri: str, touch: str) -> str:
        return await watched(self._client.session, self._changes, uri, touch)


async def main(url: str, mode: str) -> None:
    """Connect, tour, show."""
    logs: list[Any] = []
    changes = tour.Changes()

    async def on_log(message: Any) -> None:
        logs.append(message.data)

    async def on_message(message: Any) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            changes.add(message.params.uri)

    async def on_elicitation(message: str, response_type: Any, params: Any, context: Any) -> Any:
        return elicited(params)

    async def on_sampling(messages: Any, params: Any, context: Any) -> str:
        return tour.MODEL

    connected: Client[Any] = Client(
        url,
        mode=mode,
        log_handler=on_log,
        message_handler=on_message,
        elicitation_handler=on_elicitation,
        sampling_handler=on_sampling,
        roots=[tour.ROOT],
    )
    async with connected as client:
        tour.show(await tour.tour(FastMcp(client, logs, changes)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
