# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which resources a change is told of, and how many a client may be subscribed to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from mcpops_broker.mcp import watched_resources
from mcpops_broker.mcp.subscriptions import MAX_PARENTS, MAX_URI, Filter, with_parents
from mcpops_broker.mcp.watched_resources import WatchedResources
from mcpops_broker.protocol.jsonrpc import RpcError


def test_a_change_is_told_of_what_it_is_a_part_of() -> None:
    assert list(with_parents("x://a/b")) == ["x://a/b", "x://a/", "x://a", "x://", "x:/", "x:/", "x:"]
    assert list(with_parents("db:table")) == ["db:table"]


def test_a_server_cannot_make_it_look_for_parents_without_end() -> None:
    assert list(with_parents("a:" + "/" * MAX_URI)) == []
    assert len(list(with_parents("a:" + "/" * (MAX_URI - 2)))) == 1 + 2 * MAX_PARENTS
    assert len(list(with_parents("a:" + "x" * (MAX_URI - 2)))) == 1


async def test_a_session_is_subscribed_to_so_many_resources_with_uris_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched_resources, "MAX_URIS", 2)

    async def subscribe(uri: str) -> None:
        pass

    upstream = SimpleNamespace(subscribe=subscribe, unsubscribe=subscribe)
    watched = WatchedResources(cast(Any, SimpleNamespace(upstreams={"ns/a": upstream})))
    session, other = (cast(Any, SimpleNamespace(key=SimpleNamespace(identity=name), dropped=False)) for name in "ab")
    for uri in ("x:1", "x:2"):
        watched.check(session, uri)
        await watched.add(session, "ns/a", uri)

    watched.check(session, "x:2")
    watched.check(other, "x:3")
    with pytest.raises(RpcError, match="subscribed to 2 resources"):
        watched.check(session, "x:3")
    await watched.remove(session, "x:1")
    watched.check(session, "x:3")
    watched.check(other, "x:" + "y" * (MAX_URI - 2))
    with pytest.raises(RpcError, match=f"{MAX_URI} characters, not {MAX_URI + 1}"):
        watched.check(other, "x:" + "y" * (MAX_URI - 1))


def test_a_stream_takes_no_longer_uris() -> None:
    uri = "x:" + "y" * (MAX_URI - 2)

    assert Filter.read({"notifications": {"resourceSubscriptions": [uri]}}).uris == (uri,)
    with pytest.raises(RpcError, match=f"{MAX_URI} characters, not {MAX_URI + 1}"):
        Filter.read({"notifications": {"resourceSubscriptions": ["x:", uri + "y"]}})
