# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who comes with a credential that is no good, and who comes with one for what is somebody else's."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from broker.harness import BrokerProcess, Json, Reply, rpc, run_broker, server, write_config
from broker.issuer import Issuer, b64, jwk, new_key, signed
from broker.raw_upstream import RawUpstream

from broker import session_client, stateless

RESOURCE = "https://mcp.example.com/mcp"
METADATA = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
KEY = "mcpk_" + "0123456789abcdef" * 3
FORM: list[Any] = ["elicitation/create", {"message": "?", "requestedSchema": {"type": "object", "properties": {}}}]
CALL = rpc("tools/call", {"name": "r_echo", "arguments": {"text": "x"}})


class World:
    """A broker, what it trusts, and the server behind it."""

    def __init__(self, broker: BrokerProcess, issuer: Issuer, upstream: RawUpstream) -> None:
        self.broker = broker
        self.issuer = issuer
        self.upstream = upstream

    def token(self, subject: str = "alice", **claims: Any) -> str:
        return self.issuer.token(claims.pop("audience", RESOURCE), sub=subject, **claims)

    def claims(self, **changes: Any) -> Json:
        now = int(time.time())
        return {"iss": self.issuer.url, "sub": "alice", "aud": RESOURCE, "iat": now, "exp": now + 300, **changes}

    def post(self, message: Json, token: str | None, session: str = "", path: str = "/mcp", **headers: str) -> Reply:
        sent = {"content-type": "application/json", "accept": stateless.BOTH, **headers}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        if session:
            sent["mcp-session-id"] = session
        return self.broker.request("POST", path, message, sent)

    def session(self, token: str) -> str:
        params = {"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}}}
        reply = self.post(rpc("initialize", params), token)
        assert reply.status == 200, reply.body
        return reply.headers["mcp-session-id"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A broker that trusts one issuer and one key; Bob and the key have 5 calls."""
    with RawUpstream("echo", "ask") as upstream, Issuer() as issuer:
        config = {
            "servers": [server("ns/raw", upstream.url, "r_")],
            "broker": {
                "auth": {
                    "resource": RESOURCE,
                    "issuers": [{"issuer": issuer.url}],
                    "apiKeys": [{"name": "robot", "hash": f"sha256:{hashlib.sha256(KEY.encode()).hexdigest()}"}],
                    "certificates": {"header": "x-client-cert", "proxies": ["192.0.2.0/24"]},
                },
                "rateLimits": [{"name": "calls", "quota": 30, "period": "month"}],
            },
        }
        directory = tmp_path_factory.mktemp("strangers")
        with run_broker(directory, config) as broker:
            broker.wait_ready("ns/raw")
            yield World(broker, issuer, upstream)


def changed(token: str, **claims: Any) -> str:
    head, _, rest = token.partition(".")
    body, _, mark = rest.partition(".")
    said = json.loads(urlsafe_b64decode(body + "=="))
    return f"{head}.{b64(json.dumps({**said, **claims}).encode())}.{mark}"


STRANGER = new_key("ES256")
BAD_TOKENS: dict[str, Callable[[World], str]] = {
    "an outsider's, in the issuer's name": lambda at: signed(at.claims(), "ES256", STRANGER, kid="one"),
    "an outsider's, of its own issuer": lambda at: signed(at.claims(iss="https://evil.example"), "ES256", STRANGER),
    "of a key that it brings": lambda at: signed(at.claims(), "ES256", STRANGER, jwk=jwk(STRANGER, "mine")),
    "of a key that it points at": lambda at: signed(at.claims(), "ES256", STRANGER, jku="http://127.0.0.1:9/keys"),
    "of a key path that it chooses": lambda at: signed(at.claims(), "ES256", STRANGER, kid="../../../../dev/null"),
    "for another server": lambda at: at.token(audience="https://other.example.com/mcp"),
    "for a server whose name begins alike": lambda at: at.token(audience=RESOURCE + ".evil.example"),
    "for the host": lambda at: at.token(audience="https://mcp.example.com"),
    "for nobody": lambda at: at.token(audience=None),
    "expired": lambda at: at.token(lifetime=-90),
    "without an end": lambda at: at.token(exp=None),
    "of tomorrow": lambda at: at.token(nbf=int(time.time()) + 86_400),
    "alg none": lambda at: signed(at.claims(), "none", None),
    "alg nOnE with its key id": lambda at: signed(at.claims(), "nOnE", None, kid="one"),
    "signed by HMAC with the public key": lambda at: signed(
        at.claims(), "HS256", json.dumps(at.issuer.keys[0]).encode(), kid="one"
    ),
    "changed after it was signed": lambda at: changed(at.token(), sub="root"),
    "without its signature": lambda at: at.token().rpartition(".")[0] + ".",
    "an ID token": lambda at: signed(at.claims(), "ES256", at.issuer.key, kid="one", typ="logout+jwt"),
    "bound to a key of another client": lambda at: at.token(cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
    "that needs an extension": lambda at: signed(
        at.claims(), "ES256", at.issuer.key, kid="one", crit=["b64"], b64=False
    ),
    "no token": lambda at: "x",
    "empty": lambda at: "",
    "a key that nobody has": lambda at: KEY[:-1] + "0",
    "very long": lambda at: "a." * 20_000,
}


@pytest.mark.parametrize("kind", BAD_TOKENS)
def test_a_credential_that_is_no_good_opens_nothing(world: World, kind: str) -> None:
    token = BAD_TOKENS[kind](world)
    session = world.session(world.token())
    before = len(world.upstream.calls)
    asked = [
        world.post(rpc("initialize", {"protocolVersion": "2025-11-25"}), token),
        world.post(CALL, token, session),
        world.post(stateless.message("tools/list"), token, **stateless.headers(stateless.message("tools/list"))),
        world.broker.request("GET", "/mcp", None, {"authorization": f"Bearer {token}", "mcp-session-id": session}),
        world.broker.request("DELETE", "/mcp", None, {"authorization": f"Bearer {token}", "mcp-session-id": session}),
    ]

    for reply in asked:
        assert reply.status == 401, reply.body
        told = reply.headers["www-authenticate"]
        assert told.startswith('Bearer error="invalid_token"'), told
        assert f'resource_metadata="{METADATA}"' in told
        assert reply.error["code"] == -32600
        assert "mcp-session-id" not in reply.headers
        assert not token or len(token) < 5 or token.encode() not in reply.body
    assert len(world.upstream.calls) == before
    assert len(token) < 5 or token not in world.broker.log
    assert world.post(rpc("ping"), world.token(), session).status == 200, "the session lives on"


def test_without_a_credential_a_client_learns_where_to_get_one_and_nothing_else(world: World) -> None:
    for headers in ({}, {"x-client-cert": "CN=alice"}, {"x-forwarded-for": "192.0.2.1", "x-client-cert": "CN=alice"}):
        reply = world.post(rpc("tools/list"), None, **headers)

        assert reply.status == 401
        assert reply.headers["www-authenticate"] == f'Bearer resource_metadata="{METADATA}"'
    reply = world.post(rpc("tools/list"), None, path=f"/mcp?access_token={world.token()}")
    assert reply.status == 401, "a token in a URL is in logs and histories, and is none (RFC 9700 section 4.3.2)"


def test_two_credentials_are_none(world: World) -> None:
    reply = world.post(rpc("ping"), f"{world.token()}, Bearer {world.token('bob')}")

    assert reply.status == 401


def test_the_session_of_another_principal_is_as_unknown_as_any(world: World) -> None:
    mine = world.session(world.token())
    unknown = world.post(CALL, world.token("bob"), "A" * len(mine))
    assert unknown.status == 404

    for other in (world.token("bob"), KEY, world.token("alice ")):
        reply = world.post(CALL, other, mine)
        assert (reply.status, reply.body) == (404, unknown.body)
        ends = {"authorization": f"Bearer {other}", "mcp-session-id": mine, "accept": "text/event-stream"}
        assert world.broker.request("GET", "/mcp", None, ends).status == 404
        assert world.broker.request("DELETE", "/mcp", None, ends).status == 404
    assert world.post(rpc("ping"), world.token(), mine).status == 200
    assert world.post(rpc("ping"), world.token(client_id="another"), mine).status == 200, "the principal is the same"


def test_nobody_answers_or_cancels_for_another_principal(world: World) -> None:
    alice, bob = world.token(), world.token("bob")
    world.broker.session = world.session(alice)
    with session_client.opened(
        world.broker,
        "POST",
        rpc("tools/call", {"name": "r_ask", "arguments": {"rounds": [[FORM]]}}, 7),
        {"authorization": f"Bearer {alice}"},
    ) as stream:
        asked = stream.message()
        forged = {"jsonrpc": "2.0", "id": asked["id"], "result": {"action": "accept", "content": {"answer": "bob"}}}
        given = {**forged, "result": {"action": "accept", "content": {"answer": "alice"}}}
        cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}
        for message in (forged, cancel):
            assert world.post(message, bob, world.broker.session).status == 404
            assert world.post(message, bob, world.session(bob)).status == 202, (
                "in a session of one's own it is for nobody"
            )
        assert world.post(given, alice, world.broker.session).status == 202
        result = stream.message()

    assert "alice" in json.dumps(result["result"])
    assert "bob" not in json.dumps(result["result"])


def test_a_flood_of_one_principal_leaves_the_others_alone(world: World) -> None:
    mallory, carol = world.token("mallory"), world.token("carol")
    session = world.session(mallory)

    replies = [world.post(CALL, mallory, session) for _ in range(40)]

    assert [reply.status for reply in replies] == [200] * 30 + [429] * 10
    assert replies[-1].error["data"]["limit"] == "calls"
    assert int(replies[-1].headers["retry-after"]) > 0
    assert world.post(CALL, mallory, world.session(mallory)).status == 429, "another session does not help"
    assert world.post(CALL, world.token("mallory", client_id="x"), session).status == 429, "nor another token"
    assert world.post(CALL, carol, world.session(carol)).status == 200


def test_no_server_gets_the_clients_credential(world: World) -> None:
    for token in (world.token("dave"), KEY):
        assert world.post(CALL, token, world.session(token)).status == 200
        sent = world.upstream.calls[-1]["headers"]
        assert "authorization" not in {name.lower() for name in sent}
        assert token not in json.dumps(dict(sent))


def test_a_broker_that_asks_nobody_who_they_are_serves_its_own_machine_only(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    write_config(config, {"servers": []})
    command = [sys.executable, "-m", "mcpops_broker", "serve", "--config", str(config), "--port", "0"]

    ended = subprocess.run([*command, "--host", "0.0.0.0"], capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 2
    assert "the broker would serve everybody who reaches 0.0.0.0: say in broker.auth whom it serves" in ended.stderr
