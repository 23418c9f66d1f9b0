# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The `/mcp` endpoint: HTTP rules, sessions' methods, calls, notification streams."""
