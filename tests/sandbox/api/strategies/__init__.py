# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between kinds when objects are created, changed and deleted (the registry strategies)."""

from .base import Strategy

__all__ = ["Strategy"]
