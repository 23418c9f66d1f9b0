# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The MCP operator stand-in: which gateways a registered server belongs to, where it is, how it is configured."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._registration_rules import attaches
from sandbox.controllers.operator_attachment import accepted_gateways, valid_extensions
from sandbox.controllers.operator_config import (
    ConfigError,
    config_secret,
    read_config,
    server_entry,
    upsert,
    virtual_server_entry,
    write_config,
)
from sandbox.controllers.operator_endpoint import endpoint, with_tls
from unit.sandbox.operators.mcp_operator.operator_objects_kit import NEW, OLD, Object, extension, gateway, route


def test_only_gateways_that_accepted_the_route_count() -> None:
    assert accepted_gateways(route()) == [("infra", "gw")]
    assert accepted_gateways(route(accepted="False")) == []
    assert accepted_gateways({"metadata": {"namespace": "servers"}}) == []


GRANT = {
    "metadata": {"namespace": "infra"},
    "spec": {
        "from": [{"group": "mcp.kuadrant.io", "kind": "MCPGatewayExtension", "namespace": "mcp-system"}],
        "to": [{"group": "gateway.networking.k8s.io", "kind": "Gateway"}],
    },
}


def test_extensions_of_other_namespaces_need_a_grant_and_must_be_ready() -> None:
    ready = extension() | {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    assert valid_extensions(gateway(), [ready], [GRANT]) == [ready]
    assert valid_extensions(gateway(), [ready], []) == []
    assert valid_extensions(gateway(), [extension()], [GRANT]) == []
    own = extension("infra")
    assert valid_extensions(gateway(), [own], []) == [own]


@pytest.mark.parametrize(
    ("section", "hostname", "attached"),
    [
        ("servers", "a.mcp.local", True),
        ("mcps", "a.mcp.local", True),
        ("web", "a.mcp.local", False),
        ("nope", "a.mcp.local", False),
        (None, "a.mcp.local", True),
        (None, "mcp.example.com", True),
        (None, "a.b.mcp.local", False),
        (None, "elsewhere.example.com", False),
        (None, "a.tls.local", False),
    ],
)
def test_a_route_belongs_to_extensions_on_its_port(section: str | None, hostname: str, attached: bool) -> None:
    assert attaches(route(section, hostname), gateway(), extension()) is attached


# ---- where a server is


def service(**spec: Any) -> Object:
    return {"spec": {"type": "ClusterIP", "ports": [{"name": "https", "port": 9090, "appProtocol": "https"}], **spec}}


INSIDE = "svc.servers.svc.cluster.local:9090/mcp"
EXTERNAL = {"type": "ExternalName", "externalName": "api.example.com"}


def test_a_service_in_the_cluster_is_spoken_to_in_plain_http() -> None:
    """Whatever the name and protocol of its port say."""
    assert endpoint(route(), service(), "/mcp", NEW) == (f"http://{INSIDE}", "a.mcp.local")


def test_the_old_release_takes_a_listeners_name_for_tls() -> None:
    assert endpoint(route("my-https"), service(), "/mcp", OLD)[0] == f"https://{INSIDE}"
    assert endpoint(route("my-https"), service(), "/mcp", NEW)[0] == f"http://{INSIDE}"
    assert endpoint(route("tls"), service(), "/mcp", OLD)[0] == f"http://{INSIDE}"


@pytest.mark.parametrize(
    ("ports", "scheme"),
    [
        ([{"port": 9090, "appProtocol": "HTTPS"}], "https"),
        ([{"port": 9090, "name": "https"}], "http"),
        ([{"port": 443, "appProtocol": "https"}], "http"),
        (None, "http"),
    ],
)
def test_an_external_name_is_its_own_host(ports: list[Object] | None, scheme: str) -> None:
    found = endpoint(route(), service(**EXTERNAL, ports=ports), "/mcp", NEW)
    assert found == (f"{scheme}://api.example.com:9090/mcp", "api.example.com")


def test_an_istio_host_is_reached_by_tls() -> None:
    outside = route(backends=[{"kind": "Hostname", "group": "networking.istio.io", "name": "api.example.com"}])
    assert endpoint(outside, None, "/v1", NEW) == ("https://api.example.com:443/v1", "a.mcp.local")


def test_a_certificate_authority_rules_out_plain_http() -> None:
    assert with_tls("http://a:80/mcp") == "https://a:80/mcp"
    assert with_tls("https://a/mcp") == "https://a/mcp"


# ---- the configuration

WEATHER = {
    "metadata": {"name": "weather", "namespace": "servers"},
    "spec": {"prefix": "w_", "toolPrefix": "w_", "state": "Enabled", "userSpecificList": "Enabled", "hint": "h"},
}
COMMON = {"name": "servers/weather", "url": "u", "hostname": "h"}


def test_the_configuration_of_a_server_by_version() -> None:
    assert server_entry(WEATHER, "u", "h", NEW, credential="Bearer x", ca="PEM") == {
        **COMMON,
        "prefix": "w_",
        "state": "Enabled",
        "credential": "Bearer x",
        "caCert": "PEM",
        "userSpecificList": True,
        "hint": "h",
    }
    old = {**COMMON, "toolPrefix": "w_", "enabled": True}
    assert server_entry(WEATHER, "u", "h", OLD, credential="", ca="") == old


def test_a_virtual_server_without_prompts_shows_all_of_them() -> None:
    server = {"metadata": {"name": "v", "namespace": "n"}, "spec": {"tools": ["a"], "prompts": ["p"]}}
    assert virtual_server_entry(server, NEW) == {"name": "n/v", "tools": ["a"], "prompts": ["p"]}
    assert virtual_server_entry(server, OLD) == {"name": "n/v", "tools": ["a"]}


def test_a_server_is_replaced_by_name_unless_it_says_the_same() -> None:
    first: Object = {"name": "a", "url": "u", "tags": ["x", "y"]}
    config: Object = {"servers": [first]}
    upsert(config, {**first, "tags": ["y", "x"], "state": "Enabled"})
    assert config["servers"] == [first]
    upsert(config, {**first, "url": "v"})
    upsert(config, {"name": "b", "url": "u"})
    assert [(entry["name"], entry["url"]) for entry in config["servers"]] == [("a", "v"), ("b", "u")]


def test_a_configuration_that_is_no_object_is_not_touched() -> None:
    for text in ("{", "just text"):
        with pytest.raises(ConfigError, match="failed to unmarshal broker config"):
            read_config(config_secret("n", text))


def test_what_is_empty_is_left_out_of_the_configuration() -> None:
    assert read_config(config_secret("n", "servers:\n")) == {"servers": [], "virtualServers": []}
    assert write_config({"servers": [], "virtualServers": [], "gatewayCACertPEM": ""}) == "servers: []\n"


def test_text_of_several_lines_is_a_block() -> None:
    assert write_config({"servers": [], "gatewayCACertPEM": "a\nb\n"}) == "gatewayCACertPEM: |\n  a\n  b\nservers: []\n"
