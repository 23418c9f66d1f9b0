# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's rules for an MCPGatewayExtension, one by one and in their order."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._extension_rules import (
    PublicHostError,
    Verdict,
    grant_permits,
    listener_allows_namespace,
    namespace_conflict,
    port_conflict,
    public_host,
    selector_matches,
    verdict,
)

Object = dict[str, Any]


def extension(name: str = "mine", namespace: str = "team", section: str = "mcps", **more: Any) -> Object:
    created = more.pop("created", "2026-01-02T00:00:00Z")
    deleted = {"deletionTimestamp": created} if more.pop("deleted", False) else {}
    target = {"name": "gw", "namespace": "infra", "sectionName": section, **more.pop("target", {})}
    return {
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": created, **deleted},
        "spec": {"targetRef": target, **more},
    }


def listener(name: str = "mcps", port: int = 8080, **more: Any) -> Object:
    hostname = more.pop("hostname", "mcp.example.com")
    routes = {"namespaces": {"from": more.pop("allowed", "All"), **more}}
    return {"name": name, "port": port, "protocol": "HTTP", "hostname": hostname, "allowedRoutes": routes}


def gateway(*listeners: Object) -> Object:
    return {"metadata": {"name": "gw", "namespace": "infra"}, "spec": {"listeners": list(listeners or [listener()])}}


def grant(namespace: str = "infra", from_: Object | None = None, to: Object | None = None) -> Object:
    source = {"group": "mcp.kuadrant.io", "kind": "MCPGatewayExtension", "namespace": "team", **(from_ or {})}
    target = {"group": "gateway.networking.k8s.io", "kind": "Gateway", **(to or {})}
    return {"metadata": {"namespace": namespace}, "spec": {"from": [source], "to": [target]}}


def judge(candidate: Object, target: Object | None, **more: Any) -> Verdict:
    others = more.pop("others", [])
    more = {"namespace_labels": {}, "grants": [grant()], "extensions": [candidate, *others], **more}
    return verdict(candidate, gateway=target, **more)


@pytest.mark.parametrize(
    ("hostname", "spec", "expected"),
    [
        ("mcp.example.com", None, "mcp.example.com"),
        ("mcp.example.com", "", "mcp.example.com"),
        ("mcp.example.com", "other.example.com", "other.example.com"),
        ("*.example.com", None, "mcp.example.com"),
        (None, "mcp.example.com:8080", "mcp.example.com"),
        (None, "localhost", "localhost"),
        (None, "localhost:", "localhost"),
    ],
)
def test_public_host_is_derived(hostname: str | None, spec: str | None, expected: str) -> None:
    assert public_host(hostname, spec) == expected


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        ("https://mcp.example.com", 'invalid public host "https://mcp.example.com": must be a hostname, not a URL'),
        ("MCP.example.com", "a lowercase RFC 1123 subdomain must consist of"),
        ("mcp_example.com", 'invalid public host "mcp_example.com": '),
        ("mcp_example.com:8080", 'invalid public host "mcp_example.com": '),
        ("*.example.com", 'invalid public host "*.example.com": '),
        ("a:b:80", 'invalid public host "a:b:80": '),
        ("[::1]:80", 'invalid public host "::1": '),
        (":8080", "unable to derive public host: no hostname available"),
        ("a" * 254, "must be no more than 253 characters"),
        (None, "unable to derive public host: no hostname available"),
    ],
)
def test_public_host_is_refused(spec: str | None, part: str) -> None:
    with pytest.raises(PublicHostError) as caught:
        public_host(None, spec)
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "namespace", "labels", "allowed"),
    [
        (listener(allowed="All"), "team", {}, True),
        (listener(allowed="Same"), "team", {}, False),
        (listener(allowed="Same"), "infra", {}, True),
        ({"name": "bare", "port": 80}, "team", {}, False),
        ({"name": "bare", "port": 80}, "infra", {}, True),
        (listener(allowed="None"), "infra", {}, False),
        (listener(allowed="Selector"), "team", {}, False),
        (listener(allowed="Selector", selector={}), "team", {}, True),
        (listener(allowed="Selector", selector={"matchLabels": {"a": "b"}}), "team", {"a": "b"}, True),
        (listener(allowed="Selector", selector={"matchLabels": {"a": "b"}}), "team", {"a": "c"}, False),
    ],
)
def test_listener_admits_namespaces(entry: Object, namespace: str, labels: dict[str, str], allowed: bool) -> None:
    assert listener_allows_namespace(entry, namespace, labels, "infra") is allowed


@pytest.mark.parametrize(
    ("operator", "values", "labels", "matches"),
    [
        ("In", ["x", "y"], {"k": "x"}, True),
        ("In", ["x"], {}, False),
        ("NotIn", ["x"], {"k": "y"}, True),
        ("NotIn", ["x"], {}, True),
        ("NotIn", ["x"], {"k": "x"}, False),
        ("Exists", None, {"k": ""}, True),
        ("Exists", None, {}, False),
        ("DoesNotExist", None, {}, True),
        ("DoesNotExist", None, {"k": "x"}, False),
        ("Sideways", None, {"k": "x"}, False),
    ],
)
def test_selector_expressions(operator: str, values: list[str] | None, labels: dict[str, str], matches: bool) -> None:
    selector = {"matchExpressions": [{"key": "k", "operator": operator, "values": values}]}
    assert selector_matches(selector, labels) is matches


@pytest.mark.parametrize(
    ("entry", "permits"),
    [
        (grant(), True),
        (grant(to={"kind": ""}), True),
        (grant(to={"name": "gw"}), True),
        (grant(to={"name": "other"}), False),
        (grant(to={"kind": "Secret"}), False),
        (grant(to={"group": ""}), False),
        (grant(from_={"namespace": "stranger"}), False),
        (grant(from_={"kind": "HTTPRoute"}), False),
        (grant(from_={"group": "mcp.kagenti.com"}), False),
        (grant(namespace="team"), False),
    ],
)
def test_grant_permits(entry: Object, permits: bool) -> None:
    found = grant_permits([entry], extension_namespace="team", gateway_namespace="infra", gateway_name="gw")
    assert found is permits


def test_the_oldest_extension_of_a_namespace_wins() -> None:
    older, younger = extension("old", created="2026-01-01T00:00:00Z"), extension("new")
    assert namespace_conflict(younger, [younger, older]) is older
    assert namespace_conflict(older, [younger, older]) is None


def test_of_equally_old_ones_in_a_namespace_the_first_in_the_list_wins() -> None:
    first, second = extension("a"), extension("b")
    assert namespace_conflict(second, [first, second]) is first
    assert namespace_conflict(first, [first, second]) is None


def test_an_extension_that_does_not_exist_yet_is_the_youngest() -> None:
    planned, present = extension("a"), extension("b")
    del planned["metadata"]["creationTimestamp"]
    assert namespace_conflict(planned, [present]) is present


def test_an_extension_that_is_being_deleted_does_not_count() -> None:
    leaving = extension("old", created="2026-01-01T00:00:00Z", deleted=True)
    assert namespace_conflict(extension("new"), [leaving]) is None


def test_one_port_on_two_listeners_is_a_conflict() -> None:
    shared = gateway(listener("mcps", 8080), listener("other", 8080), listener("free", 9090))
    older = extension("old", "rivals", "other", created="2026-01-01T00:00:00Z")
    assert port_conflict(extension(), shared, [older]) is older
    assert port_conflict(extension(section="free"), shared, [older]) is None
    assert port_conflict(older, shared, [extension()]) is None


def test_of_equally_old_ones_on_a_port_both_are_accepted() -> None:
    shared = gateway(listener("mcps", 8080), listener("other", 8080))
    assert port_conflict(extension(), shared, [extension("twin", "rivals", "other")]) is None


def test_one_that_is_being_deleted_still_has_its_port() -> None:
    leaving = extension("old", "rivals", created="2026-01-01T00:00:00Z", deleted=True)
    assert port_conflict(extension(), gateway(), [leaving]) is leaving


def test_of_several_older_ones_on_a_port_the_first_in_the_list_is_named() -> None:
    second = extension("b", "rivals-b", created="2026-01-01T00:00:01Z")
    first = extension("a", "rivals-a", created="2026-01-01T00:00:00Z")
    assert port_conflict(extension(), gateway(), [second, first]) is second


def test_the_same_port_of_another_gateway_is_free() -> None:
    older = extension("old", "rivals", created="2026-01-01T00:00:00Z", target={"name": "elsewhere"})
    assert port_conflict(extension(), gateway(), [older]) is None


def test_everything_right_is_accepted_with_its_public_host() -> None:
    result = judge(extension(), gateway())
    assert (result.accepted, result.reason) == (True, "ValidMCPGatewayExtension")
    assert result.message == "successfully verified and configured"
    assert result.public_host == "mcp.example.com"


def test_no_grant_is_needed_in_the_gateways_own_namespace() -> None:
    assert judge(extension(namespace="infra"), gateway(), grants=[]).accepted


OLDER = {"created": "2026-01-01T00:00:00Z"}
REFUSALS = {
    "second in the namespace": (
        extension(),
        gateway(),
        {"others": [extension("first", **OLDER)]},
        "conflict: namespace team already has MCPGatewayExtension first (only one per namespace allowed)",
    ),
    "no gateway": (extension(), None, {}, "invalid: gateway target infra/gw not found"),
    "no gateway namespace": (
        extension(target={"namespace": None}),
        None,
        {},
        "invalid: gateway target /gw not found",
    ),
    "no listener": (extension(section="nope"), gateway(), {}, 'listener "nope" not found on gateway infra/gw'),
    "no hostname": (
        extension(),
        gateway(listener(hostname=None)),
        {},
        'listener "mcps" on gateway infra/gw has no hostname and spec.publicHost is not set',
    ),
    "namespace not allowed": (
        extension(),
        gateway(listener(allowed="Same")),
        {},
        'listener "mcps" on gateway infra/gw does not allow routes from namespace "team"',
    ),
    "no grant": (
        extension(),
        gateway(),
        {"grants": []},
        "invalid: ReferenceGrant required in infra to allow cross-namespace reference from team",
    ),
    "port taken": (
        extension(),
        gateway(),
        {"others": [extension("first", "rivals", **OLDER)]},
        "conflict: listener port 8080 on gateway infra/gw is already configured by MCPGatewayExtension rivals/first "
        "(listener mcps)",
    ),
    "bad public host": (
        extension(publicHost="http://x"),
        gateway(),
        {},
        'invalid public host "http://x": must be a hostname, not a URL',
    ),
}


@pytest.mark.parametrize(("candidate", "target", "more", "message"), REFUSALS.values(), ids=REFUSALS.keys())
def test_refusals(candidate: Object, target: Object | None, more: Object, message: str) -> None:
    result = judge(candidate, target, **more)
    assert not result.accepted
    assert result.message == message
    assert result.reason == ("ReferenceGrantRequired" if "ReferenceGrant" in message else "InvalidMCPGatewayExtension")


def test_a_refusal_by_conflict_names_the_winner() -> None:
    winner = extension("first", **OLDER)
    assert judge(extension(), gateway(), others=[winner]).winner is winner


def test_the_first_failed_check_decides() -> None:
    result = judge(extension(section="nope"), gateway(), grants=[], others=[extension("first", **OLDER)])
    assert result.message.startswith("conflict: namespace")
    assert judge(extension(section="nope"), gateway(), grants=[]).message.startswith("listener")
