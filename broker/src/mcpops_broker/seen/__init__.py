# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What the broker shows of its work: records of requests, and metrics, audit log and traces made of them."""
