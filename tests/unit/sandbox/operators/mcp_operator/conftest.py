# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests of the MCP operator stand-in: the operator of each version, and a Gateway for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sandbox.client import Client
from sandbox.controllers import operator_registration
from unit.sandbox.operators.kit import ApiServer, Cluster
from unit.sandbox.operators.mcp_operator.gateway_kit import BOTH, Gateway, another, operated, release, removed


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=BOTH)
async def operator(request: pytest.FixtureRequest, api_server: ApiServer) -> AsyncIterator[Gateway]:
    """The operator of each version, for all tests of a file; a new registration need not wait two seconds for it."""
    await api_server.ready()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(operator_registration, "REQUEUE_SECONDS", 0.05)
        async with (
            Client.from_kubeconfig(api_server.folder.kubeconfig) as client,
            operated(Cluster(client), release(request.param), orphans=not api_server.is_complete) as found,
        ):
            yield found


@pytest_asyncio.fixture(loop_scope="module")
async def world(operator: Gateway) -> AsyncIterator[Gateway]:
    """A Gateway for one test, under that operator."""
    found = await another(operator)
    yield found
    await removed(found)
