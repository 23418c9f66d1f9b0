# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The official SDK 2.x: `python -m broker.conformance.clients.sdk2 URL legacy|auto`.
"""A tour by the client of the official Python SDK 2.x in either era."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import mcp_types as types
from broker.conformance.clients import tour
from broker.conformance.content import Json
from mcp.client.client import Client
from mcp.client.session import ClientSession
from mcp.client.subscriptions import ResourceUpdated, listen


class Sdk2(tour.Client):
    """The tour's calls."""

    def __init__(self, client: Client, logs: list[Any], changes: tour.Changes) -> None:
        self._client = client
        self._changes = changes
        self.logs = logs
        self.protocol = client.protocol_version or ""
        self.server = client.server_info.name if client.server_info else ""

    async def names(self, kind: str) -> list[str]:
        match kind:
            case "tools":
                return [tool.name for tool in (await self._client.list_tools()).tools]
            case "prompts":
                return [prompt.name for prompt in (await self._client.list_prompts()).prompts]
            case "resources":
                return [resource.uri for resource in (await self._client.list_resources()).resources]
        templates = await self._client.list_resource_templates()
        return [template.uri_template for template in templates.resource_templates]

    async def call(self, tool: str, arguments: Json, progress: list[float] | None = None) -> Json:
        async def note(value: float, total: float | None, message: str | None) -> None:
            if progress is not None:
                progress.append(value)

        result = await self._client.call_tool(tool, arguments, progress_callback=None if progress is None else note)
        dumped: Json = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        return dumped

    async def read(self, uri: str) -> str:
        return str((await self._client.read_resource(uri)).contents[0].text)

    async def prompt(self, name: str, arguments: dict[str, str]) -> str:
        return str((await self._client.get_prompt(name, arguments)).messages[0].content.text)

    async def complete(self, prompt: str, argument: str, value: str) -> list[str]:
        reference = types.PromptReference(type="ref/prompt", name=prompt)
        return (await self._client.complete(reference, {"name": argument, "value": value})).completion.values

    async def watch(self, uri: str, touch: str) -> str:
        return await watched(self._client.session, self._changes, uri, touch)


async def watched(session: ClientSession, changes: tour.Changes, uri: str, touch: str) -> str:
    """Subscribe to a resource in the way of the session's era, change it, and return the URI that is said to change."""
    if (session.protocol_version or "") < "2026":
        await session.subscribe_resource(uri)
        await session.call_tool(touch, {})
        return await changes.next()
    async with listen(session, resource_subscriptions=[uri]) as events:
        await session.call_tool(touch, {})
        async for event in events:
            assert isinstance(event, ResourceUpdated)
            return event.uri
    raise AssertionError("the stream ended without a change")


def elicited(params: Any) -> types.ElicitResult:
    """Fill in a form, or agree to open a page."""
    form = getattr(params, "mode", "form") != "url"
    return types.ElicitResult(action="accept", content=dict(tour.USER) if form else None)


async def main(url: str, mode: str) -> None:
    """Connect, tour, show."""
    logs: list[Any] = []
    changes = tour.Changes()

    async def on_log(params: types.LoggingMessageNotificationParams) -> None:
        logs.append(params.data)

    async def on_message(message: Any) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            changes.add(message.params.uri)

    async def on_elicitation(context: Any, params: Any) -> types.ElicitResult:
        return elicited(params)

    async def on_sampling(context: Any, params: Any) -> types.CreateMessageResult:
        answer = types.TextContent(type="text", text=tour.MODEL)
        return types.CreateMessageResult(role="assistant", content=answer, model="test")

    async def on_roots(context: Any) -> types.ListRootsResult:
        return types.ListRootsResult(roots=[types.Root(uri=tour.ROOT)])

    connected = Client(
        url,
        mode=mode,
        log_level="info" if mode == "auto" else None,
        logging_callback=on_log,
        message_handler=on_message,
        elicitation_callback=on_elicitation,
        sampling_callback=on_sampling,
        list_roots_callback=on_roots,
    )
    async with connected as client:
        tour.show(await tour.tour(Sdk2(client, logs, changes)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
