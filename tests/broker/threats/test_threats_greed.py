# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that want all of the broker: bodies without end, connections without requests."""

from __future__ import annotations

import http.client
import resource
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from broker.harness import BrokerProcess, rpc, run_broker, server
from broker.raw_upstream import RawUpstream

CONNECTIONS = 10_000
MIB = 1 << 20
CALL = rpc("tools/call", {"name": "r_echo", "arguments": {"text": "x"}})

of_linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory and files are read from /proc")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """One broker with the limits that it has by itself."""
    with RawUpstream("echo") as upstream:
        config = {"servers": [server("ns/raw", upstream.url, "r_")]}
        with run_broker(tmp_path_factory.mktemp("greedy"), config) as broker:
            broker.wait_ready("ns/raw")
            broker.initialize()
            broker.status()  # loads what the first such request loads
            yield broker


def memory(running: BrokerProcess, what: str = "VmRSS") -> float:
    """Return what the broker takes (VmHWM: the most it ever took), in MiB."""
    lines = Path(f"/proc/{running.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


@pytest.mark.parametrize("path", ["/mcp", "/mcp/stateless", "/ui", "/status"])
def test_a_body_of_100_mb_is_refused_before_it_is_sent(running: BrokerProcess, path: str) -> None:
    connection = opened(running)
    connection.putrequest("POST", path)
    connection.putheader("content-type", "application/json")
    connection.putheader("content-length", str(100 * MIB))
    connection.endheaders()

    answer = connection.getresponse()

    assert answer.status == 413
    assert b"the body is 104857600 bytes long, more than the limit of" in answer.read()
    connection.close()


@of_linux
def test_a_body_of_100_mb_that_says_nothing_of_its_length_is_refused_at_the_limit(running: BrokerProcess) -> None:
    before = memory(running, "VmHWM")
    connection = opened(running)
    connection.putrequest("POST", "/mcp")
    connection.putheader("content-type", "application/json")
    connection.putheader("transfer-encoding", "chunked")
    connection.endheaders()
    sent = 0
    try:
        for _ in range(100):
            connection.send(b"%x\r\n%s\r\n" % (MIB, b" " * MIB))
            sent += 1
    except OSError:
        assert sent >= 5  # the broker reads 5 MiB before it refuses

    answer = connection.getresponse()

    assert answer.status == 413
    assert b"the body is longer than the limit of 5242880 bytes" in answer.read()
    connection.close()
    assert memory(running, "VmHWM") - before < 40
    assert running.post(CALL).status == 200


@of_linux
def test_10000_idle_connections_take_little_and_nobody_waits(running: BrokerProcess) -> None:
    """As many again as the broker has room for are in `test_broker_connection.py`."""
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < CONNECTIONS * 3 // 2:
        pytest.skip(f"this machine lets a process open fewer than {CONNECTIONS * 3 // 2} files")
    before = memory(running)
    with idle(running, CONNECTIONS):
        assert running.post(CALL).status == 200

        assert len(list(Path(f"/proc/{running.process.pid}/fd").iterdir())) >= CONNECTIONS
        assert (memory(running) - before) / CONNECTIONS < 16 / 1024
        assert running.request("GET", "/healthz").status == 200
        assert running.status()["healthyServers"] == 1
        running.initialize()
        assert all(running.post(CALL).status == 200 for _ in range(50))
    assert running.post(CALL).status == 200


def opened(running: BrokerProcess) -> http.client.HTTPConnection:
    parts = urlsplit(running.url)
    return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)


@contextmanager
def idle(running: BrokerProcess, number: int) -> Iterator[None]:
    """Keep connections open on which nothing is ever sent."""
    parts = urlsplit(running.url)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(number):
            one = stack.enter_context(socket.create_connection((parts.hostname or "", parts.port or 0), timeout=60))
            # reset at the end: thousands of closed connections would wait a minute for packets that are late
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        yield
