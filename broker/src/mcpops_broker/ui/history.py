# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""How fast a server answers, as a small drawing and a few numbers, joined from all workers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mcpops_broker.seen.live import POINTS, SPAN

WIDTH, HEIGHT = 240.0, 40.0
"""Of the drawing, in its own units."""
_TOP = 4.0
"""Room above the highest point, for the width of the line."""


@dataclass(slots=True)
class History:
    """The last five minutes of a server."""

    now: float
    """Seconds since 1970."""
    points: dict[float, list[float]] = field(default_factory=dict)
    """Requests, failures and seconds together, by number of the span (`seen.live`)."""
    samples: list[float] = field(default_factory=list)
    """Seconds that requests took."""

    def add(self, points: Iterable[list[float]], samples: Iterable[tuple[float, float]]) -> None:
        """Add what one worker knows."""
        for number, *numbers in points:
            if number > self._last - POINTS:
                known = self.points.setdefault(number, [0, 0, 0])
                self.points[number] = [one + other for one, other in zip(known, numbers, strict=True)]
        oldest = self.now - POINTS * SPAN
        self.samples += [seconds for ended, seconds in samples if ended > oldest]
        self.samples.sort()

    @property
    def requests(self) -> int:
        """How many there were."""
        return int(sum(numbers[0] for numbers in self.points.values()))

    @property
    def failures(self) -> int:
        """How many of them failed."""
        return int(sum(numbers[1] for numbers in self.points.values()))

    def quantile(self, share: float) -> float:
        """Return the seconds within which this share of the last requests was answered."""
        return self.samples[min(int(len(self.samples) * share), len(self.samples) - 1)]

    def lines(self) -> list[str]:
        """Return the mean time over time as the `points` of lines, one for each stretch without a gap."""
        return [" ".join(f"{x:g},{y:g}" for x, y in stretch) for stretch in self._stretches()]

    def areas(self) -> list[str]:
        """Return what is below the lines, as the `points` of polygons."""
        return [
            " ".join(f"{x:g},{y:g}" for x, y in [(stretch[0][0], HEIGHT), *stretch, (stretch[-1][0], HEIGHT)])
            for stretch in self._stretches()
        ]

    def failed_at(self) -> list[float]:
        """Return where on the time axis requests failed."""
        return [round(self._x(number), 1) for number, numbers in sorted(self.points.items()) if numbers[1]]

    @property
    def highest(self) -> float:
        """The longest of the mean times that are drawn, in seconds."""
        return max(self._means().values(), default=0.0)

    def _means(self) -> dict[float, float]:
        return {number: total / requests for number, (requests, _, total) in self.points.items() if requests}

    @property
    def _last(self) -> float:
        return self.now // SPAN

    def _x(self, number: float) -> float:
        return WIDTH * (number - self._last + POINTS - 1 + 0.5) / POINTS

    def _stretches(self) -> list[list[tuple[float, float]]]:
        """Return the drawing's lines. A point that stands alone becomes a short one, so that it can be seen."""
        means, highest = self._means(), self.highest or 1.0
        half = WIDTH / POINTS / 2
        stretches: list[list[tuple[float, float]]] = []
        before = None
        for number in sorted(means):
            x, y = round(self._x(number), 1), round(HEIGHT - (HEIGHT - _TOP) * means[number] / highest, 1)
            if before != number - 1:
                stretches.append([(round(x - half, 1), y)])
            stretches[-1].append((x, y))
            before = number
        for stretch in stretches:
            if len(stretch) == 2:
                stretch.append((round(stretch[-1][0] + half, 1), stretch[-1][1]))
        return stretches
