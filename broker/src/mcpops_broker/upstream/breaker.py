# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""A circuit breaker: while an upstream fails again and again, requests to it are refused at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum

from mcpops_broker.upstream.errors import UpstreamError

OPEN_AFTER = 5
"""Failures in a row, without a single answer between them, after which requests are refused."""
FIRST_PAUSE = 1.0
"""Seconds until one request is let through to try; doubled with every try that fails, up to LONGEST_PAUSE."""
LONGEST_PAUSE = 30.0
TRY_FOR = 5.0
"""Seconds that a request that tries may take until another one is let through: it may be one that takes long."""

_FAILURES = frozenset({"unreachable", "timeout", "broken", "server"})
"""Reasons of errors that say that the upstream is down. An odd or unwelcome answer is still an answer."""
_NOTHING = frozenset({"cancelled", "closed", "credential"})
"""Reasons of errors that say nothing of it."""


class Circuit(StrEnum):
    """Whether requests go through."""

    CLOSED = "closed"
    """They do."""
    OPEN = "open"
    """They are refused."""
    TRYING = "half-open"
    """One is on its way to find out, or several when they take long."""


class Breaker:
    """The breaker of one upstream; `clock` gives monotonic seconds."""

    def __init__(self, upstream: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._upstream = upstream
        self._clock = clock
        self._retry_at = 0.0
        self._pause = FIRST_PAUSE
        self.circuit = Circuit.CLOSED
        self.failures = 0
        """Failures in a row."""

    def enter(self) -> None:
        """Ask to send a request; raise `UpstreamError` when none is let through now."""
        if self.circuit is Circuit.CLOSED:
            return
        left = self._retry_at - self._clock()
        if left > 0:
            raise UpstreamError(
                self._upstream,
                "unavailable",
                f"the last {self.failures} requests failed; the next one is sent in {max(left, 0.1):.1f} s",
            )
        self.circuit = Circuit.TRYING
        self._retry_at = self._clock() + TRY_FOR

    def answered(self) -> None:
        """Take note of an answer, whatever it says."""
        self.failures = 0
        self._pause = FIRST_PAUSE
        self.circuit = Circuit.CLOSED

    def failed(self, error: UpstreamError) -> None:
        """Take note of an error."""
        if error.reason in _NOTHING:
            self.left()
            return
        if error.reason not in _FAILURES:
            self.answered()
            return
        self.failures += 1
        if self.circuit is Circuit.TRYING:
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
        elif self.failures < OPEN_AFTER:
            return
        self.circuit = Circuit.OPEN
        self._retry_at = self._clock() + self._pause

    def left(self) -> None:
        """Take note that a request ended without telling anything: its client has gone."""
        if self.circuit is Circuit.TRYING:
            self.circuit = Circuit.OPEN
            self._retry_at = self._clock()
