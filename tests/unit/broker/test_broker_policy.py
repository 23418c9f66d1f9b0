# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy: who may use what, in lists and in calls, and what happens to rules that have no value."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import orjson
import pytest
from mcpops_broker.access import policy as policy_module
from mcpops_broker.access.access import Access
from mcpops_broker.access.policy import Policy
from mcpops_broker.catalogue.catalogue import Catalogue
from mcpops_broker.catalogue.scope import EVERYTHING, Decision, Scope
from mcpops_broker.catalogue.source import Item, Source
from mcpops_broker.config.model import Config, VirtualServer
from mcpops_broker.config.parse import ConfigError, parse
from mcpops_broker.principal import ANONYMOUS, How, Principal
from mcpops_broker.protocol.kinds import Kind

README = Path(__file__).resolve().parents[3] / "broker" / "README.md"
SERVERS = """
servers:
- {name: ns/files, url: "http://127.0.0.1:1", prefix: f_, tags: [disk]}
- {name: ns/time, url: "http://127.0.0.1:2"}
"""


def configured(rules: str) -> Config:
    return parse(f"{SERVERS}\nbroker:\n  policy:\n    rules:\n{rules}")


def policy_of(rules: str) -> Policy:
    config = configured(rules)
    assert config.broker.policy is not None
    return Policy(config.broker.policy, config.servers, [VirtualServer("ns/v", frozenset())])


def user(name: str = "ann", *groups: str, scopes: str = "", **claims: Any) -> Principal:
    return Principal(
        name,
        How.TOKEN,
        name,
        scopes=frozenset(scopes.split()),
        groups=frozenset(groups),
        claims={"sub": name, **claims},
    )


def tool(name: str, upstream: str = "ns/files", prefix: str = "f_", **annotations: Any) -> Item:
    return Item(Kind.TOOLS, upstream, prefix, {"name": name, "inputSchema": {}, "annotations": annotations})


def resource(uri: str) -> Item:
    return Item(Kind.RESOURCES, "ns/files", "f_", {"uri": uri, "name": "r"})


def decide(policy: Policy, principal: Principal, item: Item, *, keep: bool = True) -> Decision:
    return policy.grants(principal, None).decide(item, keep=keep)


TEAMS = """
    - {name: readers, allow: tool.annotations.readOnlyHint}
    - {name: writers, allow: '"ops" in principal.groups', scopes: [mcp:write]}
    - {name: never, deny: 'tool.originalName == "format" && server.name == "ns/files"'}
    - {name: suspended, deny: has(principal.claims.suspended) && principal.claims.suspended}
"""


@pytest.mark.parametrize(
    ("principal", "item", "decision"),
    [
        (user(), tool("ls", readOnlyHint=True), (True, "readers", ())),
        (user(), tool("rm"), (False, "no-rule", ())),
        (user(), tool("rm", readOnlyHint="yes"), (False, "no-rule", ())),
        (user("bob", "ops", scopes="mcp:write other"), tool("rm"), (True, "writers", ())),
        (user("bob", "ops"), tool("rm"), (False, "writers", ("mcp:write",))),
        (user("bob", "ops"), tool("ls", readOnlyHint=True), (True, "readers", ())),
        (user("bob", "ops", scopes="mcp:write"), tool("format", readOnlyHint=True), (False, "never", ())),
        (user("bob", "ops"), tool("format"), (False, "never", ())),
        (user("bob", "ops", scopes="mcp:write"), tool("format", "ns/time", ""), (True, "writers", ())),
        (user("eve", suspended=True), tool("ls", readOnlyHint=True), (False, "suspended", ())),
        (Principal("k", How.KEY, "k", groups=frozenset({"ops"})), tool("rm"), (False, "no-rule", ())),
        (ANONYMOUS, tool("ls", readOnlyHint=True), (True, "readers", ())),
    ],
)
def test_who_may_use_what(principal: Principal, item: Item, decision: tuple[bool, str, tuple[str, ...]]) -> None:
    found = decide(policy_of(TEAMS), principal, item)

    assert (found.allowed, found.rule, found.needs_scopes) == decision
    assert found.rule in found.reason or found.rule == "no-rule"


def test_a_rule_without_a_value_allows_nothing_and_denies_all_that_it_is_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    policy = policy_of("""
    - {name: team, allow: principal.claims.team == "red"}
    - {name: all, allow: tool.name == "f_ls"}
    - {name: clearance, deny: prompt.name == "p" || principal.claims.clearance < 3}
""")
    with caplog.at_level(logging.WARNING, "mcpops_broker"):
        decisions = [decide(policy, user(), tool(name)) for name in ("ls", "rm", "mv")]
        prompt = decide(policy, user(team="red"), Item(Kind.PROMPTS, "ns/files", "", {"name": "q"}))

    assert [decision.allowed for decision in decisions] == [True, False, False]
    assert (prompt.allowed, prompt.rule) == (False, "clearance")
    assert "needs clearance, which is not there" in prompt.reason
    told = [record.__dict__["values"]["rule"] for record in caplog.records if record.message == "policy.failed"]
    assert told == ["team", "clearance"], "each failure is logged once, not once for every tool"


def test_a_rule_is_about_the_kind_that_it_names() -> None:
    policy = policy_of("""
    - {name: t, allow: tool.name.startsWith("f_")}
    - {name: r, allow: 'resource.uri.startsWith("file:///public/")'}
    - {name: s, allow: '"disk" in server.tags && principal.name == "root"'}
""")
    prompt = Item(Kind.PROMPTS, "ns/files", "f_", {"name": "p"})
    template = Item(Kind.TEMPLATES, "ns/files", "", {"uriTemplate": "file:///public/{name}", "name": "t"})

    assert [decide(policy, user(), item).rule for item in (tool("x"), prompt, template)] == ["t", "no-rule", "r"]
    assert decide(policy, user("root"), prompt).rule == "s"


@pytest.mark.parametrize(
    ("uri", "rule"),
    [
        ("file:///public/a.txt", "r"),
        ("file:///public/%C3%A4%20b", "r"),
        ("file:///public/../etc/passwd", "odd-uri"),
        ("file:///public/%2e%2E/etc/passwd", "odd-uri"),
        ("file:///public/.\t./etc/passwd", "odd-uri"),
        ("file:///private", "no-rule"),
    ],
)
def test_a_uri_that_nobody_lists_must_be_what_it_looks_like(uri: str, rule: str) -> None:
    policy = policy_of("""
    - {name: r, allow: 'resource.uri.startsWith("file:///public/")'}
""")

    assert decide(policy, user(), resource(uri), keep=False).rule == rule


def test_principals_in_whom_rules_see_no_difference_share_what_was_decided() -> None:
    policy = policy_of(TEAMS)
    first = policy.grants(user("ann", "ops", iat=1), None)

    assert policy.grants(user("bob", "ops", scopes="unrelated", iat=2), "ns/v") is first
    assert policy.grants(user("bob", "dev"), None) is not first
    assert policy.grants(user("bob", "ops", scopes="mcp:write"), None) is not first
    assert policy.grants(user("bob", "ops", suspended=False), None) is not first


def test_a_call_that_was_decided_before_evaluates_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    policy, ann, item = policy_of(TEAMS), user(), tool("ls", readOnlyHint=True)
    decided = decide(policy, ann, item)
    monkeypatch.setattr(policy, "look_at", None)

    assert decide(policy, ann, item) is decided
    assert decide(policy, ann, tool("ls", readOnlyHint=True)) is decided


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAX_PRINCIPALS", "MAX_GRANTS", "MAX_DECISIONS"):
        monkeypatch.setattr(policy_module, name, 2)
    policy = policy_of('\n    - {name: me, allow: principal.id == "u3"}\n')
    users = [user(f"u{number}") for number in range(5)]

    for _ in range(2):
        assert [decide(policy, one, tool("x")).allowed for one in users] == [False, False, False, True, False]
    assert len(policy._known) <= 2
    assert len(policy._grants) <= 2


def test_of_virtual_servers_that_do_not_exist_nothing_is_kept() -> None:
    policy = policy_of('\n    - {name: v, allow: virtualServer == "ns/none"}\n')
    grants = policy.grants(user(), "ns/none")

    assert grants.decide(tool("x"), keep=True).allowed
    assert policy.grants(user(), "ns/none") is not grants
    assert not policy._known
    assert not policy._grants


def test_values_that_the_engine_cannot_take_open_nothing() -> None:
    policy = policy_of("""
    - {name: a, allow: principal.claims.team != "red"}
    - {name: b, deny: principal.claims.team == "blue"}
""")

    assert decide(policy, user(team="\ud800"), tool("x")).rule == "b"


def offered() -> Catalogue:
    files = Source(
        "ns/files",
        "f_",
        {
            Kind.TOOLS: [tool("ls", readOnlyHint=True).definition, tool("rm").definition],
            Kind.RESOURCES: [{"uri": "file:///public/a", "name": "a"}, {"uri": "file:///b", "name": "b"}],
        },
        resources=True,
    )
    return Catalogue([files], [VirtualServer("ns/v", frozenset({"f_rm"}))])


def names(catalogue: Catalogue, scope: Scope, kind: Kind = Kind.TOOLS) -> list[str]:
    return [item[kind.identity] for item in orjson.loads(catalogue.view(scope).page(kind, None))[kind.key]]


def test_lists_have_what_may_be_used_and_what_could_be_with_more_scopes() -> None:
    access, catalogue = Access(None, configured(TEAMS)), offered()

    assert names(catalogue, access.scope({}, None, user())) == ["f_ls"]
    assert names(catalogue, access.scope({}, None, user("bob", "ops"))) == ["f_ls", "f_rm"]
    assert names(catalogue, access.scope({}, None, user(suspended=True))) == []
    scope = access.scope({b"x-mcp-virtualserver": b"ns/v"}, None, user())
    assert names(catalogue, scope) == []


def test_resources_are_read_by_the_rules_that_list_them() -> None:
    access = Access(
        None,
        configured("""
    - {name: r, allow: 'resource.uri.startsWith("file:///public/")'}
"""),
    )
    catalogue, scope = offered(), access.scope({}, None, user())
    view = catalogue.view(scope)

    assert names(catalogue, scope, Kind.RESOURCES) == ["file:///public/a"]
    assert view.decide_resource("file:///public/a", "ns/files").allowed
    assert view.decide_resource("file:///public/new", "ns/files").allowed
    assert not view.decide_resource("file:///public/../b", "ns/files").allowed
    assert not view.decide_resource("file:///b", "ns/files").allowed


def test_a_rule_may_look_at_the_virtual_server() -> None:
    access = Access(
        None,
        configured("""
    - {name: v, allow: virtualServer == "ns/v"}
"""),
    )
    catalogue = offered()

    assert names(catalogue, access.scope({}, None, user())) == []
    assert names(catalogue, access.scope({b"x-mcp-virtualserver": b"ns/v"}, None, user())) == ["f_rm"]


def test_the_policy_of_the_readme_says_what_it_says() -> None:
    text = README.read_text().partition("### Policy")[2].partition("\n    broker:")[2].partition("\n\n")[0]
    config = parse("broker:" + text)
    assert config.broker.policy is not None
    policy = Policy(config.broker.policy, [], [])

    def rule(principal: Principal, item: Item, virtual_server: str | None = None) -> str:
        return policy.grants(principal, virtual_server).decide(item, keep=True).rule

    writer = user("bob", "operators", scopes="mcp:write", team="blue")
    assert rule(user(), tool("ls", readOnlyHint=True)) == "everybody reads"
    assert rule(writer, tool("rm")) == "operators write"
    assert rule(writer, tool("ls", readOnlyHint=True), "ns/red") == "red team only"
    assert rule(user(), tool("ls", readOnlyHint=True), "ns/red") == "red team only", "without the claim"
    assert rule(user(team="red"), tool("ls", readOnlyHint=True), "ns/red") == "everybody reads"


def test_without_policy_nothing_is_restricted() -> None:
    access = Access(None, parse(SERVERS))

    assert access.scope({}, None, user()) is EVERYTHING


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        ("policy:", "broker.policy: key 'rules' has the value None: it must have a rule; without the key 'policy' all"),
        ("policy: {rules: []}", "it must have a rule"),
        ("policy: [a]", "broker.policy: has the value ['a'] but must be a mapping"),
        ("policy: {rules: [{name: a, allow: true}], mode: x}", "broker.policy: key 'mode' is not known"),
        ("policy: {rules: [{allow: true}]}", "broker.policy.rules[0]: key 'name'"),
        ("policy: {rules: [{name: a, allow: true}, {name: a, allow: true}]}", "no other may have the same"),
        ("policy: {rules: [{name: a}]}", "rules[0] (a): key 'allow' has the value None: a rule has either"),
        ("policy: {rules: [{name: a, allow: true, deny: true}]}", "a rule has either 'allow' or 'deny'"),
        ("policy: {rules: [{name: a, deny: true, scopes: [s]}]}", "only a rule with 'allow' can ask for scopes"),
        ("policy: {rules: [{name: a, allow: true, scopes: ['a b']}]}", "a scope is printable ASCII"),
        ("policy: {rules: [{name: a, allow: tool.nmae}]}", "the expression has the unknown field 'tool.nmae'"),
        ("policy: {rules: [{name: a, allow: tool.name == prompt.name}]}", "it is about tool and prompt at once"),
    ],
)
def test_a_policy_that_cannot_be_used(policy: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f"broker:\n  {policy}")

    assert problem in str(caught.value)
