# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""`mcpops-broker pin`: write down what the tools of the servers are now, or tell how they differ from what was written.

Whoever runs it should have looked at the definitions. What it writes is what `broker.toolGuard.pinsFile` reads.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from mcpops_broker.broker import Broker
from mcpops_broker.bus import Bus
from mcpops_broker.catalogue.guard import digest_of
from mcpops_broker.config.model import Config
from mcpops_broker.config.tool_guard import NO_PINS, Pins
from mcpops_broker.settings import Options
from mcpops_broker.upstream.upstream import State, Upstream

PATIENCE = 60.0
"""Seconds that all servers get to list their tools."""

_Found = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class PinOptions:
    """What the command line says."""

    servers: tuple[str, ...] = ()
    """Names of the servers to pin; none: all."""
    output: Path | None = None
    """Where to write to; None: standard output."""
    compare: bool = False
    """Only tell the differences."""


def pin(options: Options, config: Config, wanted: PinOptions) -> int:
    """Run the command; return the exit code: 0 done (or no difference), 1 a server cannot be listed (or differs)."""
    names = {server.name for server in config.servers}
    unknown = sorted(set(wanted.servers) - names)
    if unknown:
        print(f"no server is called {', '.join(unknown)}; there are: {', '.join(sorted(names))}", file=sys.stderr)
        return 1
    chosen = set(wanted.servers) or names
    servers = tuple(server for server in config.servers if server.name in chosen)
    guard = config.broker.tool_guard
    known: Pins = guard.pins if guard is not None else NO_PINS
    found, problems = asyncio.run(_list(options, replace(config, servers=servers)))
    for problem in problems:
        print(problem, file=sys.stderr)
    if wanted.compare:
        differences = [line for server, pins in found.items() for line in _differences(server, known.get(server), pins)]
        print("\n".join(differences) or "no difference")
        return 1 if differences or problems else 0
    _write({**known, **found}, wanted.output)
    return 1 if problems else 0


async def _list(options: Options, config: Config) -> tuple[_Found, list[str]]:
    """Return the digests of all tools by server, and in sentences why some servers have none."""
    broker = Broker(options, config, Bus())
    found: _Found = {}
    problems: list[str] = []
    try:
        await broker.apply(config)
        asked = [upstream.asked.wait() for upstream in broker.upstreams.values() if upstream.server.enabled]
        with suppress(TimeoutError):  # those that are still connecting are told below
            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*asked)
        for name, upstream in broker.upstreams.items():
            problem = _problem(upstream)
            if problem:
                problems.append(f"{name}: not pinned: {problem}")
            else:
                found[name] = {tool["name"]: digest_of(tool) for tool in upstream.listed.tools}
    finally:
        await broker.close()
    return found, problems


def _problem(upstream: Upstream) -> str:
    if upstream.state is State.DISABLED:
        return "it is disabled"
    if upstream.server.user_specific:
        return "it offers each user something else"
    if upstream.state is State.CONNECTING:
        return f"it did not list its tools within {PATIENCE:g} s"
    return "" if upstream.state is State.READY else upstream.problem or "it cannot be reached"


def _differences(server: str, known: Mapping[str, str] | None, found: dict[str, str]) -> Iterator[str]:
    if known is None:
        yield f"{server}: has no pins"
        return
    for tool in sorted(known.keys() | found.keys()):
        if tool not in known:
            yield f"{server}: {tool} is new"
        elif tool not in found:
            yield f"{server}: {tool} is gone"
        elif known[tool] != found[tool]:
            yield f"{server}: {tool} has changed"


def _write(pins: Pins, output: Path | None) -> None:
    """Write the pins; a file is replaced as a whole, so that a broker never reads a part."""
    text = orjson.dumps(pins, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
    if output is None:
        sys.stdout.write(text.decode())
        return
    new = output.with_name(output.name + ".new")
    new.write_bytes(text)
    new.replace(output)
