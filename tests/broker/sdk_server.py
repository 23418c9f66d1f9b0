# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# A real MCP server on the official SDK: `python -m broker.sdk_server PORT [json] [stateless]`.
"""The upstream of the tests with the official client."""

from __future__ import annotations

import sys

import uvicorn
from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("sdk-server")


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
async def work(ctx: Context, steps: int) -> str:
    """Report progress and a log message for each step."""
    for step in range(steps):
        await ctx.report_progress(step + 1, steps)
        await ctx.info(f"step {step + 1}")
    return f"{steps} steps"


@server.tool()
def fail() -> str:
    """Fail."""
    raise ValueError("as asked")


if __name__ == "__main__":
    app = server.streamable_http_app(json_response="json" in sys.argv, stateless_http="stateless" in sys.argv)
    uvicorn.run(app, port=int(sys.argv[1]), log_level="warning")
