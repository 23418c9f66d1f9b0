# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration file: both vocabularies of the operator, our keys, and every mistake by name."""

from __future__ import annotations

import pytest
from mcpops_broker.config.model import Config, Limits, Server, VirtualServer
from mcpops_broker.config.parse import ConfigError, parse

LATE = """
servers:
- name: mcp-test/weather
  url: http://weather.mcp-test.svc.cluster.local:9090/mcp
  hostname: weather.mcp.local
  prefix: weather_
  state: Enabled
  credential: "Bearer abc"
  category: [demo]
  hint: "what the weather is"
  tags: [sky]
  userSpecificList: false
virtualServers:
- name: mcp-test/some
  tools: [weather_today]
  prompts: []
"""

EARLY = """
servers:
- name: mcp-test/weather
  url: http://weather.mcp-test.svc.cluster.local:9090/mcp
  hostname: weather.mcp.local
  toolPrefix: weather_
  enabled: true
  credential: "Bearer abc"
virtualServers:
- name: mcp-test/some
  tools: [weather_today]
"""

SERVER = Server(
    name="mcp-test/weather",
    url="http://weather.mcp-test.svc.cluster.local:9090/mcp",
    prefix="weather_",
    hostname="weather.mcp.local",
    credential="Bearer abc",
)


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return caught.value.problems


@pytest.mark.parametrize("text", [LATE, EARLY], ids=["0.9.0", "0.6.0"])
def test_both_vocabularies_of_the_operator_mean_the_same(text: str) -> None:
    expected = Config((SERVER,), (VirtualServer("mcp-test/some", frozenset({"weather_today"})),))

    assert parse(text) == expected
    assert SERVER.id == "mcp-test/weather:weather_:weather.mcp.local"


def test_what_clients_are_told_of_a_server_matters_to_no_connection() -> None:
    (server,) = parse(LATE).servers

    assert (server.categories, server.hint, server.tags) == (("demo",), "what the weather is", ("sky",))
    assert server == SERVER


def test_prompts_and_personal_lists_of_the_operator() -> None:
    config = parse(
        "servers: [{name: a, url: 'http://h', prefix: a_, userSpecificList: true}]\n"
        "virtualServers: [{name: v, tools: [a_t], prompts: [a_p]}]"
    )

    assert config.servers[0].user_specific
    assert config.virtual_servers == (VirtualServer("v", frozenset({"a_t"}), frozenset({"a_p"})),)
    assert config.warnings == ()


@pytest.mark.parametrize("text", ["", "{}", "servers: []\nvirtualServers: []\n", "servers:\n", b"# only a comment"])
def test_an_empty_file_is_a_broker_without_servers(text: str | bytes) -> None:
    assert parse(text) == Config()


@pytest.mark.parametrize(
    ("keys", "enabled"),
    [
        ("state: Enabled", True),
        ("state: Disabled", False),
        ("enabled: false", False),
        ("{state: Enabled, enabled: true}", True),
        ("", True),
    ],
)
def test_a_server_is_enabled_unless_told_otherwise(keys: str, enabled: bool) -> None:
    extra = keys.strip("{}")
    text = "servers: [{name: a, url: 'http://h/mcp'" + (", " + extra if extra else "") + "}]"

    assert parse(text).servers[0].enabled is enabled


def test_our_own_keys() -> None:
    config = parse(
        "broker: {pageSize: 5, limits: {body: 2048}, timeouts: {connect: 0.5}, allowedOrigins: ['https://a']}"
    )

    assert config.broker.page_size == 5
    assert config.broker.limits == Limits(body=2048)
    assert config.broker.timeouts.connect == 0.5
    assert config.broker.allowed_origins == ("https://a",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("servers: 5", "the file: key 'servers' has the value 5: it must be a list"),
        ("[1]", "the file: has the value [1] but must be a mapping of keys to values"),
        ("servers: [x]", "servers[0]: has the value 'x' but must be a mapping of keys to values"),
        (
            "servers: [{name: a, url: 5}]",
            "servers[0] (a): key 'url' has the value 5: it must be text (put it in quotes)",
        ),
        (
            "servers: [{name: a, url: 'http://'}]",
            "servers[0] (a): key 'url' has the value 'http://': it must be an http:// or",
        ),
        (
            "servers: [{name: a, url: 'http://h:x/'}]",
            "servers[0] (a): key 'url' has the value 'http://h:x/': it must be",
        ),
        (
            "servers: [{name: a, url: 'http://h/ b'}]",
            "servers[0] (a): key 'url' has the value 'http://h/ b': it must be",
        ),
        (
            "servers: [{name: a, url: 'http://u:p@h/'}]",
            "it holds a user name or password; put it into 'credential' instead",
        ),
        (
            "servers: [{name: a, url: 'http://h', prefix: 'a b'}]",
            "key 'prefix' has the value 'a b': it must be at most 64",
        ),
        (
            "servers: [{name: a, url: 'http://h', prefix: a_, toolPrefix: b_}]",
            "key 'toolPrefix' has the value 'b_': 'prefix'",
        ),
        ("servers: [{name: a, url: 'http://h', state: Paused}]", "it must be true, false, Enabled or Disabled"),
        (
            "servers: [{name: a, url: 'http://h', state: Enabled, enabled: false}]",
            "'state' says 'Enabled'; give one of the two",
        ),
        (
            "servers: [{name: a, url: 'http://h'}, {name: a, url: 'http://h'}]",
            "servers[1] (a): key 'name' has the value 'a'",
        ),
        (
            "servers: [{name: a, url: 'http://h', caCert: x}]",
            "key 'caCert' has a secret value (not shown): it must be one or",
        ),
        ("gatewayCACertPEM: 'Überlingen'", "key 'gatewayCACertPEM' has a secret value (not shown): it must be one or"),
        ('servers: [{name: a, url: "http://h", credential: "a\\nb"}]', "it holds a line break or control character"),
        ("virtualServers: [{name: a}, {name: a}]", "virtualServers[1]: key 'name' has the value 'a'"),
        (
            "virtualServers: [{name: a, tools: [5]}]",
            "key 'tools' has the value 5: every element must be non-empty text",
        ),
        (
            "broker: {pageSize: 1.5}",
            "broker: key 'pageSize' has the value 1.5: it must be a whole number from 1 to 100000",
        ),
        (
            "broker: {checkInterval: true}",
            "broker: key 'checkInterval' has the value True: it must be a number from 0.1",
        ),
        (
            "broker: {signingKey: short}",
            "key 'signingKey' has a secret value (not shown): it must be at least 32 bytes",
        ),
        (
            "broker: {limits: {bodies: 1}}",
            "broker.limits: key 'bodies' is not known; known are",
        ),
        (
            "broker: {timeouts: {total: -1}}",
            "broker.timeouts: key 'total' has the value -1: it must be a number from 0.01",
        ),
        (
            "servers: [{name: a, url: 'http://h', prefix: p, userSpecificList: true},"
            " {name: b, url: 'http://h', toolPrefix: p, userSpecificList: true}]",
            "servers[1] (b): key 'prefix' has the value 'p': a with 'userSpecificList' has this prefix, too",
        ),
        (
            "servers: [{name: a, url: 'http://h', userSpecificList: Enabled}]",
            "key 'userSpecificList' has the value True: it needs a 'prefix'",
        ),
        (
            "broker: {trustedHeaderKey: some text}",
            "broker: key 'trustedHeaderKey' has the value 'some text': it must be a public key in PEM form",
        ),
        (
            "broker: {discoveryTools: 1}",
            "broker: key 'discoveryTools' has the value 1: it must be true, false, Enabled or Disabled",
        ),
        ("a: [", "the file is not valid YAML: "),
        ("a: !!python/object/apply:os.system [true]", "the file is not valid YAML: a value is not what it looks like"),
    ],
)
def test_every_mistake_is_a_sentence_with_key_and_value(text: str, problem: str) -> None:
    found = problems(text)

    assert any(problem in one for one in found), found


def test_all_mistakes_are_told_at_once() -> None:
    assert len(problems("servers: [{name: a, url: x, prefix: '!'}, {url: y}]\nbroker: {pageSize: 0}")) == 5


def test_credentials_are_in_no_text_of_the_model() -> None:
    config = parse(LATE + "broker: {signingKey: " + "s" * 40 + "}\n")

    assert "abc" not in repr(config)
    assert "sssss" not in repr(config)


def test_a_yaml_mistake_does_not_quote_the_file() -> None:
    assert "s3cret" not in str(problems("servers:\n- credential: 's3cret\n- name: x"))
