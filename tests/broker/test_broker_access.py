# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request may see and use: virtual servers, signed authorization, the tools that a session has chosen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from broker.conftest import StartBroker, StartUpstream
from broker.harness import BrokerProcess, Json, rpc, run_broker, server, wait_until
from broker.raw_upstream import RawUpstream
from broker.session_client import listening
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from broker import stateless

KEY = ec.generate_private_key(ec.SECP256R1())
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
META_TOOLS = ["discover_tools", "filter_tools_by_tags", "list_tags", "select_tools"]


def authorized(**capabilities: Any) -> dict[str, str]:
    """Build the header of a client that may use these tools only."""
    claims = {"allowed-capabilities": json.dumps(capabilities)}
    return {"x-mcp-authorized": jwt.encode(claims, KEY, "ES256")}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """Two workers in front of two servers, with the broker's own tools."""
    with RawUpstream("echo", "more") as one, RawUpstream("echo", "other") as two:
        one.instructions, two.instructions = "Be kind.", "Be quick."
        config = {
            "servers": [
                server("ns/one", one.url, "o_", category=["Demo"], hint="the first", tags=["x", "y"]),
                server("ns/two", two.url, "t_", tags=["x"]),
            ],
            "virtualServers": [
                {"name": "ns/some", "tools": ["o_echo", "t_echo"]},
                {"name": "ns/one", "tools": ["o_echo"]},
            ],
            "broker": {"discoveryTools": True},
        }
        env = {"TRUSTED_HEADER_PUBLIC_KEY": PEM}
        with run_broker(tmp_path_factory.mktemp("access"), config, "--workers", "2", env=env) as broker:
            broker.wait_ready("ns/one", "ns/two")
            broker.initialize()
            yield broker


def text(response: Json) -> Any:
    """Return the JSON that a tool answered, or its text when that says what is wrong."""
    content = response["result"]["content"][0]["text"]
    return content if response["result"]["isError"] else json.loads(content)


def test_a_virtual_server_holds_for_lists_and_calls(running: BrokerProcess) -> None:
    headers = {"x-mcp-virtualserver": "ns/some"}

    assert running.tools(headers) == [*META_TOOLS[:3], "o_echo", "select_tools", "t_echo"]
    assert "result" in running.call("o_echo", {"text": "hi"}, headers=headers)
    assert running.call("o_more", headers=headers)["error"]["message"] == "Unknown tool: o_more"


def test_authorization_holds_for_lists_and_calls(running: BrokerProcess) -> None:
    headers = authorized(tools={"ns/one": ["echo"], "ns/gone": ["echo"]})

    assert [name for name in running.tools(headers) if name not in META_TOOLS] == ["o_echo"]
    assert "result" in running.call("o_echo", headers=headers)
    assert running.call("t_echo", headers=headers)["error"] == {"code": -32602, "message": "Unknown tool: t_echo"}
    both = {**headers, "x-mcp-virtualserver": "ns/some"}
    assert [name for name in running.tools(both) if name not in META_TOOLS] == ["o_echo"]


@pytest.mark.parametrize("method", ["tools/list", "tools/call", "prompts/list", "resources/read", "ping"])
def test_a_header_that_cannot_be_trusted_is_refused(running: BrokerProcess, method: str) -> None:
    reply = running.post(rpc(method, {"name": "o_echo", "uri": "x://y"}), {"x-mcp-authorized": "a.b.c"})

    assert (reply.status, reply.json["id"]) == (403, 1)
    assert reply.error["message"] == "Forbidden: the x-mcp-authorized header is no JWT"


def test_enforcement_shows_nothing_without_the_header(broker: StartBroker, upstream: StartUpstream) -> None:
    config = {
        "servers": [server("ns/one", upstream("echo").url)],
        "broker": {"enforceCapabilityFiltering": True, "trustedHeaderKey": PEM},
    }
    enforced = broker(config)
    enforced.wait_ready("ns/one")
    enforced.initialize()

    assert enforced.tools() == []
    assert enforced.call("echo")["error"]["message"] == "Unknown tool: echo"
    assert enforced.tools(authorized(tools={"ns/one": ["echo"]})) == ["echo"]


def test_clients_are_told_how_to_use_the_tools_that_they_see(running: BrokerProcess) -> None:
    one, two = (
        f"About the tools whose names begin with {name}: Be {how}." for name, how in (("o_", "kind"), ("t_", "quick"))
    )
    for headers, told, kept in (
        ({}, f"{one}\n\n{two}", "public"),
        (authorized(tools={"ns/two": ["echo"]}), two, "private"),
        ({"x-mcp-virtualserver": "ns/one"}, one, "private"),
    ):
        result = running.post(rpc("initialize", {"protocolVersion": "2025-11-25"}), headers, session="").json["result"]
        assert "call discover_tools for their names" in result["instructions"]
        assert result["instructions"].endswith(f"tools/list then has only these.\n\n{told}")
        discovered = stateless.send(running, stateless.message("server/discover"), headers).json["result"]
        assert (discovered["instructions"], discovered["cacheScope"]) == (told, kept)


def test_no_session_begins_with_a_header_that_means_nothing(running: BrokerProcess) -> None:
    for headers, status, problem in (
        ({"x-mcp-virtualserver": "ns/none"}, 200, "Unknown virtual server: ns/none"),
        ({"x-mcp-authorized": "a.b.c"}, 403, "Forbidden: the x-mcp-authorized header is no JWT"),
    ):
        refused = running.post(rpc("initialize", {"protocolVersion": "2025-11-25"}), headers, session="")
        assert (refused.status, refused.error["message"]) == (status, problem)
        assert "mcp-session-id" not in refused.headers


def test_clients_without_sessions_have_nothing_that_could_remember_a_selection(running: BrokerProcess) -> None:
    result = stateless.send(running, stateless.message("tools/list")).json["result"]
    assert [tool["name"] for tool in result["tools"]] == ["o_echo", "o_more", "t_echo", "t_other"]

    called = stateless.send(running, stateless.message("tools/call", {"name": "select_tools", "arguments": {}}))
    assert called.error == {"code": -32602, "message": "Unknown tool: select_tools"}


def test_authorization_holds_for_clients_without_sessions(running: BrokerProcess) -> None:
    headers = authorized(tools={"ns/one": ["echo"]})

    result = stateless.send(running, stateless.message("tools/list"), headers).json["result"]
    assert ([tool["name"] for tool in result["tools"]], result["cacheScope"]) == (["o_echo"], "private")
    refused = stateless.send(running, stateless.message("tools/call", {"name": "t_echo"}), headers)
    assert refused.error["message"] == "Unknown tool: t_echo"
    untrusted = stateless.send(running, stateless.message("tools/list"), {"x-mcp-authorized": "a.b.c"})
    assert (untrusted.status, untrusted.error["message"]) == (
        403,
        "Forbidden: the x-mcp-authorized header is no JWT",
    )


def test_tools_are_discovered_by_server(running: BrokerProcess) -> None:
    one = {"name": "ns/one", "categories": ["Demo"], "hint": "the first", "tools": ["o_echo", "o_more"]}
    two = {"name": "ns/two", "categories": ["uncategorised"], "tools": ["t_echo", "t_other"]}

    assert text(running.call("discover_tools")) == {"servers": [one, two]}
    assert text(running.call("discover_tools", {"category": "demo"})) == {"servers": [one]}
    assert text(running.call("discover_tools", {"category": "none"})) == {"servers": []}
    seen = text(running.call("discover_tools", headers=authorized(tools={"ns/two": ["echo"]})))
    assert seen == {"servers": [{**two, "tools": ["t_echo"]}]}
    seen = text(running.call("discover_tools", headers={"x-mcp-virtualserver": "ns/some"}))
    assert [server["tools"] for server in seen["servers"]] == [["o_echo"], ["t_echo"]]


def test_tags_lead_to_tools(running: BrokerProcess) -> None:
    assert text(running.call("list_tags")) == ["x", "y"]
    assert text(running.call("list_tags", headers=authorized(tools={"ns/two": ["echo"]}))) == ["x"]
    found = text(running.call("filter_tools_by_tags", {"tags": ["y", "x"]}))
    assert [tool["name"] for tool in found] == ["o_echo", "o_more"]
    assert found[0]["inputSchema"]["type"] == "object"
    assert text(running.call("filter_tools_by_tags", {"tags": []})) == "tags must not be empty"
    assert text(running.call("filter_tools_by_tags", {"tags": [""]})) == "tags must not contain empty strings"
    assert text(running.call("filter_tools_by_tags")).startswith("invalid tags parameter")


def test_a_session_sees_and_calls_the_tools_that_it_selects(running: BrokerProcess) -> None:
    other = running.session
    running.initialize()

    assert text(running.call("select_tools", {"tools": ["t_other", "o_more"]})) == {
        "status": "scope set to 2 tools",
        "tools": ["t_other", "o_more"],
    }
    for _ in range(4):  # in both workers
        wait_until(lambda: running.tools() == [*META_TOOLS[:3], "o_more", "select_tools", "t_other"], "the new list")
    assert "result" in running.call("o_more")
    assert running.call("o_echo")["error"]["message"] == "Unknown tool: o_echo"
    assert len(text(running.call("discover_tools"))["servers"][0]["tools"]) == 2
    assert len(running.post(rpc("tools/list"), session=other).json["result"]["tools"]) == 8

    assert text(running.call("select_tools", {"tools": []})) == {"status": "scope reset to all tools"}
    wait_until(lambda: len(running.tools()) == 8 and len(running.tools()) == 8, "all tools are back")


def test_a_session_hears_of_its_selection_and_no_other_does(running: BrokerProcess) -> None:
    running.initialize()
    other = running.session
    with listening(running) as theirs:
        running.initialize()
        with listening(running) as mine:
            for tools in (["o_more"], []):  # wherever the call and the stream have landed
                running.call("select_tools", {"tools": tools})
                assert mine.message()["method"] == "notifications/tools/list_changed"
        running.session = other
        running.call("select_tools", {"tools": ["o_more"]})
        heard = [theirs.message()["method"]]
        running.request("DELETE", headers={"mcp-session-id": other or ""})
        assert [*heard, *theirs.rest()] == ["notifications/tools/list_changed"]


@pytest.mark.parametrize(
    ("tools", "why"),
    [
        (["o_echo", "nothing"], "tool not available: nothing. Nothing was changed"),
        (["select_tools"], "tool not available: select_tools. Nothing was changed"),
        (["o_echo"] * 251, "too many tools requested (max 250)"),
        ("o_echo", "invalid tools parameter: it must be an array of strings"),
        ([1], "invalid tools parameter: it must be an array of strings"),
        (None, "invalid tools parameter: it must be an array of strings"),
    ],
)
def test_a_selection_that_cannot_be_made_changes_nothing(running: BrokerProcess, tools: Any, why: str) -> None:
    running.initialize()

    assert text(running.call("select_tools", {"tools": tools})) == why
    assert len(running.tools()) == 8


def test_what_is_not_authorized_cannot_be_selected(running: BrokerProcess) -> None:
    headers = authorized(tools={"ns/two": ["echo"]})

    said = text(running.call("select_tools", {"tools": ["o_echo"]}, headers=headers))
    assert said == "tool not available: o_echo. Nothing was changed"


def test_many_tools_are_hidden_until_some_are_selected(broker: StartBroker, upstream: StartUpstream) -> None:
    servers = [server("ns/one", upstream("a", "b", "c").url), server("ns/two", upstream("discover_tools").url)]
    config = {"servers": servers, "broker": {"discoveryTools": True, "discoveryToolThreshold": 2}}
    many = broker(config)
    many.wait_ready("ns/one", "ns/two")
    many.initialize()

    assert many.tools() == ["discover_tools", "select_tools"]
    assert "result" in many.call("a")
    many.call("select_tools", {"tools": ["a"]})
    assert many.tools() == ["a", "discover_tools", "select_tools"]
    assert many.status()["scopedSessions"] == 1
    (hidden,) = many.server("ns/two")["hidden"]
    assert hidden["reason"] == "tool discover_tools is hidden: the broker itself has that name"

    many.configure({**config, "broker": {"discoveryTools": True, "discoveryToolThreshold": 3}})
    many.initialize()
    wait_until(lambda: many.tools() == ["a", "b", "c", "discover_tools", "select_tools"], "the new limit")


@pytest.mark.parametrize("sessions", [True, False], ids=["session", "no session"])
def test_prompts_and_resources_keep_to_it_as_well(broker: StartBroker, upstream: StartUpstream, sessions: bool) -> None:
    one, two = upstream("echo"), upstream("echo")
    for raw in (one, two):
        uri = f"x://{raw.port}"
        raw.results = {
            "prompts/list": {"prompts": [{"name": "hello"}]},
            "prompts/get": {"messages": []},
            "resources/list": {"resources": [{"uri": uri, "name": "it"}]},
            "resources/templates/list": {"resourceTemplates": []},
            "resources/read": {"contents": [{"uri": uri, "text": "secret"}]},
            "resources/subscribe": {},
            "completion/complete": {"completion": {"values": ["a"]}},
        }
    config = {
        "servers": [server("ns/one", one.url, "o_"), server("ns/two", two.url, "t_")],
        "virtualServers": [{"name": "ns/v", "tools": ["o_echo"], "prompts": ["o_hello"]}],
    }
    running = broker(config, env={"TRUSTED_HEADER_PUBLIC_KEY": PEM})
    running.wait_ready("ns/one", "ns/two")
    running.initialize()
    granted = authorized(tools={}, prompts={"ns/one": ["hello"]}, resources={"ns/one": [f"{one.port}"]})

    def ask(method: str, params: Json, headers: dict[str, str]) -> Json:
        if sessions:
            reply: Json = running.post(rpc(method, params), headers).json
        else:
            reply = stateless.send(running, stateless.message(method, params), headers).json
        return reply

    for headers in ({"x-mcp-virtualserver": "ns/v"}, granted):
        prompts = ask("prompts/list", {}, headers)["result"]["prompts"]
        assert [prompt["name"] for prompt in prompts] == ["o_hello"]
        resources = ask("resources/list", {}, headers)["result"]["resources"]
        assert [resource["uri"] for resource in resources] == [f"x://{one.port}"]
        for method, params in (
            ("prompts/get", {"name": "{}_hello"}),
            ("resources/read", {"uri": "x://{}"}),
            ("completion/complete", {"ref": {"type": "ref/prompt", "name": "{}_hello"}, "argument": {}}),
            ("completion/complete", {"ref": {"type": "ref/resource", "uri": "x://{}"}, "argument": {}}),
            *((("resources/subscribe", {"uri": "x://{}"}),) if sessions else ()),
        ):
            for raw, allowed in ((one, True), (two, False)):
                prefix = "o" if raw is one else "t"
                text = json.dumps(params).replace("{}_", f"{prefix}_").replace("x://{}", f"x://{raw.port}")
                answer = ask(method, json.loads(text), headers)
                assert ("secret" in json.dumps(answer)) is (allowed and method == "resources/read")
                if not allowed or method != "resources/subscribe":  # the servers report no changes
                    assert ("result" in answer) is allowed, (method, answer)


def test_what_is_said_of_a_server_changes_without_touching_it(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    config: Json = {"servers": [server("ns/one", raw.url, hint="old")], "broker": {"discoveryTools": True}}
    running = broker(config)
    running.wait_ready("ns/one")
    running.initialize()
    running.call("echo")
    before = (raw.initialized, raw.deleted)

    config["servers"][0]["hint"] = "new"
    running.configure(config)
    wait_until(lambda: text(running.call("discover_tools"))["servers"][0]["hint"] == "new", "the new hint")
    running.call("echo")
    assert (raw.initialized, raw.deleted) == before
