# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A load generator that costs little beside what it measures: plain sockets and epoll, no HTTP library.

Every connection sends its next request when the answer to the last one is there. Every answer is checked: the status,
the id of its own request, and that it is a result. `python -m bench.broker.load` reads a `Job` as JSON from standard
input and prints a `Load` as JSON; it is a process of its own, so that its processor time is known.
"""

from __future__ import annotations

import json
import re
import select
import socket
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

FIRST_ID = 10_000_000
"""Ids have one length, so that requests differ in nothing else."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ANSWER_WAIT = 60.0
"""Seconds after which a silent server is given up."""


@dataclass(frozen=True)
class Job:
    """What to do."""

    host: str
    port: int
    path: str
    headers: list[dict[str, str]]
    """Of each connection; beside content type, accept and length."""
    method: str
    params: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class Load:
    """What was seen."""

    answers: int
    seconds: float
    errors: int
    first_error: str
    p50: float
    """Seconds from request to answer, median."""
    p99: float
    busy: float
    """Share of the time in which the generator itself was running: near 1 it would be the limit."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


class _Connection:
    """One client: its socket, its requests, the answer so far."""

    __slots__ = ("_head", "_parts", "_rest", "_size", "_tail", "_wanted", "answer", "id", "socket", "started")

    def __init__(self, job: Job, headers: dict[str, str]) -> None:
        self.socket = socket.create_connection((job.host, job.port), timeout=_ANSWER_WAIT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        before, after = json.dumps(
            {"jsonrpc": "2.0", "id": FIRST_ID, "method": job.method, "params": job.params}, separators=(",", ":")
        ).split(str(FIRST_ID), 1)
        length = len(before) + len(str(FIRST_ID)) + len(after)
        lines = [
            f"POST {job.path} HTTP/1.1",
            f"host: {job.host}:{job.port}",
            "content-type: application/json",
            "accept: application/json, text/event-stream",
            f"content-length: {length}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        self._head = "\r\n".join([*lines, "", before]).encode()
        self._tail = after.encode()
        self.id = b""

    def send(self, number: int) -> None:
        """Send the next request."""
        self.id = b"%d" % number
        self._parts: list[bytes] = []
        self._size = self._wanted = 0
        self.answer = b""
        self.started = time.perf_counter()
        self.socket.sendall(self._head + self.id + self._tail)

    def receive(self) -> bool:
        """Read what is there; True when the answer is complete and in `answer`."""
        data = self.socket.recv(1 << 20)
        if not data:
            raise ConnectionError("the server closed the connection")
        self._parts.append(data)
        self._size += len(data)
        if not self._wanted:
            whole = b"".join(self._parts)
            self._parts = [whole]
            head = whole.find(b"\r\n\r\n")
            if head < 0:
                return False
            length = _LENGTH.search(whole, 0, head)
            self._wanted = head + 4 + int(length[1]) if length else -1
        if self._size < self._wanted or (self._wanted < 0 and not data.endswith(b"0\r\n\r\n")):
            return False
        self.answer = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        return True

    @property
    def wrong(self) -> bool:
        """Whether the answer is not the result of the request."""
        answer = self.answer
        return not answer.startswith(b"HTTP/1.1 200") or self.id not in answer or b'"result"' not in answer


def run(job: Job) -> Load:
    """Send requests for the job's time; requests that are under way at its end are finished and count."""
    connections = {c.socket.fileno(): c for c in (_Connection(job, headers) for headers in job.headers)}
    poll = select.epoll()
    for number, connection in connections.items():
        poll.register(number, select.EPOLLIN)
        connection.send(FIRST_ID + number)
    next_id = FIRST_ID + 100_000
    taken: list[float] = []
    errors, first_error, waiting = 0, "", len(connections)
    clock, began, used = time.perf_counter, time.perf_counter(), time.process_time()
    end = began + job.seconds
    while waiting:
        ready = poll.poll(_ANSWER_WAIT)
        if not ready:
            raise TimeoutError(f"no answer within {_ANSWER_WAIT:g} s")
        for number, _ in ready:
            connection = connections[number]
            if not connection.receive():
                continue
            now = clock()
            taken.append(now - connection.started)
            if connection.wrong:
                errors += 1
                first_error = first_error or connection.answer[:2000].decode(errors="replace")
            if now < end:
                next_id += 1
                connection.send(next_id)
            else:
                waiting -= 1
    seconds, used = clock() - began, time.process_time() - used
    taken.sort()
    p50, p99 = taken[len(taken) // 2], taken[int(len(taken) * 0.99)]
    return Load(len(taken) - errors, seconds, errors, first_error, p50, p99, used / seconds)


if __name__ == "__main__":
    print(json.dumps(asdict(run(Job(**json.load(sys.stdin))))))
