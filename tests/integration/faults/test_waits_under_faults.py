# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting while watches end, break, are too old or are refused, and while the object goes."""

from __future__ import annotations

import pytest
from integration.faults.conftest import Product
from integration.gateways import GATEWAYS, gateway_class, listener, report
from integration.kit import ApiServer, Json, meanwhile, until, writes
from sandbox.faults.control import Active, fault

BREAKING: dict[str, tuple[str, Json]] = {
    "it ends": ("api-watch-end", {"after": 0.05}),
    "it breaks in the middle of an event": ("api-watch-end", {"after": 0.05, "how": "cut"}),
    "it is too old": ("api-watch-gone", {}),
    "it is too old at once": ("api-watch-gone", {"how": "answer"}),
    "it is refused": ("api-error", {"verb": "watch", "code": 503}),
    "it is throttled": ("api-throttled", {"verb": "watch"}),
    "its connection is reset": ("api-drop", {"verb": "watch"}),
}


@pytest.fixture
def wanted(api_server: ApiServer, ns: str) -> Json:
    """A Gateway whose controller has not reported yet."""
    gateway_class(api_server)
    return {"name": "gw", "namespace": ns, "gateway_class_name": "istio", "listeners": [listener()]}


def path(ns: str) -> str:
    return f"{GATEWAYS.format(ns=ns)}/gw"


def struck(active: Active, times: int) -> None:
    """Waits until the fault has met so many watches."""
    until(lambda: len(active.strikes()) >= times, lambda: f"struck {len(active.strikes())} times, not {times}")


@pytest.mark.parametrize("breaking", BREAKING.values(), ids=BREAKING)
def test_a_wait_whose_watch_breaks_again_and_again_sees_the_end(
    product: Product, api_server: ApiServer, ns: str, wanted: Json, breaking: tuple[str, Json]
) -> None:
    name, options = breaking
    with fault(api_server.folder, name, count=3, **options) as active:

        def controller() -> None:
            struck(active, 2)
            report(api_server, ns, "gw", ["mcps"])

        with meanwhile(controller), api_server.watched() as requests:
            result = product("gateway", wait_timeout=60, **wanted)

    assert result["changed"] and result["listeners"][0]["name"] == "mcps"
    assert len(writes(requests)) <= 1
    assert not product("gateway", wait_timeout=60, **wanted)["changed"]


def test_watches_that_are_always_too_old_still_reach_the_end(
    product: Product, api_server: ApiServer, ns: str, wanted: Json
) -> None:
    with fault(api_server.folder, "api-watch-gone") as active:

        def controller() -> None:
            struck(active, 2)
            report(api_server, ns, "gw", ["mcps"])

        with meanwhile(controller):
            assert product("gateway", wait_timeout=60, **wanted)["changed"]


def test_the_deadline_holds_while_nothing_can_be_seen(product: Product, api_server: ApiServer, wanted: Json) -> None:
    with fault(api_server.folder, "api-error", verb="watch", code=503):
        said = product.fails("gateway", wait_timeout=1, **wanted)

    assert said.startswith("Waited 1 s for Gateway ")
    assert "last seen: " in said
    assert "since then nothing could be seen: The API server" in said and "(HTTP 503)" in said


def test_an_object_that_goes_while_it_is_waited_for(
    product: Product, api_server: ApiServer, ns: str, wanted: Json
) -> None:
    def somebody() -> None:
        until(lambda: api_server.get(path(ns)) is not None, lambda: "never created")
        api_server.delete(path(ns))

    with meanwhile(somebody):
        said = product.fails("gateway", wait_timeout=2, **wanted)

    assert f"for Gateway {ns}/gw" in said and "last seen: it was removed by somebody else meanwhile" in said


def test_an_object_that_goes_and_comes_back_while_it_is_waited_for(
    product: Product, api_server: ApiServer, ns: str, wanted: Json
) -> None:
    def somebody() -> None:
        until(lambda: api_server.get(path(ns)) is not None, lambda: "never created")
        live = api_server.get(path(ns)) or {}
        api_server.delete(path(ns))
        until(lambda: api_server.get(path(ns)) is None, lambda: "never gone")
        api_server.apply(
            path(ns), {key: live[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": {"name": "gw"}}
        )
        report(api_server, ns, "gw", ["mcps"])

    with meanwhile(somebody):
        product("gateway", wait_timeout=60, **wanted)


def test_a_removal_that_is_waited_for_survives_watches_that_end(
    product: Product, api_server: ApiServer, ns: str, wanted: Json
) -> None:
    product("gateway", wait=False, **wanted)
    api_server.merge(path(ns), {"metadata": {"finalizers": ["example.com/hold"]}})

    with fault(api_server.folder, "api-watch-end", after=0.05) as active:

        def controller() -> None:
            struck(active, 2)
            api_server.merge(path(ns), {"metadata": {"finalizers": None}})

        with meanwhile(controller):
            result = product("gateway", state="absent", wait_timeout=60, **wanted)

    assert result["changed"] and api_server.get(path(ns)) is None
