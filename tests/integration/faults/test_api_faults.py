# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that pass: every module gets through, writes once, and reports what it did.

Faults that stay: it gives up after a bounded number of attempts, with a sentence, and works again afterwards.
"""

from __future__ import annotations

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._client import ATTEMPTS
from integration.faults.conftest import MODULES, Product, jobs
from integration.kit import ApiServer, Json, writes
from sandbox.faults.control import fault

PASSING: dict[str, Json] = {
    "throttled": {"name": "api-throttled", "options": {"retry_after": 1}, "count": 1},
    "500": {"name": "api-error", "options": {}, "count": 2},
    "503": {"name": "api-error", "options": {"code": 503}, "count": 2},
    "conflicts": {"name": "api-conflict", "options": {}, "count": 3},
    "late": {"name": "api-slow", "options": {"delay": 0.1}, "count": 2},
    "reset": {"name": "api-drop", "options": {}, "count": 2},
    "answer lost": {"name": "api-drop", "options": {"when": "after", "verb": "patch"}, "count": 1},
    "half an answer": {"name": "api-drop", "options": {"when": "middle"}, "count": 2},
}


@pytest.mark.parametrize("passing", PASSING.values(), ids=PASSING)
@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("transport", ["light"])
def test_every_module_survives_what_passes(
    product: Product, api_server: ApiServer, home: str, module: str, passing: Json
) -> None:
    survives(product, api_server, module, jobs(home)[module], passing)


@pytest.mark.parametrize("passing", PASSING.values(), ids=PASSING)
@pytest.mark.parametrize("transport", ["full"])
def test_the_full_client_survives_what_passes(
    product: Product, api_server: ApiServer, home: str, passing: Json
) -> None:
    survives(product, api_server, "gateway", jobs(home)["gateway"], passing)


def survives(product: Product, api: ApiServer, module: str, options: Json, passing: Json) -> None:
    with fault(api.folder, passing["name"], count=passing["count"], **passing["options"]) as active:
        result = product(module, **options)
        assert len(active.strikes()) == passing["count"], active.strikes()
    with api.watched() as requests:
        again = product(module, **options)

    made = [one for one in result["objects"] if one["action"] != "unchanged"]
    assert result["changed"] and made
    assert all(one["action"] == ("updated" if module == "gateway_listener" else "created") for one in made), made
    assert not again["changed"] and writes(requests) == []
    assert [one["resource_version"] for one in again["objects"]] == [
        one["resource_version"] for one in result["objects"]
    ]


STAYING: dict[str, tuple[str, Json, str]] = {
    "throttled": ("api-throttled", {}, r"keeps answering that it has too many requests (429)"),
    "503": ("api-error", {"code": 503}, "(HTTP 503): the server is currently unable to handle the request; it kept"),
    "conflicts": ("api-conflict", {}, "was changed by somebody else at the same time, again and again"),
    "reset": ("api-drop", {}, "broke: it was closed before the answer was complete"),
    "half an answer": ("api-drop", {"when": "middle"}, "broke: it was closed before the answer was complete"),
}


@pytest.mark.parametrize("staying", STAYING.values(), ids=STAYING)
def test_what_stays_is_told_after_so_many_attempts(
    product: Product, api_server: ApiServer, home: str, staying: tuple[str, Json, str]
) -> None:
    name, options, sentence = staying
    wanted = jobs(home)["gateway"]

    with fault(api_server.folder, name, verb="patch", **options) as active:
        said = product.fails("gateway", **wanted)
        strikes = active.strikes()

    assert sentence in said
    assert "Gateway" in said or "API server" in said
    assert ATTEMPTS <= len(strikes) <= ATTEMPTS + 1  # a kept connection that breaks is replaced without counting
    assert product("gateway", **wanted)["changed"] == (options.get("when") != "middle")


@pytest.mark.parametrize("code", [403, 400])
@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("transport", ["light"])
def test_a_denial_is_told_at_once(product: Product, api_server: ApiServer, home: str, module: str, code: int) -> None:
    wanted = jobs(home)[module]

    with fault(
        api_server.folder, "api-denied", code=code, webhook="freeze.example.com", message="no changes now"
    ) as active:
        said = product.fails(module, **wanted)
        strikes = active.strikes()

    assert said.startswith("The admission webhook freeze.example.com refuses ") and said.endswith(": no changes now.")
    assert len(strikes) == 1
    assert product(module, **wanted)["changed"]


def test_only_one_kind_is_denied(product: Product, api_server: ApiServer, home: str) -> None:
    with fault(api_server.folder, "api-denied", group="gateway.networking.k8s.io", resource="gateways"):
        product("apply", **jobs(home)["apply"])
        said = product.fails("gateway", **jobs(home)["gateway"])

    assert said == f"The admission webhook policy.sandbox.mcpops.io refuses Gateway {home}/gw: not in this cluster."


def test_removing_survives_a_lost_answer(product: Product, api_server: ApiServer, home: str) -> None:
    wanted = jobs(home)
    for module in ("apply", "gateway_listener"):
        product(module, **wanted[module])

    for module, verb in (("apply", "delete"), ("gateway_listener", "patch")):
        with fault(api_server.folder, "api-drop", when="after", verb=verb, count=1) as active:
            result = product(module, state="absent", **wanted[module])
            assert len(active.strikes()) == 1
        assert result["changed"], module
        assert not product(module, state="absent", **wanted[module])["changed"]


def test_removing_never_drops_its_precondition(product: Product, api_server: ApiServer, home: str) -> None:
    wanted = jobs(home)["apply"]
    product("apply", **wanted)

    with fault(api_server.folder, "api-conflict", verb="delete") as active:
        said = product.fails("apply", state="absent", **wanted)
        assert len(active.strikes()) == ATTEMPTS

    assert said.startswith(f"ConfigMap {home}/c was changed by somebody else at the same time, again and again")
    assert api_server.get(f"/api/v1/namespaces/{home}/configmaps/c") is not None
