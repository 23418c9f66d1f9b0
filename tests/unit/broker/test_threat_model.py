# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The threat model says what is tested, and all that is tested for it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "threat-model.md"
THREATS = "tests/broker/threats"
LINK = re.compile(r"\[`(test_\w+)`\]\((?:\.\./)(tests/[\w/]+\.py)\)")
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.read_text().splitlines()
    if line.startswith("| ") and not line.startswith(("| threat |", "| ---"))
]


@cache
def names_in(path: Path) -> frozenset[str]:
    """Return the names of the tests of a file."""
    found = ast.walk(ast.parse(path.read_text()))
    return frozenset(
        node.name
        for node in found
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


@pytest.mark.parametrize("row", ROWS, ids=[row[0][:60] for row in ROWS])
def test_a_line_has_a_threat_an_answer_and_tests_that_exist(row: list[str]) -> None:
    threat, answer, tests = row
    assert threat
    assert answer

    links = LINK.findall(tests)

    assert links
    assert LINK.sub("", tests).strip(", ") == "", "a cell of tests has nothing but links to them"
    for name, file in links:
        assert name in names_in(ROOT / file), f"{file} has no test {name}"


def test_the_page_names_every_test_of_a_threat() -> None:
    named = set(LINK.findall(PAGE.read_text()))

    files = sorted((ROOT / THREATS).glob("test_*.py"))

    assert files
    assert {(name, f"{THREATS}/{file.name}") for file in files for name in names_in(file)} - named == set()
