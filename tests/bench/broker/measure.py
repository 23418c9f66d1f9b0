# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The broker beside its peers: rates, processor time, latency, memory, start.

Every gateway has one worker or thread and a processor of its own; the load and the upstreams have another. They take
turns, and a ratio is the median of the rounds' ratios, so that other work on the machine falls on all of them.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.broker import contextforge, growth, peers, production
from bench.broker.peers import Peer, Start
from bench.broker.rounds import STATELESS, Figures, calls, cpu_ms, in_turns, lists, rate, rate_ratio
from bench.results import Result

ROUNDS = 5
SECONDS = 2.0
GOALS = {
    "call_c16.rate_vs_envoy_mcp_router": ">= 0.9",
    "call_c64.rate_vs_envoy_mcp_router": ">= 0.9",
    "call_c16.rate_vs_fastmcp_shared": ">= 15",
    "call_c16.rate_vs_fastmcp_default": ">= 150",
    "call_c16.rate_vs_contextforge": ">= 150",
    "list_1000.rate_vs_envoy_mcp_router": ">= 5",
}


def measure(parts: Sequence[str], plot: Path | None = None) -> list[Result]:
    """Measure these parts; the upstreams and gateways are gone afterwards."""
    found: list[Result] = []
    with tempfile.TemporaryDirectory() as name:
        for part in parts:
            print(f"broker: {part} ...", flush=True)
            found += PARTS[part](Path(name), plot)
    return found


def _calls(folder: Path) -> list[Result]:
    """`tools/call` beside Envoy, and what it adds to the bare upstream."""
    found: list[Result] = []
    with contextlib.ExitStack() as stack:
        ups = stack.enter_context(peers.upstreams(2, 5, folder))
        starts: list[Start] = [peers.broker, peers.envoy_router, peers.envoy_plain, peers.direct]
        every = [stack.enter_context(start(ups, folder)) for start in starts]
        for connections in (1, 16, 64):
            figures = in_turns(every, calls(connections), ROUNDS, SECONDS)
            name = f"call_c{connections}"
            if connections > 1:
                found += [_rate(name, figures, peer) for peer in ("envoy_mcp_router", "envoy_plain")]
            found += [_cpu(name, figures, peer) for peer in ("broker", "envoy_mcp_router", "envoy_plain")]
            found += _latency(name, figures)
            if connections == 16:
                found.append(_generator(figures))
    return found


def _kinds(folder: Path) -> list[Result]:
    """`tools/call` of upstreams that answer in events, and of clients without sessions."""
    found: list[Result] = []
    with contextlib.ExitStack() as stack:
        ups = stack.enter_context(peers.upstreams(2, 5, folder, "events"))
        starts: list[Start] = [peers.broker, peers.envoy_router]
        every = [stack.enter_context(start(ups, folder)) for start in starts]
        figures = in_turns(every, calls(16), 3, SECONDS)
        found += [_rate("call_events_c16", figures, "envoy_mcp_router"), _cpu("call_events_c16", figures, "broker")]
    with peers.upstreams(2, 5, folder) as ups, peers.broker(ups, folder) as peer:
        sessions = peers.Peer("sessions", peer.endpoint, peer.process, peer.ready_s)
        figures = in_turns([sessions], calls(16), 3, 1.0)
        figures |= in_turns([peer], calls(16, stateless=True), 3, 1.0)
    cost = cpu_ms(figures["broker"])
    note = (
        f"clients of {STATELESS}, upstreams with sessions; {cpu_ms(figures['sessions']):.3f} for clients with sessions"
    )
    return [*found, Result("broker.call_stateless_c16.cpu_ms", cost, "ms", note)]


def _peers(folder: Path) -> list[Result]:
    """`tools/call` beside the gateways that are written in Python."""
    with contextlib.ExitStack() as stack:
        ups = stack.enter_context(peers.upstreams(2, 5, folder))
        starts: list[Start] = [peers.broker, peers.fastmcp_shared, peers.fastmcp_default]
        if contextforge.RUNS:
            starts.append(peers.contextforge)
        else:
            print("broker: ContextForge is left out: it needs Python 3.12 or 3.13", flush=True)
        every = [stack.enter_context(start(ups, folder)) for start in starts]
        memory = [_memory(peer) for peer in every[1:]]
        figures = in_turns(every, calls(16), 3, SECONDS)
        others = [peer.name for peer in every[1:]]
        rates = [_rate("call_c16", figures, other) for other in others]
        return [*rates, *(_cpu("call_c16", figures, other) for other in others), *memory]


def _lists(folder: Path) -> list[Result]:
    """`tools/list` of a thousand tools."""
    with contextlib.ExitStack() as stack:
        ups = stack.enter_context(peers.upstreams(50, 20, folder))
        starts: list[Start] = [peers.broker, peers.envoy_router]
        every = [stack.enter_context(start(ups, folder)) for start in starts]
        figures = in_turns(every, lists(16), 3, SECONDS)
        names = [peer.name for peer in every]
        return [_rate("list_1000", figures, names[1]), *(_cpu("list_1000", figures, name) for name in names)]


def _size(folder: Path) -> list[Result]:
    """Memory and the time to be ready, median of three starts."""

    def started(count: int, tools: int) -> tuple[float, float]:
        seconds, memory = [], []
        with peers.upstreams(count, tools, folder) as ups:
            for _ in range(3):
                with peers.broker(ups, folder) as peer:
                    seconds.append(peer.ready_s)
                    memory.append(peer.process.memory())
        return statistics.median(seconds), statistics.median(memory)

    _, idle = started(2, 5)
    ready, _ = started(50, 20)
    _, many = started(1000, 10)
    return [
        Result("broker.idle.memory_mb", idle, "MB", "goal: <= 90; RSS, 2 upstreams of 5 tools, just started"),
        Result("broker.upstreams_1000.memory_mb", many, "MB", "goal: <= 200; RSS, 1000 upstreams of 10 tools"),
        Result(
            "broker.start_50.ready_s", ready, "s", "goal: < 2; from start until all tools of 50 upstreams are listed"
        ),
    ]


PARTS: dict[str, Callable[[Path, Path | None], list[Result]]] = {
    "calls": lambda folder, plot: _calls(folder),
    "kinds": lambda folder, plot: _kinds(folder),
    "peers": lambda folder, plot: _peers(folder),
    "lists": lambda folder, plot: _lists(folder),
    "size": lambda folder, plot: _size(folder),
    "growth": growth.measure,
    "production": lambda folder, plot: production.measure(folder),
}


def _rate(name: str, figures: dict[str, list[Figures]], other: str) -> Result:
    ours, theirs = figures["broker"], figures[other]
    what = f"{name}.rate_vs_{other}"
    goal = f"goal: {GOALS[what]}; " if what in GOALS else ""
    by_cpu = cpu_ms(theirs) / cpu_ms(ours)
    note = (
        f"{goal}{rate(ours):.0f} against {rate(theirs):.0f} a second, {len(ours)} rounds; {by_cpu:.2f} x by processor "
        f"time; load average {os.getloadavg()[0]:.1f}"
    )
    return Result(f"broker.{what}", rate_ratio(ours, theirs), "x", note)


def _cpu(name: str, figures: dict[str, list[Figures]], peer: str) -> Result:
    of = "" if peer == "broker" else f".{peer}"
    note = f"processor time of {peer} for one answer, all its processes"
    return Result(f"broker.{name}{of}.cpu_ms", cpu_ms(figures[peer]), "ms", note)


def _latency(name: str, figures: dict[str, list[Figures]]) -> list[Result]:
    """What a call takes longer than at the upstream itself."""
    found = []
    for part in ("p50", "p99"):
        times = {
            peer: statistics.median(getattr(one.load, part) * 1000 for one in figures[peer])
            for peer in ("broker", "envoy_mcp_router", "direct")
        }
        bare = times["direct"]
        envoy = times["envoy_mcp_router"] - bare
        note = f"more than the {bare:.2f} ms of the upstream itself; Envoy mcp_router: {envoy:.2f}"
        found.append(Result(f"broker.{name}.added_{part}_ms", times["broker"] - bare, "ms", note))
    return found


def _generator(figures: dict[str, list[Figures]]) -> Result:
    """Show that the generator is not the limit."""
    share = statistics.median(one.load.busy for one in figures["broker"]) * 100
    return Result("broker.load_generator.busy", share, "%", "of its processor, while it loads the broker with c=16")


def _memory(peer: Peer) -> Result:
    return Result(f"broker.idle.{peer.name}.memory_mb", peer.process.memory(), "MB", "RSS of its processes")
