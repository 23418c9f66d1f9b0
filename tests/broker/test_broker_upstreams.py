# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Upstreams that are odd, broken, slow or gone, and what clients see of it."""

from __future__ import annotations

import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import web
from broker.conftest import StartBroker, StartUpstream
from broker.harness import rpc, server, wait_until
from broker.raw_upstream import tool
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

FAST = {"checkInterval": 0.2, "limits": {"response": 1_000_000}}
SHORT = {**FAST, "timeouts": {"connect": 5, "firstByte": 0.5, "total": 1}}


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
    (hidden,) = second["hiddenTools"]
    assert hidden["name"] == "same"
    assert hidden["owner"] == "first"
    assert "upstream first, which comes first in the configuration" in hidden["reason"]
    assert running.server("first")["hiddenTools"] == []


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
    assert running.status()["virtualServers"][0] == {"name": "ns/v", "tools": 2, "missing": ["p_gone"]}


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


BAD_ANSWERS = {
    "error500": "answered HTTP 500",
    "malformed": "sent what is not JSON-RPC",
    "html": "answered with content type 'text/html; charset=utf-8'",
    "other_id": "answered without a response to the request",
    "not_rpc": "sent what is not JSON-RPC",
    "unauthorized": "refused the configured credential (HTTP 401)",
    "huge": "more than the limit of 1000000",
    "huge_event": "larger than 1000000 bytes",
    "break_off": "the body ended too early",
    "end_early": "ended its stream without a response",
}


def test_a_failed_call_is_an_error_that_names_the_upstream(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo", *BAD_ANSWERS)
    running = broker({"servers": [server("ns/raw", raw.url)], "broker": FAST})
    running.wait_ready("ns/raw")
    running.initialize()

    for tool_name, problem in BAD_ANSWERS.items():
        error = running.call(tool_name)["error"]
        assert error["code"] == -32603, tool_name
        assert error["message"].startswith("upstream ns/raw: "), tool_name
        assert problem in error["message"], tool_name
        assert error["data"]["upstream"] == "ns/raw", tool_name
        assert running.call("echo", {"text": "fine"})["result"]["content"][0]["text"] == "fine", tool_name


@pytest.mark.parametrize(
    ("tool_name", "problem"),
    [("wait", "no answer within 0.5 s"), ("hang_stream", "no complete answer within 1 s")],
)
def test_a_call_that_takes_too_long_is_given_up(
    broker: StartBroker, upstream: StartUpstream, tool_name: str, problem: str
) -> None:
    raw = upstream(tool_name)
    running = broker({"servers": [server("ns/raw", raw.url)], "broker": SHORT})
    running.wait_ready("ns/raw")
    running.initialize()

    error = running.call(tool_name)["error"]

    assert error == {
        "code": -32603,
        "message": f"upstream ns/raw: {problem}",
        "data": {"upstream": "ns/raw", "reason": "timeout"},
    }


def test_a_stream_that_an_upstream_closes_early_is_resumed(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("resume")
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")
    running.initialize()

    assert running.call("resume")["result"]["content"][0]["text"] == "resumed"
    assert len(raw.calls) == 1


def test_an_https_upstream_is_trusted_by_its_own_authority(
    broker: StartBroker, upstream: StartUpstream, tmp_path: Path
) -> None:
    certificate, context = self_signed(tmp_path)
    raw = upstream("echo", tls=context)
    trusted, untrusted = server("yes", raw.url, "y_", caCert=certificate), server("no", raw.url, "n_")
    running = broker({"servers": [trusted, untrusted]})
    running.wait_ready("yes")
    running.initialize()

    assert running.call("y_echo", {"text": "safe"})["result"]["content"][0]["text"] == "safe"
    wait_until(lambda: running.server("no")["state"] == "failed", "the other is refused")
    assert "the TLS certificate of 127.0.0.1" in running.server("no")["message"]

    running.configure({"servers": [untrusted], "gatewayCACertPEM": certificate})
    running.wait_ready("no")


def self_signed(directory: Path) -> tuple[str, ssl.SSLContext]:
    """Make a certificate for 127.0.0.1; return its PEM and a server's TLS settings with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM)
    file = directory / "server.pem"
    file.write_bytes(pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return pem.decode(), context


def test_a_call_that_timed_out_is_cancelled_at_the_upstream(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("wait")
    running = broker({"servers": [server("a", raw.url)], "broker": SHORT})
    running.wait_ready("a")
    running.initialize()

    running.call("wait")

    wait_until(lambda: raw.cancelled == [{"requestId": 1, "reason": "timeout"}], "the upstream was told")


def test_an_upstreams_json_rpc_error_beside_an_http_error_is_passed_on_without_our_credential(
    broker: StartBroker, upstream: StartUpstream
) -> None:
    raw = upstream("rpc_error")
    running = broker({"servers": [server("a", raw.url, credential="Bearer s3cr3t-value")]})
    running.wait_ready("a")
    running.initialize()

    error = running.call("rpc_error")["error"]

    assert error == {"code": -32602, "message": "refused ***", "data": {"field": "text"}}


def test_the_credential_is_sent_to_its_upstream_only_and_never_shown(
    broker: StartBroker, upstream: StartUpstream
) -> None:
    one, two = upstream("echo", "unauthorized"), upstream("echo")
    secret = "Bearer s3cr3t-value"
    config = {
        "servers": [
            server("a", one.url + "?key=qu3ry", "a_", credential=secret),
            server("b", two.url, "b_"),
            server("c", "http://127.0.0.1:9/mcp?key=qu3ry", "c_", credential=secret),
        ],
        "broker": {"signingKey": "t0psecret" * 5},
    }
    running = broker(config, "--log-level", "debug")
    running.wait_ready("a", "b")
    running.initialize()
    running.call("a_echo")
    running.call("b_echo")
    running.call("a_unauthorized")
    wait_until(lambda: running.server("c")["state"] == "failed", "c has failed")

    assert one.calls[0]["headers"]["authorization"] == secret
    assert "authorization" not in two.calls[0]["headers"]
    running.configure({**config, "servers": [server("a", one.url, "a_", credential="Bearer s3cr3t\nvalue")]})
    wait_until(lambda: running.status()["config"]["problems"], "the bad credential is refused")
    running.configure("servers: [{credential: 's3cr3t, url: t0psecret}]")
    wait_until(lambda: "not valid YAML" in str(running.status()["config"]["problems"]), "the bad file is refused")
    shown = running.log + str(running.status())
    for hidden in ("s3cr3t", "qu3ry", "t0psecret"):
        assert hidden not in shown
    assert str(running.session) not in running.log


def test_one_broken_upstream_does_not_harm_the_others(broker: StartBroker, upstream: StartUpstream) -> None:
    good, hanging = upstream("echo"), upstream("wait")
    config = {
        "servers": [
            server("good", good.url, "g_"),
            server("hangs", hanging.url, "h_"),
            server("gone", "http://127.0.0.1:9/mcp"),
        ],
        "broker": {"limits": {"callsPerUpstream": 5}},
    }
    running = broker(config)
    running.wait_ready("good", "hangs")
    running.initialize()
    for number in range(5):
        threading.Thread(
            target=running.post, args=(rpc("tools/call", {"name": "h_wait"}, number),), daemon=True
        ).start()
    wait_until(lambda: len(hanging.calls) == 5, "five calls hang")

    refused = running.call("h_wait")["error"]
    started = time.monotonic()
    for _ in range(20):
        assert "result" in running.call("g_echo")

    assert time.monotonic() - started < 15
    assert refused["data"] == {"upstream": "hangs", "reason": "busy"}
    status = running.status()
    assert (status["healthyServers"], status["unHealthyServers"], status["overallValid"]) == (2, 1, False)
    assert running.request("GET", "/readyz").status == 200


def test_too_many_requests_at_once_are_refused(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("wait")
    running = broker({"servers": [server("a", raw.url)], "broker": {"limits": {"requests": 3}}})
    running.wait_ready("a")
    running.initialize()
    for number in range(3):
        threading.Thread(target=running.post, args=(rpc("tools/call", {"name": "wait"}, number),), daemon=True).start()
    wait_until(lambda: len(raw.calls) == 3, "three calls hang")

    reply = running.post(rpc("ping"))

    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    raw.let_go()
    wait_until(lambda: running.post(rpc("ping")).status == 200, "requests are taken again")


def test_an_upstream_that_comes_back_is_found_and_one_that_goes_is_dropped(
    broker: StartBroker, upstream: StartUpstream
) -> None:
    raw = upstream("echo")
    raw.fail_status = 503
    running = broker({"servers": [server("a", raw.url)], "broker": FAST})
    running.initialize()
    wait_until(lambda: running.server("a")["state"] == "failed", "the failure is seen")
    assert running.server("a")["message"] == "upstream a: answered HTTP 503"
    assert running.request("GET", "/readyz").status == 503

    raw.fail_status = None
    running.wait_ready("a")
    assert running.tools() == ["echo"]

    raw.fail_status = 503
    wait_until(lambda: running.tools() == [], "its tools are dropped after three failures")
    raw.fail_status = None
    wait_until(lambda: running.tools() == ["echo"], "its tools are back")


def test_a_redirect_is_not_followed_and_named_without_its_query(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    raw.fail_status = 307
    running = broker({"servers": [server("a", raw.url)]})

    wait_until(lambda: running.server("a")["state"] == "failed", "the failure is seen")

    assert running.server("a")["message"] == (
        "upstream a: answered with a redirect to http://elsewhere.test/mcp (HTTP 307): configure that address"
    )


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18"])
def test_upstreams_of_older_revisions_are_served(broker: StartBroker, upstream: StartUpstream, version: str) -> None:
    raw = upstream("echo")
    raw.version = version
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")
    running.initialize()

    assert running.call("echo", {"text": "old"})["result"]["content"][0]["text"] == "old"
    assert raw.calls[0]["headers"]["mcp-protocol-version"] == version
    assert running.server("a")["protocolValidation"]["supportedVersion"] == version


def test_an_upstream_of_an_unknown_revision_is_refused_by_name(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo")
    raw.version = "2031-01-01"
    running = broker({"servers": [server("a", raw.url)]})

    wait_until(lambda: running.server("a")["state"] == "failed", "the failure is seen")

    assert running.server("a")["message"] == "upstream a: speaks MCP '2031-01-01', which this broker does not"


def test_an_upstreams_ping_is_answered(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("sse")
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")
    running.initialize()

    running.call("sse")

    wait_until(lambda: raw.pings_answered == 1, "the ping inside the stream was answered")


def test_cancelling_ends_the_call_and_tells_the_upstream(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("wait")
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")
    running.initialize()
    answers: list[object] = []
    call = threading.Thread(target=lambda: answers.append(running.call("wait")))
    call.start()
    wait_until(lambda: raw.calls, "the call has reached the upstream")
    other = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "1"}}
    running.post(other)

    running.post(
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1, "reason": "enough"}}
    )

    wait_until(lambda: raw.cancelled == [{"requestId": 1, "reason": "enough"}], "the upstream was told, once")
    call.join(timeout=60)
    assert answers == [{"jsonrpc": "2.0", "id": 1, "error": {"code": -32800, "message": "Request cancelled"}}]
    wait_until(lambda: raw.dropped == 1, "the connection to the upstream is closed")


def test_another_session_cannot_cancel_a_call(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("wait")
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")
    first = running.initialize()
    answers: list[object] = []
    call = threading.Thread(
        target=lambda: answers.append(running.post(rpc("tools/call", {"name": "wait"}), session=first).json)
    )
    call.start()
    wait_until(lambda: raw.calls, "the call has reached the upstream")

    running.initialize()
    running.post({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
    raw.let_go()

    call.join(timeout=60)
    assert "result" in str(answers)
    assert raw.cancelled == []


def test_a_client_that_goes_away_drops_the_upstreams_connection(broker: StartBroker, upstream: StartUpstream) -> None:
    import socket

    raw = upstream("wait")
    running = broker({"servers": [server("a", raw.url)]})
    running.wait_ready("a")
    session = running.initialize()
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wait"}}'
    head = (
        f"POST /mcp HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nmcp-session-id: {session}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", int(running.url.rpartition(":")[2]))) as connection:
        connection.sendall(head.encode() + body)
        wait_until(lambda: raw.calls, "the call has reached the upstream")

    wait_until(lambda: raw.dropped == 1, "the connection to the upstream is closed")
    assert raw.cancelled == []  # losing a connection is no cancellation (MCP basic/transports)
    wait_until(lambda: running.status()["requestsInFlight"] == 0, "the request is forgotten")


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


def test_a_storm_of_list_changed_does_not_become_a_storm_of_lists(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo", list_changed=True)
    running = broker({"servers": [server("a", raw.url)], "broker": {"checkInterval": 3600}})
    running.wait_ready("a")
    wait_until(lambda: raw.listeners == 1, "the broker listens")
    before = raw.lists

    started = time.monotonic()
    for number in range(200):
        raw.tools = [tool(f"t{number}")]
        raw.push({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
    running.initialize()
    wait_until(lambda: running.tools() == ["t199"], "the last list is there")

    assert raw.lists - before <= 3 + (time.monotonic() - started) / 0.25


async def test_the_proxy_of_the_environment_is_used(
    broker: StartBroker, upstream: StartUpstream, tmp_path: Path
) -> None:
    import asyncio

    from aiohttp import ClientSession

    raw = upstream("echo")
    seen: list[str] = []

    async def forward(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(str(request.url))
        headers = {key: value for key, value in request.headers.items() if key.lower() != "host"}
        async with ClientSession() as session:
            answer = await session.request(request.method, raw.url, data=await request.read(), headers=headers)
            kept = {
                key: value for key, value in answer.headers.items() if key.lower() in ("content-type", "mcp-session-id")
            }
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    proxy = web.ServerRunner(web.Server(forward))
    await proxy.setup()
    site = web.TCPSite(proxy, "127.0.0.1", 0)
    await site.start()
    address = f"http://127.0.0.1:{proxy.addresses[0][1]}"

    def use() -> str:
        env = {"HTTP_PROXY": address, "NO_PROXY": "127.0.0.1,localhost"}
        config = {
            "servers": [
                server("far", "http://far.ns.svc.cluster.local:9090/mcp", "far_"),
                server("near", raw.url, "near_"),
            ]
        }
        running = broker(config, env=env)
        running.wait_ready("far", "near")
        running.initialize()
        running.call("near_echo")
        text: str = running.call("far_echo", {"text": "through"})["result"]["content"][0]["text"]
        return text

    assert await asyncio.to_thread(use) == "through"
    assert set(seen) == {"http://far.ns.svc.cluster.local:9090/mcp"}
    await proxy.cleanup()
