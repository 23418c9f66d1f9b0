# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal: a store is filled again with what another one wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandbox.api.journal import Journal
from sandbox.api.store import ADDED, Event, Location, Store

PODS, ROLES = Location("", "pods"), Location("rbac.authorization.k8s.io", "clusterroles")


def obj(name: str, namespace: str = "", **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, "uid": f"uid-{name}", **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "v1", "kind": "Thing", "metadata": metadata, **fields}


def opened(path: Path) -> tuple[Store, Journal]:
    store, journal = Store(), Journal(path)
    journal.restore(store)
    return store, journal


def test_what_was_stored_is_there_again(tmp_path: Path) -> None:
    store, journal = opened(tmp_path / "log")
    store.put(PODS, obj("a", "ns", text="a b\nc"))
    store.put(ROLES, obj("system:x y"))
    store.put(PODS, obj("a", "ns", text="second"))
    store.put(PODS, obj("b", "ns"))
    store.remove(PODS, obj("b", "ns"))
    journal.close()
    again, _ = opened(tmp_path / "log")
    assert again.revision == store.revision
    for location in (PODS, ROLES):
        assert again.records(location) == store.records(location)
    assert again.by_uid("uid-a") is not None


def test_the_file_is_short_after_a_restart(tmp_path: Path) -> None:
    store, journal = opened(tmp_path / "log")
    for number in range(50):
        store.put(PODS, obj("a", "ns", number=number))
    journal.close()
    opened(tmp_path / "log")[1].close()
    lines = (tmp_path / "log").read_bytes().splitlines()
    assert lines[0] == str(store.revision).encode()
    assert len(lines) == 2


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    store, journal = opened(tmp_path / "log")
    store.put(PODS, obj("a", "ns"))
    journal.close()
    with (tmp_path / "log").open("ab") as file:
        file.write(b"99 ADDED - pods ns b {")
    again, _ = opened(tmp_path / "log")
    assert [record.name for record in again.records(PODS)] == ["a"]
    assert again.revision == store.revision


def test_subscribers_hear_of_it_when_all_is_there(tmp_path: Path) -> None:
    store, journal = opened(tmp_path / "log")
    for name in ("a", "b"):
        store.put(PODS, obj(name, "ns"))
    journal.close()
    again, heard = Store(), list[tuple[str, str, int]]()

    def hear(event: Event) -> None:
        heard.append((event.kind, event.record.name, len(again.records(PODS))))

    again.subscribe(PODS, hear)
    Journal(tmp_path / "log").restore(again)
    assert heard == [(ADDED, "a", 2), (ADDED, "b", 2)]
