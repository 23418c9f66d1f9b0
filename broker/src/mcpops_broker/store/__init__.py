# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What outlives a request and is not in a session id: kept for all workers of a replica, or of all replicas."""
