# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests without sessions (MCP 2026-07-28), sent without an MCP library."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from broker.harness import BrokerProcess, Json, Reply, rpc

VERSION = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
LOG_LEVEL = "io.modelcontextprotocol/logLevel"
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
SERVER_INFO = "io.modelcontextprotocol/serverInfo"
BOTH = "application/json, text/event-stream"


def message(
    method: str, params: Json | None = None, request_id: int | str = 1, meta: Json | None = None, **capabilities: Any
) -> Json:
    """Build a request. A value None in `meta` leaves the key out."""
    envelope = {VERSION: "2026-07-28", CAPABILITIES: capabilities, **(meta or {})}
    said = {key: value for key, value in envelope.items() if value is not None}
    return rpc(method, {**(params or {}), "_meta": said}, request_id)


def headers(sent: Json, changes: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """Return the headers that a request must have. A value None in `changes` leaves the header out."""
    params = sent.get("params", {})
    name = (
        params.get("name", params.get("uri"))
        if sent["method"] in ("tools/call", "prompts/get", "resources/read")
        else None
    )
    made = {
        "content-type": "application/json",
        "accept": BOTH,
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": sent["method"],
        "mcp-name": name,
        **(changes or {}),
    }
    return {key: value for key, value in made.items() if value is not None}


def send(broker: BrokerProcess, sent: Json, changes: Mapping[str, str | None] | None = None) -> Reply:
    """Send a request with the headers it must have."""
    return broker.request("POST", "/mcp", sent, headers(sent, changes))


class EventStream:
    """An answer of server-sent events, read as it comes."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status = answer.status
        self.headers = {key.lower(): value for key, value in answer.getheaders()}
        self._answer = answer

    def next(self) -> Json:
        """Return the next message; `AssertionError` when the stream ends before."""
        for line in self._answer:
            if line.startswith(b"data: "):
                event: Json = json.loads(line[6:])
                return event
        raise AssertionError("the stream has ended")

    def rest(self) -> list[Json]:
        """Return all messages up to the end of the stream."""
        return [json.loads(line[6:]) for line in self._answer if line.startswith(b"data: ")]


@contextmanager
def stream(
    broker: BrokerProcess, sent: Json, changes: Mapping[str, str | None] | None = None, *, seconds: float = 30.0
) -> Iterator[EventStream]:
    """Send a request and read its answer as it comes; the connection is closed at the end of the block.

    `TimeoutError` when nothing comes for `seconds`.
    """
    parts = urlsplit(broker.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
    try:
        connection.request("POST", "/mcp", json.dumps(sent).encode(), headers(sent, changes))
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        yield EventStream(answer)
        answer.close()
    finally:
        connection.close()
