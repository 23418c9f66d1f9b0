# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health, status, OAuth metadata, OpenAPI."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from broker.conftest import StartBroker, StartUpstream
from broker.harness import BrokerProcess, run_broker, server, wait_until

OAUTH = {
    "OAUTH_RESOURCE_NAME": "My tools",
    "OAUTH_RESOURCE": "https://mcp.example.com/mcp",
    "OAUTH_AUTHORIZATION_SERVERS": "https://one.example.com, https://two.example.com",
    "OAUTH_SCOPES_SUPPORTED": "read,write",
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """One broker without servers for the tests that change nothing."""
    with run_broker(tmp_path_factory.mktemp("admin"), {"servers": [], "virtualServers": []}) as running:
        yield running


def test_health(broker: StartBroker) -> None:
    running = broker({"servers": [server("a", "http://127.0.0.1:9/mcp")]})

    assert (running.request("GET", "/healthz").status, running.request("GET", "/healthz").body) == (200, b"ok")
    assert running.request("HEAD", "/healthz").body == b""
    reply = running.request("GET", "/readyz")
    assert (reply.status, reply.body) == (503, b"no upstream is ready")


def test_a_broker_without_servers_is_ready(empty: BrokerProcess) -> None:
    assert empty.request("GET", "/readyz").status == 200


def test_status_has_the_operators_shape(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo", "more")
    config = {
        "servers": [
            server("ns/one", raw.url, "o_", hostname="one.mcp.local"),
            server("ns/gone", "http://127.0.0.1:9/mcp", "g_"),
        ]
    }
    running = broker(config)
    running.wait_ready("ns/one")
    wait_until(lambda: running.server("ns/gone")["state"] == "failed", "the other has failed")

    status = running.status()
    assert {
        "overallValid": False,
        "totalServers": 2,
        "healthyServers": 1,
        "unHealthyServers": 1,
        "toolConflicts": 0,
        "scopedSessions": 0,
    }.items() <= status.items()
    one, gone = status["servers"]
    assert {
        "id": "ns/one:o_:one.mcp.local",
        "name": "ns/one",
        "ready": True,
        "message": "server added successfully. Total tools added 2. Total prompts added 0",
        "totalTools": 2,
        "totalPrompts": 0,
        "invalidTools": 0,
        "invalidPrompts": 0,
        "protocolValidation": {"isValid": True, "supportedVersion": "2025-11-25", "expectedVersion": "2025-11-25"},
    }.items() <= one.items()
    assert one["lastValidated"].endswith("Z")
    assert gone["ready"] is False
    assert gone["message"].startswith("upstream ns/gone: no connection to 127.0.0.1:9")


def test_status_counts_what_is_offered_and_names_what_is_not(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream()
    raw.results = {
        "prompts/list": {"prompts": [{"name": "hello"}, {"name": ""}]},
        "resources/list": {"resources": [{"uri": "x://1", "name": "one"}, {"uri": "x://2"}]},
        "resources/templates/list": {"resourceTemplates": [{"uriTemplate": "x://{n}", "name": "any"}]},
    }
    servers = [
        server("ns/one", raw.url, "o_"),
        server("ns/two", raw.url, "t_"),
        server("ns/off", raw.url, state="Disabled"),
    ]
    running = broker(
        {"servers": servers, "virtualServers": [{"name": "ns/v", "tools": ["o_echo"], "prompts": ["gone"]}]}
    )
    running.wait_ready("ns/one", "ns/two")

    one, two, off = running.status()["servers"]
    assert one["message"] == "server added successfully. Total tools added 1. Total prompts added 1"
    assert [one[key] for key in ("totalResources", "totalResourceTemplates", "invalidPrompts")] == [1, 1, 1]
    assert [wrong["name"] for wrong in one["invalidPromptList"] + one["invalidResourceList"]] == ["", "x://2"]
    assert (two["totalPrompts"], two["totalResources"], two["totalResourceTemplates"]) == (1, 0, 0)
    assert two["message"].endswith("Total prompts added 1. 2 hidden by conflicts of names, see hidden")
    assert [(hidden["kind"], hidden["name"], hidden["owner"]) for hidden in two["hidden"]] == [
        ("resource", "x://1", "ns/one"),
        ("resource template", "x://{n}", "ns/one"),
    ]
    assert (off["message"], off["ready"], off["lastValidated"]) == ("server is disabled", False, "0001-01-01T00:00:00Z")
    assert running.status()["virtualServers"] == [{"name": "ns/v", "tools": 1, "prompts": 1, "missing": ["gone"]}]


def test_a_list_that_cannot_be_read_hides_no_other(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    raw.results = {"prompts/list": {"prompts": None}}
    running = broker({"servers": [server("ns/one", raw.url)]})
    running.wait_ready("ns/one")

    status = running.server("ns/one")
    assert (status["totalTools"], status["totalPrompts"]) == (1, 0)
    (problem,) = status["problems"]
    assert problem.startswith("prompts/list failed: upstream ns/one: answered prompts/list without a list of prompts")


def test_status_of_one_server(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    running = broker({"servers": [server("ns/one", raw.url)], "broker": {"admin": {"public": ["status"]}}})
    running.wait_ready("ns/one")

    reply = running.request("GET", "/status/ns/one")
    assert (reply.json["name"], reply.headers["access-control-allow-origin"]) == ("ns/one", "*")

    missing = running.request("GET", "/status/ns/other")
    assert missing.status == 404
    assert missing.json == {
        "error": "Server 'ns/other' not found. Use format 'namespace/route-name' or check available servers at /status"
    }


def test_status_is_read_only(empty: BrokerProcess) -> None:
    reply = empty.request("POST", "/status", {})

    assert reply.status == 405
    assert reply.json == {"error": "Method not allowed. Supported methods: GET"}


def test_protected_resource_metadata_comes_from_the_environment(broker: StartBroker) -> None:
    running = broker({"servers": []}, env=OAUTH)

    for path in ("", "/mcp"):
        reply = running.request("GET", "/.well-known/oauth-protected-resource" + path)
        assert reply.json == {
            "resource_name": "My tools",
            "resource": "https://mcp.example.com/mcp",
            "authorization_servers": ["https://one.example.com", "https://two.example.com"],
            "bearer_methods_supported": ["header"],
            "scopes_supported": ["read", "write"],
        }
        assert reply.headers["access-control-allow-origin"] == "*"
    preflight = running.request("OPTIONS", "/.well-known/oauth-protected-resource/mcp")
    assert (preflight.status, preflight.headers["access-control-max-age"]) == (200, "3600")


def test_protected_resource_metadata_has_the_operators_defaults(empty: BrokerProcess) -> None:
    assert empty.request("GET", "/.well-known/oauth-protected-resource").json == {
        "resource_name": "MCP Server",
        "resource": "/mcp",
        "authorization_servers": [],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["basic"],
    }


def test_openapi_describes_the_admin_side(empty: BrokerProcess) -> None:
    document = empty.request("GET", "/openapi.json").json

    assert {"/healthz", "/readyz", "/status", "/status/{name}"} <= document["paths"].keys()
    assert "servers" in document["components"]["schemas"]["Status"]["properties"]


def test_an_unknown_path_is_not_found(empty: BrokerProcess) -> None:
    reply = empty.request("GET", "/nothing")

    assert (reply.status, reply.json) == (404, {"error": "Not Found"})
