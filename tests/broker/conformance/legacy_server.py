# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The fixtures of the conformance suite on the official SDK 1.x: `python -m broker.conformance.legacy_server SOCKET`.
"""An MCP server with sessions only, as the SDK made it before 2026-07-28. It runs in .venv-legacy, which has it."""

from __future__ import annotations

import contextlib
import sys
import weakref
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import uvicorn
from broker.conformance import content
from broker.conformance.content import Json
from broker.conformance.events import Events
from broker.conformance.fixture import Call, Fixture, RefusedError, missing_capabilities
from mcp import types
from mcp.server.fastmcp.server import StreamableHTTPASGIApp
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.session import ServerSession
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import McpError
from mcp.shared.message import ServerMessageMetadata
from starlette.applications import Starlette
from starlette.routing import Route

ASKED = {
    "elicitation/create": (types.ElicitRequest, types.ElicitResult),
    "sampling/createMessage": (types.CreateMessageRequest, types.CreateMessageResult),
    "roots/list": (types.ListRootsRequest, types.ListRootsResult),
}
LOCAL = ["127.0.0.1:*", "localhost:*"]

sessions: weakref.WeakSet[ServerSession] = weakref.WeakSet()
watching: weakref.WeakSet[ServerSession] = weakref.WeakSet()
"""Sessions that subscribed to the watched resource."""


async def announce(kind: str) -> None:
    """Tell every session."""
    for session in list(watching if kind == "updated" else sessions):
        if kind == "tools":
            await session.send_tool_list_changed()
        elif kind == "prompts":
            await session.send_prompt_list_changed()
        else:
            await session.send_resource_updated(types.AnyUrl(content.WATCHED))


fixture = Fixture(announce)
server: Server[Any, Any] = Server("conformance", "1", content.INSTRUCTIONS)


class SdkCall(Call):
    """The call that this task answers."""

    def __init__(self) -> None:
        self._context = server.request_context
        self._session = self._context.session
        sessions.add(self._session)
        client = self._session.client_params
        self.capabilities = wire(client.capabilities) if client else {}
        self.progress_token = self._context.meta.progressToken if self._context.meta else None

    async def log(self, data: Any) -> None:
        """Send a log message of level info."""
        await self._session.send_log_message("info", data, "fixture", self._context.request_id)

    async def progress(self, progress: float, total: float, message: str) -> None:
        """Report progress, if the client gave a token."""
        if self.progress_token is not None:
            call = str(self._context.request_id)
            await self._session.send_progress_notification(self.progress_token, progress, total, message, call)

    async def ask(self, requests: dict[str, Json]) -> dict[str, Json]:
        """Ask the client one thing after the other, by requests of our own."""
        if missing := missing_capabilities(requests, self.capabilities):
            raise RefusedError(types.INVALID_REQUEST, f"The client did not declare {', '.join(missing)}.")
        of_this_call = ServerMessageMetadata(related_request_id=self._context.request_id)
        answers = {}
        for key, request in requests.items():
            request_type, result_type = ASKED[request["method"]]
            asked = types.ServerRequest(request_type.model_validate(request))
            answers[key] = wire(await self._session.send_request(asked, result_type, metadata=of_this_call))
        return answers

    async def close_stream(self) -> None:
        """Close the stream of this call."""
        if self._context.close_sse_stream:
            await self._context.close_sse_stream()


def wire(model: Any) -> Json:
    """Return the JSON of a model of the SDK."""
    dumped: Json = model.model_dump(by_alias=True, mode="json", exclude_none=True)
    return dumped


async def answered(work: Awaitable[Json], result_type: Any) -> types.ServerResult:
    """Answer with what the fixtures return or raise."""
    try:
        return types.ServerResult(result_type.model_validate(await work))
    except RefusedError as refused:
        raise McpError(types.ErrorData(code=refused.code, message=refused.message, data=refused.data)) from None


async def list_tools(request: types.ListToolsRequest) -> types.ServerResult:
    """Answer tools/list."""
    sessions.add(server.request_context.session)
    return types.ServerResult(types.ListToolsResult.model_validate({"tools": fixture.tools}))


async def call_tool(request: types.CallToolRequest) -> types.ServerResult:
    """Answer tools/call."""
    work = fixture.call_tool(request.params.name, request.params.arguments or {}, SdkCall())
    return await answered(work, types.CallToolResult)


async def list_prompts(request: types.ListPromptsRequest) -> types.ServerResult:
    """Answer prompts/list."""
    return types.ServerResult(types.ListPromptsResult.model_validate({"prompts": fixture.prompts}))


async def get_prompt(request: types.GetPromptRequest) -> types.ServerResult:
    """Answer prompts/get."""
    work = fixture.get_prompt(request.params.name, request.params.arguments or {}, SdkCall())
    return await answered(work, types.GetPromptResult)


async def list_resources(request: types.ListResourcesRequest) -> types.ServerResult:
    """Answer resources/list."""
    return types.ServerResult(types.ListResourcesResult.model_validate({"resources": content.RESOURCES}))


async def list_templates(request: types.ListResourceTemplatesRequest) -> types.ServerResult:
    """Answer resources/templates/list."""
    listed = {"resourceTemplates": content.TEMPLATES}
    return types.ServerResult(types.ListResourceTemplatesResult.model_validate(listed))


async def read_resource(request: types.ReadResourceRequest) -> types.ServerResult:
    """Answer resources/read."""
    return await answered(fixture.read_resource(str(request.params.uri), -32002), types.ReadResourceResult)


async def complete(request: types.CompleteRequest) -> types.ServerResult:
    """Answer completion/complete."""
    found = fixture.complete(request.params.argument.name, request.params.argument.value)
    return types.ServerResult(types.CompleteResult.model_validate(found))


async def subscribe(request: types.SubscribeRequest) -> types.ServerResult:
    """Answer resources/subscribe."""
    watching.add(server.request_context.session)
    return types.ServerResult(types.EmptyResult())


async def unsubscribe(request: types.UnsubscribeRequest) -> types.ServerResult:
    """Answer resources/unsubscribe."""
    watching.discard(server.request_context.session)
    return types.ServerResult(types.EmptyResult())


async def set_level(request: types.SetLevelRequest) -> types.ServerResult:
    """Answer logging/setLevel; the fixtures log at level info only."""
    return types.ServerResult(types.EmptyResult())


server.request_handlers.update(
    {
        types.ListToolsRequest: list_tools,
        types.CallToolRequest: call_tool,
        types.ListPromptsRequest: list_prompts,
        types.GetPromptRequest: get_prompt,
        types.ListResourcesRequest: list_resources,
        types.ListResourceTemplatesRequest: list_templates,
        types.ReadResourceRequest: read_resource,
        types.CompleteRequest: complete,
        types.SubscribeRequest: subscribe,
        types.UnsubscribeRequest: unsubscribe,
        types.SetLevelRequest: set_level,
    }
)


def initialization_options(*arguments: Any) -> Any:
    """Say what this server can; the SDK of that time never says that resources can be subscribed to."""
    changes = NotificationOptions(prompts_changed=True, tools_changed=True)
    options = Server.create_initialization_options(server, changes)
    options.capabilities.resources = types.ResourcesCapability(subscribe=True, listChanged=False)
    return options


def main() -> None:
    """Serve on the listening socket that the command line gives by its number."""
    server.create_initialization_options = initialization_options
    security = TransportSecuritySettings(allowed_hosts=LOCAL, allowed_origins=[f"http://{host}" for host in LOCAL])
    manager = StreamableHTTPSessionManager(server, Events(), security_settings=security, retry_interval=50)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with manager.run():
            yield

    app = Starlette(routes=[Route("/mcp", StreamableHTTPASGIApp(manager))], lifespan=lifespan)
    uvicorn.run(app, fd=int(sys.argv[1]), log_level="warning")


if __name__ == "__main__":
    main()
