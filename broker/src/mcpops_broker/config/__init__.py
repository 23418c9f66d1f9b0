# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The configuration file: its model, its rules, and watching it for changes."""
