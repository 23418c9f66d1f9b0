# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the probe asks of an endpoint, and what it makes of good answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_probe import probe
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wanted import Wanted
from endpoint_servers import HELLO, Certificate, RawServer, http_answer, mcp_responder, message_of

Start = Callable[..., RawServer]


@pytest.mark.parametrize("version", ["2025-03-26", "2025-06-18", "2025-11-25"])
def test_every_session_revision_is_spoken_with_the_official_server(sdk_url: str, version: str) -> None:
    result = probe(Wanted(sdk_url, protocol_version=version))

    assert result["protocol_version"] == version
    assert result["http_status"] == 200
    assert result["server_info"]["name"] == "weather"
    assert result["initialize"]["result"]["protocolVersion"] == version
    assert result["session"] is True
    assert result["tools"] == ["forecast", "alerts"]


def test_a_tool_is_called_with_its_arguments(sdk_url: str) -> None:
    result = probe(Wanted(sdk_url, call_name="forecast", call_arguments={"city": "Brno"}))

    assert result["call_result"]["content"][0]["text"] == "Brno: sunny"


def test_a_tool_that_answers_with_an_error_is_a_failure_with_its_text(sdk_url: str) -> None:
    with pytest.raises(
        EndpointError, match=r"the tool forecast answered with an error \(Error executing tool forecast\)"
    ) as caught:
        probe(Wanted(sdk_url, call_name="forecast", call_arguments={"city": "Atlantis"}))

    assert caught.value.retry is False


def test_the_result_of_a_call_is_compared(sdk_url: str) -> None:
    wanted = {"call_name": "forecast", "call_arguments": {"city": "Brno"}}

    result = probe(Wanted(sdk_url, **wanted, call_expect_text="Brno: sun"))
    with pytest.raises(EndpointError, match="answered 'Brno: sunny', which does not hold 'rain'") as caught:
        probe(Wanted(sdk_url, **wanted, call_expect_text="rain"))

    assert result["call_result"] == caught.value.facts["call_result"]
    assert (caught.value.layer, caught.value.retry) == ("assert", False)


def test_a_call_of_a_tool_that_is_not_listed_says_so(sdk_url: str) -> None:
    with pytest.raises(EndpointError, match="forecats is not among the 2 listed tools"):
        probe(Wanted(sdk_url, call_name="forecats"))


def test_an_answer_without_end_is_not_read_to_its_end(raw_server: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    from ansible_collections.mcpops.gateway.plugins.module_utils import _mcp_http

    monkeypatch.setattr(_mcp_http, "MAX_BODY", 100_000)
    for kind in ("application/json", "text/event-stream"):
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n".encode()
        server = raw_server(lambda _request, head=head: head + b"x" * 1_000_000)

        with pytest.raises(EndpointError, match="the answer is longer than 100000 bytes"):
            probe(Wanted(server.url))


def test_the_bare_initialize_is_the_guides_curl_byte_for_byte(raw_server: Start) -> None:
    server = raw_server(mcp_responder())

    result = probe(Wanted(server.url, bare=True))

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    names = {line.split(b":")[0].lower(): line for line in head.split(b"\r\n")[1:]}
    assert body == b'{"jsonrpc": "2.0", "id": 1, "method": "initialize"}'
    assert head.startswith(b"POST /mcp HTTP/1.1")
    assert names[b"accept"] == b"Accept: */*"
    assert names[b"content-type"] == b"Content-Type: application/json"
    assert not {b"mcp-protocol-version", b"mcp-session-id", b"accept-encoding"} & set(names)
    assert result["bare_initialize"]["result"] == HELLO


def test_the_handshake_is_complete_and_ends_its_session(raw_server: Start) -> None:
    server = raw_server(mcp_responder(Mcp_Session_Id="abc"))

    probe(Wanted(server.url))

    messages = [message_of(request) for request in server.requests]
    assert [m.get("method", "DELETE") for m in messages] == [
        "initialize",
        "notifications/initialized",
        "ping",
        "tools/list",
        "DELETE",
    ]
    assert messages[0]["params"]["protocolVersion"] == "2025-11-25"
    for request in server.requests[1:]:
        assert b"Mcp-Session-Id: abc" in request
        assert b"MCP-Protocol-Version: 2025-11-25" in request
    assert server.requests[-1].startswith(b"DELETE /mcp")


def test_the_session_is_ended_after_a_failure_too(raw_server: Start) -> None:
    server = raw_server(mcp_responder(Mcp_Session_Id="abc"))

    with pytest.raises(EndpointError):
        probe(Wanted(server.url, min_tools=1))

    assert server.requests[-1].startswith(b"DELETE")


def test_all_pages_of_the_tools_are_read(raw_server: Start) -> None:
    def page(params: dict[str, Any]) -> dict[str, Any]:
        start = int(params.get("cursor", 0))
        more = {"nextCursor": str(start + 2)} if start < 4 else {}
        return {"tools": [{"name": f"t{start}"}, {"name": f"t{start + 1}"}], **more}

    server = raw_server(mcp_responder({"tools/list": page}))

    assert probe(Wanted(server.url))["tools"] == ["t0", "t1", "t2", "t3", "t4", "t5"]


def test_a_cursor_that_repeats_ends_with_an_error(raw_server: Start) -> None:
    server = raw_server(mcp_responder({"tools/list": {"tools": [], "nextCursor": "again"}}))

    with pytest.raises(EndpointError, match="cursor 'again' again and again"):
        probe(Wanted(server.url))


def test_an_answer_in_an_event_stream_that_stays_open_is_found(raw_server: Start) -> None:
    def stream(_params: dict[str, Any]) -> bytes:
        events = [
            "id: 0\ndata:\n\n",
            ": comment\n\n",
            'event: message\ndata: {"jsonrpc": "2.0", "method": "notifications/message", "params": {}}\n\n',
            'data: {"jsonrpc": "2.0",\ndata:  "id": 3, "result": {"tools": [{"name": "one"}]}}\n\n',
        ]
        text = "".join(events).encode()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        # No closing chunk: the stream goes on, as a server that keeps it open would have it.
        return head + f"{len(text):x}\r\n".encode() + text + b"\r\n"

    server = raw_server(mcp_responder({"tools/list": stream}))

    assert probe(Wanted(server.url))["tools"] == ["one"]


def test_a_server_without_tools_is_not_asked_for_them(raw_server: Start) -> None:
    hello = {**HELLO, "capabilities": {}}
    server = raw_server(mcp_responder({"initialize": hello}))

    assert probe(Wanted(server.url))["tool_count"] == 0
    assert "tools/list" not in [message_of(r).get("method") for r in server.requests]


def test_missing_tools_prefixes_and_numbers_come_in_one_message(sdk_url: str) -> None:
    with pytest.raises(EndpointError) as caught:
        probe(Wanted(sdk_url, expect_tools=["alerts", "b"], expect_prefixes=["fore", "time_"], min_tools=5))

    message = str(caught.value)
    assert "the tool b is missing" in message
    assert "no tool begins with time_," in message
    assert "2 tools are fewer than min_tools 5" in message
    assert "listed are forecast, alerts" in message
    assert caught.value.layer == "assert"
    assert caught.value.facts["tools"] == ["forecast", "alerts"]


def test_another_revision_than_the_wanted_one_is_an_error_that_names_both(raw_server: Start) -> None:
    server = raw_server(mcp_responder({"initialize": {**HELLO, "protocolVersion": "2025-03-26"}}))

    with pytest.raises(EndpointError, match=r"2025-06-18 was asked for but the server speaks 2025-03-26"):
        probe(Wanted(server.url, protocol_version="2025-06-18"))


def test_an_older_revision_is_taken_when_none_was_asked_for(raw_server: Start) -> None:
    server = raw_server(mcp_responder({"initialize": {**HELLO, "protocolVersion": "2025-03-26"}}))

    assert probe(Wanted(server.url))["protocol_version"] == "2025-03-26"
    assert b"MCP-Protocol-Version: 2025-03-26" in server.requests[2]


def test_connect_to_dials_there_and_keeps_the_host(raw_server: Start) -> None:
    server = raw_server(mcp_responder())

    result = probe(Wanted("http://mcp.example.com:8080/mcp", connect_to=f"127.0.0.1:{server.port}"))

    assert b"\r\nHost: mcp.example.com:8080\r\n" in server.requests[0]
    assert result["dialed"] == f"127.0.0.1:{server.port}"


def test_connect_to_when_unresolved_leaves_a_name_that_resolves_alone(raw_server: Start) -> None:
    server = raw_server(mcp_responder())
    url = f"http://localhost:{server.port}/mcp"

    result = probe(Wanted(url, connect_to="127.0.0.1:1", connect_to_when="unresolved"))

    assert result["dialed"] == f"localhost:{server.port}"


def test_connect_to_when_unresolved_helps_a_name_that_does_not_resolve(raw_server: Start) -> None:
    server = raw_server(mcp_responder())
    wanted = Wanted(f"http://mcp.invalid:{server.port}/mcp", connect_to="127.0.0.1", connect_to_when="unresolved")

    assert probe(wanted)["dialed"] == f"127.0.0.1:{server.port}"


def test_headers_go_out_with_every_request_and_win(raw_server: Start) -> None:
    server = raw_server(mcp_responder(Mcp_Session_Id="abc"))

    probe(Wanted(server.url, bare=True, headers={"Authorization": "Bearer x", "user-agent": "me"}))

    assert all(
        b"Authorization: Bearer x" in r and b"user-agent: me\r\n" in r and r.lower().count(b"user-agent") == 1
        for r in server.requests
    )


@pytest.mark.parametrize("as_text", [True, False])
def test_a_private_authority_is_trusted_by_path_or_text(
    raw_server: Start, authority: Certificate, tmp_path: Any, as_text: bool
) -> None:
    good = Certificate(tmp_path / "server.pem", authority, names=("mcp.example.com",))
    server = raw_server(mcp_responder(), good.context)
    ca = authority.pem if as_text else str(authority.path)

    result = probe(Wanted("https://mcp.example.com/mcp", connect_to=f"127.0.0.1:{server.port}", ca_cert=ca))

    assert result["http_status"] == 200
    assert b"\r\nHost: mcp.example.com\r\n" in server.requests[0]


def test_a_refused_call_is_not_repeated(raw_server: Start) -> None:
    def refuse(_params: dict[str, Any]) -> bytes:
        return http_answer("no healthy upstream", "503 Service Unavailable", "text/plain")

    server = raw_server(mcp_responder({"tools/call": refuse}))

    with pytest.raises(EndpointError) as caught:
        probe(Wanted(server.url, call_name="pay"))

    assert caught.value.retry is False
    assert json.loads(server.requests[-1].partition(b"\r\n\r\n")[2])["params"] == {"name": "pay", "arguments": {}}
