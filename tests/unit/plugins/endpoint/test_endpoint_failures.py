# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way an endpoint can fail: the layer, and a sentence that says what to do."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_probe import probe, probe_until
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wanted import Wanted
from endpoint_servers import HELLO, Certificate, RawServer, http_answer, mcp_responder

Start = Callable[..., RawServer]


def failure(wanted: Wanted) -> EndpointError:
    """The failure of one try."""
    with pytest.raises(EndpointError) as caught:
        probe(wanted)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "mcp.example.com"}, "must begin with http:// or https://"),
        ({"url": "http:///mcp"}, "names no host"),
        ({"url": "http://a:b/mcp"}, "is not a URL"),
        ({"url": "http://me:secret@host/mcp"}, "must not hold a user name or password"),
        ({"url": "http://host/mcp", "connect_to": "a/b"}, "connect_to 'a/b' is not host or host:port"),
        ({"url": "http://host/mcp", "connect_to": "a:b"}, "connect_to 'a:b' is not host or host:port"),
        ({"url": "https://host/mcp", "ca_cert": "/no/such.pem"}, "the file /no/such.pem does not exist"),
        ({"url": "https://host/mcp", "ca_cert": "-----BEGIN nothing"}, "the text holds no readable PEM certificate"),
    ],
)
def test_wrong_input_is_named_and_not_retried(options: dict[str, Any], said: str) -> None:
    failed = failure(Wanted(**options))

    assert said in str(failed)
    assert (failed.layer, failed.retry) == ("input", False)
    assert "secret" not in str(failed)


def test_a_name_that_does_not_resolve() -> None:
    failed = failure(Wanted("http://mcp.invalid/mcp"))

    assert failed.layer == "dns"
    assert "mcp.invalid does not resolve" in str(failed)
    assert "DNS record" in str(failed)


def test_a_refused_connection_names_address_and_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]

    failed = failure(Wanted(f"http://127.0.0.1:{port}/mcp"))

    assert failed.layer == "tcp"
    assert f"nothing listens on 127.0.0.1:{port}" in str(failed)


def test_a_connection_that_nobody_accepts_times_out() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = []
        for _ in range(4):  # fill the backlog, so that the kernel drops further connections
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(address)
            waiting.append(sock)

        failed = failure(Wanted(f"http://127.0.0.1:{address[1]}/mcp", timeout=0.2))

        for sock in waiting:
            sock.close()
    assert failed.layer == "tcp"
    assert "did not accept a connection within 0.2 s" in str(failed)


def test_an_untrusted_authority_points_to_ca_cert(raw_server: Start, authority: Certificate, tmp_path: Path) -> None:
    good = Certificate(tmp_path / "server.pem", authority, names=("127.0.0.1",))
    server = raw_server(mcp_responder(), good.context)

    failed = failure(Wanted(server.url))

    assert failed.layer == "tls"
    assert "give the authority in ca_cert" in str(failed)
    assert failed.retry is False


def test_a_self_signed_certificate_says_so(raw_server: Start, tmp_path: Path) -> None:
    server = raw_server(mcp_responder(), Certificate(tmp_path / "self.pem", names=("127.0.0.1",)).context)

    assert "self-signed" in str(failure(Wanted(server.url)))


def test_a_certificate_of_another_host_names_the_host(
    raw_server: Start, authority: Certificate, tmp_path: Path
) -> None:
    other = Certificate(tmp_path / "other.pem", authority, names=("other.example.com",))
    server = raw_server(mcp_responder(), other.context)
    wanted = Wanted("https://mcp.example.com/mcp", connect_to=f"127.0.0.1:{server.port}", ca_cert=authority.pem)

    failed = failure(wanted)

    assert "the certificate is not for mcp.example.com" in str(failed)


def test_an_expired_certificate_says_so(raw_server: Start, authority: Certificate, tmp_path: Path) -> None:
    old = Certificate(tmp_path / "old.pem", authority, names=("127.0.0.1",), days=-1)
    server = raw_server(mcp_responder(), old.context)

    assert "the certificate has expired" in str(failure(Wanted(server.url, ca_cert=authority.pem)))


def test_without_validation_any_certificate_will_do(raw_server: Start, tmp_path: Path) -> None:
    server = raw_server(mcp_responder(), Certificate(tmp_path / "self.pem").context)

    assert probe(Wanted(server.url, validate_certs=False))["http_status"] == 200


def test_https_to_a_plain_port_says_so(raw_server: Start) -> None:
    server = raw_server(lambda _request: b"HTTP/1.1 400 Bad Request\r\n\r\n")

    failed = failure(Wanted(server.url.replace("http:", "https:")))

    assert failed.layer == "tls"
    assert "does not speak TLS; use http://" in str(failed)


def test_http_to_a_tls_port_points_to_https(raw_server: Start, tmp_path: Path) -> None:
    server = raw_server(mcp_responder(), Certificate(tmp_path / "self.pem").context)

    failed = failure(Wanted(server.url.replace("https:", "http:")))

    assert failed.layer == "http"
    assert "use https://" in str(failed)


@pytest.mark.parametrize(
    ("status", "headers", "said", "retry"),
    [
        ("301 Moved Permanently", {"Location": "https://new/mcp"}, "it redirects to https://new/mcp", False),
        ("400 Bad Request", {}, "refuses the request as malformed", False),
        ("401 Unauthorized", {}, "WWW-Authenticate is missing", False),
        ("401 Unauthorized", {"WWW_Authenticate": "Basic"}, "without resource_metadata", False),
        ("403 Forbidden", {}, "lacks a scope or role", False),
        ("404 Not Found", {}, "no route for host 127.0.0.1 and path /mcp; check that the listener's hostname", True),
        ("405 Method Not Allowed", {}, "at another path", False),
        ("421 Misdirected Request", {}, "does not serve host 127.0.0.1", True),
        ("429 Too Many Requests", {"Retry_After": "7"}, "rate limit is in the way; wait 7 s", True),
        ("500 Internal Server Error", {}, "log of the broker's Pod", True),
        ("502 Bad Gateway", {}, "the right port", True),
        ("503 Service Unavailable", {}, "no healthy endpoint", True),
        ("504 Gateway Timeout", {}, "did not answer the gateway in time", True),
        ("507 Insufficient Storage", {}, "the gateway or the broker behind it failed", True),
        ("418 I'm a teapot", {}, "not an answer of an MCP endpoint", True),
    ],
)
def test_an_http_status_comes_with_its_cause(
    raw_server: Start, status: str, headers: dict[str, str], said: str, retry: bool
) -> None:
    server = raw_server(lambda _request: http_answer("page text", status, "text/plain", **headers))

    failed = failure(Wanted(server.url))

    assert failed.layer == "http"
    assert f"HTTP {status[:3]} (page text): " in str(failed)
    assert said in str(failed)
    assert failed.retry is retry
    assert failed.facts["http_status"] == int(status[:3])


def test_a_challenge_gives_the_metadata_address(raw_server: Start) -> None:
    challenge = 'Bearer error="invalid_token", resource_metadata="http://h/.well-known/oauth-protected-resource/mcp"'
    server = raw_server(lambda _request: http_answer("", "401 Unauthorized", WWW_Authenticate=challenge))

    failed = failure(Wanted(server.url))

    assert failed.facts["resource_metadata"] == "http://h/.well-known/oauth-protected-resource/mcp"
    assert failed.facts["www_authenticate"] == challenge
    assert failed.facts["resource_metadata"] in str(failed)


@pytest.mark.parametrize(
    ("answer", "layer", "said"),
    [
        (b"", "http", "closed the connection without a complete answer"),
        (b"220 mail.example.com ESMTP\r\n", "http", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort", "http", "without a complete answer"),
        (http_answer("<h1>Hello</h1>", kind="text/html"), "mcp", "is not JSON (text/html: <h1>Hello</h1>)"),
        (http_answer("", "200 OK"), "mcp", "is not JSON"),
        (http_answer({"hello": 1}), "mcp", "not a JSON-RPC 2.0 message"),
        (http_answer([]), "mcp", "not a JSON-RPC 2.0 message"),
        (http_answer({"jsonrpc": "2.0", "id": 9, "result": {}}), "mcp", "carries the id 9 instead of 1"),
        (http_answer({"jsonrpc": "2.0", "id": 1}), "mcp", "neither result nor error"),
        (http_answer({"jsonrpc": "2.0", "id": 1, "error": "no"}), "mcp", "an error that is no object"),
        (http_answer({"jsonrpc": "2.0", "id": 1, "result": {}}), "mcp", "has no protocolVersion"),
        (http_answer("data: {\n\n", kind="text/event-stream"), "mcp", "is not JSON"),
        (http_answer(": nothing\n\n", kind="text/event-stream"), "mcp", "stream ended before the answer"),
    ],
)
def test_an_answer_that_is_not_mcp(raw_server: Start, answer: bytes, layer: str, said: str) -> None:
    server = raw_server(lambda _request: answer)

    failed = failure(Wanted(server.url))

    assert (failed.layer, said in str(failed)) == (layer, True), str(failed)


def test_a_json_rpc_error_is_told_with_code_and_text(raw_server: Start) -> None:
    error = {"code": -32602, "message": "bad params"}
    server = raw_server(lambda _request: http_answer({"jsonrpc": "2.0", "id": 1, "error": error}))

    failed = failure(Wanted(server.url))

    assert "initialize was refused with JSON-RPC error -32602 (bad params)" in str(failed)
    assert failed.facts["rpc_error"] == error


def test_a_server_of_the_stateless_era_only_is_recognized(raw_server: Start) -> None:
    error = {"code": -32022, "message": "unsupported", "data": {"supported": ["2026-07-28"]}}
    body = {"jsonrpc": "2.0", "id": 1, "error": error}
    server = raw_server(lambda _request: http_answer(body, "400 Bad Request"))

    failed = failure(Wanted(server.url))

    assert "it supports only 2026-07-28, without an initialize handshake" in str(failed)
    assert failed.facts["http_status"] == 400


def test_a_session_that_is_forgotten_at_once_points_to_the_session_store(raw_server: Start) -> None:
    gone = http_answer("Invalid session ID", "404 Not Found", "text/plain")
    server = raw_server(mcp_responder({"ping": lambda _params: gone}, Mcp_Session_Id="abc"))

    assert "a shared session store is needed" in str(failure(Wanted(server.url)))


def test_a_server_that_hangs_ends_with_the_timeout(raw_server: Start) -> None:
    def half(_request: bytes) -> bytes:
        return b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + b": still here\n\n" * 1000

    server = raw_server(half)
    # The raw server closes after its answer; a listener that never answers keeps the connection.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        failed = failure(Wanted(f"http://127.0.0.1:{silent.getsockname()[1]}/mcp", timeout=0.2))

    assert "no complete answer within 0.2 s" in str(failed)
    assert "stream ended before the answer" in str(failure(Wanted(server.url)))


class Clock:
    """Time that passes only while the probe pauses."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def test_it_tries_again_until_the_endpoint_works(raw_server: Start) -> None:
    refused = [http_answer("", "503 Service Unavailable")] * 3
    works = mcp_responder()
    server = raw_server(lambda request: refused.pop() if refused else works(request))
    clock = Clock()

    result = probe_until(Wanted(server.url), 60, clock.pause, clock)

    assert result["attempts"] == 4
    assert clock.pauses == [0.2, 0.4, 0.8]


def test_the_wait_ends_with_the_last_failure_and_the_number_of_tries(raw_server: Start) -> None:
    server = raw_server(mcp_responder({"initialize": HELLO}))
    clock = Clock()

    with pytest.raises(EndpointError) as caught:
        probe_until(Wanted(server.url, min_tools=1), 10, clock.pause, clock)

    assert "0 tools are fewer than min_tools 1" in str(caught.value)
    assert "(the last of 8 tries in 10 s)" in str(caught.value)
    assert caught.value.layer == "assert"
    assert clock.now <= 10


def test_what_waiting_cannot_heal_is_not_waited_for(raw_server: Start) -> None:
    server = raw_server(lambda _request: http_answer("", "403 Forbidden"))
    clock = Clock()

    with pytest.raises(EndpointError, match="HTTP 403"):
        probe_until(Wanted(server.url), 60, clock.pause, clock)

    assert clock.pauses == []
