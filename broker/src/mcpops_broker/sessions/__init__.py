# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Client sessions: self-contained ids, and what a worker remembers about the sessions it serves."""
