# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Label and field selectors."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.api.errors import ApiError
from sandbox.api.selectors import Selection, parse_fields, parse_labels
from sandbox.api.store import Location, Record, Store

LABELS = {"app": "web", "tier": "front", "n": "5", "empty": ""}


def record(**more: Any) -> Record:
    metadata = {"name": "x", "namespace": "ns", "labels": LABELS}
    return Store().put(Location("", "things"), {"apiVersion": "v1", "kind": "Thing", "metadata": metadata, **more})


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app = web , tier != back", True),
        ("app=other", False),
        ("missing!=anything", True),
        ("app", True),
        ("missing", False),
        ("!missing", True),
        ("!app", False),
        ("app in (api, web)", True),
        ("app notin (api,web)", False),
        ("missing notin (a)", True),
        ("n>4", True),
        ("n<5", False),
        ("app>1", False),
        ("empty=", True),
        ("app=,tier=front", False),
    ],
)
def test_labels(text: str, matches: bool) -> None:
    assert Selection(parse_labels(text), []).selects(record(), Record.load) is matches


@pytest.mark.parametrize(
    "text", ["app=web,", "a b", "app in web", "app in (web", "=web", "app=a b", "-bad=x", "app=-bad", "app~web", "!"]
)
def test_labels_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ApiError, match=r"expected|must consist of|found|unable to parse requirement") as caught:
        parse_labels(text)
    assert caught.value.code == 400


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("metadata.name=x", True),
        ("metadata.name!=x", False),
        ("metadata.namespace==ns,metadata.name=x", True),
        ("spec.on=true", True),
        ("spec.size=3", True),
        ("spec.missing=", True),
        ("spec.text=a\\,b", True),
    ],
)
def test_fields(text: str, matches: bool) -> None:
    found = record(spec={"on": True, "size": 3, "text": "a,b"})
    assert Selection([], parse_fields(text)).selects(found, Record.load) is matches


def test_fields_that_cannot_be_read() -> None:
    with pytest.raises(ApiError, match="can't understand 'nonsense'"):
        parse_fields("nonsense")


def test_bodies_are_read_only_for_fields_of_the_body() -> None:
    def refuse(_: Record) -> dict[str, Any]:
        raise AssertionError("the body was read")

    fields = parse_fields("metadata.name=x")
    assert Selection(parse_labels("app=web"), fields).selects(record(), refuse)
    assert Selection([], []).everything
