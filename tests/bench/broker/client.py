# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a client does before the load begins: sessions, and what the tools are called behind a peer."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
_INITIALIZE: Json = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "bench", "version": "1"},
}


class NotReadyError(Exception):
    """The server does not serve this request yet."""


def post(port: int, path: str, body: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Send a body to loopback: status, headers by lower-case name, and body. NotReadyError when nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise NotReadyError(f"{path}: {error!r}") from None
    finally:
        connection.close()


@dataclass(frozen=True)
class Endpoint:
    """Where a server speaks MCP."""

    port: int
    path: str = "/mcp"
    headers: dict[str, str] = field(default_factory=dict)
    """Of every request, such as the authorization."""

    def session(self) -> dict[str, str]:
        """Start a session; return the headers of its requests."""
        headers, _ = self._send("initialize", _INITIALIZE, 1, self.headers)
        own = {**self.headers, "mcp-protocol-version": "2025-06-18"}
        if session_id := headers.get("mcp-session-id"):
            own["mcp-session-id"] = session_id
        self._send("notifications/initialized", None, None, own)
        return own

    def tools(self, headers: dict[str, str]) -> list[str]:
        """The names of all tools, in a session."""
        found: list[str] = []
        params: Json = {}
        while True:
            result = self._send("tools/list", params, 2, headers)[1]["result"]
            found += [tool["name"] for tool in result["tools"]]
            if not result.get("nextCursor"):
                return found
            params = {"cursor": result["nextCursor"]}

    def call(self, headers: dict[str, str], tool: str, arguments: Json) -> Json:
        """Call a tool; return its result."""
        result: Json = self._send("tools/call", {"name": tool, "arguments": arguments}, 3, headers)[1]["result"]
        return result

    def _send(
        self, method: str, params: Json | None, request_id: int | None, headers: dict[str, str]
    ) -> tuple[dict[str, str], Any]:
        message: Json = {"jsonrpc": "2.0", "method": method}
        message |= {"params": params} if params is not None else {}
        message |= {"id": request_id} if request_id is not None else {}
        sent = {"content-type": "application/json", "accept": "application/json, text/event-stream", **headers}
        status, got, body = post(self.port, self.path, json.dumps(message), sent)
        if status >= 300:
            raise NotReadyError(f"{method} was answered by HTTP {status}: {body[:500]!r}")
        if request_id is None:
            return got, None
        if got.get("content-type", "").startswith("text/event-stream"):
            events = [line[5:] for line in body.splitlines() if line.startswith(b"data:")]
            body = events[-1]
        parsed = json.loads(body)
        if "result" not in parsed:
            raise NotReadyError(f"{method} was answered by {body[:500]!r}")
        return got, parsed
