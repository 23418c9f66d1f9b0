# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What clients see: the tools of all upstreams under one set of names."""
