# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The ASGI application: `/mcp` and health go to raw endpoints, everything else to FastAPI.

FastAPI is loaded when it is first asked for something: it takes 17 MB and 0.2 s, and a broker that only serves MCP
and probes never needs it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from mcpops_broker import logs
from mcpops_broker.broker import Broker
from mcpops_broker.mcp.endpoint import McpEndpoint
from mcpops_broker.mcp.virtual_path import VIRTUAL_PATHS
from mcpops_broker.web.admin_access import AdminAccess
from mcpops_broker.web.asgi import Receive, Scope, Send, respond
from mcpops_broker.web.guard import guarded
from mcpops_broker.web.health import CHECKS
from mcpops_broker.web.metrics import PATH as METRICS
from mcpops_broker.web.metrics import MetricsEndpoint

MCP_PATHS = frozenset({"/mcp", "/mcp/", "/mcp/stateful", "/mcp/stateless"})
"""As in the operator's broker: `/mcp/stateful` takes every request for one in a session, `/mcp/stateless` is `/mcp`."""

Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


class App:
    """The application of one worker.

    The broker is made when the server starts it (ASGI lifespan), because connections belong to a running event loop.
    """

    def __init__(self, make_broker: Callable[[], Awaitable[Broker]]) -> None:
        self._make_broker = make_broker
        self.broker: Broker | None = None
        self._mcp: Asgi | None = None
        self._metrics: MetricsEndpoint | None = None
        self._admin: asyncio.Task[Asgi] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event of the server."""
        if scope["type"] == "http" and self._mcp is not None:
            path = scope["path"]
            if path in MCP_PATHS or path.startswith(VIRTUAL_PATHS):
                await self._mcp(scope, receive, send)
            else:
                await self._other(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.broker is None:
            raise RuntimeError("a request came before the application was started")
        check = CHECKS.get(scope["path"])
        if check is not None and scope["method"] in ("GET", "HEAD"):
            status, text = check(self.broker)
            plain = (b"content-type", b"text/plain; charset=utf-8")
            await respond(send, status, text.encode(), plain, head=scope["method"] == "HEAD")
            return
        if scope["path"] == METRICS and self._metrics is not None and scope["method"] in ("GET", "HEAD"):
            await guarded(self._metrics, self.broker, scope, receive, send)
            return
        if self._admin is None:
            self._admin = asyncio.create_task(_load_admin(self.broker))
        admin = await asyncio.shield(self._admin)
        await guarded(admin, self.broker, scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self.broker = await self._make_broker()
            self._mcp = McpEndpoint(self.broker)
            self._metrics = MetricsEndpoint(self.broker, AdminAccess(self.broker))
            await self.broker.start()
        except Exception as error:
            logs.failure("start.failed", error)
            await send({"type": "lifespan.startup.failed", "message": type(error).__name__})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.broker.close()
        await send({"type": "lifespan.shutdown.complete"})


async def _load_admin(broker: Broker) -> Asgi:
    def load() -> Asgi:
        from mcpops_broker.web.admin import admin_app  # noqa: PLC0415 - see the head of this file

        return admin_app(broker, AdminAccess(broker))

    return await asyncio.to_thread(load)
