# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests without sessions (MCP 2026-07-28), one raw request each, with an upstream that has sessions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from broker.harness import BrokerProcess, Json, Reply, rpc, run_broker, server, wait_until
from broker.raw_upstream import RawUpstream, tool
from broker.stateless import (
    BOTH,
    CAPABILITIES,
    LOG_LEVEL,
    SERVER_INFO,
    VERSION,
    headers,
    message,
    send,
    stream,
)

ANNOTATED = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "x-mcp-header": "Text"},
        "count": {"type": "integer", "x-mcp-header": "Count"},
        "at": {"type": "object", "properties": {"deep": {"type": "boolean", "x-mcp-header": "Deep"}}},
    },
}


@pytest.fixture(scope="module")
def raw() -> Iterator[RawUpstream]:
    with RawUpstream("echo", "sse", "wait", "rpc_error", "error500") as upstream:
        upstream.tools.append(tool("mirrored", inputSchema=ANNOTATED))
        number = {"type": "object", "properties": {"n": {"type": "number", "x-mcp-header": "N"}}}
        upstream.tools.append(tool("odd", inputSchema=number))
        yield upstream


@pytest.fixture(scope="module")
def broker(raw: RawUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """One broker for the whole file; tests change nothing that another sees."""
    config = {
        "servers": [server("ns/raw", raw.url, "r_")],
        "virtualServers": [{"name": "ns/few", "tools": ["r_echo"]}],
        "broker": {"instructions": "Be kind."},
    }
    with run_broker(tmp_path_factory.mktemp("stateless"), config) as broker:
        broker.wait_ready("ns/raw")
        yield broker


def call(broker: BrokerProcess, name: str, arguments: Json, changes: Mapping[str, str | None] | None = None) -> Reply:
    return send(broker, message("tools/call", {"name": name, "arguments": arguments}), changes)


# --- who is served how ------------------------------------------------------------------------------------------


def test_the_server_is_discovered(broker: BrokerProcess) -> None:
    reply = send(broker, message("server/discover", request_id="d"))

    assert (reply.status, reply.headers["content-type"], reply.json["id"]) == (200, "application/json", "d")
    result = reply.json["result"]
    assert result["resultType"] == "complete"
    assert result["supportedVersions"] == ["2026-07-28"]
    assert result["capabilities"]["tools"] == {"listChanged": True}
    assert result["instructions"] == "Be kind."
    assert result["_meta"][SERVER_INFO]["name"] == "mcpops-broker"
    assert result["ttlMs"] >= 0
    assert result["cacheScope"] == "public"


def test_both_eras_are_served_side_by_side(broker: BrokerProcess) -> None:
    broker.initialize()

    assert broker.call("r_echo", {"text": "old"})["result"]["content"][0]["text"] == "old"
    assert call(broker, "r_echo", {"text": "new"}).json["result"]["content"][0]["text"] == "new"
    assert "mcp-session-id" not in call(broker, "r_echo", {}).headers


def test_a_session_id_is_ignored(broker: BrokerProcess) -> None:
    assert send(broker, message("tools/list"), {"mcp-session-id": "whatever", "last-event-id": "7"}).status == 200


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_only_post_is_served(broker: BrokerProcess, method: str) -> None:
    reply = broker.request(method, "/mcp", None, {"mcp-protocol-version": "2026-07-28", "accept": BOTH})

    assert (reply.status, reply.headers["allow"]) == (405, "POST")


def test_the_path_of_the_sessions_serves_no_others(broker: BrokerProcess) -> None:
    sent = message("tools/list")

    reply = broker.request("POST", "/mcp/stateful", sent, headers(sent))

    assert (reply.status, reply.error["code"]) == (400, -32022)


@pytest.mark.parametrize(
    "meta",
    [
        {VERSION: None, CAPABILITIES: None},
        {VERSION: None},
        {CAPABILITIES: None},
        {CAPABILITIES: []},
        {LOG_LEVEL: "loud"},
    ],
)
def test_a_request_must_say_who_asks(broker: BrokerProcess, meta: Json) -> None:
    reply = send(broker, message("tools/list", request_id=101, meta=meta))

    assert (reply.status, reply.json["id"], reply.error["code"]) == (400, 101, -32602)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"mcp-protocol-version": None}, -32020),
        ({"mcp-protocol-version": "2025-11-25"}, -32020),
        ({"mcp-method": None}, -32020),
        ({"mcp-method": "tools/call"}, -32020),
        ({"mcp-method": "TOOLS/LIST"}, -32020),
    ],
)
def test_headers_must_repeat_the_body(broker: BrokerProcess, changes: Json, code: int) -> None:
    reply = send(broker, message("tools/list", request_id="h"), changes)

    assert (reply.status, reply.json["id"], reply.error["code"]) == (400, "h", code)


def test_another_revision_is_refused(broker: BrokerProcess) -> None:
    sent = message("server/discover", meta={VERSION: "2099-01-01"})

    reply = send(broker, sent, {"mcp-protocol-version": "2099-01-01"})

    assert (reply.status, reply.error["code"]) == (400, -32022)
    assert reply.error["data"] == {"supported": ["2026-07-28"], "requested": "2099-01-01"}


@pytest.mark.parametrize(
    "method", ["initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "no/such"]
)
def test_methods_of_other_revisions_are_unknown(broker: BrokerProcess, method: str) -> None:
    reply = send(broker, message(method, request_id=500))

    assert (reply.status, reply.json["id"], reply.error["code"]) == (404, 500, -32601)


def test_notifications_are_accepted_and_responses_are_not(broker: BrokerProcess) -> None:
    sent = {"mcp-protocol-version": "2026-07-28", "content-type": "application/json", "accept": BOTH}

    notified = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    assert broker.request("POST", "/mcp", notified, sent).status == 202
    answered = broker.request("POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "result": {}}, sent)
    assert (answered.status, answered.error["code"]) == (400, -32600)
    assert broker.request("POST", "/mcp", [rpc("tools/list")], sent).status == 400


# --- lists and calls --------------------------------------------------------------------------------------------


def test_tools_are_listed_with_what_caches_need(broker: BrokerProcess) -> None:
    result = send(broker, message("tools/list")).json["result"]

    assert [one["name"] for one in result["tools"]] == [
        f"r_{name}" for name in ("echo", "error500", "mirrored", "rpc_error", "sse", "wait")
    ]
    assert result["resultType"] == "complete"
    assert result["ttlMs"] >= 0
    assert result["cacheScope"] == "public"
    assert result["_meta"][SERVER_INFO]["name"] == "mcpops-broker"


def test_a_tool_whose_annotations_are_odd_is_for_clients_with_sessions_only(broker: BrokerProcess) -> None:
    broker.initialize()

    assert "r_odd" in broker.tools()


def test_a_virtual_server_is_private_and_enforced(broker: BrokerProcess) -> None:
    few: dict[str, str | None] = {"x-mcp-virtualserver": "ns/few"}

    result = send(broker, message("tools/list"), few).json["result"]

    assert [one["name"] for one in result["tools"]] == ["r_echo"]
    assert result["cacheScope"] == "private"
    assert call(broker, "r_sse", {}, few).error["code"] == -32602
    assert send(broker, message("tools/list"), {"x-mcp-virtualserver": "ns/none"}).error["code"] == -32602


def test_a_result_gets_what_an_upstream_with_sessions_leaves_out(broker: BrokerProcess) -> None:
    result = call(broker, "r_echo", {"text": "hi"}).json["result"]

    assert result == {
        "content": [{"type": "text", "text": "hi"}],
        "xUnknown": {"kept": [1, None]},
        "resultType": "complete",
        "_meta": {SERVER_INFO: {"name": "mcpops-broker", "version": result["_meta"][SERVER_INFO]["version"]}},
    }


@pytest.mark.parametrize("request_id", [7, "seven", 0, ""])
def test_ids_are_kept(broker: BrokerProcess, request_id: int | str) -> None:
    sent = message("tools/call", {"name": "r_echo"}, request_id)

    assert send(broker, sent).json["id"] == request_id


def test_an_upstreams_error_is_passed_on(broker: BrokerProcess) -> None:
    reply = call(broker, "r_rpc_error", {})

    assert (reply.status, reply.error["code"], reply.error["data"]) == (400, -32602, {"field": "text"})


def test_an_upstreams_failure_is_an_error(broker: BrokerProcess) -> None:
    reply = call(broker, "r_error500", {})

    assert (reply.status, reply.error["code"], reply.error["data"]["upstream"]) == (200, -32603, "ns/raw")


def test_an_unknown_tool_is_an_error(broker: BrokerProcess) -> None:
    assert call(broker, "r_nothing", {}).error["code"] == -32602


@pytest.mark.parametrize("name", ["  r_echo  ", "=?base64?cl9lY2hv?="])
def test_spellings_of_a_name_in_its_header(broker: BrokerProcess, name: str) -> None:
    assert call(broker, "r_echo", {}, {"mcp-name": name}).status == 200


@pytest.mark.parametrize("name", [None, "r_sse", "echo", "R_ECHO", "=?base64?cl9lY2hv=?="])
def test_another_name_in_the_header_is_refused(broker: BrokerProcess, name: str | None) -> None:
    reply = call(broker, "r_echo", {}, {"mcp-name": name})

    assert (reply.status, reply.error["code"]) == (400, -32020)


def test_arguments_in_headers_are_compared(broker: BrokerProcess, raw: RawUpstream) -> None:
    arguments = {"text": "grüßen", "count": 3, "at": {"deep": True}}
    good = {"mcp-param-text": "=?base64?Z3LDvMOfZW4=?=", "mcp-param-count": "3.0", "mcp-param-deep": "true"}

    assert call(broker, "r_mirrored", arguments, good).status == 200
    assert call(broker, "r_mirrored", {"text": None}).status == 200
    for changes in ({"mcp-param-count": "4"}, {"mcp-param-deep": None}, {"mcp-param-text": "gr\u00fc\u00dfen"}):
        reply = call(broker, "r_mirrored", arguments, {**good, **changes})
        assert (reply.status, reply.error["code"]) == (400, -32020), changes


# --- streams ----------------------------------------------------------------------------------------------------


def test_progress_comes_before_the_result(broker: BrokerProcess) -> None:
    sent = message("tools/call", {"name": "r_sse"}, "s", {"progressToken": "tok"})

    reply = send(broker, sent)

    assert reply.headers["content-type"] == "text/event-stream"
    assert reply.headers["x-accel-buffering"] == "no"
    steps = [event["params"] for event in reply.events if event.get("method") == "notifications/progress"]
    assert [(step["progressToken"], step["progress"]) for step in steps] == [("tok", 1), ("tok", 2)]
    assert reply.events[-1]["id"] == "s"
    assert b"\nid:" not in reply.body


@pytest.mark.parametrize(("level", "count"), [(None, 0), ("warning", 0), ("info", 1), ("debug", 1)])
def test_log_messages_come_as_far_as_the_request_wants_them(
    broker: BrokerProcess, level: str | None, count: int
) -> None:
    reply = send(broker, message("tools/call", {"name": "r_sse"}, meta={LOG_LEVEL: level, "progressToken": 1}))

    assert sum(event.get("method") == "notifications/message" for event in reply.events) == count


def test_a_client_that_takes_no_events_gets_json(broker: BrokerProcess) -> None:
    sent = message("tools/call", {"name": "r_sse"}, meta={"progressToken": 1})

    assert send(broker, sent, {"accept": "application/json"}).json["result"]["resultType"] == "complete"


def test_a_client_that_goes_away_cancels(broker: BrokerProcess, raw: RawUpstream) -> None:
    before = len(raw.calls)
    with pytest.raises(TimeoutError), stream(broker, message("tools/call", {"name": "r_wait"}), seconds=0.5):
        pass

    wait_until(lambda: raw.cancelled, "the upstream hears of it")
    wait_until(lambda: raw.dropped, "the call is dropped")
    assert raw.cancelled[-1]["requestId"] == raw.calls[before]["id"]
