# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""What the transports of MCP have in common: messages go out, and one answer comes back for each request."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_message import METHOD_NOT_FOUND, Json
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_target import Target


class Channel(t.Protocol):
    """One way to a server. ``session`` tells whether the server keeps a session for it."""

    transport: str
    target: Target
    protocol_version: str | None
    http_status: int
    server_requests: list[str]
    """Methods that the server asked of this client, which all were refused but ping."""

    @property
    def session(self) -> bool: ...

    def request(self, message: Json, headers: t.Mapping[str, str] | None = None) -> Json:
        """The whole JSON-RPC answer with a result. Raises :class:`EndpointError`."""

    def notify(self, message: Json) -> None: ...

    def restart(self) -> None:
        """Forget the session, so that the next initialize begins another one."""

    def close(self) -> None:
        """End the session."""


class SessionLostError(EndpointError):
    """The server does not know the session that it has opened itself."""


def reply_to(message: Json) -> Json:
    """The answer to a request of the server: ping is granted, all else is refused as unknown (JSON-RPC 2.0)."""
    reply: Json = {"jsonrpc": "2.0", "id": message["id"]}
    if message["method"] == "ping":
        return {**reply, "result": {}}
    text = f"this client declared no capability for {message['method']}; it only proves the endpoint"
    return {**reply, "error": {"code": METHOD_NOT_FOUND, "message": text}}


def encode(message: Json) -> bytes:
    """A message as it goes over the wire."""
    return json.dumps(message).encode()
