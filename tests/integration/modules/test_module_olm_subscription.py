# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module olm_subscription, with the test in the role of the Operator Lifecycle Manager."""

from __future__ import annotations

import pytest
from integration.kit import ApiServer, Json, Modules, meanwhile, until, warnings_of, writes
from integration.olm_objects import (
    CATALOG,
    CSV,
    OLD_CSV,
    OWNED,
    QUICK,
    at,
    catalog,
    csv,
    installed,
    olm_object,
    plan,
    reference,
    subscribe,
    subscription_status,
)


@pytest.fixture(autouse=True)
def ready_catalog(api_server: ApiServer) -> None:
    catalog(api_server)


class TestLife:
    def test_installed_and_nothing_to_do_again(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        def olm() -> None:
            until(lambda: api_server.get(at(ns, "subscriptions", "mcp-gateway")) is not None, lambda: "never made")
            installed(api_server, ns)

        with meanwhile(olm):
            made = run("olm_subscription", namespace=ns, channel="preview")
        with api_server.watched() as requests:
            again = run("olm_subscription", namespace=ns, channel="preview")

        assert [entry["kind"] for entry in made["objects"]] == ["OperatorGroup", "Subscription"]
        assert made["csv"] == CSV and made["version"] == "0.9.0" and made["install_plan"] == "install-1"
        assert made["subscription_state"] == "AtLatestKnown" and made["crds"] == [OWNED]
        assert not again["changed"] and writes(requests) == [] and again["csv"] == CSV
        live = api_server.get(at(ns, "subscriptions", "mcp-gateway")) or {}
        assert live["spec"] == {
            "name": "mcp-gateway",
            "source": "redhat-operators",
            "sourceNamespace": CATALOG,
            "channel": "preview",
            "installPlanApproval": "Automatic",
        }
        group = api_server.get(at(ns, "operatorgroups", "mcp-gateway", "v1")) or {}
        assert group["spec"]["targetNamespaces"] == [ns]

    def test_follows_upgrades_to_the_newest(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        def olm() -> None:
            until(lambda: api_server.get(at(ns, "subscriptions", "mcp-gateway")) is not None, lambda: "never made")
            plan(api_server, ns, "install-0", "Complete", [OLD_CSV])
            csv(api_server, ns, OLD_CSV)
            subscription_status(
                api_server, ns, installedCSV=OLD_CSV, currentCSV=CSV, state="UpgradePending",
                installPlanRef=reference("install-0"),
            )  # fmt: skip
            csv(api_server, ns, CSV, "Installing")
            installed(api_server, ns)

        with meanwhile(olm):
            assert run("olm_subscription", namespace=ns, starting_csv=OLD_CSV)["csv"] == CSV

    def test_the_starting_version_is_not_sent_again(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        subscribe(run, ns, starting_csv=OLD_CSV)
        installed(api_server, ns)

        assert not run("olm_subscription", namespace=ns, channel="preview", starting_csv=OLD_CSV)["changed"]
        assert not run("olm_subscription", namespace=ns, channel="preview", starting_csv=CSV)["changed"]
        assert not run("olm_subscription", namespace=ns, channel="preview")["changed"]

    def test_drift_is_repaired_and_fields_of_others_stay(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        subscribe(run, ns)
        installed(api_server, ns)
        path = at(ns, "subscriptions", "mcp-gateway")
        config = {"resources": {"limits": {"memory": "1Gi"}}}
        api_server.merge(path, {"spec": {"channel": "nightly", "config": config}}, "somebody")
        wanted: Json = {"namespace": ns, "channel": "preview", "wait": False}

        said = run.fails("olm_subscription", **wanted)
        planned = run("olm_subscription", check=True, diff=True, force_conflicts=True, **wanted)
        repaired = run("olm_subscription", diff=True, force_conflicts=True, **wanted)
        before = api_server.get(path)
        with api_server.watched() as requests:
            again = run("olm_subscription", **wanted)

        assert "somebody" in said and "spec.channel" in said and "force_conflicts" in said
        assert planned["diff"] == repaired["diff"] and repaired["objects"][-1]["fields"] == ["spec.channel"]
        assert (before or {})["spec"]["config"] == config and (before or {})["spec"]["channel"] == "preview"
        assert not again["changed"] and writes(requests) == [] and api_server.get(path) == before

    def test_check_mode(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        with api_server.watched() as requests:
            planned = run("olm_subscription", check=True, namespace=ns, channel="preview")

        assert [entry["action"] for entry in planned["objects"]] == ["created", "created"]
        assert writes(requests) == []

    def test_check_mode_before_the_namespace_exists(self, run: Modules) -> None:
        planned = run("olm_subscription", check=True, namespace="not-there", channel="preview")
        assert [entry["action"] for entry in planned["objects"]] == ["created", "created"]

    def test_absent_twice(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        subscribe(run, ns)
        installed(api_server, ns)

        planned = run("olm_subscription", check=True, namespace=ns, state="absent")
        first = run("olm_subscription", namespace=ns, state="absent")
        again = run("olm_subscription", namespace=ns, state="absent")

        kinds = ["Subscription", "ClusterServiceVersion", "OperatorGroup"]
        assert [entry["kind"] for entry in first["objects"] if entry["action"] == "deleted"] == kinds
        assert [entry["kind"] for entry in planned["objects"] if entry["action"] == "deleted"] == kinds
        assert not again["changed"]
        assert api_server.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{OWNED}") is not None

    def test_absent_leaves_what_is_of_others(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        subscribe(run, ns)
        installed(api_server, ns)
        spec = {"name": "other", "source": "redhat-operators", "sourceNamespace": CATALOG}
        api_server.apply(at(ns, "subscriptions", "other"), olm_object("Subscription", "other", spec=spec))
        csv(api_server, ns, "other.v1.0.0")

        run("olm_subscription", namespace=ns, state="absent")

        assert api_server.get(at(ns, "clusterserviceversions", "other.v1.0.0")) is not None
        assert api_server.get(at(ns, "operatorgroups", "mcp-gateway", "v1")) is not None


class TestApproval:
    def waiting(self, run: Modules, api: ApiServer, ns: str, csvs: list[str]) -> None:
        subscribe(run, ns, install_plan_approval="Manual")
        plan(api, ns, "install-1", "RequiresApproval", csvs, approved=False)
        subscription_status(api, ns, currentCSV=CSV, state="UpgradePending", installPlanRef=reference("install-1"))

    def test_how_to_approve_is_told(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        self.waiting(run, api_server, ns, [CSV])

        said = run.fails("olm_subscription", namespace=ns, channel="preview", install_plan_approval="Manual")

        assert "RequiresApproval" in said and f"oc patch installplan install-1 -n {ns}" in said and "approve" in said

    def test_its_own_plan_is_approved(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        self.waiting(run, api_server, ns, [CSV, "other.v1.0.0"])
        plan(api_server, ns, "install-other", "RequiresApproval", ["other.v1.0.0"], approved=False)
        wanted: Json = {"namespace": ns, "channel": "preview", "install_plan_approval": "Manual", "approve": True}
        path = at(ns, "installplans", "install-1")

        def olm() -> None:
            until(lambda: (api_server.get(path) or {})["spec"]["approved"], lambda: "never approved")
            installed(api_server, ns)

        planned = run("olm_subscription", check=True, **wanted)
        with meanwhile(olm):
            result = run("olm_subscription", **wanted)

        entry = next(entry for entry in result["objects"] if entry["kind"] == "InstallPlan")
        assert entry["action"] == "updated" and entry["fields"] == ["spec.approved"] and planned["changed"]
        assert any("other.v1.0.0" in warning for warning in warnings_of(result))
        other = api_server.get(at(ns, "installplans", "install-other")) or {}
        assert other["spec"]["approved"] is False

    def test_a_plan_with_what_others_asked_for_is_refused(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        self.waiting(run, api_server, ns, [CSV, "other.v2.0.0"])
        spec = {"name": "other", "source": "redhat-operators", "sourceNamespace": CATALOG}
        path = at(ns, "subscriptions", "other")
        api_server.apply(path, olm_object("Subscription", "other", spec=spec))
        base = {"lastUpdated": "2026-01-01T00:00:00Z", "installedCSV": "other.v1.0.0"}
        api_server.status(path, {**base, "currentCSV": "other.v2.0.0"})
        wanted: Json = {"namespace": ns, "channel": "preview", "install_plan_approval": "Manual", "approve": True}

        with api_server.watched() as requests:
            planned = run("olm_subscription", check=True, **wanted)
            said = run.fails("olm_subscription", **wanted)

        assert "other (other.v2.0.0)" in said and f"oc patch installplan install-1 -n {ns}" in said
        assert any("other (other.v2.0.0)" in warning for warning in warnings_of(planned)) and not planned["changed"]
        assert writes(requests) == []

    def test_a_pinned_version_is_not_left(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        wanted: Json = {
            "channel": "preview",
            "install_plan_approval": "Manual",
            "approve": True,
            "starting_csv": OLD_CSV,
        }
        run("olm_subscription", namespace=ns, wait=False, **wanted)
        csv(api_server, ns, OLD_CSV)
        plan(api_server, ns, "install-2", "RequiresApproval", [CSV], approved=False)
        subscription_status(
            api_server, ns, installedCSV=OLD_CSV, currentCSV=CSV, state="UpgradePending",
            installPlanRef=reference("install-2"),
        )  # fmt: skip

        result = run("olm_subscription", namespace=ns, **wanted)

        assert result["csv"] == OLD_CSV and not result["changed"]
        assert any("install-2" in warning and "approval" in warning for warning in warnings_of(result))


class TestFailures:
    """OLM's own reasons end the wait."""

    @pytest.mark.parametrize(
        "condition", ["ResolutionFailed", "BundleUnpackFailed", "CatalogSourcesUnhealthy", "InstallPlanFailed"]
    )
    def test_conditions_of_the_subscription(
        self, run: Modules, api_server: ApiServer, ns: str, condition: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from ansible_collections.mcpops.gateway.plugins.module_utils import _olm_rules

        monkeypatch.setattr(_olm_rules, "FAILURES", dict.fromkeys(_olm_rules.FAILURES, 0.1))
        subscribe(run, ns)
        entry = {"type": condition, "status": "True", "reason": "Why", "message": "no operators found"}
        subscription_status(api_server, ns, conditions=[entry])

        said = run.fails(
            "olm_subscription", namespace=ns, channel="preview", install_plan_ref_timeout=60, csv_timeout=60
        )

        assert condition in said and "Why: no operators found" in said

    def test_no_install_plan(self, run: Modules, ns: str) -> None:
        said = run.fails("olm_subscription", namespace=ns, channel="preview", **QUICK)

        assert "Waited 1 s" in said and "InstallPlan" in said and "no status yet" in said

    def test_a_bundle_is_given_the_time_of_the_plan(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        subscribe(run, ns)
        unpacking = {"type": "BundleUnpacking", "status": "True", "reason": "JobIncomplete", "message": "not done"}
        subscription_status(api_server, ns, conditions=[unpacking])
        times: Json = {"install_plan_ref_timeout": 0, "install_plan_timeout": 1}

        said = run.fails("olm_subscription", namespace=ns, channel="preview", **times)

        assert "Waited 1 s" in said and "bundle unpacked" in said and "JobIncomplete: not done" in said

    def test_an_install_plan_that_hangs(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        subscribe(run, ns)
        plan(api_server, ns, "install-1", "Installing", [CSV])
        subscription_status(api_server, ns, installPlanRef=reference("install-1"))

        said = run.fails("olm_subscription", namespace=ns, channel="preview", **QUICK)

        assert "install-1 has the phase Installing" in said

    def test_a_failed_install_plan(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        subscribe(run, ns)
        plan(api_server, ns, "install-1", "Failed", [CSV])
        entry = {"type": "Installed", "status": "False", "reason": "InstallComponentFailed", "message": "no rights"}
        api_server.status(at(ns, "installplans", "install-1"), {"conditions": [entry]})
        subscription_status(api_server, ns, installPlanRef=reference("install-1"))

        said = run.fails("olm_subscription", namespace=ns, channel="preview")

        assert "InstallComponentFailed: no rights" in said

    def test_an_operator_that_never_runs(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        subscribe(run, ns)
        plan(api_server, ns, "install-1", "Complete", [CSV])
        csv(
            api_server, ns, CSV, "Installing", reason="InstallWaiting", message="waiting for deployment to become ready"
        )
        subscription_status(
            api_server, ns, installedCSV=CSV, currentCSV=CSV, state="AtLatestKnown",
            installPlanRef=reference("install-1"),
        )  # fmt: skip

        said = run.fails("olm_subscription", namespace=ns, channel="preview", **QUICK)

        assert "InstallWaiting: waiting for deployment" in said and CSV in said

    def test_a_csv_that_cannot_succeed(self, run: Modules, api_server: ApiServer, ns: str) -> None:
        subscribe(run, ns)
        plan(api_server, ns, "install-1", "Complete", [CSV])
        csv(api_server, ns, CSV, "Failed", reason="UnsupportedOperatorGroup", message="OwnNamespace not supported")
        subscription_status(api_server, ns, currentCSV=CSV, installPlanRef=reference("install-1"))

        said = run.fails("olm_subscription", namespace=ns, channel="preview")

        assert "UnsupportedOperatorGroup: OwnNamespace not supported" in said


class TestCrds:
    """What ``remove_crds`` removes, on CRDs of the test's own."""

    @pytest.fixture
    @staticmethod
    def crd(api_server: ApiServer, ns: str) -> str:
        name = f"widgets.{ns}.example.com"
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        spec = {
            "group": f"{ns}.example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        }
        metadata = {"name": name, "labels": {f"operators.coreos.com/mcp-gateway.{ns}": ""}}
        kind = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
        api_server.install_crds([{**kind, "metadata": metadata, "spec": spec}])
        return name

    def test_they_go_even_when_the_operator_is_already_gone(
        self, run: Modules, api_server: ApiServer, ns: str, crd: str
    ) -> None:
        result = run("olm_subscription", namespace=ns, state="absent", remove_crds=True)

        assert [entry["name"] for entry in result["objects"] if entry["action"] == "deleted"] == [crd]

    def test_not_while_there_are_objects_of_them(self, run: Modules, api_server: ApiServer, ns: str, crd: str) -> None:
        group = f"{ns}.example.com"
        widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}}
        api_server.apply(f"/apis/{group}/v1/namespaces/{ns}/widgets/w", widget)

        said = run.fails("olm_subscription", namespace=ns, state="absent", remove_crds=True)

        assert crd in said and f"{ns}/w" in said and "finalizers" in said
