# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The page for people at `/ui`: what it shows, and how that is written as HTML."""
