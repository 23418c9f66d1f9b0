# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running the broker as a process, and speaking to it without an MCP library."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

Json = dict[str, Any]


def wait_until(condition: Callable[[], object], what: str, seconds: float = 60.0) -> Any:
    """Return the first true value of `condition`; fail with `what` when there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds:g} s: {what}")


@dataclass
class Reply:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> Json:
        """The JSON-RPC error of the body."""
        error: Json = self.json["error"]
        return error

    @property
    def events(self) -> list[Json]:
        """The messages of a body of server-sent events; an event without data is none."""
        lines = self.body.decode().splitlines()
        return [json.loads(line[6:]) for line in lines if line.startswith("data: ") and line != "data: "]


@dataclass
class BrokerProcess:
    """A broker that runs; made by `run_broker`."""

    process: subprocess.Popen[bytes]
    config_file: Path
    log_file: Path
    url: str = ""
    session: str | None = None
    """Session id that `rpc` sends."""
    default_headers: dict[str, str] = field(default_factory=dict)
    workers: int = 1

    @property
    def log(self) -> str:
        """Everything logged so far."""
        return self.log_file.read_text()

    def configure(self, config: Json | str) -> None:
        """Replace the configuration file by rename."""
        new = self.config_file.with_suffix(".new")
        write_config(new, config)
        new.replace(self.config_file)

    def request(
        self, method: str, path: str = "/mcp", body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send one HTTP request. A body that is not bytes is sent as JSON."""
        return request(self.url, method, path, body, headers)

    def post(self, message: Any, headers: Mapping[str, str] | None = None, session: str | None = None) -> Reply:
        """POST a message (or bytes) to /mcp, in the session if there is one."""
        session = session or self.session
        mine = {"content-type": "application/json", **self.default_headers}
        if session:
            mine["mcp-session-id"] = session
        merged = {**mine, **(headers or {})}
        return self.request("POST", "/mcp", message, {key: value for key, value in merged.items() if value})

    def initialize(self, version: str = "2025-11-25") -> str:
        """Start a session, use it from now on, and return its id."""
        params = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        reply = self.post(rpc("initialize", params), session="")
        assert reply.status == 200, reply.body
        self.session = reply.headers["mcp-session-id"]
        return self.session

    def call(self, tool: str, arguments: Json | None = None, *, headers: Mapping[str, str] | None = None) -> Json:
        """Call a tool and return the JSON-RPC response."""
        reply = self.post(rpc("tools/call", {"name": tool, "arguments": arguments or {}}), headers)
        assert reply.status == 200, reply.body
        message: Json = reply.json
        return message

    def tools(self, headers: Mapping[str, str] | None = None) -> list[str]:
        """Return the names of all tools."""
        names: list[str] = []
        params: Json = {}
        while True:
            result = self.post(rpc("tools/list", params), headers).json["result"]
            names += [tool["name"] for tool in result["tools"]]
            if "nextCursor" not in result:
                return names
            params = {"cursor": result["nextCursor"]}

    def status(self, path: str = "") -> Json:
        """Return /status."""
        reply = self.request("GET", "/status" + path)
        assert reply.status == 200, reply.body
        answer: Json = reply.json
        return answer

    def server(self, name: str) -> Json:
        """Return what /status says about one upstream."""
        return self.status("/" + name)

    def wait_ready(self, *names: str) -> None:
        """Wait until these upstreams are ready and their tools are listed, in all workers."""
        for name in names:
            wait_until(lambda name=name: self.server(name)["ready"], f"upstream {name} ready; log:\n{self.log}")  # type: ignore[misc]
        if self.workers > 1 or not names:
            wait_until(lambda: self._all_have(names), f"upstreams {names} ready in all workers; log:\n{self.log}")

    def _all_have(self, names: Iterable[str]) -> bool:
        """Tell by the metrics, which any worker gathers from all: status is that of the worker that answers."""
        seen = self.request("GET", "/metrics").body.decode().splitlines()
        ready = 'mcpops_broker_server_up{{server="{}",worker="{}"}} 1.0'
        up = [f'mcpops_broker_worker_up{{worker="{number}"}} 1.0' in seen for number in range(self.workers)]
        return all(up) and all(ready.format(name, number) in seen for name in names for number in range(self.workers))

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


def rpc(method: str, params: Json | None = None, request_id: int | str = 1) -> Json:
    """Build a request."""
    message: Json = {"jsonrpc": "2.0", "id": request_id, "method": method}
    if params is not None:
        message["params"] = params
    return message


def request(url: str, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
    """Send one HTTP request on a connection of its own."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, data, dict(headers or {}))
        answer = connection.getresponse()
        return Reply(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def write_config(path: Path, config: Json | str) -> None:
    """Write a configuration file."""
    path.write_text(config if isinstance(config, str) else yaml.safe_dump(config, sort_keys=False))


def server(name: str, url: str, prefix: str = "", **more: Any) -> Json:
    """Build an element of `servers`."""
    return {"name": name, "url": url, "prefix": prefix, **more}


@contextmanager
def run_broker(
    directory: Path, config: Json | str, *arguments: str, env: Mapping[str, str] | None = None
) -> Iterator[BrokerProcess]:
    """Run a broker on a free port until the block ends."""
    directory.mkdir(parents=True, exist_ok=True)
    config_file, log_file = directory / "config.yaml", directory / "broker.log"
    if config or not config_file.exists():
        write_config(config_file, config)
    command = [sys.executable, "-m", "mcpops_broker", "serve", "--config", str(config_file), "--port", "0", *arguments]
    inherited = {key: value for key, value in os.environ.items() if "PROXY" not in key.upper()}
    with log_file.open("wb") as log:
        process = subprocess.Popen(command, stderr=log, stdout=log, env={**inherited, **(env or {})})
    workers = int(arguments[arguments.index("--workers") + 1]) if "--workers" in arguments else 1
    broker = BrokerProcess(process, config_file, log_file, workers=workers)
    try:
        broker.url = _listening(broker)
        yield broker
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _listening(broker: BrokerProcess) -> str:
    def find() -> str | None:
        if broker.process.poll() is not None:
            raise AssertionError(f"the broker ended with {broker.process.returncode}:\n{broker.log}")
        match = re.search(r"listening url=(https?://\S+?)/mcp", broker.log)
        return match[1] if match else None

    url: str = wait_until(find, "the broker listens")
    return url
