# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brokers and upstreams for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from broker.harness import BrokerProcess, run_broker
from broker.raw_upstream import RawUpstream

StartUpstream = Callable[..., RawUpstream]
StartBroker = Callable[..., BrokerProcess]


@pytest.fixture
def upstream() -> Iterator[StartUpstream]:
    """Start raw upstreams that end with the test."""
    with ExitStack() as stack:
        yield lambda *names, **options: stack.enter_context(RawUpstream(*names, **options))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[StartBroker]:
    """Start brokers that end with the test; the argument is the configuration."""
    with ExitStack() as stack:

        def start(config: dict[str, Any] | str, *arguments: str, **options: Any) -> BrokerProcess:
            directory = tmp_path / f"broker-{len(list(tmp_path.iterdir()))}"
            return stack.enter_context(run_broker(directory, config, *arguments, **options))

        yield start
