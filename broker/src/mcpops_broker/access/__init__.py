# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Who may see and use which part of the catalogue: virtual servers, signed authorization, chosen tools."""
