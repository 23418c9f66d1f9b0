# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers for the endpoint tests: the official SDK's, and raw ones."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from mcp.server.mcpserver import MCPServer

sys.path.insert(0, str(Path(__file__).parent))

from endpoint_servers import Certificate, RawServer


@pytest.fixture
def raw_server() -> Iterator[Callable[..., RawServer]]:
    """Starts raw servers and stops them after the test."""
    started: list[RawServer] = []

    def start(respond: Callable[[bytes], bytes], tls: ssl.SSLContext | None = None) -> RawServer:
        started.append(RawServer(respond, tls))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("ca") / "ca.pem")


@pytest.fixture(scope="session")
def sdk_url() -> Iterator[str]:
    """An MCP server of the official SDK with three tools."""
    server = MCPServer("weather", version="1.2")

    @server.tool()
    def forecast(city: str) -> str:
        """The weather of a city."""
        if city == "Atlantis":
            raise ValueError("Atlantis has sunk")
        return f"{city}: sunny"

    @server.tool()
    def alerts() -> list[str]:
        """Warnings."""
        return []

    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(server.streamable_http_app(), log_level="warning", lifespan="on")
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        running.should_exit = True
        thread.join(10)
