# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of the Gateway API that are told before writing."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_manifest import (
    gateway_manifest,
    listener_manifest,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import (
    address_problems,
    clash,
    hostname_covers,
    hostname_problem,
    overlap,
    problems,
    selector_problems,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._listener_job import listener_manager

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

    def test_labels_and_annotations_are_text(self) -> None:
        params = {"name": "g", "namespace": "n", "gateway_class_name": "c", "labels": {"a": True, "b": 1, "c": None}}

        assert gateway_manifest(params, [])["metadata"]["labels"] == {"a": "true", "b": "1"}

    def test_an_empty_selector_selects_every_namespace(self) -> None:
        routes = {"namespaces": {"from": "Selector", "selector": {}}}

        assert listener_manifest({**listener(), "allowed_routes": routes})["allowedRoutes"] == routes

    def test_labels_of_a_selector_are_text(self) -> None:
        selector = {"matchLabels": {"mcp": True, "tier": 1}}
        options = {**listener(), "allowed_routes": {"namespaces": {"from": "Selector", "selector": selector}}}

        found = listener_manifest(options)["allowedRoutes"]["namespaces"]["selector"]
        assert found == {"matchLabels": {"mcp": "true", "tier": "1"}}


class TestRoutesThatMayAttach:
    def allowed(self, protocol: str = "HTTP", **allowed: Any) -> list[str]:
        return problems([{**listener(protocol=protocol), "allowedRoutes": allowed}])

    @pytest.mark.parametrize(
        ("namespaces", "words"),
        [
            ({"from": "Selector"}, "needs allowed_routes.namespaces.selector"),
            ({"from": "All", "selector": {}}, "no meaning with from All"),
            ({"selector": {"matchLabels": {"a": "b"}}}, "no meaning with from Same"),
            ({"from": "Selector", "selector": {"team": "a"}}, "has team; it takes matchLabels"),
        ],
    )
    def test_namespaces(self, namespaces: Json, words: str) -> None:
        (said,) = self.allowed(namespaces=namespaces)

        assert words in said and said.startswith("listener a: allowed_routes.namespaces")

    def test_a_good_selector(self) -> None:
        expressions = [
            {"key": "team", "operator": "In", "values": ["a"]},
            {"key": "team", "operator": "NotIn", "values": ["b"]},
            {"key": "mcp", "operator": "Exists"},
            {"key": "old", "operator": "DoesNotExist"},
        ]

        assert selector_problems({"matchLabels": {"a": "b"}, "matchExpressions": expressions}) == []
        assert selector_problems({}) == []

    @pytest.mark.parametrize(
        ("selector", "words"),
        [
            ({"matchLabels": ["a"]}, "matchLabels that are no mapping"),
            ({"matchExpressions": {"key": "a"}}, "matchExpressions that are no list"),
            ({"matchExpressions": [{"operator": "In"}]}, "without a key"),
            ({"matchExpressions": [{"key": "a", "operator": "Equals"}]}, "operator Equals for a"),
            ({"matchExpressions": [{"key": "a", "operator": "In"}]}, "In for a, which needs values"),
            ({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}, "takes no values"),
        ],
    )
    def test_a_bad_selector(self, selector: Json, words: str) -> None:
        (said,) = selector_problems(selector)

        assert words in said

    @pytest.mark.parametrize(
        ("protocol", "kind", "fits"),
        [
            ("HTTP", "HTTPRoute", True),
            ("HTTP", "TCPRoute", False),
            ("TCP", "TCPRoute", True),
            ("UDP", "HTTPRoute", False),
        ],
    )
    def test_kinds_fit_the_protocol(self, protocol: str, kind: str, fits: bool) -> None:
        found = self.allowed(protocol, kinds=[{"group": "gateway.networking.k8s.io", "kind": kind}])

        assert (found == []) is fits

    def test_kinds_of_other_groups_are_the_implementation_s_business(self) -> None:
        assert self.allowed(kinds=[{"group": "example.com", "kind": "Any"}]) == []

    def test_too_many_kinds(self) -> None:
        (said,) = self.allowed(kinds=[{"group": "example.com", "kind": f"K{number}"} for number in range(9)])

        assert "9 entries" in said


class TestTls:
    @pytest.mark.parametrize(
        ("protocol", "tls", "words"),
        [
            ("TLS", {}, "needs tls.certificate_refs"),
            (
                "TLS",
                {"mode": "Passthrough", "certificateRefs": [{"name": "c"}]},
                "no meaning with tls.mode Passthrough",
            ),
            ("HTTPS", {"certificateRefs": [{"name": "c", "kind": "ConfigMap", "group": ""}]}, "the ConfigMap c"),
            ("HTTPS", {"certificateRefs": [{"name": "c"}] * 65}, "65 entries"),
            ("HTTPS", {"options": {str(number): "x" for number in range(17)}}, "17 entries"),
        ],
    )
    def test_bad(self, protocol: str, tls: Json, words: str) -> None:
        (said,) = problems([{**listener(protocol=protocol), "tls": tls}])

        assert words in said

    def test_good(self) -> None:
        assert problems([{**listener(protocol="TLS"), "tls": {"mode": "Passthrough"}}]) == []
        other = {"group": "example.com", "kind": "Certificate", "name": "c"}
        assert problems([{**listener(protocol="HTTPS"), "tls": {"certificateRefs": [other]}}]) == []


class TestAddresses:
    @pytest.mark.parametrize(
        ("address", "words"),
        [
            ({"type": "IPAddress", "value": "lb.example.com"}, "no IP address"),
            ({"type": "IPAddress"}, "no IP address"),
            ({"type": "Hostname", "value": "a_b"}, "host name a_b"),
            ({"type": "Address", "value": "1.2.3.4"}, "type Address"),
        ],
    )
    def test_bad(self, address: Json, words: str) -> None:
        (said,) = address_problems([address])

        assert words in said

    def test_good(self) -> None:
        good = [("IPAddress", "192.0.2.1"), ("IPAddress", "2001:db8::1"), ("Hostname", "lb.x"), ("NamedAddress", "a"),
                ("example.com/pool", "b")]  # fmt: skip

        assert address_problems([{"type": kind, "value": value} for kind, value in good]) == []

    def test_too_many(self) -> None:
        (said,) = address_problems([{"type": "NamedAddress", "value": str(number)} for number in range(17)])

        assert "17 entries" in said


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
            (listener(protocol="HTTPS", hostname="x.com"), listener("b", protocol="TLS", hostname="x.com")),
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
            (listener(protocol="HTTP"), listener("b", protocol="UDP")),
        ],
    )
    def test_those_that_get_along(self, one: Json, other: Json) -> None:
        assert clash(one, other) == ""

    @pytest.mark.parametrize(
        ("one", "other", "told"),
        [
            ("*.x.com", "a.x.com", True),
            ("a.b.x.com", "*.x.com", True),
            ("*.x.com", "*.b.x.com", True),
            ("", "a.x.com", True),
            ("a.x.com", "b.x.com", False),
            ("*.x.com", "x.com", False),
            ("a.x.com", "a.x.com", False),  # a clash
        ],
    )
    def test_tls_listeners_whose_host_names_overlap(self, one: str, other: str, told: bool) -> None:
        first, second = listener(protocol="HTTPS", hostname=one), listener("b", protocol="HTTPS", hostname=other)

        assert bool(overlap(first, second)) is told
        assert overlap(first, {**second, "port": 444}) == overlap({**first, "protocol": "HTTP"}, second) == ""

    def test_more_listeners_than_a_gateway_has(self) -> None:
        (said,) = problems([listener(f"l{number}", 1000 + number) for number in range(65)])

        assert "65 listeners" in said

    def test_every_problem_is_told_once(self) -> None:
        found = problems([listener(), listener("b"), listener("c", 70000)])

        assert len(found) == 2 and any("70000" in sentence for sentence in found)


@pytest.mark.parametrize(
    ("one", "hostname", "covered"),
    [("", "a.b", True), ("a.b", "a.b", True), ("*.b", "a.b", True), ("*.b", "x.a.b", True), ("*.b", "b", False),
     ("a.b", "*.b", False), ("*.b", "*.a.b", True), ("*.b", "ab", False)],
)  # fmt: skip
def test_host_names_that_a_listener_takes(one: str, hostname: str, covered: bool) -> None:
    assert hostname_covers(one, hostname) is covered


def test_the_manager_of_a_listener_fits_the_limit_of_kubernetes() -> None:
    assert listener_manager("mcpops.gateway", "mcps") == "mcpops.gateway/listener:mcps"
    long, other = listener_manager("mcpops.gateway", "x" * 200), listener_manager("mcpops.gateway", "x" * 199)
    assert len(long) <= 128 and long != other
