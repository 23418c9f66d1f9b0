# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Counters, gauges and histograms of one worker: as little work as can be while requests are served.

They hold numbers by values of labels, nothing else; `exposition` makes text of them when somebody asks. A metric keeps
a bounded number of series: whoever finds more values for a label gets them counted together as `other`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection
from typing import TypeVar

MOST_SERIES = 2000
"""Combinations of labels that a metric keeps apart."""
OTHER = "other"

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of a histogram of durations: from a call that the broker alone answers to one that people answer."""

Labels = tuple[str, ...]
Sample = tuple[Labels, list[float]]
"""The values of a metric's labels, and its number; of a histogram the counts of all buckets (the last one is for what
is above all bounds) and the sum."""

_Value = TypeVar("_Value")

_all: dict[str, Meter] = {}


class Meter:
    """A metric. `kind` is the word of Prometheus for it."""

    kind = ""
    bounds: tuple[float, ...] = ()
    """Upper bounds of a histogram's buckets."""

    def __init__(self, name: str, help_text: str, *labels: str) -> None:
        self.name = name
        self.help = help_text
        self.labels = labels
        if _all.setdefault(name, self) is not self:
            raise ValueError(f"there is a metric {name} already")


class Gauge(Meter):
    """A number that goes up and down. None is kept: `state` knows it when somebody asks."""

    kind = "gauge"


class Counter(Meter):
    """A number that only grows. Its name ends with `_total`."""

    kind = "counter"

    def __init__(self, name: str, help_text: str, *labels: str) -> None:
        super().__init__(name, help_text, *labels)
        self._values: dict[Labels, float] = {} if labels else {(): 0.0}

    def add(self, *labels: str, by: float = 1.0) -> None:
        """Count."""
        try:
            self._values[labels] += by
        except KeyError:
            labels = labels if len(self._values) < MOST_SERIES else (OTHER,) * len(labels)
            self._values[labels] = self._values.get(labels, 0.0) + by

    def samples(self) -> list[Sample]:
        """Return all series."""
        return [(labels, [value]) for labels, value in self._values.items()]

    def keep(self, label: str, values: Collection[str]) -> None:
        """Forget the series in which a label has another value than these: what has gone is measured no more."""
        self._values = _kept(self._values, self.labels.index(label), values)


class Histogram(Meter):
    """How often a number was how large."""

    kind = "histogram"

    def __init__(self, name: str, help_text: str, *labels: str, bounds: tuple[float, ...] = SECONDS) -> None:
        super().__init__(name, help_text, *labels)
        self.bounds = bounds
        self._values: dict[Labels, list[float]] = {}

    def observe(self, number: float, *labels: str) -> None:
        """Take note of a number."""
        counts = self._values.get(labels)
        if counts is None:
            labels = labels if len(self._values) < MOST_SERIES else (OTHER,) * len(labels)
            counts = self._values.setdefault(labels, [0.0] * (len(self.bounds) + 2))
        counts[bisect_left(self.bounds, number)] += 1
        counts[-1] += number

    def samples(self) -> list[Sample]:
        """Return all series."""
        return [(labels, list(counts)) for labels, counts in self._values.items()]

    def keep(self, label: str, values: Collection[str]) -> None:
        """Forget the series in which a label has another value than these."""
        self._values = _kept(self._values, self.labels.index(label), values)


def meters() -> Collection[Meter]:
    """Return all metrics, in the order in which they were declared."""
    return _all.values()


def _kept(series: dict[Labels, _Value], at: int, values: Collection[str]) -> dict[Labels, _Value]:
    return {labels: value for labels, value in series.items() if labels[at] in values or labels[at] == OTHER}
