# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cells of tables: durations, paths into objects."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.api.jsonpath import compile_path
from sandbox.api.printers import age, columns_of, duration_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (600, "10m"),
        (10799, "179m"),
        (10800, "3h"),
        (11100, "3h5m"),
        (28800, "8h"),
        (172800, "2d"),
        (176400, "2d1h"),
        (691200, "8d"),
        (63072000, "2y"),
        (63158400, "2y1d"),
        (252288000, "8y"),
    ],
)
def test_durations(seconds: int, text: str) -> None:
    assert duration_text(seconds) == text


def test_times_that_are_none() -> None:
    assert (age("yesterday"), age(None), age("x", "<invalid>")) == ("<unknown>", "<unknown>", "<invalid>")


THING = {"a": {"b.c": 1, "list": [1, 2, 3], "on": True}, "items": [{"n": "x", "v": 1}, {"n": "y", "v": 2, "w": "2"}]}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".a.list", [[1, 2, 3]]),
        (".a.list[1]", [2]),
        (".a.list[-1:]", [3]),
        (".a.list[0:2]", [1, 2]),
        (".a.list[9]", []),
        (".a.list[*]", [1, 2, 3]),
        (r".a.b\.c", [1]),
        (".a['b.c']", [1]),
        (".items[*].n", ["x", "y"]),
        (".items[?(@.v==2)].n", ["y"]),
        (".items[?(@.v>=1)].n", ["x", "y"]),
        (".items[?(@.n!='x')].v", [2]),
        ('.items[?(@.n=="x")].v', [1]),
        (".items[?(@.w)].n", ["y"]),
        (".items[?(@.n>1)].n", []),
        ("..n", ["x", "y"]),
        (".a.on.deeper", []),
        (".missing[0].x", []),
        (".a.*", [1, [1, 2, 3], True]),
    ],
)
def test_paths(path: str, found: list[Any]) -> None:
    assert compile_path(path)(THING) == found


def test_every_table_begins_with_the_name_but_that_of_events() -> None:
    assert [column.name for column in columns_of("Lease")] == ["Name", "Holder", "Age"]
    assert [column.name for column in columns_of("Unheard")] == ["Name", "Age"]
    events = columns_of("Event")
    assert (events[0].name, events[-1].name) == ("Last Seen", "Name")
