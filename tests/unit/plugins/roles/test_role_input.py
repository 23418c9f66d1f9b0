# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables as people and surveys give them become typed values, or problems that a person understands."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.mcpops.gateway.plugins.module_utils._role_input import check_options, structured

SPEC: dict[str, dict[str, Any]] = {
    "port": {"type": "int"},
    "seconds": {"type": "float"},
    "wait": {"type": "bool"},
    "mode": {"type": "str", "choices": ["", "create", "patch"]},
    "names": {"type": "raw"},
    "some": {"type": "list", "elements": "str", "choices": ["a", "b"]},
    "labels": {"type": "raw"},
    "servers": {
        "type": "raw",
        "options": {
            "name": {"type": "str", "required": True},
            "port": {"type": "int", "default": 80},
            "tags": {"type": "list", "elements": "str"},
            "token": {"type": "int", "no_log": True},
            "tls": {"type": "dict", "options": {"refs": {"type": "list", "options": {"name": {"required": True}}}}},
        },
    },
}


def checked(**values: Any) -> tuple[dict[str, Any], list[str]]:
    return check_options(SPEC, values, {"names": "list", "labels": "dict", "servers": "list"})


@pytest.mark.parametrize(
    ("name", "given", "meant"),
    [
        ("port", "8080", 8080),
        ("port", 8080.0, 8080),
        ("seconds", "1.5", 1.5),
        ("wait", "Yes", True),
        ("wait", "false", False),
        ("wait", False, False),
        ("mode", "create", "create"),
        ("some", "a,b", ["a", "b"]),
        ("names", "a, b", ["a", "b"]),
        ("names", "- a\n- b\n", ["a", "b"]),
        ("names", ["a"], ["a"]),
        ("names", "", []),
        ("labels", "team: a", {"team": "a"}),
        ("labels", None, {}),
        ("servers", "- name: w\n  port: '90'\n  tags: x,y", [{"name": "w", "port": 90, "tags": ["x", "y"]}]),
        ("servers", [{"name": "w"}], [{"name": "w", "port": 80}]),
    ],
)
def test_survey_text_and_plain_values_mean_the_same(name: str, given: Any, meant: Any) -> None:
    values, problems = checked(**{name: given})

    assert problems == []
    assert values[name] == meant


@pytest.mark.parametrize("empty", ["", None])
def test_empty_text_counts_as_not_given(empty: Any) -> None:
    assert checked(port=empty, wait=empty) == ({}, [])


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"port": "80x"}, "port '80x' must be a whole number"),
        ({"port": True}, "port True must be a whole number"),
        ({"port": 1.5}, "port 1.5 must be a whole number"),
        ({"port": "inf"}, "port 'inf' must be a whole number"),
        ({"seconds": "soon"}, "seconds 'soon' must be a number"),
        ({"wait": "maybe"}, "wait 'maybe' must be true or false"),
        ({"mode": "delete"}, "mode 'delete' is none of 'create', 'patch'"),
        ({"some": ["a", "c"]}, "some 'c' is none of 'a', 'b'"),
        ({"mode": ["create"]}, "mode ['create'] must be one value, not a list"),
        ({"labels": "a"}, "labels must be a dictionary, or YAML text of one"),
        ({"names": "{a: 1}"}, "names must be a list, or YAML text of one"),
        ({"servers": ["w"]}, "servers[0] must be a dictionary with name, port, tags, tls, token"),
        ({"servers": [{"port": 1}]}, "servers[0]: name is missing"),
        ({"servers": [{"name": "w", "prt": 1}]}, "servers[0] (w): 'prt' is not known here; did you mean port?"),
        ({"servers": [{"name": "w", "zone": 1}]}, "servers[0] (w): 'zone' is not known here; known are name, port,"),
        ({"servers": [{"name": "w", "port": "x"}]}, "servers[0] (w): port 'x' must be a whole number"),
        ({"servers": [{"name": "w", "token": "hidden"}]}, "servers[0] (w): token must be a whole number"),
        ({"servers": [{"name": "w", "tls": {"refs": [{}]}}]}, "servers[0] (w): tls: refs[0]: name is missing"),
    ],
)
def test_a_problem_names_the_place_the_value_and_what_is_wanted(values: dict[str, Any], problem: str) -> None:
    _, problems = checked(**values)

    assert len(problems) == 1
    assert problems[0].startswith(problem)
    assert "hidden" not in problems[0]


def test_yaml_text_may_be_indented_as_a_whole() -> None:
    assert structured("\n    - {name: a}\n    - {name: b}\n  ", "list") == [{"name": "a"}, {"name": "b"}]


def test_broken_yaml_is_told_with_its_place() -> None:
    with pytest.raises(ValueError, match=r"is not YAML \(.* at line 3"):
        structured("- a\n- [b", "list")


def test_all_problems_are_found_at_once() -> None:
    _, problems = checked(port="x", wait="y y", servers=[{"port": "z"}, 1])

    assert len(problems) == 5
