# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`auth` of a server, `broker.userTokens` and `broker.upstreamAddresses`: what they mean, and every mistake by name."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from mcpops_broker.config.credentials import (
    ClientCredentials,
    OAuthClient,
    Passthrough,
    StaticHeader,
    TokenExchange,
    UserToken,
    UserTokens,
)
from mcpops_broker.config.model import Config
from mcpops_broker.config.parse import ConfigError, parse
from mcpops_broker.net.guard import Guard

Json = dict[str, Any]
CLIENT = {"tokenUrl": "https://as.test/token", "clientId": "me", "clientSecret": "hush"}
PAGE = {"userTokens": {"url": "https://gw.test"}}


def read(auth: Json | None, broker: Json | None = None, **more: Any) -> Config:
    server = {"name": "a", "url": "http://h/mcp", **({"auth": auth} if auth is not None else {}), **more}
    return parse(yaml.safe_dump({"servers": [server], "broker": broker or {}}))


def problems(auth: Json | None, broker: Json | None = None, **more: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(auth, broker, **more)
    assert "hush" not in str(caught.value)
    return [problem.removeprefix("servers[0] (a): auth: ") for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("auth", "meaning"),
    [
        ({"type": "header", "value": "Bearer hush"}, StaticHeader("authorization", "Bearer hush")),
        ({"type": "header", "name": "X-Key", "value": "hush"}, StaticHeader("x-key", "hush")),
        ({"type": "passthrough"}, Passthrough()),
        (
            {"type": "clientCredentials", **CLIENT, "scopes": ["a"], "resource": "https://up.test"},
            ClientCredentials(
                OAuthClient("https://as.test/token", "me", "hush", "basic", ("a",), resource="https://up.test")
            ),
        ),
        (
            {"type": "tokenExchange", **CLIENT, "clientAuthentication": "post", "audience": "up"},
            TokenExchange(OAuthClient("https://as.test/token", "me", "hush", "post", audience="up")),
        ),
    ],
)
def test_what_a_server_is_asked_with(auth: Json, meaning: object) -> None:
    assert read(auth).servers[0].auth == meaning


def test_a_user_enters_a_token_or_agrees_at_an_authorization_server() -> None:
    public = {"tokenUrl": "https://as.test/token", "authorizationUrl": "https://as.test/", "clientId": "me"}
    oauth = OAuthClient("https://as.test/token", "me", authentication="none", authorization_url="https://as.test/")

    assert read({"type": "userToken"}, PAGE).servers[0].auth == UserToken()
    assert read({"type": "userToken", **public}, PAGE).servers[0].auth == UserToken(oauth)
    assert read(
        None, {"userTokens": {"url": "https://gw.test/", "lifetime": 60, "login": public}}
    ).broker.user_tokens == (UserTokens("https://gw.test", 60, oauth))


def test_the_operators_words_for_it() -> None:
    asked: Json = {"tokenURLElicitation": {"url": "https://page.test/t"}}

    config = read(None, PAGE, **asked)
    assert (config.servers[0].auth, config.warnings) == (UserToken(url="https://page.test/t"), ())
    config = read(None, None, **asked)
    assert "users are asked with broker.userTokens" in config.warnings[0]
    config = read({"type": "bearer", "token": "x"})
    assert config.servers[0].auth is None
    assert "key 'auth' has no effect with type 'bearer'" in config.warnings[0]


@pytest.mark.parametrize(
    ("auth", "problem"),
    [
        ({"type": "magic", "a": 1}, "key 'type' has the value 'magic': it must be one of header, clientCredentials, "),
        (
            {"type": "header"},
            "key 'value' has a secret value (not shown): it is needed here, as one of value, valueFile",
        ),
        (
            {"type": "header", "name": "a b", "value": "hush"},
            "key 'name' has the value 'a b': it must be the name of a",
        ),
        (
            {"type": "header", "name": "Host", "value": "hush"},
            "key 'name' has the value 'host': it must be the name of",
        ),
        ({"type": "header", "value": "hu\nsh"}, "key 'value' has a secret value (not shown): it holds a line break"),
        ({"type": "passthrough", "value": "hush"}, "key 'value' is not known; known are type"),
        ({"type": "userToken"}, "key 'type' has the value 'userToken': it needs broker.userTokens"),
        (
            {"type": "clientCredentials", **CLIENT, "tokenUrl": "https://u:hush@as.test/"},
            "key 'tokenUrl' has a secret value (not shown): it must be an https:// address with a host, and",
        ),
        (
            {"type": "clientCredentials", **CLIENT, "tokenUrl": "http://as.test/"},
            "key 'tokenUrl' has a secret value (not shown): it must be an https:// address (http:// only on",
        ),
        (
            {"type": "clientCredentials", "tokenUrl": "https://as.test/", "clientId": "me"},
            "key 'clientSecret' has a secret value (not shown): with clientAuthentication 'basic' it is needed",
        ),
        (
            {"type": "clientCredentials", **CLIENT, "clientAuthentication": "none"},
            "key 'clientAuthentication' has the value 'none': it must be one of basic, post",
        ),
        (
            {"type": "clientCredentials", **CLIENT, "scopes": ["a b"]},
            "key 'scopes' has the value ['a b']: a scope is a word",
        ),
    ],
)
def test_mistakes_are_named(auth: Json, problem: str) -> None:
    assert [found[: len(problem)] for found in problems(auth)] == [problem]


def test_the_operators_page_has_the_operators_rule() -> None:
    assert read(None, PAGE, tokenURLElicitation={"url": "http://page.test/"}).servers[0].auth == UserToken(
        url="http://page.test/"
    )
    assert "must be an http:// or https:// addr" in problems(None, PAGE, tokenURLElicitation={"url": "page"})[0]


def test_two_ways_at_once_are_refused() -> None:
    both = problems({"type": "passthrough"}, tokenURLElicitation={"url": ""})

    assert "key 'tokenURLElicitation' has the value {'url': ''}: 'auth' is given, too" in both[0]


def test_the_page_has_an_address_without_a_path() -> None:
    assert (
        "must be the broker's address without a path" in problems(None, {"userTokens": {"url": "https://gw.test/x"}})[0]
    )
    assert "must be given here, an https:// address" in problems(None, {"userTokens": {}})[0]


def test_addresses_that_are_refused_and_allowed() -> None:
    rules = {"upstreamAddresses": {"deny": ["loopback", "10.0.0.0/8"], "allow": ["10.1.0.0/16"]}}

    assert read(None, rules).broker.upstream_addresses == Guard(("loopback", "10.0.0.0/8"), ("10.1.0.0/16",))
    wrong = problems(None, {"upstreamAddresses": {"deny": ["intern"]}})
    assert "key 'deny' has the value 'intern': it must be a network such as 10.0.0.0/8, or one of unspec" in wrong[0]
