# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""What a server says of itself at the start, in every revision alike."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_message import Json


@dataclasses.dataclass(frozen=True)
class Hello:
    """The start of a conversation. ``answer`` is the whole answer to initialize or server/discover."""

    answer: Json
    protocol_version: str
    server_info: Json
    capabilities: Json
    http_status: int
    transport: str
    session: bool


class Client(t.Protocol):
    """What every client can do, whatever the revision. The methods raise EndpointError."""

    restarts: int
    """How often a lost session was begun anew."""
    notes: list[str]
    """Sentences about what works but should be better."""

    @property
    def server_requests(self) -> list[str]:
        """Methods that the server asked of this client, which all were refused but ping."""

    def ping(self) -> None:
        """Ask for a sign of life, where the revision has one."""

    def tools(self) -> list[Json]: ...

    def call_tool(self, name: str, arguments: Json) -> Json: ...

    def close(self) -> None: ...
