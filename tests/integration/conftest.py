# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One API server for all tests of modules; ``SANDBOX_API=envtest`` makes it a real one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils import _extension_job, _readiness
from integration.kit import ApiServer, Modules


@pytest.fixture(scope="session", autouse=True)
def ansible_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that a test makes the collection remember stays, and no sandbox takes the port of another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SANDBOX_MCP_PORT", "0")
        patch.setenv("ANSIBLE_HOME", str(tmp_path_factory.mktemp("ansible")))
        yield


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server with all CRDs and no controllers."""
    with ApiServer.running(tmp_path_factory.mktemp("api") / "server") as server:
        yield server


@pytest.fixture
def run(api_server: ApiServer) -> Modules:
    """Runs a module against the API server."""
    return Modules(api_server)


@pytest.fixture
def ns(api_server: ApiServer) -> str:
    """A namespace of the test's own."""
    return api_server.namespace(f"t-{uuid.uuid4().hex[:8]}")


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures are believed after a tenth of a second: no controller lags here."""
    for owner, name in (
        (_readiness.GatewayReady, "grace"),
        (_readiness.RouteReady, "grace"),
        (_extension_job, "NEIGHBOUR_GRACE"),
    ):
        monkeypatch.setattr(owner, name, 0.1)
