# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store: objects as JSON, one revision for every change, a bounded log of changes.

Like etcd it keeps serialized objects, so that nobody can change a stored object by accident, a list is the
joining of bytes, and 1,000 objects cost megabytes rather than tens of them. The log serves watches and reading
the past: a list at an older revision is the present with the log undone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple

from .objects import Object, decode, encode

ADDED = "ADDED"
MODIFIED = "MODIFIED"
DELETED = "DELETED"


class Location(NamedTuple):
    """Where objects of one kind are kept, whatever version they are served in."""

    group: str
    plural: str


@dataclass(frozen=True, slots=True)
class Record:
    """One version of one object; ``namespace`` is empty for cluster-scoped ones."""

    namespace: str
    name: str
    uid: str
    revision: int
    labels: dict[str, str]
    owners: tuple[str, ...]
    """UIDs in ownerReferences."""
    deleting: bool
    """Whether metadata.deletionTimestamp is set."""
    raw: bytes

    @classmethod
    def of(cls, raw: bytes, revision: int, obj: Object | None = None) -> Record:
        """The record of an object's JSON; ``obj`` is the same, read already."""
        metadata = (obj or decode(raw))["metadata"]
        return cls(
            namespace=metadata.get("namespace", ""),
            name=metadata["name"],
            uid=metadata.get("uid", ""),
            revision=revision,
            labels=dict(metadata.get("labels") or {}),
            owners=tuple(owner.get("uid", "") for owner in metadata.get("ownerReferences") or ()),
            deleting="deletionTimestamp" in metadata,
            raw=raw,
        )

    def at(self, revision: int) -> Record:
        """The same state under a later revision, as watchers see an object that they lose sight of."""
        obj = self.load()
        obj["metadata"]["resourceVersion"] = str(revision)
        return replace(self, revision=revision, raw=encode(obj))

    def load(self) -> Object:
        """A fresh copy of the object, the caller's to change."""
        obj: Object = decode(self.raw)
        return obj


@dataclass(frozen=True, slots=True)
class Event:
    """One change: ``record`` is the object after it (for a deletion its last state, with the deletion's revision)."""

    revision: int
    kind: str
    location: Location
    record: Record
    previous: Record | None


class CompactedError(Exception):
    """The log no longer reaches back to a revision; ``oldest`` is the first it can start after."""

    def __init__(self, wanted: int, oldest: int) -> None:
        super().__init__(f"too old resource version: {wanted} ({oldest})")
        self.wanted = wanted
        self.oldest = oldest


Subscriber = Callable[[Event], None]


@dataclass
class _Shelf:
    """The objects of one location, and who wants to hear of changes."""

    objects: dict[tuple[str, str], Record] = field(default_factory=dict)
    subscribers: list[Subscriber] = field(default_factory=list)


class Store:
    """All objects. One thread uses it, so a read and the write that follows it are atomic."""

    def __init__(self, history: int = 5000, first_revision: int = 1) -> None:
        self.revision = first_revision
        self._history = history
        self._compacted = first_revision
        self._shelves: dict[Location, _Shelf] = {}
        self._dependents: dict[str, set[tuple[Location, str, str]]] = {}
        self._uids: dict[str, tuple[Location, str, str]] = {}
        self.listeners: list[Subscriber] = []
        """Called with every change at any location."""
        self.journal: Subscriber | None = None
        """Called with every change first."""
        self._log: deque[Event] = deque()
        self._unannounced: deque[Event] = deque()
        self._announcing = False

    # reading

    def get(self, location: Location, namespace: str, name: str) -> Record | None:
        return self._shelf(location).objects.get((namespace, name))

    def records(self, location: Location, namespace: str = "", at: int | None = None) -> list[Record]:
        """Records ordered by namespace and name; of all namespaces when none is given; as of a revision.

        Raises `CompactedError` when the log does not reach back to that revision.
        """
        objects = self._shelf(location).objects
        if at is not None and at < self.revision:
            objects = dict(objects)
            for event in reversed(list(self.events(location, at))):
                key = (event.record.namespace, event.record.name)
                if event.previous is None:
                    objects.pop(key, None)
                else:
                    objects[key] = event.previous
        keys = [key for key in objects if key[0] == namespace] if namespace else list(objects)
        return [objects[key] for key in sorted(keys)]

    def events(self, location: Location, after: int) -> Iterator[Event]:
        """Changes at one location after a revision, oldest first.

        Raises `CompactedError` when they are not all kept any more.
        """
        if after < self._compacted:
            raise CompactedError(after, self._compacted)
        ahead = 0
        for event in reversed(self._log):
            if event.revision <= after:
                break
            ahead += 1
        tail = islice(self._log, len(self._log) - ahead, None)
        return (event for event in tail if event.location == location)

    def dependents(self, uid: str) -> list[tuple[Location, Record]]:
        """Objects that name a UID in their ownerReferences."""
        found = []
        for location, namespace, name in sorted(self._dependents.get(uid, ())):
            record = self.get(location, namespace, name)
            if record:
                found.append((location, record))
        return found

    def by_uid(self, uid: str) -> tuple[Location, Record] | None:
        """Where the object with a UID is."""
        place = self._uids.get(uid)
        record = self.get(*place) if place else None
        return (place[0], record) if place and record else None

    def locations(self) -> Iterable[Location]:
        """Locations that hold at least one object."""
        return [location for location, shelf in self._shelves.items() if shelf.objects]

    # writing

    def put(self, location: Location, obj: Object) -> Record:
        """Store a new object or a new version of one; its metadata.resourceVersion becomes the new revision."""
        self.revision += 1
        metadata = obj["metadata"]
        metadata["resourceVersion"] = str(self.revision)
        record = self._record(obj)
        shelf = self._shelf(location)
        key = (record.namespace, record.name)
        previous = shelf.objects.get(key)
        shelf.objects[key] = record
        self._index(location, previous, record)
        self._announce(Event(self.revision, MODIFIED if previous else ADDED, location, record, previous))
        return record

    def remove(self, location: Location, obj: Object) -> Record:
        """Take an object away; ``obj`` is its last state, as watchers will see it."""
        self.revision += 1
        obj["metadata"]["resourceVersion"] = str(self.revision)
        record = self._record(obj)
        shelf = self._shelf(location)
        previous = shelf.objects.pop((record.namespace, record.name))
        self._index(location, previous, None)
        self._announce(Event(self.revision, DELETED, location, record, previous))
        return record

    def restore(self, records: list[tuple[Location, Record]], revision: int) -> None:
        """Put objects back that were stored in an earlier life; subscribers hear of them when all are there."""
        self.revision = self._compacted = revision
        for location, record in records:
            self._shelf(location).objects[record.namespace, record.name] = record
            self._index(location, None, record)
        for location, record in records:
            self._tell(Event(record.revision, ADDED, location, record, None))

    def subscribe(self, location: Location, subscriber: Subscriber) -> Callable[[], None]:
        """Hear of every change at a location, in order; the function returned ends that."""
        shelf = self._shelf(location)
        shelf.subscribers.append(subscriber)
        return lambda: shelf.subscribers.remove(subscriber)

    def compact(self) -> None:
        """Forget all history, as a compaction of etcd does."""
        self._log.clear()
        self._compacted = self.revision

    # our own

    def _shelf(self, location: Location) -> _Shelf:
        shelf = self._shelves.get(location)
        if shelf is None:
            shelf = self._shelves[location] = _Shelf()
        return shelf

    def _record(self, obj: Object) -> Record:
        raw = encode({"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": obj["metadata"]} | obj)
        return Record.of(raw, self.revision, obj)

    def _index(self, location: Location, previous: Record | None, record: Record | None) -> None:
        for old in previous.owners if previous else ():
            kept = self._dependents.get(old)
            if kept and previous:
                kept.discard((location, previous.namespace, previous.name))
                if not kept:
                    del self._dependents[old]
        for new in record.owners if record else ():
            if record:
                self._dependents.setdefault(new, set()).add((location, record.namespace, record.name))
        if previous:
            self._uids.pop(previous.uid, None)
        if record:
            self._uids[record.uid] = (location, record.namespace, record.name)

    def _announce(self, event: Event) -> None:
        """Log a change and tell subscribers of it."""
        if self.journal:
            self.journal(event)
        self._log.append(event)
        while len(self._log) > self._history:
            self._compacted = self._log.popleft().revision
        self._tell(event)

    def _tell(self, event: Event) -> None:
        """Tell subscribers; a change made by one of them is told after the one it reacts to."""
        self._unannounced.append(event)
        if self._announcing:
            return
        self._announcing = True
        try:
            while self._unannounced:
                event = self._unannounced.popleft()
                for subscriber in (*self._shelf(event.location).subscribers, *self.listeners):
                    subscriber(event)
        finally:
            self._announcing = False
