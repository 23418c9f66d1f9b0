# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Counters, gauges and histograms of one worker: as little work as can be while requests are served.

They hold numbers by values of labels, nothing else; `exposition` makes text of them when somebody asks. A metric keeps
a bounded number of series: whoever finds more values for a label gets them counted together as `other`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection

MOST_SERIES = 2000
"""Combinations of labels that a metric keeps apart."""
OTHER = "other"

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of a histogram of durations: from a call that the broker alone answers to one that people answer."""

Labels = tuple[str, ...]
Sample = tuple[Labels, list[float]]
"""The values of a metric's labels, and its number; of a histogram the counts of all buckets (the last one is for what
is above all bounds) and the sum."""

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


class _Kept(Meter):
    """A metric whose numbers are kept here, a list of them for each combination of labels."""

    _size = 1
    """How many numbers there are for a combination."""

    def __init__(self, name: str, help_text: str, *labels: str) -> None:
        super().__init__(name, help_text, *labels)
        self._cells: dict[Labels, list[float]] = {}

    def cell(self, labels: Labels) -> list[float]:
        """Return the numbers for values of the labels, to be counted up. Valid until `keep` is called."""
        found = self._cells.get(labels)
        if found is None:
            labels = labels if len(self._cells) < MOST_SERIES else (OTHER,) * len(labels)
            found = self._cells.setdefault(labels, [0.0] * self._size)
        return found

    def samples(self) -> list[Sample]:
        """Return all series."""
        return [(labels, list(numbers)) for labels, numbers in self._cells.items()]

    def keep(self, label: str, values: Collection[str]) -> None:
        """Forget the series in which a label has another value than these: what has gone is measured no more."""
        at = self.labels.index(label)
        kept = {labels: cell for labels, cell in self._cells.items() if labels[at] in values or labels[at] == OTHER}
        self._cells = kept


class Counter(_Kept):
    """A number that only grows. Its name ends with `_total`."""

    kind = "counter"

    def __init__(self, name: str, help_text: str, *labels: str) -> None:
        super().__init__(name, help_text, *labels)
        if not labels:
            self.cell(())

    def add(self, *labels: str, by: float = 1.0) -> None:
        """Count."""
        self.cell(labels)[0] += by


class Histogram(_Kept):
    """How often a number was how large. Its cells are as `count` wants them."""

    kind = "histogram"
    bounds = SECONDS
    _size = len(SECONDS) + 2

    def observe(self, seconds: float, *labels: str) -> None:
        """Take note of a duration."""
        count(self.cell(labels), seconds)


def count(cell: list[float], seconds: float) -> None:
    """Count a duration in a histogram's cell: the counts of all buckets, and the sum."""
    cell[bisect_left(SECONDS, seconds)] += 1
    cell[-1] += seconds


def meters() -> Collection[Meter]:
    """Return all metrics, in the order in which they were declared."""
    return _all.values()
