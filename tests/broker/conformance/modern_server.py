# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# The fixtures of the conformance suite on SDK 2.x: `python -m broker.conformance.modern_server SOCKET [both]`.
"""An MCP server of 2026-07-28 only; with `both` it has sessions for older clients, too, as the SDK makes it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import sys
from collections.abc import Awaitable
from functools import partial
from typing import Any

import mcp_types as types
import uvicorn
from broker.conformance import content
from broker.conformance.content import Json
from broker.conformance.events import Events
from broker.conformance.fixture import Call, Fixture, RefusedError, missing_capabilities
from mcp.server.caching import CacheHint
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.session import ServerSession
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ResourceUpdated,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

Context = ServerRequestContext[Any, Any]
MODERN = "2026-07-28"
KEY = secrets.token_bytes(32)
CACHED = ("tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read")
ASKED = {
    "elicitation/create": (types.ElicitRequest, types.ElicitResult),
    "sampling/createMessage": (types.CreateMessageRequest, types.CreateMessageResult),
    "roots/list": (types.ListRootsRequest, types.ListRootsResult),
}

bus = InMemorySubscriptionBus()
sessions: dict[str, ServerSession] = {}
"""Sessions of older clients by their id; their streams get what changed."""
watching: set[str] = set()
"""Ids of the sessions that subscribed to the watched resource."""


async def announce(kind: str) -> None:
    """Tell every client of either era."""
    events = {"tools": ToolsListChanged(), "prompts": PromptsListChanged(), "updated": ResourceUpdated(content.WATCHED)}
    await bus.publish(events[kind])
    for session_id, session in list(sessions.items()):
        if kind == "tools":
            await session.send_tool_list_changed()
        elif kind == "prompts":
            await session.send_prompt_list_changed()
        elif session_id in watching:
            await session.send_resource_updated(content.WATCHED)


fixture = Fixture(announce)


class InputRequiredError(Exception):
    """The client has to answer `requests` and repeat the call with `state`."""

    def __init__(self, requests: Json, state: str) -> None:
        super().__init__()
        self.result = {"resultType": "input_required", "inputRequests": requests, "requestState": state}


def wire(model: BaseModel) -> Json:
    """Return the JSON of a model of the SDK."""
    dumped: Json = model.model_dump(by_alias=True, mode="json", exclude_none=True)
    return dumped


def seal(answers: Json) -> str:
    """Put the answers so far into a requestState that a client cannot change."""
    data = base64.urlsafe_b64encode(json.dumps(answers).encode()).decode()
    return f"{data}.{hmac.new(KEY, data.encode(), hashlib.sha256).hexdigest()}"


def unseal(state: str) -> Json:
    """Return the answers of a requestState. Raises MCPError."""
    data, _, signature = state.rpartition(".")
    if not hmac.compare_digest(signature, hmac.new(KEY, data.encode(), hashlib.sha256).hexdigest()):
        raise MCPError(types.INVALID_PARAMS, "requestState was not made by this server.")
    answers: Json = json.loads(base64.urlsafe_b64decode(data))
    return answers


class SdkCall(Call):
    """A call that reached this server in either era."""

    def __init__(self, context: Context, params: types.InputResponseRequestParams) -> None:
        self._context = context
        capabilities = context.session.client_capabilities
        self.capabilities = wire(capabilities) if capabilities else {}
        self.progress_token = (context.meta or {}).get("progress_token")
        self._answers = unseal(params.request_state) if params.request_state else {}
        for key, value in (params.input_responses or {}).items():
            self._answers[key] = wire(value)

    async def log(self, data: Any) -> None:
        """Send a log message of level info, if the client wants any."""
        await self._context.session.send_log_message("info", data, "fixture", self._context.request_id)

    async def progress(self, progress: float, total: float, message: str) -> None:
        """Report progress, if the client gave a token."""
        await self._context.session.report_progress(progress, total, message)

    async def ask(self, requests: Json) -> Json:
        """Take the answers that came with the call and ask for the rest: by the result, or by requests of our own."""
        modern = self._context.protocol_version == MODERN
        if missing := missing_capabilities(requests, self.capabilities):
            code = types.MISSING_REQUIRED_CLIENT_CAPABILITY if modern else types.INVALID_REQUEST
            raise RefusedError(code, "The client cannot answer that.", {"requiredCapabilities": missing})
        if modern:
            if open_ := {key: request for key, request in requests.items() if key not in self._answers}:
                raise InputRequiredError(open_, seal(self._answers))
            return {key: self._answers[key] for key in requests}
        return {key: await self._ask_session(request) for key, request in requests.items()}

    async def _ask_session(self, request: Json) -> Json:
        request_type, result_type = ASKED[request["method"]]
        of_this_call = ServerMessageMetadata(related_request_id=self._context.request_id)
        asked = request_type.model_validate(request)
        result = await self._context.session.send_request(asked, result_type, metadata=of_this_call)
        return wire(result)

    async def close_stream(self) -> None:
        """Close the stream of a session's call."""
        if self._context.close_sse_stream:
            await self._context.close_sse_stream()


def answer(context: Context, result: Json) -> Json:
    """Add what the era of the client wants in a complete result."""
    return {"resultType": "complete", **result} if context.protocol_version == MODERN else result


async def answered(context: Context, work: Awaitable[Json]) -> Json:
    """Answer with what the fixtures return or raise."""
    try:
        return answer(context, await work)
    except InputRequiredError as asking:
        return asking.result
    except RefusedError as refused:
        raise MCPError(refused.code, refused.message, refused.data) from None


async def remember_session(context: Context, call_next: CallNext) -> HandlerResult:
    """Keep the sessions of older clients, to tell them of changes."""
    session_id = context.request.headers.get("mcp-session-id") if context.request else None
    if session_id and context.protocol_version != MODERN:
        sessions[session_id] = context.session
    return await call_next(context)


async def list_tools(context: Context, params: Any) -> HandlerResult:
    """Answer tools/list."""
    return answer(context, {"tools": fixture.tools})


async def call_tool(context: Context, params: types.CallToolRequestParams) -> HandlerResult:
    """Answer tools/call."""
    call = SdkCall(context, params)
    return await answered(context, fixture.call_tool(params.name, params.arguments or {}, call))


async def list_prompts(context: Context, params: Any) -> HandlerResult:
    """Answer prompts/list."""
    return answer(context, {"prompts": fixture.prompts})


async def get_prompt(context: Context, params: types.GetPromptRequestParams) -> HandlerResult:
    """Answer prompts/get."""
    call = SdkCall(context, params)
    return await answered(context, fixture.get_prompt(params.name, params.arguments or {}, call))


async def list_resources(context: Context, params: Any) -> HandlerResult:
    """Answer resources/list."""
    return answer(context, {"resources": content.RESOURCES})


async def list_templates(context: Context, params: Any) -> HandlerResult:
    """Answer resources/templates/list."""
    return answer(context, {"resourceTemplates": content.TEMPLATES})


async def read_resource(context: Context, params: types.ReadResourceRequestParams) -> HandlerResult:
    """Answer resources/read."""
    not_found = -32602 if context.protocol_version == MODERN else -32002
    return await answered(context, fixture.read_resource(params.uri, not_found))


async def complete(context: Context, params: types.CompleteRequestParams) -> HandlerResult:
    """Answer completion/complete."""
    return answer(context, fixture.complete(params.argument.name, params.argument.value))


async def subscribe(context: Context, params: types.SubscribeRequestParams) -> HandlerResult:
    """Answer resources/subscribe."""
    watching.add(context.request.headers["mcp-session-id"])
    return {}


async def unsubscribe(context: Context, params: types.UnsubscribeRequestParams) -> HandlerResult:
    """Answer resources/unsubscribe."""
    watching.discard(context.request.headers["mcp-session-id"])
    return {}


async def set_level(context: Context, params: types.SetLevelRequestParams) -> HandlerResult:
    """Answer logging/setLevel; the fixtures log at level info only."""
    return {}


server: Server[Any] = Server(
    "conformance",
    version="2",
    instructions=content.INSTRUCTIONS,
    cache_hints=dict.fromkeys(CACHED, CacheHint(ttl_ms=1000, scope="public")),
    get_tool_input_schema={tool["name"]: tool["inputSchema"] for tool in content.TOOLS}.get,
    on_list_tools=list_tools,
    on_call_tool=call_tool,
    on_list_prompts=list_prompts,
    on_get_prompt=get_prompt,
    on_list_resources=list_resources,
    on_list_resource_templates=list_templates,
    on_read_resource=read_resource,
    on_completion=complete,
    on_subscribe_resource=subscribe,
    on_unsubscribe_resource=unsubscribe,
    on_subscriptions_listen=ListenHandler(bus),
)
server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, set_level)
server.middleware.append(remember_session)


class OnlyModern:
    """Refuses what is not of 2026-07-28, and names the version that is spoken here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        version = dict(scope.get("headers", [])).get(b"mcp-protocol-version", b"").decode()
        if scope["type"] != "http" or (scope["method"], version) == ("POST", MODERN):
            await self._app(scope, receive, send)
        elif scope["method"] == "POST":
            data = {"supported": [MODERN], "requested": version}
            error = {"code": types.UNSUPPORTED_PROTOCOL_VERSION, "message": "Unsupported version", "data": data}
            await JSONResponse({"jsonrpc": "2.0", "id": None, "error": error}, 400)(scope, receive, send)
        else:
            await Response(status_code=405)(scope, receive, send)


def main() -> None:
    """Serve on the listening socket that the command line gives by its number."""
    changes = NotificationOptions(prompts_changed=True, tools_changed=True)
    # the SDK has no other way to say listChanged over HTTP
    server.create_initialization_options = partial(server.create_initialization_options, changes)
    app = server.streamable_http_app(event_store=Events(), retry_interval=50)
    served = app if "both" in sys.argv else OnlyModern(app)
    # h11 takes the blanks around a header value away, as RFC 9110 wants it; httptools leaves those behind it
    uvicorn.run(served, fd=int(sys.argv[1]), http="h11", log_level="warning")


if __name__ == "__main__":
    main()
