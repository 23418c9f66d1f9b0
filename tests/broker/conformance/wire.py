# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Both eras without an MCP library: what a test wants to see as it is on the wire."""

from __future__ import annotations

from typing import Any

from broker.conformance.content import Json
from broker.harness import Reply, request, rpc

ACCEPT = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
META = "io.modelcontextprotocol/"


def stateless(url: str, method: str, params: Json | None = None, capabilities: Json | None = None) -> Reply:
    """POST a request of 2026-07-28 to the endpoint of a server."""
    params = params or {}
    meta = {
        f"{META}protocolVersion": "2026-07-28",
        f"{META}clientInfo": {"name": "test", "version": "1"},
        f"{META}clientCapabilities": capabilities or {},
    }
    headers = {**ACCEPT, "mcp-protocol-version": "2026-07-28", "mcp-method": method}
    if name := params.get("name") or params.get("uri"):
        headers["mcp-name"] = name
    return request(url, "POST", "/mcp", rpc(method, {**params, "_meta": meta}), headers)


class Session:
    """A session of an older revision."""

    def __init__(self, url: str, capabilities: Json | None = None, version: str = "2025-11-25") -> None:
        self._url = url
        self._headers = dict(ACCEPT)
        client = {"name": "test", "version": "1"}
        started = self.request(
            "initialize", {"protocolVersion": version, "capabilities": capabilities or {}, "clientInfo": client}
        )
        assert started.status == 200, started.body
        self.started: Json = answer(started)["result"]
        self._headers |= {"mcp-session-id": started.headers["mcp-session-id"], "mcp-protocol-version": version}
        initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert request(url, "POST", "/mcp", initialized, self._headers).status == 202

    def request(self, method: str, params: Json | None = None) -> Reply:
        """POST a request."""
        return request(self._url, "POST", "/mcp", rpc(method, params), self._headers)


def answer(reply: Reply) -> Json:
    """Return the response to the request, from a body of JSON or the last event of a stream."""
    events = reply.headers["content-type"].startswith("text/event-stream")
    message: Json = reply.events[-1] if events else reply.json
    return message


def everything(ask: Any) -> dict[str, list[Json]]:
    """List all four kinds; `ask` sends a request and returns its Reply."""
    methods = {
        "tools": "tools/list",
        "prompts": "prompts/list",
        "resources": "resources/list",
        "resourceTemplates": "resources/templates/list",
    }
    return {
        key: sorted(answer(ask(method))["result"][key], key=lambda one: one["name"]) for key, method in methods.items()
    }
