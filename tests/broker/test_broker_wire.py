# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of Streamable HTTP, one raw request each (MCP basic/transports, 2025-03-26 to 2025-11-25)."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from broker.harness import BrokerProcess, request, rpc, run_broker, server
from broker.raw_upstream import RawUpstream

BOTH = {"accept": "application/json, text/event-stream"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """One broker with one upstream for the whole file; tests change nothing that another sees."""
    with RawUpstream("echo", "sse", "stream_only") as upstream:
        config = {
            "servers": [server("ns/raw", upstream.url, "r_")],
            "broker": {
                "allowedOrigins": ["https://tools.example.com"],
                "limits": {"body": 100_000, "headers": 8192, "batch": 3},
            },
        }
        options = ["--public-host", "mcp.example.com", "--allowed-origin", "https://chat.example.com"]
        with run_broker(tmp_path_factory.mktemp("wire"), config, *options) as broker:
            broker.wait_ready("ns/raw")
            yield broker


@pytest.fixture
def broker(shared: BrokerProcess) -> BrokerProcess:
    """Every test has a session of its own."""
    shared.initialize()
    return shared


def test_the_guides_bare_initialize_is_answered(broker: BrokerProcess) -> None:
    body = b'{"jsonrpc": "2.0", "id": 1, "method": "initialize"}'

    reply = request(broker.url, "POST", "/mcp", body, {"Content-Type": "application/json"})

    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert reply.json["id"] == 1
    result = reply.json["result"]
    assert result["protocolVersion"] == "2025-11-25"
    assert result["capabilities"] == {
        "completions": {},
        "logging": {},
        "prompts": {"listChanged": True},
        "resources": {"listChanged": True, "subscribe": True},
        "tools": {"listChanged": True},
    }
    assert result["serverInfo"]["name"] == "mcpops-broker"


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        (7, "2025-11-25"),
        (None, "2025-11-25"),
    ],
)
def test_the_version_is_negotiated(broker: BrokerProcess, asked: object, given: str) -> None:
    reply = broker.post(rpc("initialize", {"protocolVersion": asked}), session="")

    assert reply.json["result"]["protocolVersion"] == given


def test_session_ids_are_visible_ascii_and_new_each_time(broker: BrokerProcess) -> None:
    first, second = broker.initialize(), broker.initialize()

    assert first != second
    assert all(0x21 <= ord(character) <= 0x7E for character in first)


def test_ping(broker: BrokerProcess) -> None:
    reply = broker.post(rpc("ping", request_id="a"))

    assert (reply.status, reply.json) == (200, {"jsonrpc": "2.0", "id": "a", "result": {}})


@pytest.mark.parametrize("path", ["/mcp", "/mcp/", "/mcp/stateful"])
def test_paths_of_the_endpoint(broker: BrokerProcess, path: str) -> None:
    reply = request(broker.url, "POST", path, rpc("initialize"), {"content-type": "application/json"})

    assert reply.status == 200


def test_notifications_and_responses_get_202_without_a_body(broker: BrokerProcess) -> None:
    for message in (
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 99}},
        {"jsonrpc": "2.0", "method": "notifications/cancelled"},
        {"jsonrpc": "2.0", "method": "notifications/unheard-of"},
        {"jsonrpc": "2.0", "id": 5, "result": {}},
    ):
        reply = broker.post(message)
        assert (reply.status, reply.body) == (202, b""), message


def test_an_unknown_method_is_a_json_rpc_error(broker: BrokerProcess) -> None:
    reply = broker.post(rpc("prompts/unheard-of"))

    assert (reply.status, reply.error["code"]) == (200, -32601)


def test_a_request_without_a_session_is_refused(broker: BrokerProcess) -> None:
    reply = broker.post(rpc("ping", request_id=8), {"mcp-session-id": ""})

    assert (reply.status, reply.json["id"]) == (400, 8)


@pytest.mark.parametrize("session", ["nonsense", "A" * 72, "\xe9" * 72])
def test_an_unknown_session_is_not_found(broker: BrokerProcess, session: str) -> None:
    assert broker.post(rpc("ping"), session=session).status == 404


def test_a_changed_session_id_is_not_found(broker: BrokerProcess) -> None:
    session = broker.session or ""
    for place in (0, 30, 71):
        changed = session[:place] + ("A" if session[place] != "A" else "B") + session[place + 1 :]
        assert broker.post(rpc("ping"), session=changed).status == 404


def test_a_deleted_session_is_not_found(broker: BrokerProcess) -> None:
    session = {"mcp-session-id": broker.session or ""}

    assert broker.request("DELETE", headers=session).status == 200

    assert broker.post(rpc("ping")).status == 404
    assert broker.request("DELETE", headers=session).status == 404
    assert broker.request("GET", headers={**session, "accept": "text/event-stream"}).status == 404


def test_get_and_delete_need_a_session(broker: BrokerProcess) -> None:
    assert broker.request("GET", headers={"accept": "text/event-stream"}).status == 400
    assert broker.request("DELETE").status == 400


def test_get_needs_a_client_that_takes_events(broker: BrokerProcess) -> None:
    headers = {"mcp-session-id": broker.session or "", "accept": "application/json"}

    assert broker.request("GET", headers=headers).status == 406


@pytest.mark.parametrize("method", ["PUT", "PATCH", "HEAD"])
def test_other_http_methods_are_not_allowed(broker: BrokerProcess, method: str) -> None:
    reply = broker.request(method)

    assert (reply.status, reply.headers["allow"]) == (405, "GET, POST, DELETE, OPTIONS")


def test_options_is_answered_as_the_operators_broker_does(broker: BrokerProcess) -> None:
    reply = broker.request("OPTIONS")

    assert (reply.status, reply.body) == (200, b"")


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", None])
def test_served_revisions_are_accepted_in_the_header(broker: BrokerProcess, version: str | None) -> None:
    assert broker.post(rpc("ping"), {"mcp-protocol-version": version or ""}).status == 200


@pytest.mark.parametrize("version", ["1999-01-01", "latest", "2025-11-25,2025-11-25"])
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_other_revisions_in_the_header_are_refused(broker: BrokerProcess, method: str, version: str) -> None:
    headers = {
        "mcp-protocol-version": version,
        "mcp-session-id": broker.session or "",
        "content-type": "application/json",
        "accept": "text/event-stream, application/json",
    }

    reply = broker.request(method, "/mcp", rpc("ping", request_id=3) if method == "POST" else None, headers)

    assert (reply.status, reply.error["code"]) == (400, -32022)
    assert reply.error["data"]["supported"] == ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]
    assert reply.error["data"]["requested"] == version


def test_blanks_around_header_values_do_not_count(broker: BrokerProcess) -> None:
    parts = urlsplit(broker.url)
    body = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    raw = (
        f"POST /mcp HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-type:   application/json \t \r\n"
        f"mcp-protocol-version:  2025-11-25  \r\nmcp-session-id: {broker.session} \r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    with socket.create_connection((parts.hostname, parts.port or 0)) as connection:
        connection.sendall(raw.encode() + body)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))

    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost",
        "http://localhost:6274",
        "http://127.0.0.1:8080",
        "http://[::1]:1",
        "https://mcp.example.com",
        "https://tools.example.com",
        "https://chat.example.com",
    ],
)
def test_allowed_origins(broker: BrokerProcess, origin: str) -> None:
    assert broker.post(rpc("ping"), {"origin": origin}).status == 200


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://localhost.evil.example",
        "https://tools.example.com.evil",
        "null",
        "http://[",
        "file://",
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE", "OPTIONS"])
def test_other_origins_are_forbidden(broker: BrokerProcess, method: str, origin: str) -> None:
    assert broker.request(method, headers={"origin": origin, "content-type": "application/json"}).status == 403


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
def test_only_json_bodies_are_read(broker: BrokerProcess, content_type: str) -> None:
    assert broker.post(rpc("ping"), {"content-type": content_type}).status == 415


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "APPLICATION/JSON"])
def test_content_type_may_have_parameters_and_any_case(broker: BrokerProcess, content_type: str) -> None:
    assert broker.post(rpc("ping"), {"content-type": content_type}).status == 200


def test_a_client_that_takes_neither_json_nor_events_is_refused(broker: BrokerProcess) -> None:
    assert broker.post(rpc("ping"), {"accept": "text/html"}).status == 406


@pytest.mark.parametrize("accept", ["*/*", "application/*", "application/json", "application/json, text/event-stream"])
def test_the_answer_is_json_when_the_client_takes_it(broker: BrokerProcess, accept: str) -> None:
    assert broker.post(rpc("ping"), {"accept": accept}).headers["content-type"] == "application/json"


def test_the_answer_is_an_event_when_the_client_takes_only_events(broker: BrokerProcess) -> None:
    reply = broker.post(rpc("ping"), {"accept": "text/event-stream"})

    assert reply.headers["content-type"] == "text/event-stream"
    assert reply.events == [{"jsonrpc": "2.0", "id": 1, "result": {}}]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"nonsense", b'{"a":NaN}', b"[" * 2000])
def test_what_is_not_json_is_a_parse_error(broker: BrokerProcess, body: bytes) -> None:
    reply = broker.post(body)

    assert (reply.status, reply.error["code"], reply.json["id"]) == (400, -32700, None)


@pytest.mark.parametrize(
    "message",
    [
        1,
        "ping",
        None,
        {},
        {"id": 1, "method": "ping"},
        {"jsonrpc": "1.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "id": None, "method": "ping"},
        {"jsonrpc": "2.0", "id": 1.5, "method": "ping"},
        {"jsonrpc": "2.0", "id": True, "method": "ping"},
        {"jsonrpc": "2.0", "id": {}, "method": "ping"},
        {"jsonrpc": "2.0", "id": 1, "method": 7},
        {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []},
        {"jsonrpc": "2.0", "id": 1},
        {"jsonrpc": "2.0", "id": 1, "result": {}, "error": {}},
    ],
)
def test_what_is_no_message_is_an_invalid_request(broker: BrokerProcess, message: object) -> None:
    body = b"null" if message is None else message

    reply = broker.post(body)

    assert (reply.status, reply.error["code"]) == (400, -32600)


def test_a_body_over_the_limit_is_refused_with_and_without_its_length(broker: BrokerProcess) -> None:
    big = rpc("ping", {"fill": "x" * 100_000})

    assert broker.post(big).status == 413

    parts = urlsplit(broker.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    chunks = (b"x" * 50_000 for _ in range(4))
    connection.request("POST", "/mcp", chunks, {"content-type": "application/json"}, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_a_body_in_chunks_is_read(broker: BrokerProcess) -> None:
    parts = urlsplit(broker.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    headers = {"content-type": "application/json", "mcp-session-id": broker.session or ""}
    pieces = iter([b'{"jsonrpc":"2.0",', b'"id":1,"method":"ping"}'])
    connection.request("POST", "/mcp", pieces, headers, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()


def test_headers_over_the_limit_are_refused(broker: BrokerProcess) -> None:
    assert broker.post(rpc("ping"), {"x-fill": "x" * 9000}).status == 431


def test_batches_belong_to_2025_03_26(broker: BrokerProcess) -> None:
    batch = [
        rpc("ping", request_id=1),
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        rpc("no", request_id=2),
    ]
    assert broker.post(batch).status == 400

    broker.initialize("2025-03-26")
    reply = broker.post(batch)

    assert reply.status == 200
    answers = {answer["id"]: answer for answer in reply.json}
    assert answers[1]["result"] == {}
    assert answers[2]["error"]["code"] == -32601
    assert len(answers) == 2


def test_a_batch_calls_tools(broker: BrokerProcess) -> None:
    broker.initialize("2025-03-26")
    calls = [rpc("tools/call", {"name": "r_echo", "arguments": {"text": str(number)}}, number) for number in range(3)]

    reply = broker.post(calls)

    assert [answer["result"]["content"][0]["text"] for answer in reply.json] == ["0", "1", "2"]


def test_a_batch_of_notifications_gets_202(broker: BrokerProcess) -> None:
    broker.initialize("2025-03-26")

    reply = broker.post([{"jsonrpc": "2.0", "method": "notifications/initialized"}])

    assert (reply.status, reply.body) == (202, b"")


def test_bad_batches(broker: BrokerProcess) -> None:
    broker.initialize("2025-03-26")

    assert broker.post([]).status == 400
    assert broker.post([rpc("ping", request_id=number) for number in range(4)]).status == 400
    assert broker.post([1, rpc("initialize")]).json == [
        {
            "jsonrpc": "2.0",
            "id": None,
            "error": {"code": -32600, "message": "Invalid request: a message is a JSON object"},
        },
        {
            "jsonrpc": "2.0",
            "id": 1,
            "error": {"code": -32600, "message": "Invalid request: initialize cannot be part of a batch"},
        },
    ]


def test_notifications_of_a_call_are_streamed_as_they_are(broker: BrokerProcess) -> None:
    call = rpc("tools/call", {"name": "r_sse", "_meta": {"progressToken": "tok"}}, "call-1")

    reply = broker.post(call, BOTH)

    assert reply.headers["content-type"] == "text/event-stream"
    progress, second, log, response = reply.events
    assert progress["params"] == {"progressToken": "tok", "progress": 1, "xUnknown": True}
    assert second["params"]["progress"] == 2
    assert log["method"] == "notifications/message"
    assert response["id"] == "call-1"
    assert response["result"] == {"content": [{"type": "text", "text": "streamed"}], "xUnknown": {"kept": [1, None]}}


@pytest.mark.parametrize("accept", ["application/json", "*/*", ""])
def test_notifications_are_left_out_for_a_client_that_takes_no_events(broker: BrokerProcess, accept: str) -> None:
    reply = broker.post(rpc("tools/call", {"name": "r_sse"}), {"accept": accept})

    assert reply.headers["content-type"] == "application/json"
    assert reply.json["result"]["content"][0]["text"] == "streamed"


def test_a_stream_that_holds_only_the_response_is_answered_as_json(broker: BrokerProcess) -> None:
    reply = broker.post(rpc("tools/call", {"name": "r_stream_only"}), BOTH)

    assert reply.headers["content-type"] == "application/json"
    assert reply.json["result"]["content"][0]["text"] == "one event"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"name": "r_nothing"}, "Unknown tool: r_nothing"),
        ({"name": "echo"}, "Unknown tool: echo"),
        ({"name": 5}, 'Invalid params: "name" must be the name of a tool'),
        ({}, 'Invalid params: "name" must be the name of a tool'),
        (None, 'Invalid params: "name" must be the name of a tool'),
    ],
)
def test_calls_of_unknown_tools_are_invalid_params(
    broker: BrokerProcess, params: dict[str, object] | None, message: str
) -> None:
    reply = broker.post(rpc("tools/call", params))

    assert (reply.status, reply.error) == (200, {"code": -32602, "message": message})


def test_one_connection_carries_many_requests(broker: BrokerProcess) -> None:
    parts = urlsplit(broker.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    headers = {"content-type": "application/json", "mcp-session-id": broker.session or ""}
    for _ in range(20):
        connection.request("POST", "/mcp", b'{"jsonrpc":"2.0","id":1,"method":"ping"}', headers)
        assert connection.getresponse().read() == b'{"jsonrpc":"2.0","id":1,"result":{}}'
        connection.request("POST", "/mcp", b"x" * 1000, {"content-type": "text/plain"})
        refused = connection.getresponse()
        assert refused.status == 415
        refused.read()
    connection.close()
