# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The book of active faults and the options of their kinds."""

from __future__ import annotations

from pathlib import Path

import pytest
from sandbox.faults import kinds
from sandbox.faults.book import Book, Fault
from sandbox.faults.kinds import UsageError


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


def add(book: Book, name: str = "api-error", *, count: int | None = None, seconds: float | None = None) -> Fault:
    return book.add(name, kinds.find(name).values({}), user="product", count=count, seconds=seconds)


def test_what_one_writes_another_reads(book: Book, tmp_path: Path) -> None:
    other = Book(tmp_path)
    assert other.active() == []
    fault = add(book)
    assert other.active() == [fault]
    assert (tmp_path / "faults.json").stat().st_mode & 0o777 == 0o600
    assert book.remove(lambda one: one.name == "api-error") == [fault]
    assert other.active() == []
    assert not (tmp_path / "faults.json").exists()


def test_a_count_ends_it(book: Book, tmp_path: Path) -> None:
    fault = add(book, count=2)
    book.strike(fault, "get /a")
    assert Book(tmp_path).active() == [fault]
    book.strike(fault, "get /b")
    assert Book(tmp_path).active() == []
    assert book.strikes(fault) == ["get /a", "get /b"]


def test_time_ends_it(book: Book) -> None:
    fault = add(book, seconds=1000)
    assert book.active() == [fault]
    assert fault.until is not None
    add(book, "api-slow", seconds=-1)
    assert book.active() == [fault]


def test_strikes_of_one_are_not_those_of_another(book: Book) -> None:
    first, second = add(book, count=1), add(book, count=1)
    book.strike(first, "get /a")
    assert book.active() == [second]


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("api-error", {"cod": "500"}, "no option cod: its options are code, verb"),
        ("api-error", {"code": "200"}, "code=200 of the fault api-error: it must be one of 500, 502, 503, 504"),
        ("api-error", {"code": "many"}, "it must be one of 500"),
        ("api-slow", {"delay": "-1"}, "a number of seconds from 0 to 3600"),
        ("api-slow", {"delay": "nan"}, "a number of seconds from 0 to 3600"),
        ("api-drop", {"when": "never"}, "one of before, after, middle"),
        ("api-denied", {"message": ""}, "a text that is not empty"),
    ],
)
def test_what_cannot_be_meant_is_refused(name: str, given: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        kinds.find(name).values(given)


def test_unknown_fault_names_the_known() -> None:
    with pytest.raises(UsageError, match="there is no fault api-eror: choose one of api-throttled, api-error"):
        kinds.find("api-eror")


def test_options_have_defaults_of_their_own_form() -> None:
    for kind in kinds.KINDS:
        for option in kind.options:
            if option.default != "":
                assert option.read(str(option.default)) == option.default
