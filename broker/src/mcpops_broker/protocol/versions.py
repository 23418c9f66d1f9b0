# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The MCP revisions this broker speaks, and how a session's revision is chosen.

Two eras exist: *session* revisions begin with `initialize` and may carry a session id; in *stateless* revisions (from
2026-07-28) every request describes itself. The broker serves both on one endpoint, each request for itself.
"""

from __future__ import annotations

from functools import lru_cache

SESSION_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""Oldest first. 2024-11-05 is served as the subset that Streamable HTTP can carry (no separate SSE endpoint)."""

LATEST_SESSION_VERSION = SESSION_VERSIONS[-1]

BATCH_VERSIONS = frozenset({"2025-03-26"})
"""Revisions in which a body may be an array of messages (basic/transports 2025-03-26; removed in 2025-06-18)."""

RESUMABLE_VERSIONS = frozenset(SESSION_VERSIONS[1:])
"""Revisions in which events have ids, and a client may come back to a stream (since 2025-03-26)."""

PRIMING_VERSIONS = frozenset(SESSION_VERSIONS[3:])
"""Revisions in which a stream begins with an event that only has an id (since 2025-11-25)."""

FIRST_STATELESS_VERSION = "2026-07-28"

STATELESS_VERSIONS = ("2026-07-28",)
"""Oldest first."""

LATEST_STATELESS_VERSION = STATELESS_VERSIONS[-1]


def negotiate(requested: object) -> str:
    """Choose the revision for a session: the requested one when we speak it, otherwise our latest.

    A request that names none (the install guide's bare `initialize`) gets the latest too.
    Rule: MCP lifecycle, "Version Negotiation".
    """
    if isinstance(requested, str) and requested in SESSION_VERSIONS:
        return requested
    return LATEST_SESSION_VERSION


@lru_cache(maxsize=64)
def is_stateless(version: str) -> bool:
    """Tell whether a revision name, known to us or not, belongs to the stateless era.

    Revisions are dates, so text order is time order; text that is no date is not of any era.
    """
    parts = version.split("-")
    is_date = len(version) == 10 and len(parts) == 3 and all(part.isdigit() for part in parts)
    return is_date and version >= FIRST_STATELESS_VERSION
