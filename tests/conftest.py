# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For all tests: an ended run clears up, and what hypothesis stores is where all that may be deleted is."""

from __future__ import annotations

import os
import signal
from pathlib import Path

# As after Ctrl-C, the fixtures end what they started; without this SIGTERM would leave their processes behind.
signal.signal(signal.SIGTERM, signal.default_int_handler)
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(__file__).parents[1] / ".cache" / "hypothesis"))
