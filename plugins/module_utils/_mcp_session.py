# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""The client of the revisions with an initialize handshake, 2024-11-05 to 2025-11-25."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_channel import Channel, SessionLostError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError, excerpt
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_hello import Hello
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_message import Json
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_target import Target
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_tools import checked_call, list_tools
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wire import CLIENT_INFO

T = t.TypeVar("T")


class SessionClient:
    """One MCP session. Every method raises :class:`EndpointError`.

    A session that the server has lost is begun anew once, as the specification asks of clients; lost a second time,
    it is a failure. ``restarts`` counts that, ``notes`` tells it.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.restarts = 0
        self.notes: list[str] = []
        self._asked = ""
        self._last_id = 0

    @property
    def server_requests(self) -> list[str]:
        """Methods that the server asked of this client."""
        return self._channel.server_requests

    def open(self, protocol_version: str) -> Hello:
        """The handshake, with the initialized notification."""
        self._asked = protocol_version
        answer = self._initialize()
        status = self._channel.http_status
        self._in_session(self._initialized)
        result = answer["result"]
        return Hello(
            answer=answer,
            protocol_version=result["protocolVersion"],
            server_info=result["serverInfo"],
            capabilities=result["capabilities"],
            http_status=status,
            transport=self._channel.transport,
            session=self._channel.session,
        )

    def ping(self) -> None:
        """One ping."""
        self._call("ping", None)

    def tools(self) -> list[Json]:
        """Every tool, all pages."""
        return list_tools(self._channel.target, lambda params: self._call("tools/list", params))

    def call_tool(self, name: str, arguments: Json) -> Json:
        """The result of tools/call; a result that says ``isError`` is a failure."""
        result = self._call("tools/call", {"name": name, "arguments": arguments})
        return checked_call(self._channel.target, name, result)

    def close(self) -> None:
        """End the session."""
        self._channel.close()

    def _initialize(self) -> Json:
        params = {"protocolVersion": self._asked, "capabilities": {}, "clientInfo": CLIENT_INFO}
        answer = self._send("initialize", params)
        self._channel.protocol_version = checked_initialize(self._channel.target, answer)["protocolVersion"]
        return answer

    def _initialized(self) -> None:
        self._channel.notify({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def _call(self, method: str, params: Json | None) -> Json:
        result: Json = self._in_session(lambda: self._send(method, params))["result"]
        return result

    def _send(self, method: str, params: Json | None) -> Json:
        self._last_id += 1
        message: Json = {"jsonrpc": "2.0", "id": self._last_id, "method": method}
        if params is not None:
            message["params"] = params
        return self._channel.request(message)

    def _in_session(self, send: t.Callable[[], T]) -> T:
        """Send; when the session is lost for the first time, begin another one and send again."""
        try:
            return send()
        except SessionLostError as lost:
            if self.restarts:
                raise _lost_again(lost) from lost
            self.restarts = 1
            self.notes.append(f"{lost}. A new session was begun, and the rest went well")
        self._channel.restart()
        try:
            self._initialize()
            if send != self._initialized:
                self._initialized()
            return send()
        except SessionLostError as again:
            raise _lost_again(again) from again


def _lost_again(lost: SessionLostError) -> SessionLostError:
    return SessionLostError("mcp", f"{lost}. It was the second session that was lost", **lost.facts)


def checked_initialize(target: Target, answer: Json) -> Json:
    """The result of an initialize answer, after checking what the specification demands of it."""
    result: Json = answer["result"]
    kinds: tuple[tuple[str, type, str], ...] = (
        ("protocolVersion", str, "string"),
        ("serverInfo", dict, "object"),
        ("capabilities", dict, "object"),
    )
    for field, kind, name in kinds:
        if not isinstance(result.get(field), kind):
            raise EndpointError(
                "mcp",
                f"{target.url}: the initialize result has no {field} ({name}), so this is no MCP server:"
                f" {excerpt(json.dumps(result))}",
                retry=False,
            )
    return result
