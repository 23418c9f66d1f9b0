# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPRoute rules as Envoy routes: order, refusals and the corners that traffic does not show."""

from __future__ import annotations

from typing import Any

import pytest
from dataplane_builders import route, rule
from sandbox.controllers.envoy_routes import Backend, Entry, UnsupportedRouteError, rule_entries
from sandbox.controllers.gateway_world import Json

WEB = [Backend("web")]


def entries(one: Json, backends: list[Backend] | None = None) -> list[Entry]:
    return [entry for index in range(len(one["spec"]["rules"])) for entry in rule_entries(one, index, backends or WEB)]


def first(**more: Any) -> Json:
    return entries(route(rule(**more)))[0].route


def match(value: str = "/", kind: str = "PathPrefix", **more: Any) -> Json:
    return {"path": {"type": kind, "value": value}, **more}


def test_matches_are_tried_in_the_order_of_the_specification() -> None:
    header, query = {"name": "h", "value": "1"}, {"name": "q", "value": "1"}
    wanted = [
        match("/a", "Exact"),
        match("/a/longer"),
        match("/a", method="GET"),
        match("/a", headers=[header, {"name": "h2", "value": "1"}]),
        match("/a", headers=[header], queryParams=[query]),
        match("/a", headers=[header]),
        match("/a", queryParams=[query, {"name": "q2", "value": "1"}]),
        match("/a", queryParams=[query]),
        match("/a"),
        match("/", method="GET"),
        match("/a.*", "RegularExpression"),
        match("/"),
    ]
    shuffled = [rule(matches=[entry]) for entry in reversed(wanted)]
    found = sorted(entries(route(*shuffled)), key=lambda entry: entry.order)
    assert [entry.order[-2] for entry in found] == list(range(len(wanted) - 1, -1, -1))


def test_ties_go_to_the_older_route_then_the_name_then_the_rule() -> None:
    old, new = route(rule(), name="z", created=1), route(rule(), name="a", created=2)
    twin = route(rule("/"), rule("/"), name="b", created=2)
    found = sorted(entries(new) + entries(old) + entries(twin), key=lambda entry: entry.order)
    assert [entry.route["name"] for entry in found] == ["apps.z.0", "apps.a.0", "apps.b.0", "apps.b.1"]


def test_prefixes_match_whole_path_elements() -> None:
    assert first(matches=[match("/foo/")])["match"] == {"path_separated_prefix": "/foo"}
    assert first(matches=[match("/")])["match"] == {"prefix": "/"}
    assert first()["match"] == {"prefix": "/"}


def test_of_repeated_names_the_first_counts() -> None:
    headers = [{"name": "X", "value": "1"}, {"name": "x", "value": "2"}]
    queries = [{"name": "q", "value": "1"}, {"name": "q", "value": "2"}, {"name": "Q", "value": "3"}]
    found = first(matches=[match(headers=headers, queryParams=queries)])["match"]
    assert found["headers"] == [{"name": "X", "string_match": {"exact": "1"}}]
    assert [entry["name"] for entry in found["query_parameters"]] == ["q", "Q"]


@pytest.mark.parametrize("pattern", ["(", "a(?=b)", "a(?!b)", "(?<=a)b", "(a)\\1", "(?P=x)"])
def test_pattern_that_envoy_would_refuse(pattern: str) -> None:
    with pytest.raises(UnsupportedRouteError) as caught:
        first(matches=[match(pattern, "RegularExpression")])
    assert caught.value.reason == "UnsupportedValue"


@pytest.mark.parametrize("pattern", ["/v[0-9]+/.*", "(?i)/abc", "/(?:a|b)", "(?P<name>x)"])
def test_pattern_that_envoy_takes(pattern: str) -> None:
    assert first(matches=[match(pattern, "RegularExpression")])["match"] == {"safe_regex": {"regex": pattern}}


@pytest.mark.parametrize(
    ("timeouts", "expected"),
    [
        (None, "0s"),
        ({"request": "0s"}, "0s"),
        ({"request": "1m30s"}, "90s"),
        ({"request": "10s", "backendRequest": "500ms"}, "0.5s"),
        ({"request": "1h"}, "3600s"),
    ],
)
def test_timeouts(timeouts: Json | None, expected: str) -> None:
    assert first(timeouts=timeouts)["route"]["timeout"] == expected


def test_host_header_becomes_a_rewrite_of_the_authority() -> None:
    modifier = {"set": [{"name": "Host", "value": "inner"}, {"name": "X-A", "value": "50%"}], "remove": ["host", "x-b"]}
    found = first(filters=[{"type": "RequestHeaderModifier", "requestHeaderModifier": modifier}])
    assert found["route"]["host_rewrite_literal"] == "inner"
    assert [entry["header"] for entry in found["request_headers_to_add"]] == [{"key": "X-A", "value": "50%%"}]
    assert found["request_headers_to_remove"] == ["x-b"]


def test_rules_without_a_place_to_go() -> None:
    one = route(rule())
    assert rule_entries(one, 0, [])[0].route["direct_response"] == {"status": 500}
    assert rule_entries(one, 0, [Backend("web", 0)])[0].route["direct_response"] == {"status": 503}


def test_prefix_replacement_needs_a_prefix() -> None:
    rewrite = {"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/x"}}}
    with pytest.raises(UnsupportedRouteError, match="needs a PathPrefix match"):
        first(matches=[match("/a", "Exact")], filters=[rewrite])


def test_unknown_values_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedRouteError, match="statusCode 305"):
        first(filters=[{"type": "RequestRedirect", "requestRedirect": {"statusCode": 305}}])
    with pytest.raises(UnsupportedRouteError, match="Glob"):
        first(matches=[match("/a", "Glob")])
    with pytest.raises(UnsupportedRouteError, match="URLRewrite"):
        entries(route(rule()), [Backend("web", 1, [{"type": "URLRewrite"}])])


def test_mirror_without_backend_lets_the_request_through() -> None:
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "missing", "port": 80}}}
    assert "request_mirror_policies" not in first(filters=[mirror])["route"]
