# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module olm_subscription: what OLM would refuse is told before anything is written."""

from __future__ import annotations

from typing import Any

import pytest
from integration.kit import ApiServer, Json, Modules, warnings_of, writes
from integration.olm_objects import (
    CATALOG,
    OLD_CSV,
    at,
    catalog,
    csv,
    olm_object,
    subscribe,
)


@pytest.fixture(autouse=True)
def ready_catalog(api_server: ApiServer) -> None:
    catalog(api_server)


class TestOperatorGroups:
    def group(self, api: ApiServer, ns: str, name: str, *targets: str) -> None:
        spec = {"targetNamespaces": list(targets)} if targets else {}
        api.apply(at(ns, "operatorgroups", name, "v1"), olm_object("OperatorGroup", name, "v1", spec=spec))

    def test_one_that_fits_is_used(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        self.group(api_server, ns, "global")

        result = subscribe(run, ns)

        assert [entry["kind"] for entry in result["objects"]] == ["Subscription"]

    def test_one_that_does_not_fit_is_told(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        self.group(api_server, ns, "elsewhere", "team-a")

        with api_server.watched() as requests:
            said = run.fails("olm_subscription", namespace=ns)

        assert "elsewhere" in said and "team-a" in said and ns in said and writes(requests) == []

    def test_two_are_an_error_at_once(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        self.group(api_server, ns, "one")
        self.group(api_server, ns, "two")

        said = run.fails("olm_subscription", namespace=ns)

        assert "one, two" in said and "exactly one" in said

    def test_all_namespaces(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        subscribe(run, ns, operator_group={"name": "all", "target_namespaces": []})

        group = api_server.get(at(ns, "operatorgroups", "all", "v1")) or {}
        assert "targetNamespaces" not in (group.get("spec") or {})


class TestNeighbours:
    """What others have left or made in the namespace is told before anything is written."""

    def refused(self, run: Modules, api: ApiServer, **options: Any) -> str:
        with api.watched() as requests:
            said = run.fails("olm_subscription", channel="preview", **options)
            said_in_check = run.fails("olm_subscription", check=True, channel="preview", **options)
        assert writes(requests) == [] and said == said_in_check
        return said

    def test_a_subscription_of_the_same_package(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        spec = {"name": "mcp-gateway", "source": "redhat-operators", "sourceNamespace": CATALOG}
        api_server.apply(at(ns, "subscriptions", "by-hand"), olm_object("Subscription", "by-hand", spec=spec))

        said = self.refused(run, api_server, namespace=ns)

        assert f"Subscription {ns}/mcp-gateway" in said and "set name to by-hand" in said

    def test_a_csv_that_an_earlier_subscription_left(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        csv(api_server, ns, OLD_CSV)

        said = self.refused(run, api_server, namespace=ns)

        assert f"oc delete clusterserviceversion {OLD_CSV} -n {ns}" in said

    def test_install_modes_that_do_not_fit(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        said = self.refused(run, api_server, namespace=ns, operator_group={"target_namespaces": [ns, "another"]})

        assert "MultiNamespace InstallModeType not supported" in said and "[] (all namespaces)" in said


class TestCatalog:
    """Told before anything is written."""

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"channel": "stable-9"}, ["stable-9", "preview"]),
            ({"source": "no-such-catalog"}, ["no-such-catalog", "redhat-operators"]),
            ({"package": "mcp-gatewy"}, ["mcp-gatewy", "mcp-gateway"]),
            ({"starting_csv": "mcp-gateway.v0.1.0"}, ["mcp-gateway.v0.1.0", OLD_CSV]),
        ],
    )
    def test_what_is_not_there(
        self, run: Modules, api_server: ApiServer, ns: str, change: Json, words: list[str]
    ) -> None:
        with api_server.watched() as requests:
            said = run.fails("olm_subscription", namespace=ns, **change)

        assert writes(requests) == []
        for word in words:
            assert word in said

    def test_a_catalog_that_is_not_ready_is_a_warning(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        path = at(CATALOG, "catalogsources", "redhat-operators")
        api_server.status(path, {"connectionState": {"lastObservedState": "TRANSIENT_FAILURE"}})

        assert any("TRANSIENT_FAILURE" in warning for warning in warnings_of(subscribe(run, ns)))

    def test_a_negative_timeout(self, run: Modules, ns: str) -> None:
        assert "csv_timeout is -1" in run.fails("olm_subscription", namespace=ns, csv_timeout=-1)

    def test_a_namespace_that_does_not_exist(self, run: Modules) -> None:
        assert "nowhere" in run.fails("olm_subscription", namespace="nowhere")
