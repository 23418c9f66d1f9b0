# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of all kinds, hearing that they have changed, and subscriptions to resources."""

from __future__ import annotations

import asyncio

import pytest
from broker.scripted import Json, Received, ScriptedServer, connected, echo, running, until
from mcpops_broker.config.model import BrokerOptions
from mcpops_broker.protocol.jsonrpc import RpcError
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.upstream import backoff
from mcpops_broker.upstream.errors import UpstreamError, UpstreamRpcError
from mcpops_broker.upstream.lister import read_listing
from mcpops_broker.upstream.listing import CacheHint, Listing, sort_out
from mcpops_broker.upstream.peer import Era, Peer

ERAS = ["session", "stateless"]
ALL = {
    "tools": {"listChanged": True},
    "prompts": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
}
SELDOM = BrokerOptions(check_interval=3600)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Open broken streams again at once."""
    monkeypatch.setattr(backoff, "FIRST_WAIT", 0.01)


@pytest.mark.parametrize("era", ERAS)
async def test_all_kinds_are_listed_and_what_cannot_be_listed_is_said(era: str) -> None:
    server = ScriptedServer(era, capabilities=ALL)
    server.tool("t", echo)
    server.lists["resources"] = [{"uri": "test://a", "name": "a"}, {"uri": "test://b"}]

    async def fail(received: Received) -> Json:
        raise RpcError(-32603, "out of order")

    server.handlers["prompts/list"] = fail
    async with running(server), connected(server.url) as (upstream, _):
        listed = upstream.listed

    assert [tool["name"] for tool in listed.tools] == ["t"]
    assert [resource["uri"] for resource in listed.resources] == ["test://a"]
    assert [(one.name, one.errors) for one in listed.invalid(Kind.RESOURCES)] == [
        ("test://b", ("the name must be text",))
    ]
    assert listed.templates == (), "it does not know templates, which is no problem"
    assert listed.prompts == ()
    assert listed.problems() == ("prompts/list failed: upstream ns/up: out of order (JSON-RPC error -32603)",)


@pytest.mark.parametrize("era", ERAS)
async def test_a_change_of_any_list_is_heard_of(era: str) -> None:
    server = ScriptedServer(era, capabilities=ALL)
    server.lists.update({"prompts": [], "resources": [], "resourceTemplates": []})
    async with running(server), connected(server.url, SELDOM) as (upstream, seen):
        await until(lambda: server.streams, "the broker listens")
        for kind, item in (
            (Kind.PROMPTS, {"name": "p"}),
            (Kind.RESOURCES, {"uri": "test://a", "name": "a"}),
            (Kind.TEMPLATES, {"uriTemplate": "test://{x}", "name": "x"}),
        ):
            before = upstream.listed
            server.lists[kind.key] = [item]
            await server.push(kind.changed)
            await until(lambda kind=kind, item=item: upstream.listed.items(kind) == (item,), f"{kind} is read again")  # type: ignore[misc]
            assert upstream.listed.tools is before.tools, "what did not change stays the same object"
        changes = seen.changes
        await server.push(Kind.TOOLS.changed)
        lists = len(server.of("tools/list"))
        await until(lambda: len(server.of("tools/list")) > lists, "the lists are read again")
        assert seen.changes == changes, "nothing is reported when nothing differs"


@pytest.mark.parametrize("era", ERAS)
async def test_a_stream_that_breaks_is_opened_again_and_the_lists_are_read(era: str) -> None:
    server = ScriptedServer(era, capabilities=ALL)
    server.lists.update({"prompts": [], "resources": []})
    async with running(server), connected(server.url, SELDOM) as (upstream, seen):
        await upstream.subscribe("test://a")
        await until(lambda: server.streams, "the broker listens")
        broken = next(iter(server.streams))
        server.lists["prompts"] = [{"name": "p"}]
        server.end_streams()
        await until(lambda: upstream.listed.prompts, "the lists are read again after the gap")
        await until(lambda: set(server.streams) - {broken}, "the broker listens again")
        await until(lambda: "test://a" in seen.updates, "the resource may have changed in the gap")


@pytest.mark.parametrize("era", ERAS)
async def test_however_many_subscribe_the_upstream_is_asked_once(era: str) -> None:
    server = ScriptedServer(era, capabilities=ALL)
    server.lists.update({"prompts": [], "resources": []})

    def subscribed() -> list[Json]:
        if era == "session":
            return [one.params for one in server.of("resources/subscribe")]
        return [one.params["notifications"] for one in server.of("subscriptions/listen")]

    async with running(server), connected(server.url, SELDOM) as (upstream, seen):
        await until(lambda: server.streams, "the broker listens")
        before = len(subscribed())
        await asyncio.gather(*(upstream.subscribe("test://a") for _ in range(10)))
        assert len(subscribed()) == before + 1
        await until(lambda: len(server.streams) == 1, "one stream is left")
        await server.push("notifications/resources/updated", uri="test://a")
        await until(lambda: seen.updates == ["test://a"], "the change is reported once")

        for _ in range(9):
            await upstream.unsubscribe("test://a")
        assert len(subscribed()) == before + 1
        await upstream.unsubscribe("test://a")
        await upstream.unsubscribe("test://a")
        if era == "session":
            assert len(server.of("resources/unsubscribe")) == 1
        else:
            await until(lambda: "resourceSubscriptions" not in subscribed()[-1], "it listens without the resource")


async def test_subscriptions_outlive_the_session_that_made_them() -> None:
    server = ScriptedServer("session", capabilities=ALL)
    server.lists.update({"prompts": [], "resources": []})
    async with running(server), connected(server.url, SELDOM) as (upstream, seen):
        await upstream.subscribe("test://a")
        (first,) = server.of("resources/subscribe")
        server.sessions.clear()
        upstream.refresh()
        await until(lambda: len(server.of("resources/subscribe")) == 2, "it subscribes again")
        again = server.of("resources/subscribe")[1]
        assert again.headers["mcp-session-id"] != first.headers["mcp-session-id"]
        await until(lambda: seen.updates == ["test://a"], "nobody knows what happened in between")


async def test_subscriptions_are_made_again_after_a_failure() -> None:
    server = ScriptedServer("stateless", capabilities=ALL)
    server.lists.update({"prompts": [], "resources": []})
    async with running(server), connected(server.url, BrokerOptions(check_interval=0.1)) as (upstream, _):
        await upstream.subscribe("test://a")
        server.eras = ()
        await until(lambda: upstream.problem is not None, "the failure is seen")
        await until(lambda: not server.streams, "the stream is closed")
        server.eras = ("stateless",)
        await until(lambda: server.streams, "the broker listens again")
        assert server.of("subscriptions/listen")[-1].params["notifications"]["resourceSubscriptions"] == ["test://a"]


async def test_refused_subscriptions_are_not_counted() -> None:
    server = ScriptedServer("session", capabilities=ALL)
    server.lists.update({"prompts": [], "resources": []})

    async def fail(received: Received) -> Json:
        raise RpcError(-32002, "no such resource")

    server.handlers["resources/subscribe"] = fail
    async with running(server), connected(server.url, SELDOM) as (upstream, _):
        for _ in range(2):
            with pytest.raises(UpstreamRpcError, match="no such resource"):
                await upstream.subscribe("test://a")
        assert len(server.of("resources/subscribe")) == 2


@pytest.mark.parametrize("era", ERAS)
async def test_an_upstream_without_the_capability_is_not_asked(era: str) -> None:
    server = ScriptedServer(era, capabilities={"resources": {}})
    server.lists["resources"] = []
    async with running(server), connected(server.url, SELDOM) as (upstream, _):
        with pytest.raises(UpstreamError, match="does not report changes of resources") as caught:
            await upstream.subscribe("test://a")
        assert caught.value.reason == "unsupported"
        assert server.of("resources/subscribe") == server.of("subscriptions/listen") == []


async def test_an_upstream_that_does_not_agree_to_a_resource_is_an_error() -> None:
    server = ScriptedServer("stateless", capabilities=ALL)
    server.lists.update({"prompts": [], "resources": []})
    agree = server._subscriptions

    async def only_lists(received: Received) -> object:
        received.params["notifications"].pop("resourceSubscriptions", None)
        return await agree(received)

    async with running(server), connected(server.url, SELDOM) as (upstream, _):
        await until(lambda: server.streams, "the broker listens")
        server._subscriptions = only_lists  # type: ignore[method-assign, assignment]
        with pytest.raises(UpstreamError, match="does not report changes of test://a"):
            await upstream.subscribe("test://a")


async def test_a_subscription_that_nobody_waits_for_any_more_is_forgotten() -> None:
    server = ScriptedServer(
        "stateless", capabilities={"tools": {"listChanged": True}, "resources": {"subscribe": True}}
    )
    server.lists["resources"] = []
    server.silent_streams = True
    async with running(server), connected(server.url) as (upstream, _):
        subscribing = asyncio.ensure_future(upstream.subscribe("x://1"))
        await until(lambda: len(server.of("subscriptions/listen")) == 2, "it was asked for")
        subscribing.cancel()

        await until(lambda: len(server.of("subscriptions/listen")) == 3, "the stream is opened without it")

    assert server.of("subscriptions/listen")[-1].params["notifications"] == {"toolsListChanged": True}


async def test_all_pages_are_read_and_the_most_careful_hint_holds() -> None:
    pages = {
        None: {"prompts": [{"name": "a"}], "ttlMs": 9000, "cacheScope": "public", "nextCursor": "2"},
        "2": {"prompts": [{"name": "b"}], "ttlMs": 5000, "cacheScope": "public", "nextCursor": "3"},
        "3": {"prompts": [{"name": "c"}], "ttlMs": 7000, "cacheScope": "private"},
    }

    async def call(method: str, params: Json) -> Json:
        assert method == "prompts/list"
        return pages[params.get("cursor")]

    listed = await read_listing("ns/up", Peer(Era.STATELESS, "2026-07-28", {"prompts": {}}), call)

    assert [prompt["name"] for prompt in listed.prompts] == ["a", "b", "c"]
    assert listed.hint(Kind.PROMPTS) == CacheHint(5000, public=False)


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        ({"tools": [], "nextCursor": "1"}, "does not come to an end of tools/list"),
        ({"prompts": []}, "answered tools/list without a list of tools"),
    ],
)
async def test_odd_pages_are_errors(page: Json, problem: str) -> None:
    async def call(method: str, params: Json) -> Json:
        return page

    with pytest.raises(UpstreamError, match=problem):
        await read_listing("ns/up", Peer(Era.SESSION, "2025-11-25", {"tools": {}}), call)


def test_listings_differ_by_content_and_not_by_the_order_of_keys() -> None:
    schema = {"type": "object"}
    old = Listing({Kind.TOOLS: sort_out(Kind.TOOLS, [{"name": "t", "inputSchema": schema, "x": 1}])})
    same = Listing({Kind.TOOLS: sort_out(Kind.TOOLS, [{"x": 1, "inputSchema": schema, "name": "t"}])})
    other = Listing({Kind.TOOLS: sort_out(Kind.TOOLS, [{"name": "t", "inputSchema": schema, "x": True}])})

    assert old.updated_by(same) is old
    assert old.updated_by(other) is not old, "1 and true are equal in Python only"
