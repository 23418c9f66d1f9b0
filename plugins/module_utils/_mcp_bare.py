# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""The install guide's curl command, whose initialize has neither params nor the headers of MCP."""

from __future__ import annotations

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_message import Json
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_session import checked_initialize
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_streamable import StreamableChannel
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wire import Wire

MESSAGE: Json = {"jsonrpc": "2.0", "id": 1, "method": "initialize"}
"""Encoded, it is the guide's body byte for byte."""


def bare_initialize(wire: Wire) -> Json:
    """The whole JSON-RPC answer to initialize without params and with ``Accept: */*``; its session is ended."""
    channel = StreamableChannel(wire)
    try:
        answer = channel.request(MESSAGE, {"Accept": "*/*"}, called="initialize without params")
        checked_initialize(wire.target, answer)
    finally:
        channel.close()
    return answer
