# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy in lists and calls of both eras, and virtual servers by path."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from broker.harness import BrokerProcess, Json, Reply, rpc, run_broker, server, wait_until
from broker.raw_upstream import RawUpstream
from broker.session_client import listening

from broker import stateless

POLICY = {
    "rules": [
        {"name": "all", "allow": 'tool.originalName != "secret"'},
        {"name": "inside", "allow": 'virtualServer == "ns/inside"'},
        {"name": "two", "deny": 'server.name == "ns/two" && tool.originalName == "shared"'},
    ]
}


def configuration(one: RawUpstream, two: RawUpstream, policy: Json) -> Json:
    return {
        "servers": [server("ns/one", one.url, "o_"), server("ns/two", two.url, "t_")],
        "virtualServers": [
            {"name": "ns/inside", "tools": ["o_secret", "o_shared"]},
            {"name": "plain", "tools": ["o_shared", "t_shared"]},
        ],
        "broker": {"policy": policy},
    }


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    with RawUpstream("shared", "secret") as one, RawUpstream("shared", "other") as two:
        config = configuration(one, two, POLICY)
        with run_broker(tmp_path_factory.mktemp("policy"), config) as broker:
            broker.wait_ready("ns/one", "ns/two")
            broker.initialize()
            yield broker


def post(broker: BrokerProcess, path: str, message: Any, **headers: str) -> Reply:
    mine = {"content-type": "application/json", "mcp-session-id": broker.session or "", **headers}
    return broker.request("POST", path, message, mine)


def names(reply: Reply) -> list[str]:
    return [tool["name"] for tool in reply.json["result"]["tools"]]


def test_a_policy_holds_for_lists_and_calls_of_both_eras(running: BrokerProcess) -> None:
    assert running.tools() == ["o_shared", "t_other"]
    assert "result" in running.call("o_shared")
    for hidden in ("o_secret", "t_shared"):
        assert running.call(hidden)["error"] == {"code": -32602, "message": f"Unknown tool: {hidden}"}
    assert names(stateless.send(running, stateless.message("tools/list"))) == ["o_shared", "t_other"]
    refused = stateless.send(running, stateless.message("tools/call", {"name": "t_shared"}))
    assert (refused.status, refused.error["message"]) == (400, "Unknown tool: t_shared")


def test_a_list_that_depends_on_who_asks_is_kept_by_nobody_else(running: BrokerProcess) -> None:
    assert stateless.send(running, stateless.message("tools/list")).json["result"]["cacheScope"] == "private"


def test_a_virtual_server_by_path_is_the_one_by_header(running: BrokerProcess) -> None:
    for path, listed in (("/mcp/v/ns/inside", ["o_secret", "o_shared"]), ("/mcp/v/plain", ["o_shared"])):
        assert names(post(running, path, rpc("tools/list"))) == listed
        header = {"x-mcp-virtualserver": path.removeprefix("/mcp/v/")}
        assert running.tools(header) == listed
        assert names(post(running, path, rpc("tools/list"), **header)) == listed
    assert "result" in post(running, "/mcp/v/ns/inside", rpc("tools/call", {"name": "o_secret"})).json
    assert post(running, "/mcp/v/plain", rpc("tools/call", {"name": "o_secret"})).error["code"] == -32602


def test_a_session_may_begin_and_end_at_the_path_of_a_virtual_server(running: BrokerProcess) -> None:
    begun = post(
        running, "/mcp/v/plain", rpc("initialize", {"protocolVersion": "2025-11-25"}), **{"mcp-session-id": ""}
    )
    session = {"mcp-session-id": begun.headers["mcp-session-id"]}

    assert names(post(running, "/mcp/v/plain", rpc("tools/list"), **session)) == ["o_shared"]
    assert running.request("DELETE", "/mcp/v/plain", None, session).status == 200
    assert post(running, "/mcp/v/plain", rpc("tools/list"), **session).status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/mcp/v/none",
        "/mcp/v/ns",
        "/mcp/v/",
        "/mcp/v/plain/",
        "/mcp/v//plain",
        "/mcp/v/ns//inside",
        "/mcp/v/./plain",
        "/mcp/v/../v/plain",
        "/mcp/v/plain/../ns/inside",
        "/mcp/v/plain/..%2fns%2finside",
        "/mcp/v/%2e%2e/plain",
        "/mcp/v/..",
        "/mcp/v/ns%2Finside",
        "/mcp/v/%70lain",
        "/mcp/%76/plain",
        "/mcp/v/plain%00",
        "/mcp/v/plain%20",
        "/mcp/v/plain;x=1",
        "/mcp/v/plain\\..\\x",
        "/mcp/v/PLAIN",
        "/MCP/v/plain",
        "/mcp/v",
    ],
)
def test_a_path_that_can_be_read_in_several_ways_names_nothing(running: BrokerProcess, path: str) -> None:
    for reply in (post(running, path, rpc("tools/list")), running.request("DELETE", path)):
        assert reply.status == 404, reply.body
        assert b"o_shared" not in reply.body


def test_path_and_header_that_name_different_virtual_servers_are_refused(running: BrokerProcess) -> None:
    reply = post(running, "/mcp/v/plain", rpc("tools/list"), **{"x-mcp-virtualserver": "ns/inside"})

    assert (reply.status, reply.error["message"]) == (
        400,
        "Bad request: path and x-mcp-virtualserver header name different virtual servers",
    )


def test_another_policy_holds_at_once_and_a_bad_one_not_at_all(running: BrokerProcess) -> None:
    with RawUpstream("shared", "secret") as one, RawUpstream("shared") as two:
        running.configure(configuration(one, two, {"rules": [{"name": "one", "allow": 'server.name == "ns/one"'}]}))
        wait_until(lambda: running.tools() == ["o_secret", "o_shared"], "the other policy holds")
        assert "result" in running.call("o_secret")
        bad = {"rules": [{"name": "one", "allow": 'server.nmae == "ns/one"'}]}
        running.configure(configuration(one, two, bad))
        problem = wait_until(lambda: running.status()["config"]["problems"], "the bad policy is seen")

        assert problem == [
            "broker.policy.rules[0] (one): key 'allow' has the value 'server.nmae == \"ns/one\"': the expression has "
            "the unknown field 'server.nmae'; known are categories, hostname, name, prefix, tags"
        ]
        assert running.tools() == ["o_secret", "o_shared"]


def test_streams_follow_the_policy(tmp_path: Path) -> None:
    everything: Json = {"rules": [{"name": "all", "allow": True}]}
    nothing_new: Json = {"rules": [{"name": "some", "allow": 'tool.originalName == "shared"'}]}
    with RawUpstream("shared", "secret", list_changed=True) as one, RawUpstream("shared") as two:
        one.results = {"resources/subscribe": {}, "resources/unsubscribe": {}}
        with run_broker(tmp_path, configuration(one, two, everything), "--log-level", "debug") as running:
            running.wait_ready("ns/one", "ns/two")
            wait_until(lambda: one.listeners, "the broker listens to its upstream")
            running.initialize()
            running.post(rpc("resources/subscribe", {"uri": "file:///a"}))
            wanted = {"toolsListChanged": True, "resourceSubscriptions": ["file:///a"]}
            listen = stateless.message("subscriptions/listen", {"notifications": wanted})
            with listening(running) as session, stateless.stream(running, listen) as other:
                other.next()
                updated = {
                    "jsonrpc": "2.0",
                    "method": "notifications/resources/updated",
                    "params": {"uri": "file:///a"},
                }
                one.push(updated)
                assert session.message()["method"] == other.next()["method"] == "notifications/resources/updated"

                running.configure(configuration(one, two, nothing_new))
                heard = [session.message()["method"], other.next()["method"]]
                assert heard == ["notifications/tools/list_changed"] * 2
                one.push(updated)
                wait_until(lambda: running.log.count("resource.updated") == 2, "the broker has heard of the change")
                running.configure(configuration(one, two, everything))
                heard = [session.message()["method"], other.next()["method"]]
                assert heard == ["notifications/tools/list_changed"] * 2, "nobody is told of what may not be read"
