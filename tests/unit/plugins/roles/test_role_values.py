# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles make of their input."""

from __future__ import annotations

from typing import Any, Literal

from ansible_collections.mcpops.gateway.plugins.module_utils._role_values import (
    disabled_waits,
    enabled_prefixes,
    listeners,
    server_objects,
)


def guide(given: Any = "", servers: Any = ()) -> list[dict[str, Any]]:
    return listeners(
        given,
        hostname="mcp.example.com",
        port=8080,
        https_hostname="apps.example.com",
        certificate="cert",
        servers_hostname="*.mcp.local",
        servers=list(servers),
    )


def objects(
    servers: Any,
    virtual: Any = (),
    wanted: Literal["present", "absent"] = "present",
    state: str = "present",
) -> list[dict[str, Any]]:
    return server_objects(
        servers,
        list(virtual),
        wanted=wanted,
        state=state,
        namespace="mcp-servers",
        virtual_namespace="mcp-system",
        gateway="gw",
        gateway_namespace="gwns",
        listener="mcp-servers",
        domain="mcp.local",
    )


def test_without_listeners_the_guides_three_are_made() -> None:
    made = guide()

    assert [(x["name"], x.get("hostname"), x["port"], x["protocol"]) for x in made] == [
        ("http", None, 80, "HTTP"),
        ("mcps", "mcp.example.com", 8080, "HTTP"),
        ("https", "apps.example.com", 443, "HTTPS"),
    ]
    assert all(x["allowed_routes"] == {"namespaces": {"from": "All"}} for x in made)
    assert made[2]["tls"]["certificate_refs"][0]["name"] == "cert"


def test_servers_bring_a_listener_for_their_routes_on_the_same_port() -> None:
    added = guide(servers=[{"name": "w"}])[3]

    assert (added["name"], added["hostname"], added["port"]) == ("mcp-servers", "*.mcp.local", 8080)


def test_given_listeners_stay_as_they_are_apart_from_defaults() -> None:
    same = {"namespaces": {"from": "Same"}}

    made = guide("- {name: a, port: 1}\n- {name: b, port: 2, allowed_routes: {namespaces: {from: Same}}}")

    assert made[0] == {"name": "a", "port": 1, "protocol": "HTTP", "allowed_routes": {"namespaces": {"from": "All"}}}
    assert made[1]["allowed_routes"] == same


def test_a_server_becomes_a_route_and_a_registration() -> None:
    route, registration = objects([{"name": "weather", "port": "9090"}])

    assert route["metadata"] == {"name": "weather", "namespace": "mcp-servers"}
    assert route["spec"]["hostnames"] == ["weather.mcp.local"]
    assert route["spec"]["parentRefs"][0]["sectionName"] == "mcp-servers"
    assert route["spec"]["rules"] == [
        {"backendRefs": [{"group": "", "kind": "Service", "name": "weather", "port": 9090}]}
    ]
    assert registration["kind"] == "MCPServerRegistration"
    assert registration["spec"]["prefix"] == "weather_"
    assert registration["spec"]["targetRef"]["name"] == "weather"
    assert "state" not in registration["spec"]


def test_a_credential_becomes_a_labelled_secret() -> None:
    secret, _route, registration = objects([{"name": "w", "port": 1, "credential": "Bearer x"}])

    assert secret["metadata"]["labels"] == {"mcp.kuadrant.io/secret": "true"}
    assert secret["stringData"] == {"token": "Bearer x"}
    assert registration["spec"]["credentialRef"] == {"name": secret["metadata"]["name"], "key": "token"}


def test_every_option_of_a_server_reaches_its_registration() -> None:
    server = {
        "name": "w",
        "port": 1,
        "state": "disabled",
        "prefix": "",
        "path": "/x",
        "credential_secret": {"name": "s", "key": "k"},
        "ca_cert_secret": {"name": "c"},
        "user_specific_list": "true",
        "category": ["a"],
        "tags": ["b"],
        "hint": "h",
    }

    spec = objects([server])[1]["spec"]

    assert "prefix" not in spec
    del spec["targetRef"]
    assert spec == {
        "path": "/x",
        "credentialRef": {"name": "s", "key": "k"},
        "caCertSecretRef": {"name": "c"},
        "state": "Disabled",
        "userSpecificList": "Enabled",
        "category": ["a"],
        "tags": ["b"],
        "hint": "h",
    }


def test_text_inside_an_entry_stands_for_its_list_or_dictionary() -> None:
    server = {"name": "w", "port": 1, "tags": "a, b", "credential_secret": "name: s"}

    spec = objects([server], [{"name": "v", "tools": "x, y"}])

    assert spec[1]["spec"]["tags"] == ["a", "b"]
    assert spec[1]["spec"]["credentialRef"] == {"name": "s"}
    assert spec[2]["spec"]["tools"] == ["x", "y"]


def test_an_absent_server_is_only_among_what_goes() -> None:
    servers = [{"name": "a", "port": 1}, {"name": "b", "state": "absent"}]

    assert {x["metadata"]["name"] for x in objects(servers)} == {"a"}
    gone = objects(servers, wanted="absent")
    assert [(x["kind"], x["metadata"]["name"]) for x in gone] == [
        ("Secret", "b-mcp-credential"),
        ("HTTPRoute", "b"),
        ("MCPServerRegistration", "b"),
    ]
    assert all("spec" not in x for x in gone)


def test_an_absent_role_takes_everything_away() -> None:
    servers, virtual = [{"name": "a", "port": 1}], [{"name": "v", "tools": ["a_x"]}]

    assert objects(servers, virtual, state="absent") == []
    assert len(objects(servers, virtual, wanted="absent", state="absent")) == 4


def test_a_virtual_server_lives_beside_the_extension() -> None:
    made = objects([], [{"name": "v", "description": "d", "tools": ["a_x"]}])

    assert made[0]["metadata"] == {"name": "v", "namespace": "mcp-system"}
    assert made[0]["spec"] == {"description": "d", "tools": ["a_x"]}


def test_only_enabled_servers_with_a_prefix_must_offer_tools() -> None:
    servers = "- name: a-b\n- {name: c, prefix: ''}\n- {name: d, state: disabled}\n- {name: e, prefix: x_}"

    assert enabled_prefixes(servers) == ["a_b_", "x_"]


def test_a_disabled_server_is_not_expected_to_become_ready() -> None:
    servers = "- name: a\n- {name: b, state: disabled}\n- {name: c, namespace: x, state: disabled}"

    waits = disabled_waits(servers, namespace="ns")

    assert [(x["name"], x["namespace"], x["condition"]) for x in waits] == [
        ("b", "ns", "Ready=False"),
        ("c", "x", "Ready=False"),
    ]
