# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the broker and its upstreams say to each other: revisions, credentials, TLS, proxies, pings, cancellation."""

from __future__ import annotations

import ssl
import threading
from pathlib import Path

import pytest
from aiohttp import web
from broker.conftest import StartBroker, StartUpstream
from broker.harness import rpc, server, wait_until
from sandbox.seed import self_signed


def test_an_https_upstream_is_trusted_by_its_own_authority(
    broker: StartBroker, upstream: StartUpstream, tmp_path: Path
) -> None:
    pem, key = self_signed("localhost")
    certificate, both = pem.decode(), tmp_path / "server.pem"
    both.write_bytes(pem + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    url = upstream("echo", tls=context).url.replace("127.0.0.1", "localhost")
    trusted, untrusted = server("yes", url, "y_", caCert=certificate), server("no", url, "n_")
    running = broker({"servers": [trusted, untrusted]})
    running.wait_ready("yes")
    running.initialize()

    assert running.call("y_echo", {"text": "safe"})["result"]["content"][0]["text"] == "safe"
    wait_until(lambda: running.server("no")["state"] == "failed", "the other is refused")
    assert "the TLS certificate of localhost" in running.server("no")["message"]

    running.configure({"servers": [untrusted], "gatewayCACertPEM": certificate})
    running.wait_ready("no")


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
