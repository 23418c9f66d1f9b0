# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What an upstream said of itself when the connection was made, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Era(StrEnum):
    """The two eras of MCP (basic/versioning 2026-07-28 calls them legacy and modern)."""

    SESSION = "session"
    """Begins with `initialize`: 2025-11-25 and earlier."""
    STATELESS = "stateless"
    """Every request describes itself: 2026-07-28 and later."""


@dataclass(frozen=True, slots=True)
class Peer:
    """An upstream as it introduced itself, by `initialize` or `server/discover`."""

    era: Era
    """The era that its lists are read in. An upstream of both eras is spoken to in that of each client."""
    version: str
    """The MCP revision spoken in that era."""
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    """As in MCP's ServerCapabilities."""
    server_info: Mapping[str, Any] = field(default_factory=dict)
    """Name, version and more, self-reported: for display only."""
    instructions: str | None = None

    def offers(self, capability: str, feature: str | None = None) -> bool:
        """Tell whether a capability was declared, or a feature of it: `offers("resources", "subscribe")`."""
        declared = self.capabilities.get(capability)
        if feature is None:
            return declared is not None
        return isinstance(declared, Mapping) and declared.get(feature) is True
