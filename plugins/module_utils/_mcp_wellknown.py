# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""Reading a JSON document at a well-known address."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError, excerpt
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_message import Json
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wire import Wire

OtherWire = t.Callable[[str], Wire]
"""A wire to this URL without the caller's headers."""


def get_document(wire: Wire) -> tuple[Json | None, str]:
    """The JSON object at the wire's address, or None and why there is none. A server that fails (5xx) raises."""
    with wire.send("GET", {"Accept": "application/json"}) as answer:
        status, body = answer.status, answer.body()
    if status >= 500:
        raise EndpointError("http", f"{wire.target.url}: HTTP {status} ({excerpt(body)})", http_status=status)
    if status != 200:
        return None, f"it is answered with HTTP {status}"
    try:
        document = json.loads(body)
    except ValueError:
        return None, f"it holds no JSON ({excerpt(body) or 'nothing'})"
    if not isinstance(document, dict):
        return None, f"it holds no JSON object ({excerpt(body)})"
    return document, ""
