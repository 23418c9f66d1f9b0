# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandbox started by its command line, for the tests of this folder."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from dataplane_box import Box, strays


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A sandbox that is up; one a test file."""
    one = Box(tmp_path_factory.mktemp("box") / "sandbox")
    one.run("up", "--api", one.api)
    try:
        yield one
    finally:
        one.run("down", check=False)


@pytest.fixture
async def cluster(box: Box) -> AsyncIterator[Box]:
    """The sandbox with a client for the running event loop; objects that the test created are removed."""
    await box.connect()
    try:
        yield box
    finally:
        await box.forget()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Box]:
    """A sandbox that is not up yet; afterwards it is down, and nothing of it is left."""
    one = Box(tmp_path / "sandbox")
    yield one
    one.run("down", check=False)
    assert not one.folder.exists()
    assert strays(one.folder) == []
