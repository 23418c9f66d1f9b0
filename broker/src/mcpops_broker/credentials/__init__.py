# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""With what the broker shows itself to upstreams: tokens fetched, exchanged, or given by users; kept and renewed."""
