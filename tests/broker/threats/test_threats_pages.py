# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Web pages and paths that are not what they look like."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from broker.harness import BrokerProcess, Reply, rpc, run_broker, server
from broker.raw_upstream import RawUpstream

PATHS = ["/mcp", "/mcp/stateless", "/mcp/v/ns/one", "/status", "/ui", "/metrics", "/openapi.json"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """One broker, as somebody has it on a machine with a browser."""
    with RawUpstream("echo", "secret") as upstream:
        config = {
            "servers": [server("ns/raw", upstream.url, "r_")],
            "virtualServers": [{"name": "ns/one", "tools": ["r_echo"]}],
        }
        with run_broker(tmp_path_factory.mktemp("pages"), config) as broker:
            broker.wait_ready("ns/raw")
            yield broker


def ask(running: BrokerProcess, path: str, **headers: str) -> Reply:
    """Send what a path is for."""
    if path.startswith("/mcp"):
        sent = {"content-type": "application/json", **headers}
        return running.request("POST", path, rpc("initialize", {"protocolVersion": "2025-11-25"}), sent)
    return running.request("GET", path, None, headers)


@pytest.mark.parametrize(
    "origin", ["http://rebound.example", "http://rebound.example:8080", "null", "http://127.0.0.1.x"]
)
@pytest.mark.parametrize("path", PATHS[:3])
def test_a_page_of_another_site_cannot_speak_mcp(running: BrokerProcess, path: str, origin: str) -> None:
    reply = ask(running, path, origin=origin)

    why = "Forbidden: the Origin header names a site that is not allowed here (broker.allowedOrigins)"
    assert (reply.status, reply.json) == (
        403,
        {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": why}},
    )
    assert "mcp-session-id" not in reply.headers


@pytest.mark.parametrize("path", PATHS)
def test_a_page_whose_name_was_made_to_point_here_reads_nothing(running: BrokerProcess, path: str) -> None:
    """After DNS rebinding a browser takes the page and the broker for one site, and sends no Origin with a GET."""
    assert ask(running, path).status == 200

    reply = ask(running, path, host="rebound.example:8080")

    assert reply.status == 421
    assert b"the Host header names a host that is not served here" in reply.body
    assert b"r_echo" not in reply.body
    assert "mcp-session-id" not in reply.headers


@pytest.mark.parametrize(
    "path",
    [
        "/mcp/v/../../status",
        "/mcp/v/ns/one/../../..",
        "/mcp/v/ns/one/..%2f..%2f..",
        "/mcp/v/%2e%2e/ns/one",
        "/mcp/v/%252e%252e/ns/one",
        "/mcp/v/ns%2fone",
        "/mcp/v/ns\\one",
        "/mcp/v/ns/one%00",
        "/mcp/v/ns/one%0d%0ax:y",
        "/mcp/v/ns/one/",
        "/mcp/v/",
        "/mcp/./v/ns/one",
        "/mcp/v/none",
        "/%6dcp/v/ns/one",
    ],
)
def test_a_path_that_climbs_out_of_a_virtual_server_leads_nowhere(running: BrokerProcess, path: str) -> None:
    reply = ask(running, path)

    assert reply.status == 404, reply.body
    assert b"ns/raw" not in reply.body
    assert "mcp-session-id" not in reply.headers
    assert ask(running, "/mcp/v/ns/one").status == 200


@pytest.mark.parametrize("path", ["/status", "/ui", "/metrics", "/openapi.json", "/none"])
def test_no_answer_can_be_framed_kept_or_taken_for_something_else(running: BrokerProcess, path: str) -> None:
    headers = ask(running, path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] in ("no-referrer", "same-origin")
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"].startswith("no-")
    assert ask(running, "/mcp").headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", PATHS)
def test_no_page_of_another_site_may_read_an_answer(running: BrokerProcess, path: str) -> None:
    reply = ask(running, path, origin="http://localhost:3000")  # a site that is allowed to ask, not to read

    assert reply.status == 200
    assert "access-control-allow-origin" not in reply.headers


POST = b"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
SECOND = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        POST + b"content-length: 48\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND,
        POST + b"content-length: 0\r\ncontent-length: 48\r\n\r\n" + SECOND,
        POST + b"content-length: 0, 48\r\n\r\n" + SECOND,
        POST + b"content-length: +0\r\n\r\n" + SECOND,
        POST + b"content-length : 48\r\n\r\n" + SECOND,
        POST + b"transfer-encoding: xchunked\r\n\r\n" + SECOND,
        POST + b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n" + SECOND,
        POST + b"x: y\r\n transfer-encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND,
        POST + b"x: y\rtransfer-encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND,
        POST + b"transfer-encoding: chunked\r\n\r\n0\n\n" + SECOND,
        POST.replace(b"\r\n", b"\n") + b"content-length: 0\n\n" + SECOND,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SECOND,
    ],
)
def test_what_two_programs_read_differently_is_refused(running: BrokerProcess, request_: bytes) -> None:
    parts = urlsplit(running.url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30) as connection:
        connection.sendall(request_)
        answer = b""
        while more := connection.recv(65_536):
            answer += more

    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.endswith(b"\r\n\r\nInvalid HTTP request received.")
    assert answer.count(b"HTTP/1.1") == 1, "the second request is not served"
