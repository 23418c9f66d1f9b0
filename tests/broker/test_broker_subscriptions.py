# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams of notifications for clients without sessions (MCP 2026-07-28, `subscriptions/listen`)."""

from __future__ import annotations

from typing import Any

from broker.conftest import StartBroker, StartUpstream
from broker.harness import Json, server, wait_until
from broker.raw_upstream import tool
from broker.stateless import SUBSCRIPTION, message, send, stream


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


def test_odd_filters_are_refused(broker: StartBroker) -> None:
    running = broker({"servers": []})

    for params in (
        {},
        {"notifications": []},
        {"notifications": {"toolsListChanged": "yes"}},
        {"notifications": {"resourceSubscriptions": "file:///a"}},
        {"notifications": {"resourceSubscriptions": [1]}},
    ):
        assert send(running, message("subscriptions/listen", params)).error["code"] == -32602, params
    assert send(running, listen(), {"accept": "application/json"}).status == 406
