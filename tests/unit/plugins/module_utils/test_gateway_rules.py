# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the Gateway API that are told before writing, and how a Gateway and a route count as ready."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_job import listener_manager
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import (
    clash,
    hostname_problem,
    listener_manifest,
    problems,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._goals import DONE, FAILED, PENDING
from ansible_collections.mcpops.gateway.plugins.module_utils._readiness import GatewayReady, RouteReady, goal_for

Json = dict[str, Any]


def listener(name: str = "a", port: int = 80, protocol: str = "HTTP", hostname: str | None = None) -> Json:
    return {"name": name, "port": port, "protocol": protocol, **({"hostname": hostname} if hostname else {})}


class TestManifest:
    def test_defaults_inside_lists_that_are_one_value_are_written_out(self) -> None:
        options = {
            **listener("s", 443, "HTTPS", "a.example.com"),
            "tls": {"mode": None, "certificate_refs": [{"name": "c", "kind": "Secret", "group": ""}], "options": None},
            "allowed_routes": {"namespaces": {"from": "All", "selector": None}, "kinds": [{"kind": "HTTPRoute"}]},
        }

        assert listener_manifest(options) == {
            **listener("s", 443, "HTTPS", "a.example.com"),
            "tls": {"certificateRefs": [{"group": "", "kind": "Secret", "name": "c"}]},
            "allowedRoutes": {
                "namespaces": {"from": "All"},
                "kinds": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"}],
            },
        }

    def test_what_is_not_given_is_not_stated(self) -> None:
        options = {**listener(), "tls": None, "allowed_routes": None}
        assert listener_manifest(options) == listener()


class TestHostnames:
    @pytest.mark.parametrize("good", ["mcp.example.com", "*.example.com", "localhost", "a-1.b2.c", "x" * 63 + ".com"])
    def test_good(self, good: str) -> None:
        assert hostname_problem(good) == ""

    @pytest.mark.parametrize(
        "bad",
        ["http://a.b", "a.b/c", "a.b:80", "1.2.3.4", "[::1]", "::1", "A.b", "a.*.b", "*", "*a.b", "a_b.c", "-a.b",
         "a..b", "a.b.", "x" * 64 + ".com", ".".join(["x" * 60] * 5)],
    )  # fmt: skip
    def test_bad(self, bad: str) -> None:
        assert hostname_problem(bad)


class TestClashes:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (listener(), listener("b")),
            (listener(hostname="x.com"), listener("b", hostname="x.com")),
            (listener(protocol="TCP"), listener("b", protocol="TCP")),
            (listener(protocol="HTTP"), listener("b", protocol="HTTPS", hostname="x.com")),
            (listener(protocol="HTTP"), listener("b", protocol="TCP")),
        ],
    )
    def test_those_that_exclude_each_other(self, one: Json, other: Json) -> None:
        assert "a and b" in clash(one, other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (listener(), listener("b", 81)),
            (listener(), listener("b", hostname="x.com")),
            (listener(hostname="*.x.com"), listener("b", hostname="a.x.com")),
            (listener(protocol="HTTPS", hostname="a.com"), listener("b", protocol="TLS", hostname="b.com")),
            (listener(protocol="TCP"), listener("b", protocol="UDP")),
        ],
    )
    def test_those_that_get_along(self, one: Json, other: Json) -> None:
        assert clash(one, other) == ""

    def test_every_problem_is_told_once(self) -> None:
        found = problems([listener(), listener("b"), listener("c", 70000)])

        assert len(found) == 2 and any("70000" in sentence for sentence in found)


def test_the_manager_of_a_listener_fits_the_limit_of_kubernetes() -> None:
    assert listener_manager("mcpops.gateway", "mcps") == "mcpops.gateway/listener:mcps"
    long, other = listener_manager("mcpops.gateway", "x" * 200), listener_manager("mcpops.gateway", "x" * 199)
    assert len(long) <= 128 and long != other


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
    ("kind", "known"),
    [("Gateway", True), ("Deployment", True), ("MCPGatewayExtension", True), ("ConfigMap", False), ("Issuer", False)],
)
def test_kinds_that_are_waited_for_without_being_told(kind: str, known: bool) -> None:
    assert (goal_for({"kind": kind, "spec": {"listeners": []}}) is not None) is known
