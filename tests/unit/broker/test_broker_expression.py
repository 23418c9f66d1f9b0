# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions of the policy: what they may say, which mistakes are found before they run, and what they depend on."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from mcpops_broker.access.expression import FIELDS, LONGEST, Expression, ExpressionError, engine

TOOL = {"name": "t_delete", "originalName": "delete", "annotations": {"readOnlyHint": False}}


def holds(text: str, **variables: Any) -> bool:
    return Expression(text).holds(engine().Context(variables))


@pytest.mark.parametrize(
    "text",
    [
        'tool.name == "t_delete"',
        '"ops" in principal.groups',
        "principal.groups.exists(group, group.startsWith('o'))",
        "size(principal.groups) == 1 && !tool.annotations.readOnlyHint",
        'tool.originalName.matches("^del")',
        'has(principal.claims.team) && principal.claims.team == "red"',
        'principal.claims["https://example.com/team"] in ["blue"]',
        'tool.name == "tool.nothing" || true // and tool.nothing, which is no field',
        "type(tool.name) == string",
    ],
)
def test_what_can_be_said(text: str) -> None:
    claims = {"team": "red", "https://example.com/team": "blue"}
    assert holds(text, tool=TOOL, principal={"groups": ["ops"], "claims": claims})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "cannot be read: Syntax error"),
        ("tool.name ==", r"cannot be read: Syntax error: mismatched input '<EOF>' \(line 1, column 13\)"),
        ("(" * 2 * LONGEST, f"is longer than {LONGEST} characters"),
        (
            "user.name == 'x'",
            "has the unknown name 'user'; known are principal, prompt, resource, server, tool, virtual",
        ),
        ("tool.nmae == 'x'", "has the unknown field 'tool.nmae'; known are annotations, name, originalName"),
        ("server.name.split('/')[0] == 'x'", "has the unknown function 'split'"),
        ("principal.groups.exists(tool, tool == 'x')", "gives the name 'tool' to something of its own"),
        ("tool.name", "must be true or false, not a value of another type"),
        ("principal.groups > 3", "fails: values of these types cannot be combined"),
        ("tool.name.matches('(')", r"fails in matches\(\)"),
        ("1 / 0 == 1", "fails: an index, number or divisor is out of its bounds"),
    ],
)
def test_mistakes_that_are_found_before_it_runs(text: str, problem: str) -> None:
    with pytest.raises(ExpressionError, match=problem):
        Expression(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("principal.claims.team == 'red'", "needs team, which is not there"),
        ("principal.claims.level > 3", "needs level, which is not there"),
        ("tool.annotations.level > 3", "cannot be combined"),
        ("tool.annotations.text", "is neither true nor false"),
        ("tool.annotations.list[5]", "out of its bounds"),
    ],
)
def test_without_a_value(text: str, problem: str) -> None:
    annotations = {"level": "three", "text": "yes", "list": [True]}
    with pytest.raises(ExpressionError, match=problem):
        holds(text, tool={"annotations": annotations}, principal={"claims": {}})


def test_no_value_is_in_an_error() -> None:
    with pytest.raises(ExpressionError) as caught:
        holds("int(principal.claims.secret) > 3", principal={"claims": {"secret": "hunter2"}})

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "uses", "claims"),
    [
        ("true", {}, set()),
        ("'a' in principal.groups", {"principal": {"groups"}}, set()),
        ("principal . claims . a == 'x' && principal.claims['b c']", {"principal": {"claims"}}, {"a", "b c"}),
        ("has(principal.claims.a)", {"principal": {"claims"}}, {"a"}),
        ("'a' in principal.claims", {"principal": {"claims"}}, None),
        ("principal['id'] == 'x'", {"principal": FIELDS["principal"]}, None),
        ("['a'].exists(one, one == server.name) || server.name == 'tool.name'", {"server": {"name"}}, set()),
    ],
)
def test_what_it_depends_on(text: str, uses: dict[str, set[str]], claims: set[str] | None) -> None:
    expression = Expression(text)

    assert (expression.uses, expression.claims) == (uses, claims)


def test_the_deepest_expression_can_be_run() -> None:
    assert holds("1" + "+1" * (LONGEST // 2 - 4) + " > 0")


def test_the_engine_comes_without_its_command_line() -> None:
    """It would cost every worker 25 MB."""
    program = (
        "import sys; from mcpops_broker.access.expression import Expression; "
        "assert 'cel' not in sys.modules; Expression('true'); "
        "assert 'cel.cel' in sys.modules and not {'cel.cli', 'typer', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
