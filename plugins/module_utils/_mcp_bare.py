# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""initialize without a conversation after it: to see what an answer looks like."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_http import Exchange
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_message import Json
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_revisions import SESSION_REVISIONS
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_session import checked_initialize
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_streamable import StreamableChannel
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wire import CLIENT_INFO, Wire

BARE: Json = {"jsonrpc": "2.0", "id": 1, "method": "initialize"}
"""Encoded, it is the body of the install guide's curl command byte for byte."""


def bare_initialize(wire: Wire) -> Json:
    """The install guide's curl command: no params, ``Accept: */*``. Returns the whole JSON-RPC answer; its session is
    ended."""
    channel = StreamableChannel(wire)
    try:
        answer = channel.request(BARE, {"Accept": "*/*"}, called="initialize without params")
        checked_initialize(wire.target, answer)
    finally:
        channel.close()
    return answer


def single_initialize(wire: Wire, headers: t.Mapping[str, str] | None = None, *, anonymous: bool = False) -> Exchange:
    """The HTTP answer to one initialize, whatever it is. ``anonymous`` leaves the caller's headers out."""
    params = {"protocolVersion": SESSION_REVISIONS[-1], "capabilities": {}, "clientInfo": CLIENT_INFO}
    content = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
    body = json.dumps({**BARE, "params": params}).encode()
    return wire.send("POST", {**content, **(headers or {})}, body, anonymous=anonymous)
