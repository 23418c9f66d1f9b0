# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CEL in policies: what it means once Envoy evaluates it, and what is refused."""

from __future__ import annotations

import pytest
from dataplane_builders import gateway, listener, policy, route, rule
from envoy_bench import Bench
from sandbox.controllers.gateway_world import Json
from sandbox.controllers.kuadrant_cel import UnsupportedCelError, to_lua
from sandbox.controllers.kuadrant_patterns import selector

HOLDS = [
    "true",
    "!false && (true || request.headers['x-none'] == 'a')",
    "request.headers['x-none'] == 'a' || true",
    "request.method == 'GET'",
    "request.host == 'x.org'",
    "request.url_path.endsWith('/path') && request.path.endsWith('?q=1&r=2')",
    "request.query == 'q=1&r=2'",
    "request.path.startsWith('/') && !request.path.contains('/.well-known')",
    "request.headers.exists(h, h == 'x-kind') && 'x-kind' in request.headers",
    "request.headers['x-kind'] in ['a', 'b c']",
    "request.headers['x-kind'].split(' ')[1] == 'c'",
    "request.headers['x-kind'].replace(' ', '/') == 'b/c'",
    "request.headers['x-kind'].upperAscii().lowerAscii().trim() == r'b c'",
    "size(request.headers['x-kind']) == 3 && request.headers['x-kind'].size() >= 3",
    "['b', 'a'].map(v, v + '!').join(',') == 'b!,a!'",
    "[1, 2, 3].filter(n, n > 1) == [2, 3] && [1, 2].all(n, n < 3) && [1, 2].exists_one(n, n == 2)",
    "has(auth.identity.anonymous) ? auth.identity.anonymous : false",
    "string(1 + 2) == '3' && -1 < 0 && 2 <= 2",
    "'it\\'s' == \"it's\" && '\"\\n' != '' // a comment",
    "auth.identity != auth",
]
FAILS = [
    "false",
    "request.headers['x-none'] == 'a'",
    "request.headers['x-kind']",
    "auth.identity.resource_access.roles.exists(r, r == 'a')",
    "'a' < 1",
    "request.method in []",
    "!request.headers['x-kind']",
]


def case(number: int, expression: str) -> tuple[Json, Json]:
    """A rule for a path of its own, and the spec of the policy on it."""
    patterns = {"patterns": [{"predicate": expression}]}
    return rule(f"/{number}/", name=f"case-{number}"), {"authorization": {"check": {"patternMatching": patterns}}}


async def test_expressions_mean_in_envoy_what_they_mean_in_cel(bench: Bench) -> None:
    found = {}
    cases = [*HOLDS, *FAILS]
    for start in range(0, len(cases), 8):  # a route has at most 16 rules
        part = dict(enumerate(cases[start : start + 8]))
        built = [case(number, text) for number, text in part.items()]
        policies = [
            policy(name=f"p{number}", target=("HTTPRoute", "route", f"case-{number}"), rules=rules)
            for number, (_, rules) in enumerate(built)
        ]
        refused = await bench.serve(gateway(listener()), route(*(entry for entry, _ in built)), policies=policies)
        assert refused == {}
        assert not any(bench.enforcement.enforced.values()), bench.enforcement.enforced
        for number, text in part.items():
            answer = await bench.get(f"/{number}/path?q=1&r=2", headers={"X-Kind": "b c"})
            found[text] = answer.status
    assert found == {**dict.fromkeys(HOLDS, 200), **dict.fromkeys(FAILS, 403)}


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("request.path ==", "is not a CEL expression: found the end at position 15, expected a value"),
        ("request.path = 1", "is not a CEL expression"),
        ("'\\q' == ''", "is no escape"),
        ("source.address == ''", 'uses "source"; known are request and auth'),
        ("request.time == ''", 'uses "request.time"; known there are'),
        ("has(auth.metadata.vault)", 'uses "auth.metadata"; known there are'),
        ("request.path.matches('a')", "uses the function matches()"),
        ("type(auth.identity.aud) == string", "uses the function type()"),
        ("1 * 2 == 2", 'uses the operator "*"'),
        ("request.path == null", "uses the constant None"),
    ],
)
def test_what_lua_cannot_do_is_refused(expression: str, words: str) -> None:
    with pytest.raises(UnsupportedCelError) as refused:
        to_lua(expression)
    assert words in str(refused.value)


def test_texts_cannot_leave_their_quotes() -> None:
    assert to_lua("'\"..os.exit()..\"'") == r'"\"..os.exit()..\""'
    assert to_lua(r"'\\'") == r'"\\"'


@pytest.mark.parametrize("path", ["auth.identity.roles.@keys", "auth.identity.roles.#(name==x)", "source.x", "auth"])
def test_selectors_with_modifiers_are_refused(path: str) -> None:
    with pytest.raises(UnsupportedCelError, match="uses the selector"):
        selector(path)
