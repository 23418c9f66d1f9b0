# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the tools of its upstreams the broker lists and calls."""

from __future__ import annotations

from broker.conftest import StartBroker, StartUpstream
from broker.harness import rpc, server, wait_until
from broker.raw_upstream import tool


def test_tools_of_two_upstreams_are_listed_in_order_with_their_prefixes(
    broker: StartBroker, upstream: StartUpstream
) -> None:
    one, two = upstream("zeta", "alpha"), upstream("mid")
    running = broker({"servers": [server("b", one.url, "b_"), server("a", two.url)]})
    running.wait_ready("a", "b")
    running.initialize()

    assert running.tools() == ["b_alpha", "b_zeta", "mid"]


def test_all_pages_of_an_upstream_are_read_and_ours_are_given(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream(*[f"t{number:03}" for number in range(95)])
    raw.page_size = 10
    running = broker({"servers": [server("a", raw.url, "p_")], "broker": {"pageSize": 20}})
    running.wait_ready("a")
    running.initialize()

    first = running.post(rpc("tools/list")).json["result"]

    assert len(first["tools"]) == 20
    assert running.tools() == [f"p_t{number:03}" for number in range(95)]


def test_a_cursor_that_is_not_ours_is_refused(broker: StartBroker) -> None:
    running = broker({"servers": []})
    running.initialize()

    cursors: list[object] = ["???", "\u00e9", 5, {}, "gICA"]
    for cursor in cursors:
        assert running.post(rpc("tools/list", {"cursor": cursor})).error["code"] == -32602


def test_unknown_fields_of_tools_survive(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream()
    odd = tool(
        "odd", title="T", xNew={"deep": [1.5, None, "\u2028"]}, _meta={"a/b": 1}, annotations={"readOnlyHint": True}
    )
    raw.tools = [odd]
    running = broker({"servers": [server("a", raw.url, "p_")]})
    running.wait_ready("a")
    running.initialize()

    assert running.post(rpc("tools/list")).json["result"]["tools"] == [{**odd, "name": "p_odd"}]


def test_arguments_and_meta_reach_the_upstream_unchanged(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    running = broker({"servers": [server("a", raw.url, "p_")]})
    running.wait_ready("a")
    running.initialize()
    params = {"arguments": {"text": "x", "deep": {"\u00e4": [1, 2.5, None]}}, "_meta": {"k/v": 1}, "xNew": True}

    running.post(rpc("tools/call", {"name": "p_echo", **params}, "id-7"))

    (call,) = raw.calls
    assert {key: call[key] for key in params} == params
    assert (call["name"], call["id"]) == ("echo", "id-7")


def test_a_duplicate_name_key_cannot_reach_a_hidden_tool(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("open", "secret")
    config = {"servers": [server("a", raw.url)], "virtualServers": [{"name": "ns/v", "tools": ["open"]}]}
    running = broker(config)
    running.wait_ready("a")
    running.initialize()
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"secret","name":"open"}}'

    running.post(body, {"x-mcp-virtualserver": "ns/v"})

    assert [call["name"] for call in raw.calls] == ["open"]


def test_name_conflicts_hide_single_tools_and_say_so(broker: StartBroker, upstream: StartUpstream) -> None:
    one, two = upstream("same", "only_one"), upstream("same", "only_two")
    running = broker({"servers": [server("first", one.url), server("second", two.url)]})
    running.wait_ready("first", "second")
    running.initialize()

    assert running.tools() == ["only_one", "only_two", "same"]
    running.call("same")
    assert (len(one.calls), len(two.calls)) == (1, 0)
    status = running.status()
    assert status["toolConflicts"] == 1
    second = running.server("second")
    assert second["ready"] is True
    assert second["totalTools"] == 1
    (hidden,) = second["hidden"]
    assert hidden["name"] == "same"
    assert hidden["owner"] == "first"
    assert "upstream first, which comes first in the configuration" in hidden["reason"]
    assert running.server("first")["hidden"] == []


def test_odd_tools_are_left_out_and_named(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream()
    raw.tools = [tool("good"), {"name": "no_schema"}, {"inputSchema": {"type": "object"}}, tool("good"), "text"]  # type: ignore[list-item]
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")
    running.initialize()

    assert running.tools() == ["good"]
    status = running.server("a")
    assert status["invalidTools"] == 4
    assert status["invalidToolList"][0] == {
        "name": "no_schema",
        "errors": ['inputSchema must be an object with "type": "object"'],
    }


def test_virtual_servers_filter_lists_and_are_enforced_on_calls(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("one", "two")
    config = {
        "servers": [server("a", raw.url, "p_")],
        "virtualServers": [{"name": "ns/v", "tools": ["p_one", "p_gone"]}, {"name": "ns/empty"}],
    }
    running = broker(config)
    running.wait_ready("a")
    running.initialize()
    chosen = {"x-mcp-virtualserver": "ns/v"}

    assert running.tools(chosen) == ["p_one"]
    assert "result" in running.call("p_one", headers=chosen)
    assert running.call("p_two", headers=chosen)["error"]["message"] == "Unknown tool: p_two"
    assert running.tools({"x-mcp-virtualserver": "ns/empty"}) == []
    assert running.status()["virtualServers"][0] == {"name": "ns/v", "tools": 2, "prompts": 0, "missing": ["p_gone"]}


def test_an_unknown_virtual_server_opens_nothing(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("one")
    config = {"servers": [server("a", raw.url)], "virtualServers": [{"name": "ns/v", "tools": ["one"]}]}
    running = broker(config)
    running.wait_ready("a")
    session = running.initialize()

    for name in ("ns/other", "", "ns/v,ns/v"):
        headers = {"content-type": "application/json", "mcp-session-id": session, "x-mcp-virtualserver": name}
        for message in (rpc("tools/list"), rpc("tools/call", {"name": "one"})):
            assert running.request("POST", "/mcp", message, headers).error["code"] == -32602

    assert raw.calls == []


def test_changed_tools_are_noticed_by_content(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    running = broker({"servers": [server("a", raw.url)], "broker": {"checkInterval": 0.2}})
    running.wait_ready("a")
    running.initialize()

    raw.tools = [tool("echo", description="new words")]

    wait_until(
        lambda: running.post(rpc("tools/list")).json["result"]["tools"][0].get("description") == "new words",
        "the new description is listed",
    )


def test_list_changed_of_an_upstream_is_acted_on_at_once(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo", list_changed=True)
    running = broker({"servers": [server("a", raw.url)], "broker": {"checkInterval": 3600}})
    running.wait_ready("a")
    running.initialize()
    wait_until(lambda: raw.listeners == 1, "the broker listens")

    raw.tools = [tool("fresh")]
    raw.push({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})

    wait_until(lambda: running.tools() == ["fresh"], "the new tool is listed")
