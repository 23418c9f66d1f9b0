# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A broker that asks who makes a request: tokens of a real issuer, API keys, a proxy's word, and the official client's
way to a token."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from broker.harness import BrokerProcess, Json, Reply, request, rpc, run_broker, server, wait_until
from broker.issuer import Issuer, b64
from broker.raw_upstream import RawUpstream
from broker.session_client import opened
from broker.test_broker_sdk_client import free_port
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.oauth2 import AuthorizationCodeResult
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.auth import OAuthClientMetadata

from broker import stateless

INITIALIZE = rpc("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}})
POLICY = {
    "rules": [
        {"name": "all", "allow": "tool.originalName == 'echo'"},
        {"name": "write", "allow": "tool.originalName == 'wait'", "scopes": ["mcp", "mcp:write"]},
    ]
}


UNSIGNED = b64(b'{"alg":"none","typ":"JWT"}')
"""The header of a token that nobody has signed."""


@dataclass
class Guarded:
    """A broker with two workers that takes tokens and keys."""

    broker: BrokerProcess
    issuer: Issuer
    upstream: RawUpstream
    personal: RawUpstream
    """Offers each user something else."""
    resource: str
    key: str
    config: Json

    def token(self, **claims: Any) -> dict[str, str]:
        """Return headers with a good token, as far as the claims leave it good."""
        return {"authorization": "Bearer " + self.issuer.token(**{"audience": self.resource, "scope": "mcp", **claims})}

    def initialize(self, headers: dict[str, str]) -> Reply:
        return self.broker.post(INITIALIZE, headers, session="")


def hash_key(*arguments: str, key: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mcpops_broker", "hash-key", *arguments]
    return subprocess.run(command, input=key, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with ExitStack() as stack:
        issuer, upstream = stack.enter_context(Issuer("/realms/mcp")), stack.enter_context(RawUpstream("echo", "wait"))
        personal = stack.enter_context(RawUpstream("echo"))
        port = free_port()
        resource = f"http://127.0.0.1:{port}/mcp"
        made = dict(line.split(": ") for line in hash_key("--generate").stdout.splitlines())
        options = {
            "resource": resource,
            "scopes": ["mcp"],
            "issuers": [{"issuer": issuer.url, "keysCooldown": 0.1}],
            "apiKeys": [{"name": "ci", "hash": made["hash"], "groups": ["robots"]}],
            "clockSkew": 0,
        }
        servers = [server("ns/a", upstream.url, "a_"), server("ns/p", personal.url, "p_", userSpecificList=True)]
        virtual = [{"name": "ns/v", "tools": ["a_echo"]}]
        config = {"servers": servers, "virtualServers": virtual, "broker": {"auth": options, "policy": POLICY}}
        folder: Path = tmp_path_factory.mktemp("auth")
        broker = stack.enter_context(run_broker(folder, config, "--port", str(port), "--workers", "2"))
        broker.wait_ready("ns/a", "ns/p")
        yield Guarded(broker, issuer, upstream, personal, resource, made["key"], config)


def test_who_says_nothing_is_told_where_to_get_a_token(guarded: Guarded) -> None:
    origin = guarded.resource.removesuffix("/mcp")
    for method, path in (("POST", "/mcp"), ("GET", "/mcp"), ("DELETE", "/mcp"), ("POST", "/mcp/v/ns/v")):
        reply = guarded.broker.request(method, path, None, {"content-type": "application/json"})
        metadata = f"{origin}/.well-known/oauth-protected-resource{path}"
        assert reply.status == 401
        assert reply.headers["www-authenticate"] == f'Bearer scope="mcp", resource_metadata="{metadata}"'
        assert reply.error == {"code": -32600, "message": "Unauthorized: say who you are"}

        told = request(origin, "GET", urlsplit(metadata).path)
        assert (told.status, told.headers["access-control-allow-origin"]) == (200, "*")
        assert told.json == {
            "resource": origin + path,
            "authorization_servers": [guarded.issuer.url],
            "bearer_methods_supported": ["header"],
            "resource_name": "MCP Server",
            "scopes_supported": ["mcp"],
        }
    assert request(origin, "GET", "/.well-known/oauth-protected-resource").json["resource"] == guarded.resource
    assert request(origin, "GET", "/.well-known/oauth-protected-resource/other").status == 404
    assert guarded.broker.request("OPTIONS", "/mcp").status == 200
    assert guarded.broker.request("GET", "/healthz").status == 200


def test_tokens_that_are_not_good_are_refused(guarded: Guarded) -> None:
    head, claims, signature = guarded.token()["authorization"].split(".")
    refused = {
        "its audience is not this server": guarded.token(audience="https://mcp.example.com/mcp"),
        "has expired": guarded.token(lifetime=-1),
        "is not signed with one of": {"authorization": f"Bearer {UNSIGNED}.{claims}."},
        "is not signed with the trusted key": {"authorization": f"{head}.{claims}.{signature[9:18]}{signature[9:]}"},
        "is not trusted here": guarded.token(iss="https://idp.example.com"),
        "is not known here": {"x-api-key": "mcpk_" + "A" * 43},
    }

    for why, headers in refused.items():
        reply = guarded.initialize(headers)
        assert (reply.status, why in reply.error["message"]) == (401, True), reply.body
        assert reply.headers["www-authenticate"].startswith('Bearer error="invalid_token", error_description="the cred')
    reply = guarded.initialize(guarded.token(scope="other"))
    assert (reply.status, 'error="insufficient_scope"' in reply.headers["www-authenticate"]) == (403, True)
    assert claims not in guarded.broker.log


def test_a_session_is_its_principals_alone(guarded: Guarded) -> None:
    broker, alice = guarded.broker, guarded.token()
    session = guarded.initialize(alice).headers["mcp-session-id"]
    call = rpc("tools/call", {"name": "a_echo", "arguments": {"text": "x"}})

    again = guarded.token(jti="another token of hers")
    for _ in range(4):  # any worker
        assert broker.post(call, again, session).json["result"]["content"][0]["text"]
        for other in (guarded.token(sub="bob"), {"x-api-key": guarded.key}):
            stolen = broker.post(call, other, session)
            assert (stolen.status, stolen.error["message"][:17]) == (404, "Session not found")
            assert (
                broker.request("GET", "/mcp", None, {**other, "mcp-session-id": session, "accept": "*/*"}).status == 404
            )
            assert broker.request("DELETE", "/mcp", None, {**other, "mcp-session-id": session}).status == 404
        assert broker.post(call, {}, session).status == 401
    assert broker.post(call, alice, session).status == 200


def test_a_token_for_a_virtual_server_is_for_nothing_else(guarded: Guarded) -> None:
    broker, only = guarded.broker, guarded.token(audience=guarded.resource + "/v/ns/v")
    call = rpc("tools/call", {"name": "a_echo", "arguments": {}})

    started = broker.request("POST", "/mcp/v/ns/v", INITIALIZE, {**only, "content-type": "application/json"})
    headers = {**only, "content-type": "application/json", "mcp-session-id": started.headers["mcp-session-id"]}

    assert broker.request("POST", "/mcp/v/ns/v", call, headers).status == 200
    for path in ("/mcp", "/mcp/v/ns/w", "/mcp/v/ns%2Fv", "/mcp/v/ns/v/../w", "/mcp/stateful"):
        assert broker.request("POST", path, call, headers).status in (401, 404), path


def test_what_is_for_the_broker_goes_no_further(guarded: Guarded) -> None:
    broker = guarded.broker
    for headers in (guarded.token(), {"x-api-key": guarded.key}, {"authorization": "Bearer " + guarded.key}):
        session = guarded.initialize(headers).headers["mcp-session-id"]
        for tool in ("a_echo", "p_echo"):
            reply = broker.post(rpc("tools/call", {"name": tool, "arguments": {"text": "t"}}), headers, session)
            assert (reply.status, "result" in reply.json) == (200, True)
        sent = stateless.message("tools/call", {"name": "a_echo", "arguments": {}})
        assert stateless.send(broker, sent, headers).status == 200
    received = [call["headers"] for one in (guarded.upstream, guarded.personal) for call in one.calls]
    assert len(received) >= 9
    assert not any("authorization" in str(headers).lower() or guarded.key in str(headers) for headers in received)
    assert guarded.key not in broker.log
    assert "eyJ" not in broker.log


def test_streams_end_when_a_token_expires(guarded: Guarded) -> None:
    broker = guarded.broker
    expires = time.time() + 3
    headers = guarded.token(exp=expires)
    broker.session = guarded.initialize(headers).headers["mcp-session-id"]

    with opened(broker, "GET", None, headers) as stream:
        listen = stateless.message("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
        with stateless.stream(broker, listen, headers) as listening:
            assert listening.next()["method"] == "notifications/subscriptions/acknowledged"
            assert listening.rest()[-1]["result"]["resultType"] == "complete"
        stream.rest()

    assert time.time() >= expires
    assert broker.post(rpc("ping"), headers).status == 401
    assert broker.post(rpc("ping"), guarded.token()).status == 200
    broker.session = None


class Person:
    """Who logs in at the issuer and says yes to everything; and where the official client keeps what it gets."""

    def __init__(self) -> None:
        self.asked: list[dict[str, list[str]]] = []
        self._came_back = ""
        self._kept: dict[str, Any] = {}

    async def redirect(self, url: str) -> None:
        self.asked.append(parse_qs(urlsplit(url).query))
        origin, _, rest = url.partition("/realms")
        self._came_back = request(origin, "GET", "/realms" + rest).headers["location"]

    async def callback(self) -> AuthorizationCodeResult:
        query = parse_qs(urlsplit(self._came_back).query)
        return AuthorizationCodeResult(code=query["code"][0], state=query["state"][0])

    async def get_tokens(self) -> Any:
        return self._kept.get("tokens")

    async def set_tokens(self, tokens: Any) -> None:
        self._kept["tokens"] = tokens

    async def get_client_info(self) -> Any:
        return self._kept.get("client")

    async def set_client_info(self, client_info: Any) -> None:
        self._kept["client"] = client_info


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("path", ["", "/v/ns/v"])
async def test_the_official_client_gets_a_token_and_more_scopes_when_needed(
    guarded: Guarded, mode: Any, path: str
) -> None:
    person = Person()
    metadata = OAuthClientMetadata(client_name="test", redirect_uris=["http://127.0.0.1:1/callback"])  # type: ignore[list-item]  # text is read as an address
    url = guarded.resource + path
    provider = OAuthClientProvider(url, metadata, person, person.redirect, person.callback)

    async with create_mcp_http_client(auth=provider) as http:
        transport = streamable_http_client(url, http_client=http)
        async with Client(transport, mode=mode) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            assert "a_echo" in tools
            assert person.asked[0]["scope"] == ["mcp"]
            assert person.asked[0]["resource"] == [url]
            if path:
                return
            guarded.upstream.let_go()
            await client.call_tool("a_wait", {})
            assert [set(asked["scope"][0].split()) for asked in person.asked] == [{"mcp"}, {"mcp", "mcp:write"}]


def test_the_file_may_change_who_comes_in(guarded: Guarded) -> None:
    broker, key = guarded.broker, {"x-api-key": guarded.key}
    session = guarded.initialize(key).headers["mcp-session-id"]
    assert broker.post(rpc("ping"), key, session).status == 200

    changed = json.loads(json.dumps(guarded.config))
    changed["broker"]["auth"]["apiKeys"] = []
    broker.session = session
    with opened(broker, "GET", None, key) as stream:
        broker.configure(changed)
        stream.rest()  # its client is not recognized any more
    broker.session = None
    wait_until(lambda: {broker.post(rpc("ping"), key, session).status for _ in range(6)} == {401}, "the key is refused")

    broker.configure(guarded.config)
    wait_until(lambda: {broker.post(rpc("ping"), key, session).status for _ in range(6)} == {200}, "it is taken again")


def test_the_key_of_session_ids_can_be_changed(guarded: Guarded, tmp_path: Path) -> None:
    old, new = "o" * 32, "n" * 32
    with run_broker(tmp_path, {"servers": [], "broker": {"signingKey": old}}) as broker:
        before = broker.initialize()
        broker.configure({"servers": [], "broker": {"signingKey": new, "signingKeys": [{"key": old}]}})
        wait_until(lambda: "config.loaded" in broker.log, "the file is read")
        after = broker.initialize()
        assert {broker.post(rpc("ping"), session=one).status for one in (before, after)} == {200}

        broker.configure({"servers": [], "broker": {"signingKey": new}})
        wait_until(lambda: broker.post(rpc("ping"), session=before).status == 404, "the old key is forgotten")
        assert broker.post(rpc("ping"), session=after).status == 200
        assert old not in broker.log and new not in broker.log


def test_nobody_beyond_this_machine_is_served_by_accident(tmp_path: Path) -> None:
    def start(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mcpops_broker", *arguments, "--config", str(tmp_path / "config.yaml")]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    (tmp_path / "config.yaml").write_text("servers: []")
    for command in (("serve", "--port", "0"), ("check",)):
        done = start(*command, "--host", "0.0.0.0")
        assert (done.returncode, "the broker would serve everybody who reaches 0.0.0.0" in done.stderr) == (2, True)
    assert start("check", "--host", "0.0.0.0", "--anonymous").returncode == 0
    with run_broker(tmp_path / "open", {"broker": {"auth": {"anonymous": True}}}, "--host", "0.0.0.0") as broker:
        local = broker.url.replace("0.0.0.0", "127.0.0.1")
        broker.configure("servers: []")
        wait_until(lambda: "config.rejected" in broker.log, "a file that opens the broker by accident is not used")
        sent = {"content-type": "application/json"}
        assert request(local, "POST", "/mcp", INITIALIZE, sent).status == 200


def test_keys_are_hashed_on_the_command_line() -> None:
    key = "0123456789abcdef0123456789ABCDEF"

    given, made, short = hash_key(key=key + "\n"), hash_key("--generate"), hash_key(key="secret\n")

    assert (given.returncode, len(given.stdout)) == (0, len("hash: sha256:\n") + 64)
    lines = made.stdout.splitlines()
    assert lines[0].startswith("key: mcpk_")
    assert hash_key(key=lines[0][5:]).stdout.splitlines() == [lines[1]]
    assert (short.returncode, "at least 32" in short.stderr, "secret" in short.stderr) == (2, True, False)
