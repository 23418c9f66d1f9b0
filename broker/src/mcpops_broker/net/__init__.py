# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""HTTP towards upstreams: one pooled client behind a small interface."""
