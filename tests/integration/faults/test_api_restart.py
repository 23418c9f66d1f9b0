# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server restarts, and keeps what it stores, in the middle of what a module does."""

from __future__ import annotations

import pytest
from integration.faults.conftest import Product, jobs
from integration.gateways import gateway_class, listener, report
from integration.kit import ApiServer, Json, meanwhile, until
from sandbox.faults import control
from sandbox.faults.control import fault


@pytest.fixture
def wanted(api_server: ApiServer, ns: str) -> Json:
    """A Gateway whose controller has not reported yet."""
    gateway_class(api_server)
    return {"name": "gw", "namespace": ns, "gateway_class_name": "istio", "listeners": [listener()]}


@pytest.mark.parametrize("pause", [0, 1])
def test_the_server_restarts_in_the_middle_of_a_wait(
    product: Product, api_server: ApiServer, ns: str, wanted: Json, pause: float
) -> None:
    with fault(api_server.folder, "api-slow", verb="watch", delay=0) as active:

        def operations() -> None:
            until(lambda: bool(active.strikes()), lambda: "nobody watches")
            control.start(api_server.folder, "api-restart", {"pause": str(pause)})
            report(api_server, ns, "gw", ["mcps"])

        with meanwhile(operations):
            result = product("gateway", wait_timeout=120, **wanted)

    assert result["changed"]
    assert not product("gateway", **wanted)["changed"]


def test_what_was_made_before_is_there_and_as_it_was(product: Product, api_server: ApiServer, home: str) -> None:
    wanted = jobs(home)
    made = {module: product(module, **wanted[module])["objects"] for module in ("apply", "reference_grant")}

    control.start(api_server.folder, "api-restart", {})

    for module, objects in made.items():
        again = product(module, **wanted[module])
        assert not again["changed"]
        assert [one["resource_version"] for one in again["objects"]] == [one["resource_version"] for one in objects]
