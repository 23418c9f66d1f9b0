# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading several gateways in turns, so that what else the machine does meanwhile falls on all of them alike."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.broker.load import Job, Load
from bench.broker.peers import OTHERS, Peer
from bench.broker.processes import children_on

Json = dict[str, Any]
SESSIONS = 16
"""Sessions at most; the connections share them."""
STATELESS = "2026-07-28"


@dataclass(frozen=True)
class Figures:
    """One peer under one load, and what it cost."""

    load: Load
    cpu_ms: float
    """Milliseconds of processor time of its process tree for one answer."""


@dataclass(frozen=True)
class Work:
    """A request that every peer gets, `connections` at a time."""

    connections: int
    method: str
    params: Callable[[Peer, dict[str, str]], Json]
    """Made with a session's headers."""
    stateless: bool = False
    """Whether the requests are those of MCP 2026-07-28, without sessions."""

    def job(self, peer: Peer, seconds: float) -> Job:
        """The work as the load generator takes it; sessions are started for it."""
        sessions = [peer.endpoint.session() for _ in range(1 if self.stateless else min(self.connections, SESSIONS))]
        params = self.params(peer, sessions[0])
        if self.stateless:
            sessions = [_described(peer, self.method, params)]
        headers = [sessions[number % len(sessions)] for number in range(self.connections)]
        return Job("127.0.0.1", peer.endpoint.port, peer.endpoint.path, headers, self.method, params, seconds)


def calls(connections: int, *, stateless: bool = False) -> Work:
    """Calls of the tool `echo` with a short text."""

    def params(peer: Peer, headers: dict[str, str]) -> Json:
        return {"name": peer.echo(headers), "arguments": {"text": "What the weather will be tomorrow"}}

    return Work(connections, "tools/call", params, stateless)


def lists(connections: int) -> Work:
    """Lists of all tools."""
    return Work(connections, "tools/list", lambda peer, headers: {})


def _described(peer: Peer, method: str, params: Json) -> dict[str, str]:
    """Have a request say of itself what a session would know; return its headers."""
    prefix = "io.modelcontextprotocol/"
    info = {"name": "bench", "version": "1"}
    params["_meta"] = {
        f"{prefix}protocolVersion": STATELESS,
        f"{prefix}clientInfo": info,
        f"{prefix}clientCapabilities": {},
    }
    return {
        **peer.endpoint.headers,
        "mcp-protocol-version": STATELESS,
        "mcp-method": method,
        "mcp-name": params["name"],
    }


def loaded(peer: Peer, job: Job) -> Figures:
    """Put a load on a peer. RuntimeError when an answer was wrong."""
    before = peer.process.cpu()
    with children_on(OTHERS):
        done = subprocess.run(
            [sys.executable, "-m", "bench.broker.load"],
            input=json.dumps(asdict(job)),
            text=True,
            capture_output=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"the load on {peer.name} failed:\n{done.stderr[-2000:]}")
    load = Load(**json.loads(done.stdout))
    if load.errors:
        raise RuntimeError(f"{peer.name} answered {load.errors} requests wrongly; the first: {load.first_error}")
    return Figures(load, (peer.process.cpu() - before) / load.answers * 1000)


def in_turns(peers: Sequence[Peer], work: Work, rounds: int, seconds: float) -> dict[str, list[Figures]]:
    """Load the peers one after the other, forwards and backwards, `rounds` times after one that does not count; the
    figures by peer."""
    jobs = [(peer, work.job(peer, seconds)) for peer in peers]
    found: dict[str, list[Figures]] = {peer.name: [] for peer in peers}
    for number in range(rounds + 1):
        for peer, job in jobs if number % 2 else reversed(jobs):
            figures = loaded(peer, job)
            if number:
                found[peer.name].append(figures)
    return found


def rate(figures: Sequence[Figures]) -> float:
    """Answers a second, median."""
    return statistics.median(one.load.rate for one in figures)


def rate_ratio(ours: Sequence[Figures], theirs: Sequence[Figures]) -> float:
    """How many times faster we are: the median of the rounds' ratios."""
    return statistics.median(a.load.rate / b.load.rate for a, b in zip(ours, theirs, strict=True))


def cpu_ms(figures: Sequence[Figures]) -> float:
    """Milliseconds of processor time for one answer, median."""
    return statistics.median(one.cpu_ms for one in figures)
