# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The ASGI application: `/mcp` goes to the raw endpoint, everything else to FastAPI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mcpops_broker import logs
from mcpops_broker.broker import Broker
from mcpops_broker.mcp.endpoint import McpEndpoint
from mcpops_broker.web.admin import admin_app
from mcpops_broker.web.asgi import Receive, Scope, Send

MCP_PATHS = frozenset({"/mcp", "/mcp/", "/mcp/stateful"})
"""`/mcp/stateful` is the operator's name for sessions only; here `/mcp` serves them as well."""


class App:
    """The application of one worker.

    The broker is made when the server starts it (ASGI lifespan), because connections belong to a running event loop.
    """

    def __init__(self, make_broker: Callable[[], Awaitable[Broker]]) -> None:
        self._make_broker = make_broker
        self.broker: Broker | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event of the server."""
        if scope["type"] == "http":
            await (self._mcp if scope["path"] in MCP_PATHS else self._admin)(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                try:
                    self.broker = await self._make_broker()
                    self._mcp = McpEndpoint(self.broker)
                    self._admin = admin_app(self.broker)
                    await self.broker.start()
                except Exception as error:
                    logs.failure("start.failed", error)
                    await send({"type": "lifespan.startup.failed", "message": type(error).__name__})
                    return
                await send({"type": "lifespan.startup.complete"})
            else:
                if self.broker is not None:
                    await self.broker.close()
                await send({"type": "lifespan.shutdown.complete"})
                return
