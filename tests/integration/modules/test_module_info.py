# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module info: what an MCP gateway consists of."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from integration.gateways import ALL, GATEWAYS, GRANTS, conditions, report
from integration.kit import ApiServer, Json, Modules, writes

MCP = {"apiVersion": "mcp.kuadrant.io/v1"}
GATEWAY_API = {"apiVersion": "gateway.networking.k8s.io/v1"}
LISTENER = {"name": "mcps", "port": 8080, "protocol": "HTTP", "hostname": "*.example.com", "allowedRoutes": ALL}


@pytest.fixture(scope="module")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One for these tests alone: others leave operators behind."""
    with ApiServer.running(tmp_path_factory.mktemp("api") / "server") as server:
        yield server


@pytest.fixture
def place(api_server: ApiServer, ns: str) -> str:
    """A Gateway in a namespace of its own, and in ``ns`` everything else; the name of the Gateway's namespace."""
    home = api_server.namespace(f"g-{uuid.uuid4().hex[:8]}")
    spec = {"gatewayClassName": "istio", "listeners": [LISTENER]}
    api_server.apply(
        f"{GATEWAYS.format(ns=home)}/gw", {**GATEWAY_API, "kind": "Gateway", "metadata": {"name": "gw"}, "spec": spec}
    )
    report(api_server, home, "gw", ["mcps"])
    target = {"name": "gw", "namespace": home, "sectionName": "mcps"}
    path = f"/apis/mcp.kuadrant.io/v1/namespaces/{ns}"
    api_server.apply(
        f"{path}/mcpgatewayextensions/ext",
        {**MCP, "kind": "MCPGatewayExtension", "metadata": {"name": "ext"}, "spec": {"targetRef": target}},
    )
    api_server.status(f"{path}/mcpgatewayextensions/ext", {"conditions": conditions(1, Ready="!DeploymentNotReady")})
    api_server.apply(
        f"{path}/mcpserverregistrations/weather",
        {
            **MCP,
            "kind": "MCPServerRegistration",
            "metadata": {"name": "weather"},
            "spec": {"targetRef": {"name": "weather"}, "prefix": "weather_"},
        },
    )
    api_server.status(f"{path}/mcpserverregistrations/weather", {"conditions": conditions(1, Ready="Ready")})
    api_server.apply(
        f"{path}/mcpvirtualservers/travel",
        {**MCP, "kind": "MCPVirtualServer", "metadata": {"name": "travel"}, "spec": {"tools": ["weather_today"]}},
    )
    api_server.apply(
        f"/apis/gateway.networking.k8s.io/v1/namespaces/{ns}/httproutes/weather",
        {
            **GATEWAY_API,
            "kind": "HTTPRoute",
            "metadata": {"name": "weather"},
            "spec": {"parentRefs": [{"name": "gw", "namespace": home}], "hostnames": ["weather.mcp.local"]},
        },
    )
    api_server.apply(
        f"/apis/kuadrant.io/v1/namespaces/{home}/dnspolicies/dns",
        {
            "apiVersion": "kuadrant.io/v1",
            "kind": "DNSPolicy",
            "metadata": {"name": "dns"},
            "spec": {"targetRef": {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw"}},
        },
    )
    return home


def test_one_gateway(run: Modules, api_server: ApiServer, ns: str, place: str) -> None:
    with api_server.watched() as requests:
        found = run("info", namespace=ns)

    assert writes(requests) == [] and not found["changed"]
    assert [(one["name"], one["listeners"][0]["programmed"]) for one in found["gateways"]] == [("gw", True)]
    assert found["extensions"] == [
        {
            "name": "ext",
            "namespace": ns,
            "ready": False,
            "reason": "DeploymentNotReady",
            "message": "Ready by the test",
            "gateway": f"{place}/gw",
            "listener": "mcps",
            "public_host": "mcp.example.com",
            "url": "http://mcp.example.com:8080/mcp",
            "connect_to": "192.0.2.10:8080",
            "http_route_management": "Enabled",
            "envoy_filter": None,
        }
    ]
    assert [(one["name"], one["ready"], one["prefix"]) for one in found["registrations"]] == [
        ("weather", True, "weather_")
    ]
    assert [(one["name"], one["tools"]) for one in found["virtual_servers"]] == [("travel", ["weather_today"])]
    assert [(one["name"], one["gateways"], one["accepted"]) for one in found["routes"]] == [
        ("weather", [f"{place}/gw"], False)
    ]
    assert [(one["kind"], one["target"], one["enforced"]) for one in found["policies"]] == [
        ("DNSPolicy", f"{place}/gw", False)
    ]
    assert found["operator"]["installed"] is False and found["operator"]["api_versions"][0] == "v1"
    assert found["not_served"] == [] and found["not_allowed"] == []


def grant(api: ApiServer, home: str, ns: str) -> None:
    spec = {
        "from": [{"group": "mcp.kuadrant.io", "kind": "MCPGatewayExtension", "namespace": ns}],
        "to": [{"group": "gateway.networking.k8s.io", "kind": "Gateway"}],
    }
    kind = {"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant", "metadata": {"name": "g"}}
    api.apply(f"{GRANTS.format(ns=home)}/g", {**kind, "spec": spec})


def test_what_is_not_in_order_is_told(run: Modules, api_server: ApiServer, ns: str, place: str) -> None:
    """In the words of the objects' own status, and whatever Kuadrant reports on a route beside its controller."""
    grant(api_server, place, ns)
    parent = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw", "namespace": place}
    policies = {"parentRef": parent, "controllerName": "kuadrant.io/policy-controller",
                "conditions": conditions(1, **{"kuadrant.io/AuthPolicyAffected": "Accepted"})}  # fmt: skip
    own = {"parentRef": parent, "controllerName": "istio.io/gateway-controller",
           "conditions": conditions(1, Accepted="Accepted", ResolvedRefs="!BackendNotFound")}  # fmt: skip
    path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{ns}/httproutes/weather"
    before = run("info", namespace=ns)
    api_server.status(path, {"parents": [policies, own]})
    report(api_server, place, "gw", ["mcps"], ResolvedRefs="!RefNotPermitted")
    after = run("info", namespace=ns)

    assert before["gateways"][0]["problem"] == "" and "no controller reports" in before["routes"][0]["problem"]
    assert after["routes"][0]["accepted"] and "BackendNotFound" in after["routes"][0]["problem"]
    assert "listener mcps: ResolvedRefs is False (RefNotPermitted" in after["gateways"][0]["problem"]
    assert "Accepted is not reported yet" in after["policies"][0]["problem"]
    assert [
        (one["namespace"], one["from"][0]["namespace"], one["to"][0]["name"]) for one in after["reference_grants"]
    ] == [(place, ns, None)]


def test_an_address_of_ipv6(run: Modules, api_server: ApiServer, ns: str, place: str) -> None:
    api_server.status(f"{GATEWAYS.format(ns=place)}/gw", {"addresses": [{"type": "IPAddress", "value": "2001:db8::1"}]})

    assert run("info", namespace=ns)["extensions"][0]["connect_to"] == "[2001:db8::1]:8080"


def test_a_gateway_without_an_extension(run: Modules, place: str) -> None:
    """As with the broker provider: the Gateway and what is on it."""
    found = run("info", namespace=place)

    assert [one["name"] for one in found["gateways"]] == ["gw"] and found["extensions"] == []
    assert [one["name"] for one in found["routes"]] == ["weather"] and len(found["policies"]) == 1


class TestRights:
    """A user who may look at single namespaces only."""

    def bind(self, api: ApiServer, ns: str, user: str) -> None:
        rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}]
        kind: Json = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "look"}}
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}"
        api.apply(f"{path}/roles/look", {**kind, "kind": "Role", "rules": rules})
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "look"}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
        api.apply(f"{path}/rolebindings/look", {**kind, "kind": "RoleBinding", "roleRef": role, "subjects": [subject]})

    def test_on_its_own_namespace(self, run: Modules, api_server: ApiServer, ns: str, place: str) -> None:
        self.bind(api_server, ns, "someone")
        own = run("info", namespace=ns, impersonate_user="someone")
        nothing = run("info", impersonate_user="someone")

        assert [one["name"] for one in own["registrations"]] == ["weather"] and own["extensions"][0]["url"] is None
        assert own["gateways"] == [] and f"Gateway in {place}" in own["not_allowed"]
        assert "Gateway" in nothing["not_allowed"] and nothing["gateways"] == []

    def test_on_the_namespace_of_the_gateway_too(
        self, run: Modules, api_server: ApiServer, ns: str, place: str
    ) -> None:
        self.bind(api_server, ns, "other")
        self.bind(api_server, place, "other")
        found = run("info", namespace=ns, impersonate_user="other")

        assert found["not_allowed"] == [] and [one["name"] for one in found["gateways"]] == ["gw"]
        assert found["extensions"][0]["url"] == "http://mcp.example.com:8080/mcp" and len(found["policies"]) == 1


def test_the_whole_cluster(run: Modules, ns: str, place: str) -> None:
    found = run("info")

    assert ns in {one["namespace"] for one in found["extensions"]}
    assert place in {one["namespace"] for one in found["gateways"]}


def test_a_namespace_with_nothing(run: Modules, ns: str) -> None:
    found = run("info", namespace=ns)

    assert [found[key] for key in ("gateways", "extensions", "registrations", "virtual_servers", "routes")] == [[]] * 5


def test_in_check_mode(run: Modules, ns: str, place: str) -> None:
    assert run("info", check=True, namespace=ns)["extensions"][0]["gateway"] == f"{place}/gw"
