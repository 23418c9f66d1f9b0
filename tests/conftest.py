# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For all tests: an ended run clears up."""

from __future__ import annotations

import signal

# As after Ctrl-C, the fixtures end what they started; without this SIGTERM would leave their processes behind.
signal.signal(signal.SIGTERM, signal.default_int_handler)
