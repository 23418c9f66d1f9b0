# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""With what upstreams are asked: a static header, a token of the broker, an exchanged one, the client's own."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from broker.harness import BrokerProcess, Json, run_broker, server, wait_until
from broker.raw_upstream import RawUpstream
from broker.token_server import TokenServer

ANN = {"authorization": "Bearer ann"}


@dataclass
class Setup:
    """A broker before servers that are asked in different ways."""

    broker: BrokerProcess
    tokens: TokenServer
    header: RawUpstream
    own: RawUpstream
    exchanged: RawUpstream
    passed: RawUpstream


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    """Start them once for the tests of this file."""
    with (
        TokenServer() as tokens,
        RawUpstream() as header,
        RawUpstream() as own,
        RawUpstream(sessions=False) as exchanged,
        RawUpstream() as passed,
    ):
        exchange = {"type": "tokenExchange", **tokens.client(clientAuthentication="post", audience="up")}
        grant = {"type": "clientCredentials", **tokens.client(scopes=["a", "b"], resource=own.url)}
        config = {
            "servers": [
                server("header", header.url, "h_", auth={"type": "header", "name": "X-Api-Key", "valueEnv": "UP_KEY"}),
                server("own", own.url, "o_", auth=grant),
                server("exchanged", exchanged.url, "e_", auth=exchange),
                server("passed", passed.url, "p_", auth={"type": "passthrough"}),
            ]
        }
        directory = tmp_path_factory.mktemp("credentials")
        with run_broker(directory, config, env={"UP_KEY": "hush"}) as broker:
            broker.wait_ready("header", "own", "exchanged", "passed")
            broker.initialize()
            yield Setup(broker, tokens, header, own, exchanged, passed)


def sent(upstream: RawUpstream) -> Json:
    """Return the headers of the last call."""
    headers: Json = upstream.calls[-1]["headers"]
    return headers


def test_a_static_header_may_have_any_name(setup: Setup) -> None:
    setup.broker.call("h_echo", headers=ANN)

    assert sent(setup.header)["x-api-key"] == "hush"
    assert "authorization" not in sent(setup.header)


def test_a_token_of_the_broker_is_fetched_once_and_used_for_everybody(setup: Setup) -> None:
    setup.broker.call("o_echo", headers=ANN)
    setup.broker.call("o_echo")

    assert {call["headers"]["authorization"] for call in setup.own.calls} == {"Bearer client_credentials-1"}
    asked = [form for form in setup.tokens.asked if form["grant_type"] == "client_credentials"]
    assert asked[0] == {
        "grant_type": "client_credentials",
        "scope": "a b",
        "resource": setup.own.url,
        "login": "br:oker:s&cret",
    }


def test_a_users_token_is_exchanged_and_never_sent_itself(setup: Setup) -> None:
    before = len(setup.tokens.asked)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: setup.broker.call("e_echo", headers={"authorization": "Bearer bob"}), range(8)))
    setup.broker.call("e_echo", headers=ANN)

    bobs = {call["headers"]["authorization"] for call in setup.exchanged.calls[:-1]}
    assert len(bobs) == 1
    assert bobs.pop().startswith("Bearer bob@")
    assert sent(setup.exchanged)["authorization"].startswith("Bearer ann@")
    assert [form["subject_token"] for form in setup.tokens.asked[before:]] == ["bob", "ann"]
    assert setup.tokens.asked[before] == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": "bob",
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "audience": "up",
        "client_id": "br:oker",
        "client_secret": "s&cret",
    }


def test_without_a_token_nothing_is_exchanged(setup: Setup) -> None:
    before = len(setup.exchanged.calls)

    error = setup.broker.call("e_echo")["error"]

    assert error["data"] == {"upstream": "exchanged", "reason": "credential"}
    assert "it is asked with the token of each user, and this client has none" in error["message"]
    assert len(setup.exchanged.calls) == before


def test_a_token_is_passed_through_where_the_configuration_says_so(setup: Setup) -> None:
    setup.broker.call("p_echo", headers=ANN)
    assert sent(setup.passed)["authorization"] == "Bearer ann"

    setup.broker.call("p_echo")
    assert "authorization" not in sent(setup.passed)
    assert all("ann" not in str(call) for up in (setup.header, setup.own) for call in up.calls)


@pytest.mark.parametrize(("name", "headers"), [("own", {}), ("exchanged", ANN)])
def test_a_refused_token_is_replaced_once(setup: Setup, name: str, headers: dict[str, str]) -> None:
    upstream = getattr(setup, name)
    prefix = name[0]
    setup.broker.call(f"{prefix}_echo", headers=headers)
    old = sent(upstream)["authorization"]
    asked = len(setup.tokens.asked)
    upstream.users = {"nobody"}

    # A token that is new and refused is not replaced: the server does not want what the issuer gives.
    wait_until(
        lambda: "error" in setup.broker.call(f"{prefix}_echo", headers=headers) and len(setup.tokens.asked) > asked,
        "a token that is not new is replaced",
    )
    upstream.users = set()
    setup.broker.call(f"{prefix}_echo", headers=headers)

    assert sent(upstream)["authorization"] != old
    assert len(setup.tokens.asked) == asked + 1


def test_an_authorization_server_that_refuses_is_named_and_its_secret_is_not(setup: Setup, tmp_path: Path) -> None:
    with TokenServer() as tokens:
        tokens.refuse = {"error": "invalid_client", "error_description": "who is\nthat?"}
        auth = {"type": "clientCredentials", **tokens.client()}
        with run_broker(tmp_path, {"servers": [server("a", setup.header.url, auth=auth)]}) as broker:
            wait_until(
                lambda: "credential.failed" in broker.log and not broker.server("a")["ready"], "its failure is told"
            )
            told = broker.server("a")["message"]

    assert f"the authorization server at {tokens.url}/token refused: invalid_client: who is that? (HTTP 400)" in told
    assert "s&cret" not in broker.log
