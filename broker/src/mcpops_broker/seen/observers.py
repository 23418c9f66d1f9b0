# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Who is told of requests: the endpoint begins and ends records here, and whoever wants to know of them observes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from secrets import token_hex
from time import perf_counter

from mcpops_broker import logs
from mcpops_broker.seen.record import Record
from mcpops_broker.web.asgi import Headers

REQUEST_ID = b"x-request-id"
"""By which proxies name requests (Envoy gives each a UUID)."""
LONGEST_ID = 128
"""Bytes of a request id from outside that is used."""

Observer = Callable[[Record], None]
"""Is told of every request when it has ended and nothing in its record changes any more. Called on the hot path: must
not wait, and must keep no record, since that holds what the client sent."""


class Observers:
    """Makes the records of one worker, and tells the observers of them."""

    def __init__(self) -> None:
        self.open: set[Record] = set()
        """The requests that are being carried out, streams among them."""
        self._observers: tuple[Observer, ...] = ()
        self._prefix = token_hex(6)
        self._numbers = count(1)

    def observe(self, *observers: Observer) -> None:
        """Tell these of requests from now on, and no others."""
        self._observers = observers

    def begin(self, headers: Headers, client: tuple[str, int] | None) -> Record:
        """Begin an HTTP request; `client` is the other end of its connection. Log lines written on its behalf carry its
        id from now on."""
        given = headers.get(REQUEST_ID)
        name = _readable(given) if given else None
        record = Record(name or f"{self._prefix}-{next(self._numbers):x}", client[0] if client else "", headers)
        logs.request_id.set(record.id)
        self.open.add(record)
        return record

    def begin_another(self, first: Record) -> Record:
        """Begin another message of the same HTTP request (of a batch)."""
        record = first.another()
        self.open.add(record)
        return record

    def end(self, record: Record) -> None:
        """End a request."""
        record.duration = perf_counter() - record.began
        self.open.discard(record)
        for observer in self._observers:
            observer(record)


def _readable(given: bytes) -> str | None:
    """Return a request id as text; None for one that is no short line of ASCII."""
    text = given.decode("latin-1")
    return text if len(text) <= LONGEST_ID and text.isascii() and text.isprintable() else None
