# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client with a session, without an MCP library, that reads streams as they come."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from broker.harness import BrokerProcess, Json, rpc

BOTH = "application/json, text/event-stream"


@dataclass(frozen=True)
class Event:
    """One event: its id, and its message if it has one."""

    id: str
    message: Json | None


class EventStream:
    """An answer of server-sent events."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self._answer = answer

    def next(self) -> Event:
        """Return the next event; `AssertionError` when the stream ends before."""
        event_id, data = "", None
        for line in self._answer:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "id":
                event_id = value
            elif name == "data":
                data = value
            elif not line.strip() and data is not None:
                return Event(event_id, json.loads(data) if data else None)
        raise AssertionError("the stream has ended")

    def message(self) -> Json:
        """Return the next message."""
        while (event := self.next()).message is None:
            pass
        return event.message

    def rest(self) -> list[Json]:
        """Return all messages up to the end."""
        messages = []
        while True:
            try:
                messages.append(self.message())
            except AssertionError:
                return messages


@contextmanager
def opened(
    broker: BrokerProcess, method: str, message: Json | None = None, headers: Mapping[str, str] | None = None
) -> Iterator[EventStream]:
    """Send a request of the session and read the answer as it comes; the connection is closed at the end."""
    parts = urlsplit(broker.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    sent = {
        "content-type": "application/json",
        "accept": BOTH,
        "mcp-session-id": broker.session or "",
        **(headers or {}),
    }
    try:
        body = None if message is None else json.dumps(message).encode()
        connection.request(method, "/mcp", body, sent)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        assert answer.headers["content-type"] == "text/event-stream", answer.read()
        yield EventStream(answer)
        answer.close()
    finally:
        connection.close()


def calling(broker: BrokerProcess, tool: str, request_id: int | str = 1, **arguments: Any) -> Any:
    """Call a tool whose answer is a stream."""
    params = {"name": tool, "arguments": arguments, "_meta": {"progressToken": request_id}}
    return opened(broker, "POST", rpc("tools/call", params, request_id))


def listening(broker: BrokerProcess, last_event: str | None = None) -> Any:
    """Open the session's notification stream, or go on with a stream after an event."""
    return opened(broker, "GET", headers={} if last_event is None else {"last-event-id": last_event})


def start(broker: BrokerProcess, version: str = "2025-11-25", **capabilities: Any) -> None:
    """Start a session whose client can do this."""
    params = {"protocolVersion": version, "capabilities": capabilities, "clientInfo": {"name": "test", "version": "1"}}
    reply = broker.post(rpc("initialize", params), session="")
    assert reply.status == 200, reply.body
    broker.session = reply.headers["mcp-session-id"]
