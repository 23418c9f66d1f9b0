# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""A session at an upstream, as a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, eq=False)
class UpstreamSession:
    """A session at an upstream. Without an id the upstream keeps no state and anybody may share the session."""

    id: str | None
    version: str
    capabilities: dict[str, Any]
    headers: dict[str, str] = field(repr=False)
    """Headers of every request in this session, the credential among them."""
