# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams of notifications for clients without sessions (MCP 2026-07-28, `subscriptions/listen`)."""

from __future__ import annotations

from typing import Any

from broker.conftest import StartBroker, StartUpstream
from broker.harness import Json, rpc, server, wait_until
from broker.raw_upstream import tool
from broker.stateless import SUBSCRIPTION, message, send, stream
from mcpops_broker.mcp.subscriptions import MAX_URI


def listen(request_id: int | str = 9, **wanted: Any) -> Json:
    return message("subscriptions/listen", {"notifications": wanted}, request_id)


def test_a_subscription_hears_what_it_asked_for(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo", list_changed=True)
    running = broker({"servers": [server("ns/raw", raw.url)]})
    running.wait_ready("ns/raw")
    wait_until(lambda: raw.listeners, "the broker listens to its upstream")

    with (
        stream(running, listen(9, toolsListChanged=True, promptsListChanged=False, other=True)) as tools,
        stream(running, listen("p", promptsListChanged=True)) as prompts,
    ):
        first = tools.next()
        assert first["method"] == "notifications/subscriptions/acknowledged"
        assert first["params"] == {"_meta": {SUBSCRIPTION: 9}, "notifications": {"toolsListChanged": True}}
        assert prompts.next()["params"]["_meta"] == {SUBSCRIPTION: "p"}

        raw.tools.append(tool("another"))
        raw.push({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})

        changed = tools.next()
        assert changed["method"] == "notifications/tools/list_changed"
        assert changed["params"] == {"_meta": {SUBSCRIPTION: 9}}

        running.process.terminate()
        assert [one["id"] for one in prompts.rest()] == ["p"], "only the end, nothing about tools"
        end = tools.rest()[-1]

    assert (end["id"], end["result"]["resultType"], end["result"]["_meta"][SUBSCRIPTION]) == (9, "complete", 9)
    assert running.process.wait(timeout=30) == 0


RESOURCES: dict[str, Json] = {
    "resources/list": {"resources": [{"uri": "file:///a", "name": "a"}]},
    "resources/templates/list": {"resourceTemplates": []},
    "resources/subscribe": {},
    "resources/unsubscribe": {},
}


def updated(uri: str) -> Json:
    return {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}}


def test_resources_are_watched_once_for_all_clients(broker: StartBroker, upstream: StartUpstream) -> None:
    raw = upstream("echo", list_changed=True)
    raw.results = RESOURCES
    running = broker({"servers": [server("ns/raw", raw.url)]})
    running.wait_ready("ns/raw")
    wait_until(lambda: raw.listeners, "the broker listens to its upstream")

    wanted = ["file:///a", "refused:b", "file:///dir"]
    with stream(running, listen(1, resourceSubscriptions=wanted)) as first:
        assert first.next()["params"]["notifications"] == {"resourceSubscriptions": ["file:///a", "file:///dir"]}
        with stream(running, listen(2, resourceSubscriptions=["file:///a"])) as second:
            second.next()
            assert sorted(raw.subscribed) == ["file:///a", "file:///dir"]
            raw.push(updated("file:///a"))
            raw.push(updated("file:///other"))
            raw.push(updated("file:///dir/part"))

            assert [one.next()["params"]["_meta"] for one in (first, second)] == [{SUBSCRIPTION: 1}, {SUBSCRIPTION: 2}]
            assert first.next()["params"] == {"_meta": {SUBSCRIPTION: 1}, "uri": "file:///dir/part"}
        raw.push(updated("file:///a"))
        assert first.next()["params"]["uri"] == "file:///a"
        assert sorted(raw.subscribed) == ["file:///a", "file:///dir"]
    wait_until(lambda: not raw.subscribed, "the upstream's subscriptions end with the last client's")


def test_subscriptions_outlive_a_change_of_their_upstreams_configuration(
    broker: StartBroker, upstream: StartUpstream
) -> None:
    raw = upstream("echo", list_changed=True)
    raw.results = RESOURCES
    running = broker({"servers": [server("ns/raw", raw.url)]})
    running.wait_ready("ns/raw")

    with stream(running, listen(1, resourceSubscriptions=["file:///a"])) as mine:
        mine.next()
        initialized = raw.initialized
        running.configure({"servers": [server("ns/raw", raw.url, "other_")]})
        wait_until(lambda: raw.initialized > initialized, "the broker connects again")
        wait_until(lambda: raw.listeners and len(raw.subscribed) == 2, "and subscribes again")
        raw.push(updated("file:///a"))

        assert mine.next()["params"]["uri"] == "file:///a"


def test_subscriptions_follow_a_server_to_another_address_and_back_into_the_configuration(
    broker: StartBroker, upstream: StartUpstream
) -> None:
    raw, other = upstream("echo", list_changed=True), upstream("echo", list_changed=True)
    raw.results = other.results = RESOURCES
    running = broker({"servers": [server("ns/raw", raw.url)]})
    running.wait_ready("ns/raw")

    with stream(running, listen(1, resourceSubscriptions=["file:///a"])) as mine:
        mine.next()
        running.configure({"servers": [server("ns/raw", other.url)]})
        wait_until(lambda: other.listeners and other.subscribed == ["file:///a"], "it is subscribed at the new address")
        other.push(updated("file:///a"))
        assert mine.next()["params"]["uri"] == "file:///a"

        running.configure({"servers": [], "broker": {"instructions": "none"}})
        wait_until(lambda: not running.status()["servers"], "the server is gone")
        before = other.initialized
        running.configure({"servers": [server("ns/raw", other.url)]})
        wait_until(lambda: other.initialized > before and len(other.subscribed) == 2, "it is subscribed again")
        wait_until(lambda: other.listeners, "the broker listens")
        other.push(updated("file:///a"))
        assert mine.next()["params"]["uri"] == "file:///a"


def test_streams_are_no_requests_in_flight(broker: StartBroker) -> None:
    running = broker({"servers": [], "broker": {"limits": {"requests": 1, "streams": 2}}})

    with stream(running, listen(toolsListChanged=True)) as first, stream(running, listen()) as second:
        first.next()
        second.next()

        assert send(running, message("tools/list")).status == 200
        assert send(running, listen()).status == 503
    wait_until(lambda: send(running, message("tools/list")).status == 200, "a request is served")

    def opens() -> bool:
        try:
            with stream(running, listen()) as third:
                return bool(third.next())
        except AssertionError:  # refused
            return False

    wait_until(opens, "the streams that ended have made room")


def test_odd_filters_are_refused(broker: StartBroker) -> None:
    running = broker({"servers": []})

    for params in (
        {},
        {"notifications": []},
        {"notifications": {"toolsListChanged": "yes"}},
        {"notifications": {"resourceSubscriptions": "file:///a"}},
        {"notifications": {"resourceSubscriptions": [1]}},
        {"notifications": {"resourceSubscriptions": ["x:" + "y" * MAX_URI]}},
    ):
        assert send(running, message("subscriptions/listen", params)).error["code"] == -32602, params
    assert send(running, listen(), {"accept": "application/json"}).status == 406


def test_a_session_cannot_subscribe_to_a_uri_without_end(broker: StartBroker) -> None:
    running = broker({"servers": []})
    running.initialize()

    error = running.post(rpc("resources/subscribe", {"uri": "x:" + "y" * MAX_URI})).error
    assert (error["code"], str(MAX_URI) in error["message"]) == (-32602, True)
