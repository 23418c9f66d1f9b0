# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real clients through the broker to a server of their own era and of the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from broker.conformance import content
from broker.conformance.clients import tour
from broker.conformance.conftest import Through
from broker.conformance.processes import LEGACY_PYTHON
from broker.conformance.suite import NODE_MODULES, ROOT
from broker.harness import BrokerProcess

SESSIONS, STATELESS = "2025-11-25", "2026-07-28"
PYTHON = "broker.conformance.clients"
TYPESCRIPT = str(Path(tour.__file__).with_suffix(".mjs"))
CLIENTS = {
    "python 1.x": ([LEGACY_PYTHON, "-m", f"{PYTHON}.sdk1", "URL"], SESSIONS),
    "python 2.x sessions": ([sys.executable, "-m", f"{PYTHON}.sdk2", "URL", "legacy"], SESSIONS),
    "python 2.x": ([sys.executable, "-m", f"{PYTHON}.sdk2", "URL", "auto"], STATELESS),
    "fastmcp sessions": ([sys.executable, "-m", f"{PYTHON}.fastmcp_client", "URL", "legacy"], SESSIONS),
    "fastmcp": ([sys.executable, "-m", f"{PYTHON}.fastmcp_client", "URL", "auto"], STATELESS),
    "typescript 1.x": (["node", TYPESCRIPT, "1", "URL"], SESSIONS),
    "typescript 2.x sessions": (["node", TYPESCRIPT, "legacy", "URL"], SESSIONS),
    "typescript 2.x": (["node", TYPESCRIPT, "auto", "URL"], STATELESS),
}
"""How a client is started, and the revision that it agrees on with the broker."""


def run(command: list[str], url: str) -> str:
    """Run a client and return what it printed."""
    inherited = {key: value for key, value in os.environ.items() if "PROXY" not in key.upper()}
    ended = subprocess.run(
        [url if part == "URL" else part for part in command],
        cwd=ROOT / "tests",
        env={**inherited, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, f"{ended.stderr[-3000:]}\n{ended.stdout[-1000:]}"
    return ended.stdout


@pytest.mark.parametrize("upstream", ["legacy", "modern"])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_sees_everything(through: Through, client: str, upstream: str) -> None:
    command, protocol = CLIENTS[client]

    seen = json.loads(run(command, through(upstream, "--workers", "2").url + "/mcp").splitlines()[-1])

    assert seen == tour.expected(protocol)


def inspect(broker: BrokerProcess, method: str, *options: str) -> Any:
    """Return the result of a request that the MCP Inspector's command line sends."""
    command = [str(NODE_MODULES / ".bin" / "mcp-inspector"), "--cli", "URL", "--transport", "http", "--method", method]
    return json.loads(run([*command, *options], broker.url + "/mcp"))


@pytest.mark.parametrize("upstream", ["legacy", "modern"])
def test_the_inspectors_command_line(through: Through, upstream: str) -> None:
    broker = through(upstream, "--workers", "2")

    listed = inspect(broker, "tools/list")["tools"]
    called = inspect(broker, "tools/call", "--tool-name", "test_structured", "--tool-arg", "city=Oslo")
    read = inspect(broker, "resources/read", "--uri", "test://static-text")
    prompt = inspect(broker, "prompts/get", "--prompt-name", "test_simple_prompt")

    assert {tool["name"] for tool in listed} == {tool["name"] for tool in content.TOOLS}
    assert called["structuredContent"] == {"city": "Oslo", "degrees": 21.5}
    assert read["contents"][0]["text"] == "This is the content of the static text resource."
    assert prompt["messages"][0]["content"]["text"] == "This is a simple prompt for testing."
