# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every revision of the protocol, spoken with servers of the official SDK and with misbehaving ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_param_headers import header_value
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_probe import probe
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_revisions import REVISIONS
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wanted import Wanted
from endpoint_servers import HELLO, RawServer, http_answer, mcp_responder, message_of

Start = Callable[..., RawServer]

SESSIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]
DISCOVER = {
    "resultType": "complete",
    "supportedVersions": ["2026-07-28"],
    "capabilities": {"tools": {}},
    "ttlMs": 0,
    "cacheScope": "public",
    "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "raw", "version": "1"}},
}


def failure(wanted: Wanted) -> EndpointError:
    """The failure of one try."""
    with pytest.raises(EndpointError) as caught:
        probe(wanted)
    assert "\n" not in str(caught.value)
    return caught.value


def stateless(methods: dict[str, Any] | None = None, **headers: str) -> Callable[[bytes], bytes]:
    """A little server of 2026-07-28."""
    complete = {"server/discover": DISCOVER, "tools/list": {"resultType": "complete", "tools": []}}
    return mcp_responder({**complete, **(methods or {})}, **headers)


@pytest.mark.parametrize("version", SESSIONS)
def test_every_revision_with_sessions_in_json(json_url: str, version: str) -> None:
    result = probe(Wanted(json_url, protocol_version=version))

    assert (result["protocol_version"], result["transport"]) == (version, "streamable-http")
    assert result["session"] is True
    assert result["tools"] == ["forecast", "alerts"]


@pytest.mark.parametrize("protocol_version", ["2026-07-28", "auto"])
def test_the_stateless_revision(sdk_url: str, protocol_version: str) -> None:
    wanted = Wanted(
        sdk_url,
        protocol_version=protocol_version,
        expect_server_name="weather",
        expect_header_check=True,
        call_name="forecast",
        call_arguments={"city": "Brno"},
    )
    result = probe(wanted)

    assert (result["protocol_version"], result["session"]) == ("2026-07-28", False)
    assert "2026-07-28" in result["discover"]["result"]["supportedVersions"]
    assert "initialize" not in result
    assert result["server_info"]["name"] == "weather"
    assert result["tools"] == ["forecast", "alerts"]
    assert result["call_result"]["content"][0]["text"] == "Brno: sunny"
    assert result["warnings"] == []


def test_the_requests_of_the_stateless_revision(raw_server: Start) -> None:
    call = {"resultType": "complete", "content": []}
    server = raw_server(stateless({"tools/list": {"tools": [{"name": "z\u00e1pad"}]}, "tools/call": call}))

    probe(Wanted(server.url, protocol_version="2026-07-28", pings=0, call_name="z\u00e1pad"))

    assert [message_of(r)["method"] for r in server.requests] == ["server/discover", "tools/list", "tools/call"]
    for request in server.requests:
        message = message_of(request)
        meta = message["params"]["_meta"]
        assert meta["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
        assert meta["io.modelcontextprotocol/clientCapabilities"] == {}
        assert f"Mcp-Method: {message['method']}\r\n".encode() in request
        assert b"MCP-Protocol-Version: 2026-07-28\r\n" in request
    assert b"Mcp-Name: =?base64?esOhcGFk?=\r\n" in server.requests[-1]
    assert len({message_of(r)["id"] for r in server.requests}) == 3


def test_arguments_are_sent_as_the_headers_that_the_schema_names(talking_url: str) -> None:
    call = {"name": "b\u0159eh", "count": 3}
    wanted = Wanted(talking_url, protocol_version="2026-07-28", call_name="region", call_arguments=call)

    assert probe(wanted)["call_result"]["content"][0]["text"] == "b\u0159eh 3"


@pytest.mark.parametrize(
    ("value", "header"),
    [
        ("plain text", "plain text"),
        (" edge", "=?base64?IGVkZ2U=?="),
        ("=?base64?eA==?=", "=?base64?PT9iYXNlNjQ/ZUE9PT89?="),
        ("two\nlines", "=?base64?dHdvCmxpbmVz?="),
    ],
)
def test_a_value_that_a_header_cannot_carry_is_encoded(value: str, header: str) -> None:
    assert header_value(value) == header


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"properties": {"a": {"type": "number", "x-mcp-header": "A"}}}, "whose type is neither"),
        ({"properties": {"a": {"type": "string", "x-mcp-header": "A b"}}}, "is no name of a header"),
        ({"properties": {"a": {"items": {"type": "string", "x-mcp-header": "A"}}}}, "at a place that is no plain"),
        (
            {
                "properties": {
                    "a": {"properties": {"c": {"type": "string", "x-mcp-header": "a"}}},
                    "b": {"type": "string", "x-mcp-header": "A"},
                }
            },
            "x-mcp-header A twice",
        ),
    ],
)
def test_a_tool_with_a_wrong_header_keyword_is_left_out_with_a_warning(
    raw_server: Start, schema: dict[str, Any], why: str
) -> None:
    tools = [{"name": "bad", "inputSchema": schema}, {"name": "good", "inputSchema": {"type": "object"}}]
    server = raw_server(stateless({"tools/list": {"resultType": "complete", "tools": tools}}))

    result = probe(Wanted(server.url, protocol_version="2026-07-28"))

    assert result["tools"] == ["good"]
    assert len(result["warnings"]) == 1
    assert "the tool bad is left out" in result["warnings"][0]
    assert why in result["warnings"][0]


def test_a_tool_that_needs_input_is_told_with_what_it_asks(talking_url: str) -> None:
    failed = failure(Wanted(talking_url, protocol_version="2026-07-28", call_name="form"))

    assert "the tool form needs input before it answers (input_required: elicitation/create)" in str(failed)
    assert failed.facts["call_result"]["resultType"] == "input_required"
    assert (failed.layer, failed.retry) == ("assert", False)


def test_a_call_that_only_has_a_state_to_bring_back_is_continued(raw_server: Start) -> None:
    def call(params: dict[str, Any]) -> dict[str, Any]:
        if params.get("requestState") == "half":
            return {"resultType": "complete", "content": [{"type": "text", "text": "whole"}]}
        return {"resultType": "input_required", "requestState": "half"}

    server = raw_server(stateless({"tools/call": call}))

    result = probe(Wanted(server.url, protocol_version="2026-07-28", call_name="t"))

    assert result["call_result"]["content"][0]["text"] == "whole"


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        ({"server/discover": {"resultType": "complete"}}, "no supportedVersions"),
        ({"server/discover": {**DISCOVER, "supportedVersions": ["2027-01-01"]}}, "lists the revisions 2027-01-01"),
        ({"tools/list": {"resultType": "task", "taskId": "1"}}, "has the resultType 'task' instead of 'complete'"),
        ({"tools/call": {"resultType": "task", "taskId": "1"}}, "answers with a task for later"),
        ({"tools/call": {"resultType": "new"}}, "unknown resultType 'new'"),
    ],
)
def test_results_that_the_stateless_revision_does_not_allow(
    raw_server: Start, methods: dict[str, Any], said: str
) -> None:
    server = raw_server(stateless(methods))

    assert said in str(failure(Wanted(server.url, protocol_version="2026-07-28", call_name="t")))


def test_a_session_and_a_missing_result_type_are_warnings_there(raw_server: Start) -> None:
    server = raw_server(stateless({"tools/list": {"tools": []}}, Mcp_Session_Id="abc"))

    warnings = probe(Wanted(server.url, protocol_version="2026-07-28"))["warnings"]

    assert "the result of tools/list has no resultType" in warnings[0]
    assert "sends Mcp-Session-Id, which 2026-07-28 forbids" in warnings[1]
    assert not any(r.startswith(b"DELETE") for r in server.requests)


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        ("200 OK", {"code": -32020, "message": "m"}, "came with HTTP 200 instead of 400; headers and body differ"),
        ("400 Bad Request", {"code": -32021, "data": {"requiredCapabilities": {"sampling": {}}}}, "(sampling)"),
        ("404 Not Found", {"code": -32601, "message": "who"}, "JSON-RPC error -32601 (who)"),
    ],
)
def test_errors_of_the_stateless_revision(raw_server: Start, status: str, error: dict[str, Any], said: str) -> None:
    def refuse(_params: dict[str, Any]) -> bytes:
        return http_answer({"jsonrpc": "2.0", "id": None, "error": error}, status)

    failed = failure(Wanted(raw_server(stateless({"tools/list": refuse})).url, protocol_version="2026-07-28"))

    assert said in str(failed)
    assert failed.layer == "mcp"


def test_a_server_that_does_not_compare_headers_is_found(raw_server: Start) -> None:
    failed = failure(Wanted(raw_server(stateless()).url, protocol_version="2026-07-28", expect_header_check=True))

    assert "else a policy on headers can be got round; seen:" in str(failed)
    assert failed.layer == "assert"


@pytest.mark.parametrize(
    "answer",
    [
        http_answer("no session", "400 Bad Request", "text/plain"),
        http_answer("", "404 Not Found"),
        http_answer({"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "unknown"}}),
        http_answer({"jsonrpc": "2.0", "id": 1, "error": {"code": -32600, "message": "id"}}, "400 Bad Request"),
        http_answer({"jsonrpc": "2.0", "id": 1, "result": {}}),
        http_answer({"jsonrpc": "2.0", "id": 1, "result": {**DISCOVER, "supportedVersions": ["2025-06-18"]}}),
    ],
)
def test_auto_falls_back_to_the_handshake(raw_server: Start, answer: bytes) -> None:
    older = mcp_responder(Mcp_Session_Id="abc")
    server = raw_server(lambda r: answer if message_of(r).get("method") == "server/discover" else older(r))

    result = probe(Wanted(server.url, protocol_version="auto"))

    assert (result["protocol_version"], result["session"]) == ("2025-11-25", True)
    initialize = next(r for r in server.requests if message_of(r).get("method") == "initialize")
    assert b"mcp-protocol-version" not in initialize.lower()
    assert b"mcp-method" not in initialize.lower()


def test_auto_asks_for_the_newest_revision_that_the_server_names(raw_server: Start) -> None:
    error = {"code": -32022, "message": "m", "data": {"supported": ["2025-03-26", "2025-06-18"]}}
    refused = http_answer({"jsonrpc": "2.0", "id": 1, "error": error}, "400 Bad Request")
    older = mcp_responder({"initialize": {**HELLO, "protocolVersion": "2025-06-18"}})
    server = raw_server(lambda r: refused if message_of(r).get("method") == "server/discover" else older(r))

    assert probe(Wanted(server.url, protocol_version="auto"))["protocol_version"] == "2025-06-18"
    assert message_of(server.requests[1])["params"]["protocolVersion"] == "2025-06-18"


def test_auto_without_a_common_revision_names_both_sides(raw_server: Start) -> None:
    error = {"code": -32022, "message": "m", "data": {"supported": ["2027-01-01"]}}
    body = {"jsonrpc": "2.0", "id": 1, "error": error}
    failed = failure(Wanted(raw_server(lambda _r: http_answer(body, "400 Bad Request")).url, protocol_version="auto"))

    assert "speaks only 2027-01-01, and this module 2024-11-05, " in str(failed)
    assert failed.facts["supported_versions"] == ["2027-01-01"]


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden", "429 Too Many Requests", "502 Bad Gateway"])
def test_auto_does_not_take_a_closed_door_for_an_old_server(raw_server: Start, status: str) -> None:
    server = raw_server(lambda _request: http_answer("", status))

    assert f"HTTP {status[:3]}" in str(failure(Wanted(server.url, protocol_version="auto")))
    assert len(server.requests) == 1


@pytest.mark.parametrize("protocol_version", ["auto", "2024-11-05"])
def test_a_server_of_the_oldest_transport(sse_url: str, protocol_version: str) -> None:
    wanted = Wanted(sse_url, protocol_version=protocol_version, call_name="forecast", call_arguments={"city": "Oslo"})
    result = probe(wanted)

    assert (result["transport"], result["protocol_version"]) == ("http+sse", "2024-11-05")
    assert result["session"] is True
    assert result["call_result"]["content"][0]["text"] == "Oslo: sunny"


@pytest.mark.parametrize(
    ("stream", "kind", "said"),
    [
        ("event: endpoint\ndata: http://evil.example.com/x\n\n", "text/event-stream", "which is another server"),
        ('data: {"jsonrpc": "2.0"}\n\n', "text/event-stream", "does not begin with the event endpoint"),
        ("<h1>Hello</h1>", "text/html", "HTTP 405"),
    ],
)
def test_what_is_not_the_oldest_transport(raw_server: Start, stream: str, kind: str, said: str) -> None:
    def respond(request: bytes) -> bytes:
        if request.startswith(b"GET"):
            return http_answer(stream, kind=kind)
        return http_answer("", "405 Method Not Allowed")

    server = raw_server(respond)

    assert said in str(failure(Wanted(server.url, protocol_version="2024-11-05")))
    assert len(server.requests) == 2


def test_all_expected_revisions_are_spoken(sdk_url: str) -> None:
    result = probe(Wanted(sdk_url, expect_protocol_versions=list(REVISIONS)))

    assert result["protocol_versions"] == list(REVISIONS)
    assert result["protocol_version"] == "2025-11-25"


def test_expected_revisions_that_do_not_work_are_all_named(raw_server: Start) -> None:
    def respond(request: bytes) -> bytes:
        message = message_of(request)
        if message.get("method") == "server/discover":
            return http_answer("", "400 Bad Request")
        return mcp_responder()(request)

    failed = failure(
        Wanted(raw_server(respond).url, expect_protocol_versions=["2025-06-18", "2025-11-25", "2026-07-28"])
    )

    assert "2025-06-18 (protocol_version 2025-06-18 was asked for but the server speaks 2025-11-25" in str(failed)
    assert "2026-07-28 (HTTP 400" in str(failed)
    assert "Working: 2025-11-25" in str(failed)
    assert failed.facts["protocol_versions"] == ["2025-11-25"]
    assert failed.layer == "assert"


def test_another_server_than_the_expected_one(sdk_url: str) -> None:
    failed = failure(Wanted(sdk_url, expect_server_name="Kuadrant MCP Gateway"))

    assert "calls itself 'weather' instead of 'Kuadrant MCP Gateway'" in str(failed)
    assert json.dumps(failed.facts["server_info"])


def test_an_older_server_that_is_asked_for_the_stateless_revision_only(raw_server: Start) -> None:
    error = {"code": -32600, "message": "Bad Request: Missing session ID"}
    refused = http_answer({"jsonrpc": "2.0", "id": 1, "error": error}, "400 Bad Request")
    server = raw_server(lambda _request: refused)

    with pytest.raises(EndpointError, match=r"Missing session ID.*set protocol_version to auto"):
        probe(Wanted(server.url, protocol_version="2026-07-28"))
