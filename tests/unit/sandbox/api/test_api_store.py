# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store: revisions, the log, snapshots of the past, indexes."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox.api.store import ADDED, DELETED, MODIFIED, CompactedError, Event, Location, Store

HERE = Location("example.com", "things")
THERE = Location("example.com", "others")


def thing(name: str, namespace: str = "a", **metadata: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "uid": f"{namespace}-{name}", **metadata}
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": metadata}


def names(store: Store, namespace: str = "", at: int | None = None) -> list[str]:
    return [f"{record.namespace}/{record.name}" for record in store.records(HERE, namespace, at)]


def test_every_change_has_a_revision_of_its_own() -> None:
    store = Store(first_revision=10)
    first = store.put(HERE, thing("x"))
    second = store.put(THERE, thing("x"))
    assert (first.revision, second.revision, store.revision) == (11, 12, 12)
    assert first.load()["metadata"]["resourceVersion"] == "11"


def test_stored_objects_do_not_change_with_what_was_stored() -> None:
    store = Store()
    obj = thing("x", labels={"a": "b"})
    record = store.put(HERE, obj)
    obj["metadata"]["labels"]["a"] = "changed"
    record.load()["metadata"]["labels"]["a"] = "changed"
    assert record.labels == record.load()["metadata"]["labels"] == {"a": "b"}


def test_records_come_by_namespace_and_name() -> None:
    store = Store()
    for name, namespace in (("z", "a"), ("b", "b"), ("a", "b"), ("y", "a")):
        store.put(HERE, thing(name, namespace))
    assert names(store) == ["a/y", "a/z", "b/a", "b/b"]
    assert names(store, "b") == ["b/a", "b/b"]


def test_the_past_can_be_read() -> None:
    store = Store()
    store.put(HERE, thing("kept", labels={"v": "1"}))
    before = store.put(HERE, thing("gone")).revision
    store.put(HERE, thing("kept", labels={"v": "2"}))
    store.put(HERE, thing("new"))
    store.put(THERE, thing("elsewhere"))
    store.remove(HERE, thing("gone"))
    assert names(store) == ["a/kept", "a/new"]
    assert names(store, at=before) == ["a/gone", "a/kept"]
    assert store.records(HERE, "a", before)[1].labels == {"v": "1"}


def test_events_tell_what_was_before() -> None:
    store = Store()
    start = store.revision
    store.put(HERE, thing("x"))
    store.put(HERE, thing("x", labels={"a": "b"}))
    store.remove(HERE, thing("x"))
    events = list(store.events(HERE, start))
    assert [event.kind for event in events] == [ADDED, MODIFIED, DELETED]
    assert [event.previous and event.previous.revision for event in events] == [None, start + 1, start + 2]
    assert events[-1].record.revision == start + 3
    assert list(store.events(HERE, store.revision)) == []


def test_the_log_is_bounded() -> None:
    store = Store(history=2)
    for number in range(5):
        store.put(HERE, thing(str(number)))
    oldest = store.revision - 2
    assert len(list(store.events(HERE, oldest))) == 2
    with pytest.raises(CompactedError, match=rf"^too old resource version: {oldest - 1} \({oldest}\)$"):
        store.events(HERE, oldest - 1)
    with pytest.raises(CompactedError):
        store.records(HERE, at=oldest - 1)


def test_compaction_forgets_everything_but_the_present() -> None:
    store = Store()
    revision = store.put(HERE, thing("x")).revision
    store.put(HERE, thing("y"))
    store.compact()
    assert names(store) == ["a/x", "a/y"]
    with pytest.raises(CompactedError):
        store.events(HERE, revision)


def test_owners_and_uids_are_found() -> None:
    store = Store()
    owned: dict[str, Any] = {"ownerReferences": [{"uid": "u1"}, {"uid": "u2"}]}
    store.put(HERE, thing("x", **owned))
    assert [record.name for _, record in store.dependents("u2")] == ["x"]
    found = store.by_uid("a-x")
    assert found is not None
    assert found[0] == HERE
    store.put(HERE, thing("x", ownerReferences=[{"uid": "u1"}]))
    assert store.dependents("u2") == []
    store.remove(HERE, thing("x", ownerReferences=[{"uid": "u1"}]))
    assert store.dependents("u1") == []
    assert store.by_uid("a-x") is None


def test_what_a_subscriber_changes_is_told_after_what_it_reacts_to() -> None:
    store = Store()
    seen: list[str] = []

    def react(event: Event) -> None:
        if event.record.name == "first":
            store.put(HERE, thing("second"))

    store.subscribe(HERE, react)
    end = store.subscribe(HERE, lambda event: seen.append(event.record.name))
    store.put(HERE, thing("first"))
    assert seen == ["first", "second"]
    end()
    store.put(HERE, thing("third"))
    assert seen == ["first", "second"]
