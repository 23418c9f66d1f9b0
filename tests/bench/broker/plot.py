# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small line charts as SVG: sizes on a logarithmic axis, values from zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 360, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 20, 34, 42
_COLUMNS = 2
_HEAD = 40
_STYLE = (
    "text{font-family:sans-serif;font-size:11px;fill:#333}.title{font-size:15px;font-weight:bold}"
    ".panel{font-size:12px;font-weight:bold}.axis{stroke:#999}.grid{stroke:#ddd}"
    ".line{fill:none;stroke:#0b62a4;stroke-width:2}.dot{fill:#0b62a4}"
)


@dataclass(frozen=True)
class Panel:
    """One chart."""

    title: str
    sizes: str
    """What the horizontal axis counts."""
    points: Sequence[tuple[int, float]]
    """Sizes, all above zero and growing, and values."""


def draw(title: str, caption: str, panels: Sequence[Panel]) -> str:
    """The charts, two in a row, as the text of an SVG file."""
    rows = math.ceil(len(panels) / _COLUMNS)
    width, height = WIDTH * _COLUMNS, _HEAD + HEIGHT * rows + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(title)}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        _text(_LEFT, 24, title, "title"),
    ]
    for number, panel in enumerate(panels):
        x, y = number % _COLUMNS * WIDTH, _HEAD + number // _COLUMNS * HEIGHT
        parts.append(f'<g transform="translate({x} {y})">{_panel(panel)}</g>')
    parts += [_text(_LEFT, height - 8, caption), "</svg>"]
    return "\n".join(parts) + "\n"


def _panel(panel: Panel) -> str:
    step, top = _scale(max(value for _, value in panel.points))
    first, last = math.log10(panel.points[0][0]), math.log10(panel.points[-1][0])
    bottom, right = HEIGHT - _BOTTOM, WIDTH - _RIGHT

    def x(size: float) -> float:
        return round(_LEFT + (right - _LEFT) * (math.log10(size) - first) / (last - first), 1)

    def y(value: float) -> float:
        return round(bottom - (bottom - _TOP) * value / top, 1)

    parts = [_text(_LEFT, 20, panel.title, "panel")]
    for number in range(round(top / step) + 1):
        level = y(number * step)
        kind = "grid" if number else "axis"
        parts.append(f'<line class="{kind}" x1="{_LEFT}" y1="{level}" x2="{right}" y2="{level}"/>')
        parts.append(_text(_LEFT - 6, level + 4, f"{number * step:g}", anchor="end"))
    path = " ".join(f"{x(size)},{y(value)}" for size, value in panel.points)
    parts.append(f'<polyline class="line" points="{path}"/>')
    for number, (size, value) in enumerate(panel.points):
        inwards = {0: "start", len(panel.points) - 1: "end"}.get(number, "middle")
        parts.append(f'<circle class="dot" cx="{x(size)}" cy="{y(value)}" r="3"/>')
        parts.append(_text(x(size), y(value) - 8, f"{value:.3g}", anchor=inwards))
        parts.append(_text(x(size), bottom + 16, f"{size:,}", anchor="middle"))
    parts.append(_text((_LEFT + right) / 2, bottom + 32, panel.sizes, anchor="middle"))
    return "\n".join(parts)


def _scale(highest: float) -> tuple[float, float]:
    """Steps of 1, 2 or 5 times a power of ten, some five of them, and the axis' end: a step above the highest value."""
    power = 10.0 ** math.floor(math.log10(highest / 5))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * 5 >= highest)
    return step, step * (math.floor(highest / step) + 1)


def _text(x: float, y: float, text: str, kind: str = "plain", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
