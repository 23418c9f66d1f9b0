# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The interface between the broker and whatever library carries HTTP to upstreams.

Four operations are all that the broker needs: send a request, read an answer whole or in chunks, close. The library
behind it can be replaced without touching anything else.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from mcpops_broker.net.guard import NO_MORE, Guard


class HttpError(Exception):
    """An exchange failed below HTTP, or its answer broke a limit. The message is fit for people and for logs."""


class HttpTimeoutError(HttpError):
    """The other side was too slow."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go: one address, with the way to it decided once."""

    url: str
    proxy: str | None = None
    """Address of an HTTP proxy, credentials included."""
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    connect_timeout: float = 5.0
    """Seconds for TCP and TLS."""
    guard: Guard = NO_MORE
    """Which addresses there may be connections to."""


class Answer(Protocol):
    """An HTTP answer whose head has arrived. Call `close` when done; only then may the connection be used again."""

    status: int
    idle: float | None
    """Seconds of silence after which reading fails; None: for ever. May be changed while the answer is read."""

    def header(self, name: str) -> str | None:
        """Return a header's value, None when absent. Names are case-insensitive."""

    async def read(self, limit: int) -> bytes:
        """Return the whole body; raise `HttpError` when it is larger than `limit` bytes or breaks off."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Iterate over the body as it arrives; raises `HttpError` when it breaks off."""

    def close(self) -> None:
        """Give the connection back when the body has arrived to its end, otherwise drop it."""

    def leave(self, within: float) -> None:
        """Close without waiting: the rest of the body, which nobody reads, may take so many seconds to arrive."""


class HttpClient(Protocol):
    """A pool of connections. One for the whole process."""

    async def request(
        self,
        method: str,
        target: Target,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        first_byte: float | None,
        idle: float | None,
    ) -> Answer:
        """Send a request and wait for the head of its answer, at most `first_byte` seconds.

        Reading the answer fails with `HttpTimeoutError` when nothing arrives for `idle` seconds; None: for ever.
        Redirects are not followed: they would carry a credential to an address that nobody configured.
        Raises `HttpError` or `HttpTimeoutError`.
        """

    async def close(self) -> None:
        """Close all connections."""
