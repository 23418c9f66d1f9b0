# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Merging tools: names, order, conflicts, pages, views."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from mcpops_broker.catalogue.catalogue import Catalogue, Source
from mcpops_broker.config.model import VirtualServer
from mcpops_broker.protocol.jsonrpc import RpcError


def tools(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "inputSchema": {"type": "object"}, "xNew": name} for name in names]


def listed(catalogue: Catalogue, virtual_server: str | None = None) -> list[str]:
    names, cursor = [], None
    while True:
        page = orjson.loads(catalogue.view(virtual_server).page(cursor))
        names += [tool["name"] for tool in page["tools"]]
        cursor = page.get("nextCursor")
        if cursor is None:
            return names


def test_names_are_prefixed_and_sorted() -> None:
    catalogue = Catalogue([Source("b", "b_", tools("z", "a")), Source("a", "", tools("m"))])

    assert listed(catalogue) == ["b_a", "b_z", "m"]
    assert (catalogue.routes["b_z"].upstream, catalogue.routes["b_z"].tool) == ("b", "z")


def test_everything_but_the_name_is_kept() -> None:
    page = orjson.loads(Catalogue([Source("a", "p_", tools("t"))]).view(None).page(None))

    assert page == {"tools": [{"name": "p_t", "inputSchema": {"type": "object"}, "xNew": "t"}]}


def test_the_first_upstream_in_the_configuration_has_a_name() -> None:
    catalogue = Catalogue([Source("one", "x_", tools("t", "u")), Source("two", "", tools("x_t", "v"))])

    assert listed(catalogue) == ["v", "x_t", "x_u"]
    assert catalogue.routes["x_t"].upstream == "one"
    (conflict,) = catalogue.conflicts
    assert (conflict.upstream, conflict.tool, conflict.name, conflict.owner) == ("two", "x_t", "x_t", "one")
    assert str(conflict) == ("tool x_t is hidden: upstream one, which comes first in the configuration, has that name")


@pytest.mark.parametrize("page_size", [1, 2, 3, 7, 100])
def test_pages_hold_everything_once(page_size: int) -> None:
    names = sorted(f"t{number}" for number in range(7))

    assert listed(Catalogue([Source("a", "", tools(*names))], page_size=page_size)) == names


def test_a_cursor_stays_valid_when_the_list_changes() -> None:
    before = Catalogue([Source("a", "", tools("a", "b", "c", "d"))], page_size=2)
    cursor = orjson.loads(before.view(None).page(None))["nextCursor"]

    after = Catalogue([Source("a", "", tools("aa", "c", "d"))], page_size=2)

    assert [tool["name"] for tool in orjson.loads(after.view(None).page(cursor))["tools"]] == ["c", "d"]


@pytest.mark.parametrize("cursor", [5, {}, "?", "\u00e9", "gICA", "YQ"])
def test_other_cursors_are_refused(cursor: object) -> None:
    with pytest.raises(RpcError, match="cursor"):
        Catalogue().view(None).page(cursor)


def test_a_virtual_server_shows_its_tools_only() -> None:
    catalogue = Catalogue(
        [Source("a", "p_", tools("one", "two"))], [VirtualServer("v", frozenset({"p_one", "p_gone"}))]
    )

    assert listed(catalogue, "v") == ["p_one"]
    assert "p_one" in catalogue.view("v")
    assert "p_two" not in catalogue.view("v")


def test_an_unknown_virtual_server_shows_nothing() -> None:
    with pytest.raises(RpcError, match="Unknown virtual server: w"):
        Catalogue([Source("a", "", tools("one"))]).view("w")


def test_a_views_digest_follows_its_content() -> None:
    one = Catalogue([Source("a", "", tools("t")), Source("b", "", tools("u"))], [VirtualServer("v", frozenset({"t"}))])
    other_order = Catalogue([Source("b", "", tools("u")), Source("a", "", tools("t"))])
    changed = Catalogue(
        [Source("a", "", tools("t")), Source("b", "", [{**tools("u")[0], "description": "new"}])],
        [VirtualServer("v", frozenset({"t"}))],
    )

    assert one.view(None).digest == other_order.view(None).digest
    assert one.view(None).digest != changed.view(None).digest
    assert one.view("v").digest == changed.view("v").digest
