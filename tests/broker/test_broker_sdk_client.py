# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The official SDK's client through the broker to real servers made with the official SDK."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from broker.harness import BrokerProcess, run_broker, server
from mcp.client.client import Client

SERVERS = {"json": ["json"], "sse": [], "stateless": ["stateless"]}


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """A broker before three real servers: JSON answers, streamed answers, and one without sessions; and a public
    package, mcp-server-time, behind the sandbox's bridge from stdio servers to HTTP."""
    with ExitStack() as stack:
        servers = []
        commands = {name: ["broker.sdk_server", "{port}", *options] for name, options in SERVERS.items()}
        commands["time"] = ["sandbox.servers.bridge", "--server", "mcp_server_time.server:create_server", "--argument"]
        commands["time"] += ["UTC", "--port", "{port}"]
        for name, command in commands.items():
            port = free_port()
            arguments = [sys.executable, "-m", *(part.format(port=port) for part in command)]
            process = stack.enter_context(subprocess.Popen(arguments))
            stack.callback(process.terminate)
            servers.append(server(f"ns/{name}", f"http://127.0.0.1:{port}/mcp", f"{name}_"))
        directory: Path = tmp_path_factory.mktemp("sdk")
        broker = stack.enter_context(run_broker(directory, {"servers": servers, "broker": {"checkInterval": 1}}))
        broker.wait_ready(*(one["name"] for one in servers))
        yield broker


def client(running: BrokerProcess, mode: str = "legacy", **options: Any) -> Client:
    return Client(running.url + "/mcp", mode=mode, **options)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_tools_are_listed_and_called(running: BrokerProcess, mode: str) -> None:
    async with client(running, mode) as mcp:
        assert mcp.server_info is not None
        assert mcp.server_info.name == "mcpops-broker"
        names = [tool.name for tool in (await mcp.list_tools()).tools]
        assert names == sorted(names)
        assert {"json_add", "sse_add", "stateless_add", "time_get_current_time"} <= set(names)
        for name in SERVERS:
            result = await mcp.call_tool(f"{name}_add", {"a": 2, "b": 40})
            assert result.structured_content == {"result": 42}
        now = await mcp.call_tool("time_get_current_time", {"timezone": "UTC"})
        assert "UTC" in str(now.content)


async def test_progress_and_logs_of_a_call_arrive(running: BrokerProcess) -> None:
    steps: list[tuple[float, float | None]] = []
    logs: list[Any] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        steps.append((progress, total))

    async def on_log(params: Any) -> None:
        logs.append(params.data)

    async with client(running, logging_callback=on_log) as mcp:
        result = await mcp.call_tool("sse_work", {"steps": 3}, progress_callback=on_progress)

    assert result.content[0].text == "3 steps"  # type: ignore[union-attr]
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert logs == ["step 1", "step 2", "step 3"]


async def test_a_failing_tool_is_a_result_not_an_error(running: BrokerProcess) -> None:
    async with client(running) as mcp:
        result = await mcp.call_tool("sse_fail", {})

    assert result.is_error
    assert "Error executing tool fail" in str(result.content)


async def test_many_clients_at_once_get_their_own_answers(running: BrokerProcess) -> None:
    async def one(number: int) -> None:
        async with client(running) as mcp:
            for step in range(5):
                result = await mcp.call_tool("json_add", {"a": number, "b": step})
                assert result.structured_content == {"result": number + step}

    await asyncio.gather(*(one(number) for number in range(10)))


async def test_ping_and_the_end_of_a_session(running: BrokerProcess) -> None:
    before = running.status()["sessions"]
    async with client(running) as mcp:
        await mcp.session.send_ping()
        assert running.status()["sessions"] == before + 1

    assert running.status()["sessions"] == before
