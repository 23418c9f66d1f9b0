# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""`python -m mcpops_broker` is the command `mcpops-broker`."""

from __future__ import annotations

import sys

from mcpops_broker.cli import main

if __name__ == "__main__":
    sys.exit(main())
