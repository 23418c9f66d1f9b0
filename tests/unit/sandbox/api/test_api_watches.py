# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists and watches: pages from one snapshot, the log, bookmarks, lost history."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from api_kit import CONFIGMAPS, MERGE, Api, configmap
from sandbox.api.http import Stream


class Watching:
    """A watch whose events are read as they come."""

    def __init__(self, api: Api, query: str) -> None:
        answer = api.raw("GET", f"{CONFIGMAPS}?watch=true&{query}")
        assert isinstance(answer, Stream)
        self._chunks = answer.chunks

    async def next(self) -> list[dict[str, Any]]:
        """The events that are there, at least one."""
        async with asyncio.timeout(5):
            chunk = await anext(self._chunks)
        return [json.loads(line) for line in chunk.splitlines()]

    async def shown(self) -> list[str]:
        """Types and names of the events that are there."""
        return [f"{event['type']} {event['object']['metadata'].get('name', '')}".strip() for event in await self.next()]


def fill(api: Api, *names: str, **labels: str) -> str:
    """Create objects; returns the last one's revision."""
    for name in names:
        created = api.make(CONFIGMAPS, configmap(name, labels=labels))
    revision: str = created["metadata"]["resourceVersion"]
    return revision


def names(answer: Any) -> list[str]:
    return [item["metadata"]["name"] for item in answer.body["items"]]


def test_pages_come_from_one_snapshot(api: Api) -> None:
    fill(api, "a", "b", "c", "d")
    first = api("GET", f"{CONFIGMAPS}?limit=2")
    assert names(first) == ["a", "b"]
    assert first.body["metadata"]["remainingItemCount"] == 2
    fill(api, "aa", "cc")
    api("DELETE", f"{CONFIGMAPS}/d")
    second = api("GET", f"{CONFIGMAPS}?limit=9&continue={first.body['metadata']['continue']}")
    assert names(second) == ["c", "d"]
    assert second.body["metadata"] == {"resourceVersion": first.body["metadata"]["resourceVersion"]}


def test_pages_of_a_lost_snapshot_offer_to_go_on() -> None:
    api = Api(history=3)
    fill(api, "a", "b", "c")
    token = api("GET", f"{CONFIGMAPS}?limit=1").body["metadata"]["continue"]
    fill(api, "d", "e", "f", "g")
    lost = api("GET", f"{CONFIGMAPS}?limit=1&continue={token}")
    assert (lost.code, lost.body["reason"]) == (410, "Expired")
    rest = api("GET", f"{CONFIGMAPS}?continue={lost.body['metadata']['continue']}")
    assert names(rest) == ["b", "c", "d", "e", "f", "g"]


def test_lists_of_the_past_and_of_the_future(api: Api) -> None:
    revision = fill(api, "a")
    fill(api, "b")
    assert names(api("GET", f"{CONFIGMAPS}?resourceVersion={revision}&resourceVersionMatch=Exact")) == ["a"]
    assert names(api("GET", f"{CONFIGMAPS}?resourceVersion={revision}")) == ["a", "b"]
    assert api("GET", f"{CONFIGMAPS}?resourceVersion=999999").code == 504
    assert api("GET", f"{CONFIGMAPS}?continue=nonsense").code == 400


async def test_watches_start_after_a_revision(api: Api) -> None:
    revision = fill(api, "a")
    fill(api, "b")
    watch = Watching(api, f"resourceVersion={revision}")
    assert await watch.shown() == ["ADDED b"]
    api("PATCH", f"{CONFIGMAPS}/a", {"data": {"k": "v"}}, MERGE)
    api("DELETE", f"{CONFIGMAPS}/b")
    assert await watch.shown() == ["MODIFIED a", "DELETED b"]


async def test_watches_start_with_the_state(api: Api) -> None:
    fill(api, "a", "b")
    assert await Watching(api, "").shown() == ["ADDED a", "ADDED b"]
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    events = await Watching(api, query).next()
    assert [event["type"] for event in events] == ["ADDED", "ADDED", "BOOKMARK"]
    assert events[-1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_objects_enter_and_leave_a_selection(api: Api) -> None:
    revision = fill(api, "a")
    watch = Watching(api, f"resourceVersion={revision}&labelSelector=on")
    for labels in ({"on": "1"}, {"on": "2"}, {"on": None}):
        api("PATCH", f"{CONFIGMAPS}/a", {"metadata": {"labels": labels}}, MERGE)
    api("DELETE", f"{CONFIGMAPS}/a")
    assert await watch.shown() == ["ADDED a", "MODIFIED a", "DELETED a"]


async def test_other_namespaces_are_not_seen(api: Api) -> None:
    watch = Watching(api, f"resourceVersion={fill(api, 'a')}")
    api.make("/api/v1/namespaces/kube-system/configmaps", configmap("elsewhere"))
    fill(api, "here")
    assert await watch.shown() == ["ADDED here"]


async def test_lost_history_is_an_error_event() -> None:
    api = Api(history=2)
    revision = fill(api, "a")
    fill(api, "b", "c", "d")
    watch = Watching(api, f"resourceVersion={revision}")
    (event,) = await watch.next()
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


def test_watch_options_that_do_not_go_together(api: Api) -> None:
    answer = api("GET", f"{CONFIGMAPS}?watch=true&sendInitialEvents=true")
    assert answer.code == 422
    assert "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan" in answer.message
