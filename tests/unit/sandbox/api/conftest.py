# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes ``api_kit`` importable by the tests of this folder, and an API server of their own for each."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from api_kit import DEFINITIONS, WIDGET, Api


@pytest.fixture
def api() -> Api:
    """A server with the start-up namespaces only."""
    return Api()


@pytest.fixture
def widgets() -> Api:
    """A server with a custom resource."""
    server = Api()
    server.make(DEFINITIONS, WIDGET)
    return server
