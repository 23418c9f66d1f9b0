# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""MCP on the wire: versions, JSON-RPC messages, server-sent events. No I/O here."""
