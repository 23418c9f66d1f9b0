# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests through the Gateway, and a client that never stops asking."""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from typing import NamedTuple

BARE = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize"}).encode()


class Answer(NamedTuple):
    """What came back; names of headers in lower case."""

    status: int
    headers: dict[str, str]
    text: str


def ask(port: int, path: str = "/mcp", *, host: str = "localhost", method: str = "POST", **headers: str) -> Answer:
    """``initialize``, or another method without a body, through the Gateway; the header X-Y is ``x_y``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    if method == "POST":
        request.data = BARE
    for name, value in {"Host": host, "Content-Type": "application/json", **named}.items():
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the address is ours
            return Answer(answer.status, lowered(answer.headers), answer.read().decode())
    except urllib.error.HTTPError as refused:
        with refused:
            return Answer(refused.code, lowered(refused.headers), refused.read().decode())


def lowered(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@contextlib.contextmanager
def asking_on(port: int) -> Iterator[list[int]]:
    """Asks for the endpoint without a pause while the block runs; collects the HTTP statuses."""
    statuses: list[int] = []
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            try:
                statuses.append(ask(port).status)
            except OSError:
                statuses.append(0)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield statuses
    finally:
        stop.set()
        thread.join(30)
