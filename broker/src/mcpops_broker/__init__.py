# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""mcpops-broker: many MCP servers behind one `/mcp` endpoint."""

__version__ = "0.1.0"
