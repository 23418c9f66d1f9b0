# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures' servers of both eras, and brokers before them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from broker.conformance.processes import COMMANDS, run_server
from broker.harness import BrokerProcess, run_broker, server

Through = Callable[..., BrokerProcess]
CLIENTS = {"legacy": "legacy", "modern": "2026-07-28"}
"""What the official SDK calls the client of an era."""


@pytest.fixture(scope="session")
def upstreams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """URLs of the servers, by the eras that they speak."""
    directory = tmp_path_factory.mktemp("upstreams")
    with ExitStack() as stack:
        yield {eras: stack.enter_context(run_server(eras, directory / f"{eras}.log")) for eras in COMMANDS}


@pytest.fixture(scope="session")
def through(upstreams: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Through]:
    """Start, once each, a broker before servers of these eras: `through("legacy+modern", "--workers", "2")`.

    One server is reached without a prefix, two are with the era's name as the prefix. The server of both eras is called
    "both"; the other two know only their own.
    """
    running: dict[tuple[str, ...], BrokerProcess] = {}
    with ExitStack() as stack:

        def start(eras: str, *arguments: str) -> BrokerProcess:
            if (eras, *arguments) not in running:
                named = eras.split("+")
                prefixes = {era: f"{era}_" if len(named) > 1 else "" for era in named}
                servers = [server(f"ns/{era}", upstreams[era], prefixes[era]) for era in named]
                config = {"servers": servers, "broker": {"checkInterval": 1}}
                directory = tmp_path_factory.mktemp("broker")
                broker = stack.enter_context(run_broker(directory, config, *arguments))
                broker.wait_ready(*(one["name"] for one in servers))
                running[eras, *arguments] = broker
            return running[eras, *arguments]

        yield start
