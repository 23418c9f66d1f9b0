# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandbox for the tests of one file, and an issuer of tokens."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

INTEGRATION = Path(__file__).parents[1]
sys.path[:0] = [str(INTEGRATION / part) for part in ("product", "sandbox", "roles")]

from harness import Sandbox, running  # noqa: E402 - found by the path above
from sandbox.servers.token_issuer import TokenIssuer  # noqa: E402 - likewise


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A running sandbox with an empty cluster in it; gone afterwards."""
    with running(tmp_path_factory.mktemp("roles") / "sandbox") as box:
        yield box


@pytest.fixture(scope="module")
def issuer() -> Iterator[TokenIssuer]:
    """An issuer of tokens that answers beside the tests."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    one = TokenIssuer()
    asyncio.run_coroutine_threadsafe(one.__aenter__(), loop).result(10)
    yield one
    asyncio.run_coroutine_threadsafe(one.__aexit__(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
