# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the official MCP client gets from an endpoint, as JSON: the tools, and the answer of one of them.

usage: MCP_TOKEN=TOKEN mcp_client.py URL [--connect-to HOST:PORT] [--cacert FILE] [--call JSON]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import ssl
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


def connect_to(address: str) -> None:
    """Every connection goes to one place, whatever its host name, as with curl's option of this name."""
    host, _, port = address.rpartition(":")
    real = socket.getaddrinfo

    def elsewhere(_host: Any, _port: Any, *arguments: Any, **options: Any) -> Any:
        return real(host.strip("[]"), int(port), *arguments, **options)

    socket.getaddrinfo = elsewhere


async def ask(options: argparse.Namespace) -> dict[str, Any]:
    """The endpoint's tools and what `--call` answered (empty without it)."""
    trusted = ssl.create_default_context(cafile=options.cacert or None)
    token = os.environ.get("MCP_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = ""
    async with (
        httpx2.AsyncClient(verify=trusted, headers=headers, timeout=30) as http,
        Client(streamable_http_client(options.url, http_client=http), mode="legacy") as client,
    ):
        tools = [tool.name for tool in (await client.list_tools()).tools]
        if options.call:
            result = await client.call_tool(options.call["name"], options.call.get("arguments", {}))
            answer = " ".join(part.text for part in result.content if part.type == "text")
            if result.is_error:
                raise SystemExit(f"{options.call['name']} failed: {answer}")
    return {"tools": tools, "answer": answer}


def main() -> None:
    """Ask, and print the answer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--connect-to")
    parser.add_argument("--cacert", help="authorities to trust instead of the system's")
    parser.add_argument("--call", type=json.loads, help="a tool to call")
    options = parser.parse_args()
    if options.connect_to:
        connect_to(options.connect_to)
    print(json.dumps(asyncio.run(ask(options))))


if __name__ == "__main__":
    main()
