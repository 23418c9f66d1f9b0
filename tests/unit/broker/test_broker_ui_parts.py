# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page's parts without a browser: schemas in words, histories as drawings, questions to all workers, the keys."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import yaml
from mcpops_broker.access.token import TokenError
from mcpops_broker.bus import make_buses
from mcpops_broker.catalogue.catalogue import Catalogue
from mcpops_broker.catalogue.source import Source
from mcpops_broker.config.parse import ConfigError, parse
from mcpops_broker.gather import Gather
from mcpops_broker.principal import ANONYMOUS, Principal
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.seen.live import POINTS, RECENT, SPAN, Live
from mcpops_broker.seen.record import Outcome, Record
from mcpops_broker.ui import access_test, render, tools
from mcpops_broker.ui.history import HEIGHT, WIDTH, History


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string"}, "string"),
        ({"type": "string", "format": "date"}, "string (date)"),
        ({"type": ["string", "null"]}, "string or null"),
        ({"type": "array", "items": {"type": "integer"}}, "array of integer"),
        ({"type": "array"}, "array"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}, {"type": "string"}]}, "string or null"),
        ({"$ref": "#/$defs/Place"}, "Place"),
        ({}, "any"),
        ({"anyOf": ["odd"], "$ref": 5}, ""),
    ],
)
def test_a_type_in_words(schema: dict[str, Any], words: str) -> None:
    assert tools.type_of(schema) == words


def test_a_type_that_is_endless_is_named_in_a_few_words() -> None:
    schema: dict[str, Any] = {}
    for _ in range(2000):
        schema = {"type": "array", "items": schema}

    assert tools.type_of(schema) == "array of array of array of array of ..."


def test_a_tool_with_members_of_a_prompt_is_a_tool() -> None:
    tool = {"name": "t", "arguments": 5, "inputSchema": {"type": "object", "properties": {"a": {"type": "string"}}}}
    item = tools.item(Catalogue([Source("ns/s", "", {Kind.TOOLS: [tool]})]), Kind.TOOLS, "t")

    assert item is not None
    assert [one.name for one in tools.describe(item)["parameters"]] == ["a"]


@pytest.mark.parametrize("schema", [None, 5, {"properties": [1]}, {"properties": {"a": True}, "required": "a"}])
def test_odd_schemas_break_nothing(schema: object) -> None:
    assert [(one.name, one.required) for one in tools.members(schema)] in ([], [("a", False)])


def test_finding_by_words_in_any_part_and_by_page() -> None:
    definitions = [
        {"name": f"t{number:03}", "description": "reads Mail" if number % 2 else "sends", "inputSchema": {}}
        for number in range(250)
    ]
    catalogue = Catalogue([Source("ns/mail", "m_", {Kind.TOOLS: definitions})])

    found = tools.find(catalogue, Kind.TOOLS, "mail READS", "", 2)
    assert (found.total, found.first, found.pages, len(found.entries)) == (125, 101, 2, 25)
    assert tools.find(catalogue, Kind.TOOLS, "t001", "", 99).entries[0].id == "m_t001"
    assert tools.find(catalogue, Kind.TOOLS, "", "ns/other", 1).total == 0


def test_a_definition_shows_what_nobody_would_see() -> None:
    hidden = {"name": "t", "description": "a\u200bb\u202e", "inputSchema": {}}
    item = tools.item(Catalogue([Source("ns/s", "", {Kind.TOOLS: [hidden]})]), Kind.TOOLS, "t")

    assert item is not None
    assert '"a\\u200bb\\u202e"' in tools.describe(item)["definition"]


@pytest.mark.parametrize(
    ("text", "number"), [("", 1), ("7", 7), ("-1", 1), ("x", 1), ("\u0663", 3), ("9" * 9, 999_999_999), ("9" * 5000, 1)]
)
def test_the_number_of_a_page_may_be_anything(text: str, number: int) -> None:
    assert tools.page_number(text) == number


def test_a_prompt_has_arguments_and_a_resource_its_name_as_title() -> None:
    prompt = {"name": "p", "arguments": [{"name": "a", "required": True}, {"name": "b"}]}
    resource = {"uri": "x://1", "name": "One"}
    catalogue = Catalogue([Source("ns/s", "", {Kind.PROMPTS: [prompt], Kind.RESOURCES: [resource]})])

    item = tools.item(catalogue, Kind.PROMPTS, "p")
    assert item is not None
    assert [(one.name, one.required) for one in tools.describe(item)["parameters"]] == [("a", True), ("b", False)]
    assert tools.find(catalogue, Kind.RESOURCES, "", "", 1).entries[0].title == "One"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0000004, "0 µs"),
        (0.00049, "490 µs"),
        (0.0123, "12.3 ms"),
        (0.9996, "1.0 s"),
        (2.25, "2.2 s"),
        (90, "1.5 min"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert render.duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "just now"), (59, "59 s ago"), (125, "2 min ago"), (3600, "1 hour ago"), (180_000, "2 days ago")],
)
def test_times_ago(seconds: float, words: str) -> None:
    assert render.ago(seconds) == words


def test_a_history_is_joined_from_workers_and_drawn_within_its_bounds() -> None:
    now = 1_000_000.0
    last = now // SPAN
    history = History(now)
    history.add(
        [[last - 10, 1, 0, 0.2], [last - 9, 2, 1, 0.2], [last - POINTS, 5, 5, 9.0]], [(now - 50, 0.2), (0, 9.0)]
    )
    history.add([[last - 10, 1, 0, 0.0], [last, 4, 0, 0.4]], [(now, 0.1)])

    assert (history.requests, history.failures, history.samples) == (8, 1, [0.1, 0.2])
    assert history.highest == pytest.approx(0.1)
    assert len(history.lines()) == len(history.areas()) == 2
    points = [tuple(map(float, point.split(","))) for line in history.lines() for point in line.split()]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)
    assert len(history.failed_at()) == 1


def test_the_live_view_is_bounded_and_keeps_no_record() -> None:
    live = Live()
    for number in range(RECENT + 50):
        record = Record(str(number), "", {})
        record.method, record.name, record.upstream = "tools/call", "n" * 10_000, "ns/a"
        live.observe(record)
    ping, refused = Record("p", "", {}), Record("r", "", {})
    ping.method, refused.outcome = "ping", Outcome.UNAUTHENTICATED
    live.observe(ping)
    live.observe(refused)

    recent = live.recent()
    assert len(recent) == RECENT
    assert [one["outcome"] for one in recent[:2]] == ["unauthenticated", "ok"]
    assert max(len(one["name"]) for one in recent) == 200
    assert sum(point[1] for point in live.servers()["ns/a"]["points"]) == RECENT + 50
    live.keep_servers(["ns/b"])
    assert live.servers() == {}


async def test_all_workers_are_asked_and_one_that_hangs_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcpops_broker.gather.PATIENCE", 0.2)
    buses = make_buses(3)
    first, second = (Gather(bus, "facts", lambda bus=bus: bus.here) for bus in buses[:2])  # type: ignore[misc]
    for bus in buses:
        bus.connect()

    answers, missing = await first.ask()

    assert (answers, missing) == (["0", "1"], 1)
    assert (await asyncio.wait_for(second.ask(), 5))[0] == ["1", "0"]


@pytest.mark.parametrize(
    ("admin", "problem"),
    [
        ("{token: short}", "at least 20 visible ASCII characters"),
        ("{token: 'with blanks with blanks with'}", "at least 20 visible ASCII characters"),
        ("{public: [everything]}", "it can hold status, metrics, ui"),
        ("{secret: x}", "key 'secret' is not known"),
    ],
)
def test_wrong_keys_of_admin_are_told_without_the_token(admin: str, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(f"broker: {{admin: {admin}}}")
    assert problem in str(error.value)
    assert "with blanks" not in str(error.value)


def test_nothing_said_of_admin_differs_from_nothing_being_public() -> None:
    assert parse("broker: {}").broker.admin.public is None
    assert parse("broker: {admin: {public: []}}").broker.admin.public == frozenset()


def test_a_question_about_access_is_read_from_an_address() -> None:
    asked = access_test.read(
        {"how": "token", "who": "ada", "groups": "a, b", "claims": '{"azp": "app"}', "kind": "odd"}
    )
    assert (asked.kind, asked.complete, asked.problem) == ("tools", True, "")
    assert access_test.read({"how": "token", "claims": "[1]"}).problem.startswith("The claims must be a JSON object")
    assert not access_test.read({"name": "t"}).complete


def test_principals_are_asked_about_as_the_configuration_makes_them() -> None:
    issuer = {"issuer": "https://id.example", "groupsClaim": "realm.roles", "principalClaim": "oid"}
    key = {"name": "bot", "hash": "sha256:" + "0" * 64, "groups": ["ci"]}
    auth = parse(
        yaml.safe_dump(
            {"broker": {"auth": {"issuers": [issuer], "apiKeys": [key], "resource": "https://mcp.example/mcp"}}}
        )
    ).broker.auth

    def principal(**query: str) -> Principal:
        return access_test.principal_of(access_test.read(query), auth)

    token = principal(how="token", who="17", claims='{"realm": {"roles": ["staff"]}, "scope": "read"}', scopes="write")
    assert (token.id, token.groups, token.scopes) == ("token:https://id.example#17", {"staff"}, {"read", "write"})
    assert principal(how="key", who="bot", groups="night shift, ops").groups == {"ci", "night shift", "ops"}
    assert principal(how="key", who="new").id == "key:new"
    assert principal(how="certificate", who="spiffe://a/b").id == "certificate:spiffe://a/b"
    assert principal(how="anonymous", who="x") is ANONYMOUS
    with pytest.raises(TokenError):
        principal(how="token")
