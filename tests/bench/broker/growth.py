# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call costs, and how much memory is used, as tools and upstreams become more."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from bench.broker import peers
from bench.broker.plot import Panel, draw
from bench.broker.rounds import calls, cpu_ms, in_turns
from bench.results import Result

TOOLS = (10, 100, 1000, 10_000)
"""Of one upstream."""
UPSTREAMS = (1, 10, 100, 1000)
TOOLS_OF_EACH = 10
ROUNDS = 3


@dataclass(frozen=True)
class Point:
    """The broker at one size."""

    size: int
    cpu_ms: float
    memory_mb: float
    ready_s: float


def measure(folder: Path, plot: Path | None) -> list[Result]:
    """Both ways to grow; the plot is drawn when it has a file."""
    by_tools = _grown([(1, tools) for tools in TOOLS], folder)
    by_upstreams = _grown([(count, TOOLS_OF_EACH) for count in UPSTREAMS], folder)
    tools = [Point(size, *values) for size, values in zip(TOOLS, by_tools, strict=True)]
    upstreams = [Point(size, *values) for size, values in zip(UPSTREAMS, by_upstreams, strict=True)]
    if plot is not None:
        plot.write_text(_drawn(tools, upstreams))
    return [*_results("tools", tools), *_results("upstreams", upstreams)]


def _grown(sizes: list[tuple[int, int]], folder: Path) -> list[tuple[float, float, float]]:
    """Processor time of a call (ms), memory (MB) and start (s) at every size. All sizes run at once, in turns."""
    with contextlib.ExitStack() as stack:
        every = []
        for count, tools in sizes:
            own = folder / f"growth-{count}-{tools}"
            own.mkdir(exist_ok=True)
            ups = stack.enter_context(peers.upstreams(count, tools, own))
            peer = stack.enter_context(peers.broker(ups, own))
            every.append(peers.Peer(f"{count} x {tools}", peer.endpoint, peer.process, peer.ready_s))
        figures = in_turns(every, calls(16), ROUNDS, 1.0)
        return [(cpu_ms(figures[peer.name]), peer.process.memory(), peer.ready_s) for peer in every]


def _results(kind: str, points: list[Point]) -> list[Result]:
    first, last = points[0], points[-1]
    note = f"a call with {last.size} {kind} ({last.cpu_ms:.3f} ms of processor time) against one with {first.size}"
    return [
        Result(f"broker.growth.{kind}_{last.size}.cpu_ratio", last.cpu_ms / first.cpu_ms, "x", note),
        *(
            Result(f"broker.growth.{kind}_{point.size}.memory_mb", point.memory_mb, "MB",
                   f"ready after {point.ready_s:.2f} s; a call takes {point.cpu_ms:.3f} ms of processor time")
            for point in points
        ),
    ]  # fmt: skip


def _drawn(tools: list[Point], upstreams: list[Point]) -> str:
    day, of_each = time.strftime("%Y-%m-%d", time.gmtime()), f"{TOOLS_OF_EACH} tools each"
    caption = (
        f"One worker, tools/call with 16 clients, {os.cpu_count()} processors, {day}. Drawn by the bench (growth)."
    )
    return draw(
        "The broker as tools and upstreams become more",
        caption,
        [
            Panel("Processor time of a call (ms)", "tools of one upstream", [(p.size, p.cpu_ms) for p in tools]),
            Panel("Processor time of a call (ms)", f"upstreams, {of_each}", [(p.size, p.cpu_ms) for p in upstreams]),
            Panel("Memory (MB)", "tools of one upstream", [(p.size, p.memory_mb) for p in tools]),
            Panel("Memory (MB)", f"upstreams, {of_each}", [(p.size, p.memory_mb) for p in upstreams]),
        ],
    )
