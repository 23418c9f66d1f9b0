# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions that are lost, streams that break, servers that ask back, and the time that it takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils import _mcp_streamable
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_http_sse import HttpSseChannel
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_probe import probe
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_session import SessionClient
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_target import parse_target
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wanted import Wanted
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wire import Wire
from endpoint_sdk import balanced, serve, weather_server
from endpoint_servers import HELLO, Certificate, RawServer, http_answer, mcp_responder, message_of

Start = Callable[..., RawServer]

GONE = http_answer("Session not found", "404 Not Found", "text/plain")


def failure(wanted: Wanted) -> EndpointError:
    """The failure of one try."""
    with pytest.raises(EndpointError) as caught:
        probe(wanted)
    return caught.value


def methods(server: RawServer) -> list[str]:
    """What was sent, in order."""
    return [message_of(r).get("method", r.split(b" ")[0].decode()) for r in server.requests]


@pytest.mark.parametrize("lost_at", ["notifications/initialized", "ping", "tools/list", "tools/call"])
def test_a_session_that_is_lost_once_is_begun_anew_with_a_warning(raw_server: Start, lost_at: str) -> None:
    works = mcp_responder({"tools/call": {"content": []}}, Mcp_Session_Id="abc")
    losses = [GONE]

    def respond(request: bytes) -> bytes:
        return losses.pop() if message_of(request).get("method") == lost_at and losses else works(request)

    server = raw_server(respond)

    result = probe(Wanted(server.url, call_name="t"))

    assert result["session_restarts"] == 1
    assert f"(HTTP 404 to {lost_at})" in result["warnings"][0]
    assert methods(server).count("initialize") == 2
    assert methods(server).count(lost_at) == 2
    assert methods(server).count("notifications/initialized") == 2
    second = [r for r in server.requests if message_of(r).get("method") == "initialize"][1]
    assert b"mcp-session-id" not in second.lower()
    assert b"mcp-protocol-version" not in second.lower()


def test_a_second_lost_session_is_a_failure(raw_server: Start) -> None:
    works = mcp_responder({"tools/list": lambda _params: GONE}, Mcp_Session_Id="abc")
    losses = [GONE]

    def respond(request: bytes) -> bytes:
        return losses.pop() if message_of(request).get("method") == "ping" and losses else works(request)

    server = raw_server(respond)

    assert "It was the second session that was lost" in str(failure(Wanted(server.url)))
    assert methods(server).count("initialize") == 2


def test_replicas_without_shared_sessions_are_told() -> None:
    with (
        serve(weather_server().streamable_http_app()) as one,
        serve(weather_server().streamable_http_app()) as other,
        balanced([urlsplit(one).port or 0, urlsplit(other).port or 0]) as port,
    ):
        failed = failure(Wanted(f"http://127.0.0.1:{port}/mcp"))

    assert "session not found on the second request of the session" in str(failed)
    assert "the endpoint has several replicas without shared sessions" in str(failed)
    assert "It was the second session that was lost" in str(failed)
    assert (failed.layer, failed.facts["http_status"]) == ("mcp", 404)


def test_replicas_that_answer_every_session_are_fine() -> None:
    with (
        serve(weather_server().streamable_http_app(stateless_http=True)) as one,
        serve(weather_server().streamable_http_app(stateless_http=True)) as other,
        balanced([urlsplit(one).port or 0, urlsplit(other).port or 0]) as port,
    ):
        result = probe(Wanted(f"http://127.0.0.1:{port}/mcp", pings=4))

    assert (result["session_restarts"], result["session"]) == (0, False)


def test_every_ping_is_sent(raw_server: Start) -> None:
    server = raw_server(mcp_responder())

    probe(Wanted(server.url, pings=5))

    assert methods(server).count("ping") == 5


def test_a_400_that_speaks_of_the_session_is_a_lost_session_too(raw_server: Start) -> None:
    error = {"code": -32000, "message": "Bad Request: No valid session ID provided"}
    refused = http_answer({"jsonrpc": "2.0", "id": None, "error": error}, "400 Bad Request")
    server = raw_server(mcp_responder({"ping": lambda _params: refused}, Mcp_Session_Id="abc"))

    assert "several replicas without shared sessions" in str(failure(Wanted(server.url)))


def test_a_404_without_a_session_is_the_route(raw_server: Start) -> None:
    server = raw_server(mcp_responder({"ping": lambda _params: GONE}))

    assert "has no route for host" in str(failure(Wanted(server.url)))


def test_a_session_id_of_wrong_characters(raw_server: Start) -> None:
    server = raw_server(mcp_responder(Mcp_Session_Id="a b"))

    assert "the session id 'a b' is not made of visible ASCII" in str(failure(Wanted(server.url)))


def test_a_request_of_the_server_during_a_call_is_refused_and_the_call_ends(talking_url: str) -> None:
    result = probe(Wanted(talking_url, call_name="ask"))

    assert result["server_requests"] == ["elicitation/create"]
    text = result["call_result"]["content"][0]["text"]
    assert "refused: this client declared no capability for elicitation/create" in text


def test_a_ping_of_the_server_is_answered(raw_server: Start) -> None:
    def stream(_params: dict[str, Any]) -> bytes:
        ask = {"jsonrpc": "2.0", "id": "p1", "method": "ping"}
        answer = {"jsonrpc": "2.0", "id": 4, "result": {"content": []}}
        text = "".join(f"data: {json.dumps(one)}\n\n" for one in (ask, answer))
        return http_answer(text, kind="text/event-stream")

    works = mcp_responder({"tools/call": stream}, Mcp_Session_Id="abc")
    server = raw_server(lambda r: http_answer("", "202 Accepted") if b'"p1"' in r else works(r))

    assert probe(Wanted(server.url, call_name="t"))["server_requests"] == ["ping"]
    reply = next(r for r in server.requests if b'"p1"' in r)
    assert message_of(reply) == {"jsonrpc": "2.0", "id": "p1", "result": {}}
    assert b"Mcp-Session-Id: abc" in reply


def test_a_request_of_the_server_is_a_fault_in_the_stateless_revision(raw_server: Start) -> None:
    ask = {"jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage"}
    server = raw_server(lambda _r: http_answer(f"data: {json.dumps(ask)}\n\n", kind="text/event-stream"))

    failed = failure(Wanted(server.url, protocol_version="2026-07-28"))

    assert "sends the request sampling/createMessage, which revision 2026-07-28 forbids" in str(failed)


def test_a_stream_that_the_server_breaks_is_resumed(talking_url: str) -> None:
    result = probe(Wanted(talking_url, protocol_version="2025-11-25", call_name="slow"))

    assert result["call_result"]["content"][0]["text"] == "resumed"


def test_a_broken_stream_is_resumed_after_the_last_event_that_came(
    raw_server: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(_mcp_streamable.time, "sleep", pauses.append)
    note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {}}
    answer = {"jsonrpc": "2.0", "id": 4, "result": {"content": []}}

    def first(_params: dict[str, Any]) -> bytes:
        text = f"retry: 3000\nid: 7\ndata: {json.dumps(note)}\n\nid: 8\ndata: half"
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 999\r\n\r\n"
        return head + text.encode()

    works = mcp_responder({"tools/call": first}, Mcp_Session_Id="abc")

    def respond(request: bytes) -> bytes:
        if request.startswith(b"GET"):
            return http_answer(f"id: 8\ndata: {json.dumps(answer)}\n\n", kind="text/event-stream")
        return works(request)

    server = raw_server(respond)

    assert probe(Wanted(server.url, call_name="t"))["call_result"] == {"content": []}
    resumed = [r for r in server.requests if r.startswith(b"GET")]
    assert len(resumed) == 1
    assert pauses == [3.0]
    assert b"Last-Event-ID: 7\r\n" in resumed[0]
    assert b"Mcp-Session-Id: abc\r\n" in resumed[0]


def test_an_answer_to_the_server_that_is_lost_is_no_broken_stream(raw_server: Start) -> None:
    ask = {"jsonrpc": "2.0", "id": "p1", "method": "ping"}
    stream = http_answer(f"id: 1\ndata: {json.dumps(ask)}\n\n", kind="text/event-stream")
    works = mcp_responder({"tools/call": lambda _params: stream}, Mcp_Session_Id="abc")
    server = raw_server(lambda r: b"" if b'"p1"' in r else works(r))

    assert "closed the connection without a complete answer" in str(failure(Wanted(server.url, call_name="t")))
    assert not any(r.startswith(b"GET") for r in server.requests)


def test_each_request_over_the_oldest_transport_has_its_own_time(sse_url: str) -> None:
    wire = Wire(parse_target(sse_url), tls=None, headers={}, timeout=10)
    channel = HttpSseChannel(wire)
    client = SessionClient(channel)
    try:
        client.open("2024-11-05")
        channel._stream.extend(-1)
        client.ping()
        assert [tool["name"] for tool in client.tools()] == ["forecast", "alerts"]
    finally:
        client.close()


def test_a_server_that_numbers_events_and_does_not_resume(raw_server: Start) -> None:
    works = mcp_responder({"ping": lambda _p: http_answer("retry: 1\nid: 7\ndata:\n\n", kind="text/event-stream")})

    def respond(request: bytes) -> bytes:
        return http_answer("", "405 Method Not Allowed") if request.startswith(b"GET") else works(request)

    failed = failure(Wanted(raw_server(respond).url))

    assert "does not resume it: HTTP 405 to GET with Last-Event-ID" in str(failed)


def test_a_batch_is_an_answer_only_in_the_revision_that_has_batches(raw_server: Start) -> None:
    def batch(version: str) -> RawServer:
        listed = [{"jsonrpc": "2.0", "id": 3, "result": {"tools": [{"name": "one"}]}}]
        hello = {**HELLO, "protocolVersion": version}
        return raw_server(mcp_responder({"initialize": hello, "tools/list": lambda _p: http_answer(listed)}))

    assert probe(Wanted(batch("2025-03-26").url))["tools"] == ["one"]
    assert "not a JSON-RPC 2.0 message" in str(failure(Wanted(batch("2025-06-18").url)))


def test_the_time_of_each_phase_is_told(raw_server: Start, authority: Certificate, tmp_path: Path) -> None:
    good = Certificate(tmp_path / "server.pem", authority, names=("127.0.0.1",))
    plain, secure = raw_server(mcp_responder()), raw_server(mcp_responder(), good.context)

    assert set(probe(Wanted(plain.url))["timing"]) == {"dns", "connect", "first_byte"}
    timing = probe(Wanted(secure.url, ca_cert=authority.pem))["timing"]
    assert set(timing) == {"dns", "connect", "tls", "first_byte"}
    assert all(0 <= seconds < 10 for seconds in timing.values())


@pytest.mark.parametrize(
    ("url", "phases"),
    [
        ("http://mcp.invalid/mcp", {"dns"}),
        ("http://127.0.0.1:1/mcp", {"dns", "connect"}),
    ],
)
def test_a_failure_tells_the_time_of_the_phases_that_were_reached(url: str, phases: set[str]) -> None:
    assert set(failure(Wanted(url)).facts["timing"]) == phases


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"handshake": False}, "leaves nothing to ask"),
        ({"handshake": False, "bare": True, "min_tools": 1}, "min_tools need the handshake"),
        ({"handshake": False, "bare": True, "call_name": "t"}, "call need the handshake"),
        ({"pings": -1}, "pings must not be negative"),
    ],
)
def test_options_that_contradict_each_other(options: dict[str, Any], said: str) -> None:
    failed = failure(Wanted("http://127.0.0.1:1/mcp", **options))

    assert said in str(failed)
    assert (failed.layer, failed.retry) == ("input", False)


def test_without_the_handshake_only_the_rest_is_asked(raw_server: Start) -> None:
    server = raw_server(mcp_responder())

    result = probe(Wanted(server.url, handshake=False, bare=True))

    assert methods(server) == ["initialize"]
    assert "tools" not in result
    assert result["bare_initialize"]["result"] == HELLO
