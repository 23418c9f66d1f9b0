# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serves an MCP server of the official SDK over Streamable HTTP on a port of 127.0.0.1."""

from __future__ import annotations

from typing import Any

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from sandbox.faults import upstream
from starlette.requests import Request
from starlette.responses import PlainTextResponse

CLOSE_SECONDS = 1
"""How long open event streams may hold up the end of the process."""


async def _healthy(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ok\n")


def run(server: MCPServer[Any], port: int) -> None:
    """Serves ``/mcp`` (every protocol revision that the SDK knows) and ``/healthz`` until SIGTERM.

    The SDK's check of the Host header is off: behind a gateway the host is the Service's name, and only
    loopback can reach the port.
    """
    server.custom_route("/healthz", methods=["GET"])(_healthy)
    app = server.streamable_http_app(
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False)
    )
    uvicorn.run(
        upstream.wrap(app),
        host="127.0.0.1",
        port=port,
        loop="asyncio",
        log_level="warning",
        access_log=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=CLOSE_SECONDS,
    )
