# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The client side: connections to upstream MCP servers, their sessions, their tools, their health."""
