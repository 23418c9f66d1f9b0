# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a Gateway and a route count as ready, and what ends the waiting."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._goals import DONE, FAILED, PENDING
from ansible_collections.mcpops.gateway.plugins.module_utils._readiness import GatewayReady, RouteReady, goal_for

Json = dict[str, Any]


def conditions(generation: int = 1, **status: str) -> list[Json]:
    return [
        {"type": name, "status": value.partition(":")[0], "reason": value.partition(":")[2] or name,
         "observedGeneration": generation}
        for name, value in status.items()
    ]  # fmt: skip


GOOD = {"Accepted": "True", "Programmed": "True", "ResolvedRefs": "True"}


def gateway(generation: int = 1, **listeners: dict[str, str]) -> Json:
    return {
        "kind": "Gateway",
        "metadata": {"name": "g", "generation": generation},
        "status": {
            "conditions": conditions(Accepted="True", Programmed="True"),
            "listeners": [{"name": name, "conditions": conditions(**found)} for name, found in listeners.items()],
        },
    }


class TestGatewayReady:
    def test_ready(self) -> None:
        assert GatewayReady(["a"]).judge(gateway(a=GOOD)).state == DONE

    def test_a_listener_that_is_not_reported(self) -> None:
        assert GatewayReady(["a", "b"]).judge(gateway(a=GOOD)).seen == (
            "listener b: its controller reports no status for it yet"
        )

    def test_a_listener_of_others_does_not_matter(self) -> None:
        assert GatewayReady(["a"]).judge(gateway(a=GOOD, b={"Accepted": "False:PortUnavailable"})).state == DONE

    @pytest.mark.parametrize(
        "bad",
        [
            {**GOOD, "Accepted": "False:PortUnavailable"},
            {**GOOD, "ResolvedRefs": "False:InvalidCertificateRef"},
            {**GOOD, "Conflicted": "True:HostnameConflict"},
        ],
    )
    def test_a_listener_that_stays_as_it_is(self, bad: dict[str, str]) -> None:
        assert GatewayReady(["a"]).judge(gateway(a=bad)).state == FAILED

    @pytest.mark.parametrize(
        ("bad", "fix", "at_once"),
        [
            ({"Conflicted": "True:HostnameConflict"}, "change the port or the host name", True),
            ({"Conflicted": "True:ProtocolConflict"}, "change the port of one", True),
            ({"Accepted": "False:PortUnavailable"}, "choose a port", True),
            ({"Accepted": "False:UnsupportedProtocol"}, "choose a protocol", True),
            ({"ResolvedRefs": "False:InvalidRouteKinds"}, "allowedRoutes.kinds", True),
            # A controller may not have seen the Secret or the grant yet.
            ({"ResolvedRefs": "False:InvalidCertificateRef"}, "kubernetes.io/tls", False),
            ({"ResolvedRefs": "False:RefNotPermitted"}, "ReferenceGrant", False),
        ],
    )
    def test_a_reason_has_its_fix(self, bad: dict[str, str], fix: str, at_once: bool) -> None:
        verdict = GatewayReady(["a"]).judge(gateway(a={**GOOD, **bad}))

        assert verdict.state == FAILED and fix in verdict.remedy.fix and verdict.remedy.at_once is at_once

    def test_a_gateway_that_gets_no_address(self) -> None:
        live = gateway(a=GOOD)
        live["status"]["conditions"] = conditions(Accepted="True", Programmed="False:AddressNotAssigned")

        verdict = GatewayReady(["a"]).judge(live)

        assert verdict.state == PENDING and "load balancer" in verdict.remedy.fix

    def test_a_listener_that_is_on_its_way(self) -> None:
        assert GatewayReady(["a"]).judge(gateway(a={**GOOD, "Programmed": "False:Pending"})).state == PENDING

    def test_status_of_an_older_generation(self) -> None:
        assert GatewayReady(["a"]).judge(gateway(2, a=GOOD)).state == PENDING

    def test_an_address(self) -> None:
        live = gateway(a=GOOD)
        assert GatewayReady(["a"], address=True).judge(live).state == PENDING
        live["status"]["addresses"] = [{"value": "192.0.2.1"}]
        assert GatewayReady(["a"], address=True).judge(live).state == DONE


class TestRouteReady:
    def route(self, *reported: Json) -> Json:
        parents = [{"name": "g", "namespace": "gw", "sectionName": "a"}, {"name": "h"}]
        return {
            "kind": "HTTPRoute",
            "metadata": {"name": "r", "namespace": "ns", "generation": 1},
            "spec": {"parentRefs": parents},
            "status": {"parents": list(reported)},
        }

    def entry(self, parent: Json, **status: str) -> Json:
        return {"parentRef": parent, "conditions": conditions(**{"Accepted": "True", "ResolvedRefs": "True", **status})}

    def test_every_parent_has_to_accept_it(self) -> None:
        first = self.entry({"name": "g", "namespace": "gw", "sectionName": "a"})
        second = self.entry({"name": "h", "namespace": "ns"})

        assert RouteReady().judge(self.route(first, second)).state == DONE
        assert "parent h" in RouteReady().judge(self.route(first)).seen

    def test_a_parent_that_refuses_it(self) -> None:
        first = self.entry({"name": "g", "namespace": "gw", "sectionName": "a"}, Accepted="False:NotAllowedByListeners")

        verdict = RouteReady().judge(self.route(first, self.entry({"name": "h"})))

        assert verdict.state == FAILED and "gw/g/a" in verdict.seen
        assert "allowedRoutes" in verdict.remedy.fix

    def test_who_else_reports_on_a_parent_does_not_matter(self) -> None:
        policies = {"parentRef": {"name": "h"}, "conditions": conditions(**{"kuadrant.io/AuthPolicyAffected": "True"})}
        earlier = self.entry({"name": "h"}, Accepted="False:NoMatchingParent")
        first = self.entry({"name": "g", "namespace": "gw", "sectionName": "a"})

        assert RouteReady().judge(self.route(policies, first, earlier, self.entry({"name": "h"}))).state == DONE
        assert RouteReady().judge(self.route(policies, first)).seen == "parent h: no controller reports on it yet"

    def test_the_word_on_another_listener_does_not_count(self) -> None:
        other = self.entry({"name": "g", "namespace": "gw", "sectionName": "b"})

        assert "gw/g/a" in RouteReady().judge(self.route(other, self.entry({"name": "h"}))).seen


@pytest.mark.parametrize(
    ("api_version", "kind", "known"),
    [
        ("gateway.networking.k8s.io/v1", "Gateway", True),
        ("networking.istio.io/v1", "Gateway", False),
        ("apps/v1", "Deployment", True),
        ("batch/v1", "Job", True),
        ("batch.volcano.sh/v1alpha1", "Job", False),
        ("mcp.kuadrant.io/v1", "MCPGatewayExtension", True),
        ("v1", "ConfigMap", False),
        ("cert-manager.io/v1", "Issuer", False),
    ],
)
def test_kinds_that_are_waited_for_without_being_told(api_version: str, kind: str, known: bool) -> None:
    goal = goal_for({"apiVersion": api_version, "kind": kind, "spec": {"listeners": []}})
    assert (goal is not None) is known


def test_a_job_that_failed_ends_the_wait() -> None:
    goal = goal_for({"apiVersion": "batch/v1", "kind": "Job"})
    failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}

    assert goal is not None
    assert goal.judge({"metadata": {}, "status": {"conditions": [failed]}}).state == FAILED


@pytest.mark.parametrize(("policy", "phase"), [("Never", "Succeeded"), ("OnFailure", "Succeeded")])
def test_a_pod_that_runs_once_is_ready_when_it_has_succeeded(policy: str, phase: str) -> None:
    goal = goal_for({"apiVersion": "v1", "kind": "Pod", "spec": {"restartPolicy": policy}})

    assert goal is not None
    assert goal.judge({"status": {"phase": phase}}).state == DONE
    assert goal.judge({"status": {"phase": "Failed"}}).state == FAILED
