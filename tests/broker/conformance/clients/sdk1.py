# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The official SDK 1.x: `python -m broker.conformance.clients.sdk1 URL`.
"""A tour by the client of the official Python SDK 1.x, which knows sessions only. It runs in .venv-legacy."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from broker.conformance.clients import tour
from broker.conformance.content import Json
from mcp import types
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from pydantic import AnyUrl


class Sdk1(tour.Client):
    """The tour's calls."""

    def __init__(self, session: ClientSession, started: Any, logs: list[Any], changes: tour.Changes) -> None:
        self._session = session
        self._changes = changes
        self.logs = logs
        self.protocol = str(started.protocolVersion)
        self.server = started.serverInfo.name

    async def names(self, kind: str) -> list[str]:
        match kind:
            case "tools":
                return [tool.name for tool in (await self._session.list_tools()).tools]
            case "prompts":
                return [prompt.name for prompt in (await self._session.list_prompts()).prompts]
            case "resources":
                return [str(resource.uri) for resource in (await self._session.list_resources()).resources]
        templates = await self._session.list_resource_templates()
        return [template.uriTemplate for template in templates.resourceTemplates]

    async def call(self, tool: str, arguments: Json, progress: list[float] | None = None) -> Json:
        async def note(value: float, total: float | None, message: str | None) -> None:
            if progress is not None:
                progress.append(value)

        result = await self._session.call_tool(tool, arguments, progress_callback=None if progress is None else note)
        dumped: Json = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        return dumped

    async def read(self, uri: str) -> str:
        return str((await self._session.read_resource(AnyUrl(uri))).contents[0].text)

    async def prompt(self, name: str, arguments: dict[str, str]) -> str:
        return str((await self._session.get_prompt(name, arguments)).messages[0].content.text)

    async def complete(self, prompt: str, argument: str, value: str) -> list[str]:
        reference = types.PromptReference(type="ref/prompt", name=prompt)
        return (await self._session.complete(reference, {"name": argument, "value": value})).completion.values

    async def watch(self, uri: str, touch: str) -> str:
        await self._session.subscribe_resource(AnyUrl(uri))
        await self._session.call_tool(touch, {})
        return await self._changes.next()


async def main(url: str) -> None:
    """Connect, tour, show."""
    logs: list[Any] = []
    changes = tour.Changes()

    async def on_log(params: types.LoggingMessageNotificationParams) -> None:
        logs.append(params.data)

    async def on_message(message: Any) -> None:
        if isinstance(message, types.ServerNotification) and isinstance(
            message.root, types.ResourceUpdatedNotification
        ):
            changes.add(str(message.root.params.uri))

    async def on_elicitation(context: Any, params: Any) -> types.ElicitResult:
        form = isinstance(params, types.ElicitRequestFormParams)
        return types.ElicitResult(action="accept", content=dict(tour.USER) if form else None)

    async def on_sampling(context: Any, params: Any) -> types.CreateMessageResult:
        answer = types.TextContent(type="text", text=tour.MODEL)
        return types.CreateMessageResult(role="assistant", content=answer, model="test")

    async def on_roots(context: Any) -> types.ListRootsResult:
        return types.ListRootsResult(roots=[types.Root(uri=AnyUrl(tour.ROOT))])

    async with (
        streamable_http_client(url) as (read, write, _),
        ClientSession(
            read,
            write,
            logging_callback=on_log,
            message_handler=on_message,
            elicitation_callback=on_elicitation,
            sampling_callback=on_sampling,
            list_roots_callback=on_roots,
        ) as session,
    ):
        started = await session.initialize()
        tour.show(await tour.tour(Sdk1(session, started, logs, changes)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
