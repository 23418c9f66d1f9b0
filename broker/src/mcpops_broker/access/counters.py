# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""How much of each rate limit and quota is used: decided at once from what this worker knows, and told to the others.

A rate is kept by the generic cell rate algorithm (ITU-T I.371, a token bucket in one number): the time at which all
that was used will have been earned back. A quota is a count in a period. Use by another worker is added the same way in
any order, so workers need to agree on nothing; what they allow beyond a limit is what they use within `SHARE_EVERY`.

Use of a rate that is told late would count as if it was new, when it was earned back long ago. So what is used while
other replicas cannot be told is not queued for them; they are told afterwards what is still to be earned back.
"""

from __future__ import annotations

import calendar
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mcpops_broker.bus import Bus
from mcpops_broker.config.limits import Period, RateLimit
from mcpops_broker.timers import after

SHARE_EVERY = 0.1
"""Seconds between two messages to the other workers about what was used."""
MOST = 100_000
"""Uses that are remembered; the oldest makes room. Those of rates that are earned back are forgotten first."""
_USED, _STATE = "limits.used", "limits.state"
_SECONDS = {Period.MINUTE: 60, Period.HOUR: 3600, Period.DAY: 86_400}

Key = tuple[str, ...]
"""The limit's name, then whatever it counts apart."""


class Counters:
    """What was used, in this worker and, as far as they have told, in the others."""

    def __init__(
        self, bus: Bus, clock: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._bus = bus
        self._clock = clock
        """Seconds since 1970, for periods."""
        self._monotonic = monotonic
        self._limits: Mapping[str, RateLimit] = {}
        self._earned: dict[Key, float] = {}
        """Of rates: when all will be earned back."""
        self._counts: dict[Key, tuple[int, float]] = {}
        """Of quotas: the use, and the end of its period."""
        self._untold: dict[Key, int] = {}
        self._unheard = False
        """Whether other replicas were not told of use of rates."""
        self._changed: set[Key] | None = None
        """Quotas that were used, here or elsewhere, since `changed_quotas` was asked; None: nobody asks."""
        bus.on(_USED, self._others_used)
        bus.on(_STATE, self._learn)

    def __len__(self) -> int:
        return len(self._earned) + len(self._counts)

    def configure(self, limits: Mapping[str, RateLimit]) -> None:
        """Take other limits. What was used of those that are the same as before is kept."""
        before, self._limits = self._limits, limits
        for uses in (self._earned, self._counts):
            for key in [key for key in uses if limits.get(key[0]) != before.get(key[0])]:
                del uses[key]

    def wait(self, limit: RateLimit, key: Key) -> float:
        """Return the seconds until one more is allowed; 0: it is allowed now."""
        if limit.quota:
            used, end = self._counts.get(key, (0, 0.0))
            now = self._clock()
            return end - now if used >= limit.quota and end > now else 0.0
        earned = self._earned.get(key)
        if earned is None:
            return 0.0
        return max(0.0, earned - (limit.burst - 1) / limit.rate - self._monotonic())

    def use(self, limit: RateLimit, key: Key) -> None:
        """Count one."""
        self._add(limit, key, 1)
        if not self._bus.alone:
            if not self._untold:
                after(SHARE_EVERY, self._tell)
            self._untold[key] = self._untold.get(key, 0) + 1

    def sweep(self) -> None:
        """Forget what makes no difference any more."""
        now, clock = self._monotonic(), self._clock()
        self._earned = {key: earned for key, earned in self._earned.items() if earned > now}
        self._counts = {key: count for key, count in self._counts.items() if count[1] > clock}

    def worker_started(self, address: str) -> None:
        """Tell a worker that has just started what was used, so that its predecessor's end gives nothing back."""
        self._tell()
        rates, quotas = self._rates(), self.quotas()
        if rates or quotas:
            self._bus.send(_STATE, [rates, quotas], address)

    def _rates(self) -> list[list[Any]]:
        """Return the use of all rates that is not earned back: the key, and the seconds until it will be."""
        now = self._monotonic()
        return [[*key, earned - now] for key, earned in self._earned.items() if earned > now]

    def quotas(self, keys: Iterable[Key] | None = None) -> list[list[Any]]:
        """Return the use of these quotas, by default of all, whose periods have not ended: the key, the number and the
        period's end."""
        now = self._clock()
        counts = ((key, self._counts.get(key, (0, 0.0))) for key in (self._counts if keys is None else keys))
        return [[*key, *count] for key, count in counts if count[1] > now]

    def changed_quotas(self) -> set[Key]:
        """Return the keys of the quotas that were used since this was asked, the first time of all."""
        self._tell()
        changed, self._changed = self._changed, set()
        return set(self._counts) if changed is None else changed

    def learn_quotas(self, quotas: list[list[Any]]) -> None:
        """Take over what somebody else knows of quotas; several may know the same."""
        now = self._clock()
        for *name, used, end in quotas:
            key = tuple(name)
            limit = self._limits.get(key[0])
            if limit is not None and limit.quota and now < end <= period_end(limit.period, now):
                known = self._counts.get(key, (0, 0.0))
                self._counts[key] = max(known, (used, end), key=lambda count: (count[1], count[0]))

    def _add(self, limit: RateLimit, key: Key, number: int) -> None:
        if limit.quota:
            used, end = self._counts.get(key, (0, 0.0))
            now = self._clock()
            if end <= now:
                _make_room(self._counts)
                used, end = 0, period_end(limit.period, now)
            self._counts[key] = (used + number, end)
            return
        now = self._monotonic()
        earned = self._earned.get(key)
        if earned is None:
            _make_room(self._earned)
            earned = now
        self._earned[key] = max(earned, now) + number / limit.rate

    def _tell(self) -> None:
        untold, self._untold = self._untold, {}
        if not untold:
            return
        self._note_changed(untold)
        if not self._unheard and not self._bus.waits:
            self._bus.send(_USED, [[*key, number] for key, number in untold.items()])
            return
        rates: list[list[Any]] = []
        quotas: list[list[Any]] = []
        for key, number in untold.items():
            (quotas if key in self._counts else rates).append([*key, number])
        if quotas:
            self._bus.send(_USED, quotas)
        self._bus.local.send(_USED, rates)
        self._unheard = self._bus.waits
        if not self._unheard:
            self._bus.send(_STATE, [self._rates(), []])

    def _note_changed(self, keys: Iterable[Key]) -> None:
        if self._changed is not None:
            self._changed.update(key for key in keys if key in self._counts)

    def _others_used(self, value: list[list[Any]], sender: str) -> None:
        for *key, number in value:
            limit = self._limits.get(key[0])
            if limit is not None:  # otherwise the other worker has read another configuration by now
                self._add(limit, tuple(key), number)
        self._note_changed(tuple(key) for *key, _ in value)

    def _learn(self, value: tuple[list[list[Any]], list[list[Any]]], sender: str) -> None:
        """Take over what another worker knows; several tell the same."""
        rates, quotas = value
        now = self._monotonic()
        for *key, ahead in rates:
            limit = self._limits.get(key[0])
            if limit is not None and limit.rate:
                self._earned[tuple(key)] = max(self._earned.get(tuple(key), 0.0), now + ahead)
        self.learn_quotas(quotas)


def period_end(period: Period, now: float) -> float:
    """Return when the period ends in which a moment lies; both are seconds since 1970."""
    if period is Period.MONTH:
        moment = time.gmtime(now)
        year, month = divmod(moment.tm_year * 12 + moment.tm_mon, 12)
        return float(calendar.timegm((year, month + 1, 1, 0, 0, 0)))
    length = _SECONDS[period]
    return (now // length + 1) * length


def _make_room(uses: dict[Key, Any]) -> None:
    if len(uses) >= MOST:
        del uses[next(iter(uses))]
