# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What role servers makes of its list."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._role_servers import (
    disabled_waits,
    enabled_prefixes,
    expected_tools,
    external_of,
    server_namespaces,
    server_objects,
)


def objects(
    servers: Any,
    virtual: Any = (),
    wanted: Literal["present", "absent", "leftover"] = "present",
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

    spec = objects([server])[-1]["spec"]

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
        ("ServiceEntry", "b"),
        ("DestinationRule", "b"),
        ("HTTPRoute", "b"),
        ("MCPServerRegistration", "b"),
    ]
    assert all("spec" not in x for x in gone)


def test_an_absent_role_takes_everything_away() -> None:
    servers, virtual = [{"name": "a", "port": 1}], [{"name": "v", "tools": ["a_x"]}]

    assert objects(servers, virtual, state="absent") == []
    assert len(objects(servers, virtual, wanted="absent", state="absent")) == 6


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


GITHUB = {"name": "github", "url": "https://mcp.example.com/v1/mcp", "prefix": "gh_", "credential": "Bearer x"}


def test_a_server_outside_becomes_five_objects_that_fit_together() -> None:
    secret, entry, rule, route, registration = objects([GITHUB])

    assert secret["stringData"] == {"token": "Bearer x"}
    assert entry["spec"] == {
        "hosts": ["mcp.example.com"],
        "location": "MESH_EXTERNAL",
        "resolution": "DNS",
        "ports": [{"number": 443, "name": "https", "protocol": "HTTPS"}],
    }
    assert rule["spec"] == {
        "host": "mcp.example.com",
        "trafficPolicy": {"tls": {"mode": "SIMPLE", "sni": "mcp.example.com"}},
    }
    assert route["spec"]["hostnames"] == ["github.mcp.local"]
    assert route["spec"]["rules"] == [
        {
            "filters": [{"type": "URLRewrite", "urlRewrite": {"hostname": "mcp.example.com"}}],
            "backendRefs": [
                {"group": "networking.istio.io", "kind": "Hostname", "name": "mcp.example.com", "port": 443}
            ],
        }
    ]
    assert registration["spec"]["path"] == "/v1/mcp"
    assert registration["spec"]["prefix"] == "gh_"
    assert registration["spec"]["credentialRef"] == {"name": secret["metadata"]["name"], "key": "token"}
    assert {one["metadata"]["namespace"] for one in (secret, entry, rule, route, registration)} == {"mcp-servers"}


def test_a_given_authority_goes_into_the_secret_and_the_gateways_own_into_the_rule() -> None:
    server = {**GITHUB, "ca_cert": "PEM", "gateway_ca_secret": "corporate-ca"}

    secret, _entry, rule, _route, registration = objects([server])

    assert secret["stringData"] == {"token": "Bearer x", "ca.crt": "PEM"}
    assert registration["spec"]["caCertSecretRef"] == {"name": secret["metadata"]["name"], "key": "ca.crt"}
    assert rule["spec"]["trafficPolicy"]["tls"]["credentialName"] == "corporate-ca"


def test_a_server_in_the_cluster_that_speaks_tls_gets_it_from_the_gateway_too() -> None:
    rule = objects([{"name": "w", "port": 8443, "ca_cert_secret": {"name": "c"}}])[0]

    assert rule["kind"] == "DestinationRule"
    assert rule["spec"]["host"] == "w.mcp-servers.svc.cluster.local"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://mcp.example.com", ("mcp.example.com", 443, "/")),
        ("https://mcp.example.com:8443/a/", ("mcp.example.com", 8443, "/a/")),
        (" https://MCP.example.com/mcp", ("mcp.example.com", 443, "/mcp")),
    ],
)
def test_an_address_is_host_port_and_path(url: str, place: tuple[str, int, str]) -> None:
    assert external_of({"url": url}) == place


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://mcp.example.com/mcp", "must begin with https://"),
        ("mcp.example.com", "must begin with https://"),
        ("https://user:secret@mcp.example.com/", "secrets belong into credential"),
        ("https://:secret@mcp.example.com/", "secrets belong into credential"),
        ("https://mcp.example.com/?token=secret", "secrets belong into credential"),
        ("https://192.0.2.1/mcp", "names an IP address"),
        ("https://[2001:db8::1]/mcp", "names an IP address"),
        ("https://mcp.example.com:99999/", "is no address"),
        ("https://user:sec/ret@mcp.example.com/", "is no address$"),
    ],
)
def test_an_address_that_cannot_be_reached_is_refused(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        external_of({"url": url})


def test_what_a_server_no_longer_needs_is_left_over() -> None:
    left = objects([{"name": "w", "port": 1}, {"name": "x", "state": "absent"}], wanted="leftover")

    assert [(one["kind"], one["metadata"]["name"]) for one in left] == [
        ("Secret", "w-mcp-credential"),
        ("ServiceEntry", "w"),
        ("DestinationRule", "w"),
    ]
    assert [one["kind"] for one in objects([GITHUB], wanted="leftover")] == []


def test_only_servers_outside_need_a_namespace_made() -> None:
    servers = [GITHUB, {**GITHUB, "namespace": "team-a"}, {"name": "w", "namespace": "team-b", "port": 1}]

    assert server_namespaces([*servers, {**GITHUB, "namespace": "c", "state": "absent"}], namespace="mcp-servers") == [
        "mcp-servers",
        "team-a",
    ]
    assert server_namespaces([*servers, {"name": "x", "port": 1}], namespace="mcp-servers", outside=False) == [
        "team-b",
        "mcp-servers",
    ]


def test_tools_that_a_server_must_offer_have_its_prefix() -> None:
    servers = [{**GITHUB, "expect_tools": "get_me, search"}, {"name": "w", "state": "disabled", "expect_tools": ["x"]}]

    assert expected_tools(servers) == ["gh_get_me", "gh_search"]
