# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers for the endpoint tests: the official SDK's, and raw ones."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from endpoint_sdk import Memory, serve, talking_server, weather_server
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
    """An MCP server of the official SDK with two tools, of every revision, answering with event streams."""
    with serve(weather_server().streamable_http_app()) as origin:
        yield f"{origin}/mcp"


@pytest.fixture(scope="session")
def json_url() -> Iterator[str]:
    """The same, answering with JSON."""
    with serve(weather_server().streamable_http_app(json_response=True)) as origin:
        yield f"{origin}/mcp"


@pytest.fixture(scope="session")
def talking_url() -> Iterator[str]:
    """A server of the official SDK that asks back, and whose streams can be resumed."""
    app = talking_server().streamable_http_app(event_store=Memory(), retry_interval=10)
    with serve(app) as origin:
        yield f"{origin}/mcp"


@pytest.fixture(scope="session")
def sse_url() -> Iterator[str]:
    """A server of the official SDK that speaks nothing but HTTP+SSE."""
    with serve(weather_server().sse_app()) as origin:
        yield f"{origin}/sse"
