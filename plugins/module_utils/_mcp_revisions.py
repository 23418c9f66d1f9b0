# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""The revisions of the MCP specification that the client speaks, oldest first."""

from __future__ import annotations

SESSION_REVISIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""With an initialize handshake and, where the server wants one, a session."""

STATELESS_REVISION = "2026-07-28"
"""Without handshake and session: every request says by itself which revision it is of."""

REVISIONS = (*SESSION_REVISIONS, STATELESS_REVISION)

BATCH_REVISION = "2025-03-26"
"""The only revision whose messages may come several in one JSON array."""

AUTO = "auto"
"""Choose as a client does: the newest first, then what the server names, then the handshake."""
