# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests of the stand-in controllers."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator

import pytest
from sandbox.client import Client
from sandbox.controllers import olm
from unit.sandbox.operators.kit import ApiServer, AvailableDeployments, Cluster, Log, running
from unit.sandbox.operators.olm_kit import Olm


@pytest.fixture(scope="module")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An empty API server for the tests of one file."""
    server = ApiServer(tmp_path_factory.mktemp("api") / "server")
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
async def cluster(api_server: ApiServer) -> AsyncIterator[Cluster]:
    """A client of that API server."""
    await api_server.ready()
    async with Client.from_kubeconfig(api_server.folder.kubeconfig) as client:
        yield Cluster(client)


@pytest.fixture
def log() -> Iterator[Log]:
    """What the controllers log, from INFO on."""
    handler, logger = Log(), logging.getLogger("sandbox")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@pytest.fixture
async def world(cluster: Cluster) -> AsyncIterator[Olm]:
    """The OLM stand-in at work, with a catalogue and a namespace to install into."""
    await cluster.install()
    market, namespace = await cluster.namespace(), await cluster.namespace()
    found = Olm(cluster, market, namespace)
    async with running(cluster.client, [*olm.controllers(), AvailableDeployments()]):
        await found.catalog()
        yield found
        await found.clean()
