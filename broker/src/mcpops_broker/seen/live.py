# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The last requests of one worker, and how fast servers answered them, for the page.

Bounded, whatever happens: a fixed number of requests, and of each server a fixed number of seconds.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection
from typing import Any

from mcpops_broker.seen.record import Outcome, Record

RECENT = 100
"""Requests that are kept."""
SPAN = 5
"""Seconds that are one point of a server's history."""
POINTS = 60
"""Points that are kept: five minutes."""
SAMPLES = 200
"""Durations of a server that are kept, of the last requests it had."""
LONGEST_NAME = 200
"""Characters of a name that are kept: it comes from outside."""

_REFUSED = frozenset({Outcome.UNAUTHENTICATED, Outcome.DENIED, Outcome.LIMITED, Outcome.BUSY})
_FAILED = frozenset({Outcome.ERROR, Outcome.UPSTREAM, Outcome.FAILED})

Json = dict[str, Any]


class Live:
    """An observer that remembers for a while."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, str, str, str, str, str, str, str, float]] = deque(maxlen=RECENT)
        self._servers: dict[str, _History] = {}

    def observe(self, record: Record) -> None:
        """Remember a request that used something, or was refused."""
        outcome, server = record.outcome, record.upstream
        well, reason = outcome is Outcome.OK, record.reason
        if not record.name and (well or outcome not in _REFUSED):
            return
        if not well and record.decision is not None and not record.decision.allowed:
            reason = record.decision.rule or ""  # says more than the code that its client got
        now = time.time()
        self._recent.append(
            (
                now,
                record.id,
                record.method[:LONGEST_NAME],
                record.name[:LONGEST_NAME],
                server,
                record.principal.name,
                outcome,
                reason,
                record.duration,
            )
        )
        if server:
            history = self._servers.get(server)
            if history is None:
                history = self._servers[server] = _History()
            history.add(now, record.upstream_seconds, not well and outcome in _FAILED)

    def keep_servers(self, names: Collection[str]) -> None:
        """Forget all servers but these."""
        self._servers = {name: history for name, history in self._servers.items() if name in names}

    def recent(self) -> list[Json]:
        """Return the last requests, the newest first. The `reason` of one that was denied is the policy's rule."""
        return [
            {
                "ended": ended,
                "id": request_id,
                "method": method,
                "name": name,
                "upstream": upstream,
                "principal": principal,
                "outcome": str(outcome),
                "reason": reason,
                "seconds": seconds,
            }
            for ended, request_id, method, name, upstream, principal, outcome, reason, seconds in reversed(self._recent)
        ]

    def servers(self) -> dict[str, Json]:
        """Return the history of each server: `points` of [number, requests, failures, seconds together], where the
        number counts spans since 1970, and `samples` of [seconds since 1970, seconds it took]."""
        return {
            name: {"points": list(history.points), "samples": list(history.samples)}
            for name, history in self._servers.items()
        }


class _History:
    """How one server did lately."""

    __slots__ = ("points", "samples")

    def __init__(self) -> None:
        self.points: deque[list[float]] = deque(maxlen=POINTS)
        self.samples: deque[tuple[float, float]] = deque(maxlen=SAMPLES)

    def add(self, now: float, seconds: float, failed: bool) -> None:
        number = now // SPAN
        if not self.points or self.points[-1][0] != number:
            self.points.append([number, 0, 0, 0.0])
        point = self.points[-1]
        point[1] += 1
        point[2] += failed
        point[3] += seconds
        self.samples.append((now, seconds))
