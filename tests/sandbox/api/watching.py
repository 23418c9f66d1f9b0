# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches: the changes of a resource as they happen, from a revision on.

A watch first sends what it owes (the present state, or the log since the revision asked for), then everything
that is announced while it lives. Objects that come to match the selectors are ADDED, those that cease to are
DELETED, as a kube-apiserver does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from .errors import ApiError, expired
from .objects import Object, encode
from .presentation import Presentation
from .selectors import Selection
from .store import ADDED, DELETED, MODIFIED, CompactedError, Event, Record, Store

BOOKMARK_SECONDS = 60.0
"""Time between bookmarks, for watches that allow them."""
_LAST_BOOKMARK = 2.0
"""How long before its end a watch that is shorter gets a bookmark, in seconds."""
_INITIAL_END = {"k8s.io/initial-events-end": "true"}


class Watch:
    """One watch; iterate over it for the lines to send."""

    def __init__(self, store: Store, presentation: Presentation, namespace: str, selection: Selection) -> None:
        self._store = store
        self._presentation = presentation
        self._resource = presentation.resource
        self._namespace = namespace
        self._selection = selection
        self._waiting: deque[bytes] = deque()
        self._awake = asyncio.Event()
        self._columns_sent = False
        self._bookmark_timer: asyncio.Handle | None = None
        self._unsubscribe: Callable[[], None] | None = store.subscribe(self._resource.location, self._receive)

    def start_with_state(self) -> None:
        """Send every object there is as ADDED."""
        for record in self._store.records(self._resource.location, self._namespace):
            if self._matches(record):
                self._send(ADDED, record)

    def start_after(self, revision: int) -> None:
        """Send what changed after a revision; what is no longer in the log is an ERROR event with code 410."""
        try:
            for event in self._store.events(self._resource.location, revision):
                self._receive(event)
        except CompactedError as error:
            self.fail(expired(str(error)))

    def fail(self, error: ApiError) -> None:
        """End the watch by an ERROR event."""
        self._line("ERROR", encode(error.status()))
        self.close()

    def bookmark(self, initial_end: bool = False) -> None:
        """Tell the revision up to which everything was sent."""
        metadata: Object = {"resourceVersion": str(self._store.revision)}
        if initial_end:
            metadata["annotations"] = _INITIAL_END
        obj: Object = {"kind": self._resource.kind, "apiVersion": self._resource.api_version, "metadata": metadata}
        obj = self._presentation.one(obj, columns=not self._columns_sent)
        self._line("BOOKMARK", encode(obj))

    @property
    def alive(self) -> bool:
        """Whether more may come."""
        return self._unsubscribe is not None

    def close(self) -> None:
        """End the watch; what is waiting is still sent."""
        if self._unsubscribe:
            self._unsubscribe()
            self._unsubscribe = None
            self._awake.set()

    async def lines(self, seconds: float, bookmarks: bool) -> AsyncIterator[bytes]:
        """The lines to send, for at most so many seconds."""
        end = asyncio.get_running_loop().call_later(seconds, self.close)
        if bookmarks and seconds > _LAST_BOOKMARK:
            self._schedule_bookmark(min(BOOKMARK_SECONDS, seconds - _LAST_BOOKMARK))
        try:
            while self._waiting or self._unsubscribe:
                if not self._waiting:
                    self._awake.clear()
                    await self._awake.wait()
                    continue
                chunk = b"".join(self._waiting)
                self._waiting.clear()
                yield chunk
        finally:
            end.cancel()
            if self._bookmark_timer:
                self._bookmark_timer.cancel()
            self.close()

    def _schedule_bookmark(self, seconds: float) -> None:
        def beat() -> None:
            self.bookmark()
            self._schedule_bookmark(BOOKMARK_SECONDS)

        self._bookmark_timer = asyncio.get_running_loop().call_later(seconds, beat)

    def _receive(self, event: Event) -> None:
        record, previous = event.record, event.previous
        if self._namespace and record.namespace != self._namespace:
            return
        matched = previous is not None and self._matches(previous)
        matches = event.kind != DELETED and self._matches(record)
        if matches:
            self._send(MODIFIED if matched else ADDED, record)
        elif matched and event.kind == DELETED:
            self._send(DELETED, record)
        elif matched and previous is not None:
            self._send(DELETED, previous.at(event.revision))

    def _matches(self, record: Record) -> bool:
        if self._namespace and record.namespace != self._namespace:
            return False
        if self._selection.everything:
            return True
        return self._selection.selects(record, self._resource.load)

    def _send(self, kind: str, record: Record) -> None:
        self._line(kind, self._presentation.record(record, columns=not self._columns_sent))
        self._columns_sent = True

    def _line(self, kind: str, obj: bytes) -> None:
        self._waiting.append(b'{"type":"%b","object":%b}\n' % (kind.encode(), obj))
        self._awake.set()
