# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merging what upstreams offer: names, order, conflicts, pages, what scopes see."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from mcpops_broker.catalogue.catalogue import Catalogue
from mcpops_broker.catalogue.scope import EVERYTHING, Authorized, Scope
from mcpops_broker.catalogue.source import Source
from mcpops_broker.catalogue.view import Listings, View
from mcpops_broker.config.model import VirtualServer
from mcpops_broker.protocol.jsonrpc import RpcError
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.upstream.listing import CacheHint

Json = dict[str, Any]


def tools(*names: str) -> list[Json]:
    return [{"name": name, "inputSchema": {"type": "object"}, "xNew": name} for name in names]


def source(upstream: str, prefix: str, *names: str, has_resources: bool = False, **listed: list[Json]) -> Source:
    """Build a source with tools of these names; `listed` are the other kinds, by their names in MCP."""
    everything = {kind: listed.get(kind.key, []) for kind in Kind}
    everything[Kind.TOOLS] = tools(*names)
    return Source(upstream, prefix, everything, resources=has_resources)


def prompts(*names: str) -> list[Json]:
    return [{"name": name} for name in names]


def resources(*uris: str) -> list[Json]:
    return [{"uri": uri, "name": "a name"} for uri in uris]


def templates(*uris: str) -> list[Json]:
    return [{"uriTemplate": uri, "name": "a name"} for uri in uris]


def page(catalogue: Catalogue, scope: Scope = EVERYTHING, kind: Kind = Kind.TOOLS, *, stateless: bool = False) -> Json:
    result: Json = orjson.loads(catalogue.view(scope).page(kind, None, stateless=stateless))
    return result


def listed(catalogue: Catalogue, scope: Scope = EVERYTHING, kind: Kind = Kind.TOOLS) -> list[str]:
    names: list[str] = []
    cursor = None
    while True:
        result = orjson.loads(catalogue.view(scope).page(kind, cursor))
        names += [item[kind.identity] for item in result[kind.key]]
        cursor = result.get("nextCursor")
        if cursor is None:
            return names


def allows(catalogue: Catalogue, view: View, kind: Kind, name: str) -> bool:
    item = catalogue.route(kind, name)
    return item is not None and view.decide(item).allowed


def test_names_are_prefixed_and_sorted() -> None:
    catalogue = Catalogue([source("b", "b_", "z", "a"), source("a", "", "m")])

    assert listed(catalogue) == ["b_a", "b_z", "m"]
    route = catalogue.route(Kind.TOOLS, "b_z")
    assert route is not None
    assert (route.upstream, route.name, route.definition["xNew"]) == ("b", "z", "z")
    assert catalogue.route(Kind.TOOLS, "z") is None


def test_everything_but_the_name_is_kept() -> None:
    assert page(Catalogue([source("a", "p_", "t")])) == {
        "tools": [{"name": "p_t", "inputSchema": {"type": "object"}, "xNew": "t"}]
    }


def test_prompts_have_prefixes_and_resources_do_not() -> None:
    catalogue = Catalogue(
        [
            source(
                "a",
                "p_",
                prompts=prompts("greet"),
                resources=resources("file:///x"),
                resourceTemplates=templates("file:///{name}"),
            )
        ]
    )

    assert listed(catalogue, kind=Kind.PROMPTS) == ["p_greet"]
    assert listed(catalogue, kind=Kind.RESOURCES) == ["file:///x"]
    assert listed(catalogue, kind=Kind.TEMPLATES) == ["file:///{name}"]
    route = catalogue.route(Kind.PROMPTS, "p_greet")
    assert route is not None
    assert (route.upstream, route.name) == ("a", "greet")


def test_the_first_upstream_in_the_configuration_has_a_name() -> None:
    catalogue = Catalogue(
        [
            source("one", "x_", "t", "u", resources=resources("file:///x")),
            source("two", "", "x_t", "v", resources=resources("file:///x", "file:///y")),
        ]
    )

    assert listed(catalogue) == ["v", "x_t", "x_u"]
    route = catalogue.route(Kind.TOOLS, "x_t")
    assert route is not None
    assert route.upstream == "one"
    tool, resource = catalogue.conflicts["two"]
    assert (tool.upstream, tool.name, tool.id, tool.owner) == ("two", "x_t", "x_t", "one")
    assert str(tool) == "tool x_t is hidden: upstream one, which comes first in the configuration, has that name"
    assert str(resource) == (
        "resource file:///x is hidden: upstream one, which comes first in the configuration, has that URI"
    )


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 100])
def test_pages_hold_everything_once(page_size: int) -> None:
    names = sorted(f"t{number}" for number in range(7))

    assert listed(Catalogue([source("a", "", *names)], listings=Listings(page_size))) == names


def test_a_cursor_stays_valid_when_the_list_changes() -> None:
    before = Catalogue([source("a", "", "a", "b", "c", "d")], listings=Listings(2))
    cursor = page(before)["nextCursor"]

    after = Catalogue([source("a", "", "aa", "c", "d")], listings=Listings(2))

    result = orjson.loads(after.view(EVERYTHING).page(Kind.TOOLS, cursor))
    assert [tool["name"] for tool in result["tools"]] == ["c", "d"]


@pytest.mark.parametrize("cursor", [5, {}, "?", "\u00e9", "gICA", "YQ"])
def test_other_cursors_are_refused(cursor: object) -> None:
    with pytest.raises(RpcError, match="cursor"):
        Catalogue().view(EVERYTHING).page(Kind.TOOLS, cursor)


def test_clients_without_sessions_are_told_how_long_a_list_holds() -> None:
    listings = Listings(1000, ttl=5000, head=b'"_meta":{},')
    catalogue = Catalogue([source("a", "", "t")], [VirtualServer("v", frozenset({"t"}))], listings)

    assert page(catalogue, stateless=True) == {
        "resultType": "complete",
        "ttlMs": 5000,
        "cacheScope": "public",
        "_meta": {},
        "tools": tools("t"),
    }
    assert page(catalogue, Scope("v"), stateless=True)["cacheScope"] == "private"
    assert page(catalogue, Scope("v")) == {"tools": tools("t")}


def test_the_strictest_upstream_says_how_long_a_list_holds() -> None:
    hints = {Kind.TOOLS: CacheHint(3000, public=True), Kind.PROMPTS: CacheHint(9000, public=False)}
    catalogue = Catalogue([Source("a", "", {}, hints=hints), source("b", "")], listings=Listings(ttl=5000))

    caching = {kind: page(catalogue, kind=kind, stateless=True) for kind in Kind}
    assert {kind: (result["ttlMs"], result["cacheScope"]) for kind, result in caching.items()} == {
        Kind.TOOLS: (3000, "public"),
        Kind.PROMPTS: (5000, "private"),
        Kind.RESOURCES: (5000, "public"),
        Kind.TEMPLATES: (5000, "public"),
    }


def test_a_virtual_server_shows_its_tools_only() -> None:
    catalogue = Catalogue([source("a", "p_", "one", "two")], [VirtualServer("v", frozenset({"p_one", "p_gone"}))])

    assert listed(catalogue, Scope("v")) == ["p_one"]
    view = catalogue.view(Scope("v"))
    assert allows(catalogue, view, Kind.TOOLS, "p_one")
    assert not allows(catalogue, view, Kind.TOOLS, "p_two")
    assert not allows(catalogue, view, Kind.TOOLS, "p_gone")


@pytest.mark.parametrize(("named", "seen"), [((), ["a_x", "b_x"]), (("b_x",), ["b_x"])])
def test_a_virtual_server_without_prompts_shows_all_prompts(named: tuple[str, ...], seen: list[str]) -> None:
    sources = [source("a", "a_", prompts=prompts("x")), source("b", "b_", prompts=prompts("x"))]
    catalogue = Catalogue(sources, [VirtualServer("v", frozenset({"a_t"}), frozenset(named))])

    assert listed(catalogue, Scope("v"), Kind.PROMPTS) == seen
    assert [
        name for name in ("a_x", "b_x") if allows(catalogue, catalogue.view(Scope("v")), Kind.PROMPTS, name)
    ] == seen


def test_a_virtual_server_has_the_resources_of_the_upstreams_that_it_names() -> None:
    sources = [
        source("a", "a_", "t", resources=resources("x://a")),
        source("b", "b_", prompts=prompts("p"), resources=resources("x://b")),
        source("c", "c_", "t", resources=resources("x://c")),
    ]
    catalogue = Catalogue(sources, [VirtualServer("v", frozenset({"a_t"}), frozenset({"b_p"}))])

    assert listed(catalogue, Scope("v"), Kind.RESOURCES) == ["x://a", "x://b"]
    assert catalogue.view(Scope("v")).decide_resource("x://a/not-listed", "a").allowed
    assert not catalogue.view(Scope("v")).decide_resource("x://c", "c").allowed


def test_an_unknown_virtual_server_shows_nothing() -> None:
    with pytest.raises(RpcError, match="Unknown virtual server: w"):
        Catalogue([source("a", "", "one")]).view(Scope("w"))


def test_a_name_of_two_personal_upstreams_is_listed_once_as_the_one_that_is_called() -> None:
    sources = [Source(name, prefix, {}, personal=True) for name, prefix in (("a", "p_"), ("b", "p_x_"), ("c", "p_x_"))]
    catalogue = Catalogue([*sources, source("d", "", "p_x_y")])
    for_user = [source("a", "p_", "x_y", "x_z"), source("b", "p_x_", "y", "z"), source("c", "p_x_", "z")]

    page = orjson.loads(catalogue.view(EVERYTHING).personal_page(Kind.TOOLS, for_user, None))

    assert [tool["name"] for tool in page["tools"]] == ["p_x_y", "p_x_z"]
    called = catalogue.route(Kind.TOOLS, "p_x_z")
    assert called is not None
    assert (called.upstream, called.name) == ("b", "z")


def test_who_is_authorized_sees_and_uses_that_only() -> None:
    sources = [
        source(
            name, f"{name}_", "t", "u", prompts=prompts("p"), resources=resources(f"ui://{name}/x", f"ui://{name}/y")
        )
        for name in ("a", "b")
    ]
    catalogue = Catalogue(sources)
    authorized = Authorized(
        tools=frozenset({("a", "t"), ("gone", "t")}), resources=frozenset({("a", "a"), ("b", "ui://b/y")})
    )
    scope = Scope(authorized=authorized)

    assert listed(catalogue, scope) == ["a_t"]
    assert listed(catalogue, scope, Kind.PROMPTS) == ["a_p", "b_p"]
    assert listed(catalogue, scope, Kind.RESOURCES) == ["ui://a/x", "ui://a/y", "ui://b/y"]
    view = catalogue.view(scope)
    assert [name for name in ("a_t", "a_u", "b_t", "x") if allows(catalogue, view, Kind.TOOLS, name)] == ["a_t"]
    assert view.decide_resource("ui://a/other", "a").allowed
    assert not view.decide_resource("ui://a/x", "b").allowed
    assert not view.decide_resource("ui://b/x", "b").allowed


@pytest.mark.parametrize(
    ("uri", "upstreams"),
    [
        ("https://good.example/x", {"a", "b"}),
        ("https:/other.example/secret?://good.example/", set()),
        ("https://good.example/.\t./x", {"b"}),
        ("https://good.example\\@other.example/x", set()),
    ],
)
def test_a_host_is_authorized_where_everybody_reads_it(uri: str, upstreams: set[str]) -> None:
    """Of what a server lists (here b) nobody doubts what it is."""
    catalogue = Catalogue([source("a", "", has_resources=True), source("b", "", resources=resources(uri))])
    hosts = frozenset({("a", "good.example"), ("b", "good.example")})
    exact = frozenset({("a", uri)})
    view = catalogue.view(Scope(authorized=Authorized(resources=hosts)))

    assert {name for name in ("a", "b") if view.decide_resource(uri, name).allowed} == upstreams
    assert catalogue.view(Scope(authorized=Authorized(resources=exact))).decide_resource(uri, "a").allowed


def test_authorization_selection_and_virtual_server_hold_together() -> None:
    catalogue = Catalogue(
        [source("a", "", "one", "two", "three", "four")], [VirtualServer("v", frozenset({"one", "two", "three"}))]
    )
    authorized = Authorized(tools=frozenset({("a", "two"), ("a", "three"), ("a", "four")}))

    assert listed(catalogue, Scope("v", authorized, frozenset({"three", "four", "one"}))) == ["three"]


@pytest.mark.parametrize(
    ("scope", "kept"),
    [
        (EVERYTHING, True),
        (Scope("v"), True),
        (Scope(authorized=Authorized()), False),
        (Scope(selection=frozenset({"t"})), False),
    ],
)
def test_pages_are_kept_for_what_many_clients_see(scope: Scope, kept: bool) -> None:
    catalogue = Catalogue([source("a", "", "t")], [VirtualServer("v", frozenset({"t"}))])

    first, second = (catalogue.view(scope).page(Kind.TOOLS, None) for _ in range(2))
    assert first == second
    assert (first is second) is kept


def test_a_scope_that_was_not_used_for_long_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcpops_broker.catalogue.catalogue.MAX_VIEWS", 2)
    catalogue = Catalogue([source("a", "", "t")])
    scopes = [Scope(selection=frozenset({str(number)})) for number in range(3)]
    views = [catalogue.view(scope) for scope in scopes[:2]]

    assert catalogue.view(scopes[0]) is views[0]
    catalogue.view(scopes[2])
    assert catalogue.view(scopes[0]) is views[0]
    assert catalogue.view(scopes[1]) is not views[1]


def test_a_resource_belongs_to_the_upstream_that_lists_it() -> None:
    sources = [
        source("a", "", has_resources=True, resourceTemplates=templates("x://{+any}")),
        source("b", "", has_resources=True),
        source("c", "", resources=resources("x://c"), resourceTemplates=templates("y://{name}/part")),
    ]
    catalogue = Catalogue(sources)

    assert catalogue.route_resource("x://c") == ("c",)
    assert catalogue.route_resource("y://{name}/part") == ("c",)
    assert catalogue.route_resource("y://some%20name/part") == ("c",)
    assert catalogue.route_resource("x://other") == ("a",)
    assert catalogue.route_resource("z://nobody") == ("a", "b")


def test_a_lists_digest_follows_its_content() -> None:
    one = Catalogue([source("a", "", "t"), source("b", "", "u")], [VirtualServer("v", frozenset({"t"}))])
    other_order = Catalogue([source("b", "", "u"), source("a", "", "t")])
    changed = Catalogue(
        [source("a", "", "t"), Source("b", "", {Kind.TOOLS: [{**tools("u")[0], "description": "new"}]})],
        [VirtualServer("v", frozenset({"t"}))],
    )

    assert one.view(EVERYTHING).digest(Kind.TOOLS) == other_order.view(EVERYTHING).digest(Kind.TOOLS)
    assert one.view(EVERYTHING).digest(Kind.TOOLS) != changed.view(EVERYTHING).digest(Kind.TOOLS)
    assert one.view(EVERYTHING).digest(Kind.PROMPTS) == changed.view(EVERYTHING).digest(Kind.PROMPTS)
    assert one.view(Scope("v")).digest(Kind.TOOLS) == changed.view(Scope("v")).digest(Kind.TOOLS)
