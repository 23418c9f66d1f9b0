# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Notification streams (GET /mcp): who listens, and what they are told.

A message goes to one stream of a session only (MCP basic/transports, "Multiple Connections"): the one opened last,
whichever worker has it. A stream whose client was cut off goes on for a while, so that it can come back.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import orjson

from mcpops_broker.bus import Bus
from mcpops_broker.catalogue.catalogue import Catalogue
from mcpops_broker.catalogue.changes import Changes
from mcpops_broker.catalogue.scope import Scope
from mcpops_broker.mcp.event_log import RESUME_GRACE, EventLog, EventLogs
from mcpops_broker.principal import Principal
from mcpops_broker.protocol.jsonrpc import notification
from mcpops_broker.protocol.kinds import Kind

CHANGED = {kind: orjson.dumps(notification(kind.changed)) for kind in Kind}
"""What tells a client that a list has changed. Resources and templates share one notification."""
Renewed = Callable[[Scope, Principal], Scope]
"""Returns the scope that a principal has now for one from before (`Access.renewed`)."""
MOST_PARKED = 10_000
"""Streams without a connection that are kept; beyond that the one that lost its client first is dropped."""


class Feed:
    """One notification stream of a session."""

    __slots__ = ("identity", "log", "parked", "principal", "read_by", "scope")

    def __init__(self, identity: str, scope: Scope, principal: Principal, log: EventLog) -> None:
        self.identity = identity
        self.scope = scope
        self.principal = principal
        self.log = log
        self.read_by = 0
        """Connections that read it; 0: its client may come back."""
        self.parked = 0.0
        """Monotonic seconds when the last of them went."""

    def put(self, message: bytes) -> None:
        """Queue a message. One that waits already is not added again, so a client that does not read costs a fixed
        amount of memory."""
        if not self.log.waits(message):
            self.log.add(message)


class Streams:
    """The notification streams of this worker, and who else has streams of the same sessions."""

    def __init__(self, bus: Bus, logs: EventLogs) -> None:
        self._bus = bus
        self._logs = logs
        self._feeds: dict[str, list[Feed]] = {}
        """By session, the one opened last at the end."""
        self._by_log: dict[EventLog, Feed] = {}
        self._listeners: dict[str, list[str]] = {}
        """Of sessions with streams here: the addresses of workers with connected streams, the last opened last."""
        self._parked: deque[tuple[float, Feed]] = deque()
        self._connected = 0
        bus.on("listening", self._listening)
        bus.on("silent", self._silent)
        bus.on("missed", self._missed)

    def __len__(self) -> int:
        return self._connected

    def open(self, identity: str, scope: Scope, principal: Principal, *, resumable: bool, primes: bool) -> Feed:
        """Add a stream of a session, to be joined. What waits in one that lost its client is sent on this one."""
        feed = Feed(identity, scope, principal, self._logs.open(identity, resumable=resumable, primes=primes))
        for parked in self._without_reader(identity):
            for message in parked.log.unread():
                feed.put(message)
            self._drop(parked)
        self._feeds.setdefault(identity, []).append(feed)
        self._by_log[feed.log] = feed
        self._park(feed)
        return feed

    def feed_of(self, log: EventLog) -> Feed | None:
        """Return the notification stream with these events; None: they are the answer to a POST."""
        return self._by_log.get(log)

    def join(self, feed: Feed) -> None:
        """Take note of a connection that reads a stream."""
        feed.read_by += 1
        self._connected += 1
        self._put_last(feed.identity, self._bus.here)
        self._bus.send("listening", feed.identity)

    def leave(self, feed: Feed) -> None:
        """Take note that a connection has gone; the stream waits for its client if that can come back."""
        feed.read_by -= 1
        self._connected -= 1
        if feed.read_by:
            return
        if feed.log.ended or feed.log.name is None:
            self._drop(feed)
        else:
            self._park(feed)
        if not any(one.read_by for one in self._feeds.get(feed.identity, ())):
            self._remove(feed.identity, self._bus.here)
            self._bus.send("silent", feed.identity)

    def send(self, identity: str, message: bytes) -> None:
        """Send a session a message, if its stream is here."""
        feed = self._speaker(identity)
        if feed is not None:
            feed.put(message)

    def tell(self, identity: str, message: bytes) -> None:
        """Send a message on the stream of a session at whichever worker it is."""
        self.send(identity, message)
        self._bus.send("missed", {"identity": identity, "messages": [message.decode()]})

    def end(self, identity: str) -> None:
        """Close the streams of a session."""
        for feed in list(self._feeds.get(identity, ())):
            feed.log.end()
            if not feed.read_by:
                self._drop(feed)

    def close(self) -> None:
        """Close all streams."""
        for identity in list(self._feeds):
            self.end(identity)

    def sweep(self) -> None:
        """Drop the streams whose clients did not come back in time."""
        oldest = time.monotonic() - RESUME_GRACE
        while self._parked and self._parked[0][0] < oldest:
            self._expire()

    def tools_selected(self, identity: str, selection: frozenset[str] | None) -> None:
        """Tell a session that it sees the tools of its new selection from now on."""
        for feed in self._feeds.get(identity, ()):
            feed.scope = replace(feed.scope, selection=selection)
        self.send(identity, CHANGED[Kind.TOOLS])

    def catalogue_changed(self, old: Catalogue, new: Catalogue, renewed: Renewed) -> None:
        """Tell every session whose view differs."""
        changes = Changes(old, new, stateless=False)
        for identity in self._feeds:
            feed = self._speaker(identity)
            if feed is not None:
                before, feed.scope = feed.scope, renewed(feed.scope, feed.principal)
                differ = changes.kinds(before, feed.scope)
                for kind in Kind:
                    if kind in differ:
                        feed.put(CHANGED[kind])

    def scope_of(self, identity: str) -> Scope | None:
        """Return what the reader of a session's stream sees; None: the stream is not here."""
        feed = self._speaker(identity)
        return None if feed is None else feed.scope

    def worker_gone(self, address: str) -> None:
        """Forget the streams of a worker that died."""
        for identity in list(self._listeners):
            self._remove(identity, address)

    def _speaker(self, identity: str) -> Feed | None:
        """Return the stream that a message for a session goes to; None: it is not here."""
        feeds = self._feeds.get(identity)
        if not feeds:
            return None
        listeners = self._listeners.get(identity)
        if listeners and listeners[-1] != self._bus.here:
            return None
        return next((feed for feed in reversed(feeds) if feed.read_by), feeds[-1])

    def _listening(self, identity: str, sender: str) -> None:
        if identity not in self._feeds:
            return
        self._put_last(identity, sender)
        for feed in self._without_reader(identity):
            missed = [message.decode() for message in feed.log.unread()]
            if missed:
                self._bus.send("missed", {"identity": identity, "messages": missed}, sender)
            self._drop(feed)

    def _silent(self, identity: str, sender: str) -> None:
        self._remove(identity, sender)

    def _missed(self, value: dict[str, list[str]], sender: str) -> None:
        for message in value["messages"]:
            self.send(str(value["identity"]), message.encode())

    def _put_last(self, identity: str, address: str) -> None:
        listeners = self._listeners.setdefault(identity, [])
        if address in listeners:
            listeners.remove(address)
        listeners.append(address)

    def _remove(self, identity: str, address: str) -> None:
        listeners = self._listeners.get(identity)
        if listeners is not None and address in listeners:
            listeners.remove(address)
            if not listeners:
                del self._listeners[identity]

    def _without_reader(self, identity: str) -> list[Feed]:
        return [feed for feed in self._feeds.get(identity, ()) if not feed.read_by]

    def _park(self, feed: Feed) -> None:
        """Keep a stream without a connection for a while."""
        feed.parked = time.monotonic()
        self._parked.append((feed.parked, feed))
        if len(self._parked) > MOST_PARKED:
            self._expire()

    def _expire(self) -> None:
        """Drop the stream that lost its client first, unless the client has come back in the meantime."""
        parked, feed = self._parked.popleft()
        if not feed.read_by and feed.parked == parked:
            self._drop(feed)

    def _drop(self, feed: Feed) -> None:
        self._logs.drop(feed.log)
        self._by_log.pop(feed.log, None)
        feeds = self._feeds.get(feed.identity)
        if feeds and feed in feeds:
            feeds.remove(feed)
            if not feeds:
                del self._feeds[feed.identity]
                self._listeners.pop(feed.identity, None)
