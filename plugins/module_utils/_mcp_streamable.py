# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""The Streamable HTTP transport: each message is a POST, and answered as JSON or as an event stream."""

from __future__ import annotations

import contextlib
import re
import time
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_channel import SessionLostError, encode, reply_to
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError, excerpt
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_http import Exchange
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_message import (
    Json,
    checked_answer,
    is_answer,
    messages_of,
    refusal,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_revisions import BATCH_REVISION, STATELESS_REVISION
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_sse import Position, events
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wire import Wire

DEFAULT_RETRY = 0.5
SHORTEST_RETRY = 0.05
"""Seconds before a broken stream is resumed: when the server does not say, and at least."""

ORDINALS = ("zeroth", "first", "second", "third", "fourth", "fifth")

_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")


class StreamableChannel:
    """One session over Streamable HTTP, or with ``protocol_version`` 2026-07-28 requests without a session."""

    transport = "streamable-http"

    def __init__(self, wire: Wire, protocol_version: str | None = None) -> None:
        self.target = wire.target
        self.protocol_version = protocol_version
        self.session_id: str | None = None
        self.http_status = 0
        self.server_requests: list[str] = []
        self.minted_session = False
        self._wire = wire
        self._sent = 0

    @property
    def session(self) -> bool:
        return self.session_id is not None

    def request(self, message: Json, headers: t.Mapping[str, str] | None = None, *, called: str | None = None) -> Json:
        """Send a request and return the whole answer with its result. ``called`` names the request in messages."""
        method = called or message["method"]
        with self._post(message, headers) as exchange:
            self.http_status = exchange.status
            if not 200 <= exchange.status < 300:
                raise self._refused(exchange, method)
            self._remember_session(exchange, message["method"])
            answer = self._answer(exchange, message)
        return checked_answer(self.target, answer, method, self.http_status, stateless=self._stateless)

    def notify(self, message: Json) -> None:
        """Send what has no answer: a notification, or the answer to a request of the server."""
        with self._post(message) as exchange:
            if not 200 <= exchange.status < 300:
                raise self._refused(exchange, message.get("method", "the answer to the server's own request"))

    def restart(self) -> None:
        self.session_id = None
        self.protocol_version = None
        self._sent = 0

    def close(self) -> None:
        """End the session: a courtesy. A server may refuse it (405) or be gone; the result stands without it."""
        if self.session_id is None:
            return
        with contextlib.suppress(EndpointError):  # otherwise the session runs out at the server
            self._wire.send("DELETE", self._headers()).close()
        self.session_id = None

    @property
    def _stateless(self) -> bool:
        return self.protocol_version == STATELESS_REVISION

    def _post(self, message: Json, headers: t.Mapping[str, str] | None = None) -> Exchange:
        self._sent += 1
        content = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
        return self._wire.send("POST", {**self._headers(), **content, **(headers or {})}, encode(message))

    def _headers(self) -> dict[str, str]:
        headers = {}
        if self.protocol_version:
            headers["MCP-Protocol-Version"] = self.protocol_version
        if self.session_id:
            headers["Mcp-Session-Id"] = self.session_id
        return headers

    def _remember_session(self, exchange: Exchange, method: str) -> None:
        found = exchange.header("Mcp-Session-Id")
        if self._stateless:
            self.minted_session = self.minted_session or found is not None
        elif method == "initialize":
            if found is not None and not _VISIBLE_ASCII.fullmatch(found):
                raise self._wrong(f"the session id {excerpt(found)!r} is not made of visible ASCII characters only")
            self.session_id = found

    def _answer(self, exchange: Exchange, message: Json) -> Json:
        if exchange.content_type == "text/event-stream":
            return self._streamed_answer(exchange, message)
        method, request_id = message["method"], message["id"]
        found = messages_of(self.target, exchange.body(), exchange, method, batch=self._batch)
        for one in found:
            if is_answer(one, request_id):
                return one
        raise self._wrong(f"the answer to {method} carries the id {found[0].get('id')!r} instead of {request_id}")

    def _streamed_answer(self, exchange: Exchange, message: Json) -> Json:
        """Read the stream up to the answer; resume it by its last event id as often as it breaks and time is left."""
        end = exchange.deadline
        position = Position()
        answer = self._scan(exchange, message, position)
        while answer is None:
            left = end - time.monotonic()
            if not position.last_id or self._stateless or left <= 0:
                raise self._wrong(f"the event stream ended before the answer to {message['method']}", retry=True)
            pause = DEFAULT_RETRY if position.retry is None else position.retry
            time.sleep(min(max(pause, SHORTEST_RETRY), left))
            headers = {**self._headers(), "Accept": "text/event-stream", "Last-Event-ID": position.last_id}
            with self._wire.send("GET", headers, timeout=max(0.05, end - time.monotonic())) as resumed:
                if not 200 <= resumed.status < 300 or resumed.content_type != "text/event-stream":
                    raise self._wrong(
                        f"the event stream broke before the answer to {message['method']}, and the server, which"
                        f" numbers its events, does not resume it: HTTP {resumed.status} to GET with Last-Event-ID",
                        retry=True,
                    )
                answer = self._scan(resumed, message, position)
        return answer

    def _scan(self, exchange: Exchange, message: Json, position: Position) -> Json | None:
        """The answer in a stream, None when the stream ends or breaks before it and can be resumed."""
        stream = events(exchange.lines(), position)
        while True:
            try:
                event = next(stream, None)
            except EndpointError as failure:
                if time.monotonic() >= exchange.deadline or not failure.retry or not position.last_id:
                    raise
                return None
            if event is None:
                return None
            for one in messages_of(self.target, event.data, exchange, message["method"], batch=self._batch):
                if is_answer(one, message["id"]):
                    return one
                self._serve(one)

    def _serve(self, message: Json) -> None:
        """Answer a request of the server; notifications and answers to others are none of our business."""
        if "method" not in message or message.get("id") is None:
            return
        if self._stateless:
            raise self._wrong(
                f"the server sends the request {excerpt(str(message['method']))}, which revision"
                f" {STATELESS_REVISION} forbids; it has to answer with resultType input_required"
            )
        self.server_requests.append(str(message["method"]))
        self.notify(reply_to(message))

    @property
    def _batch(self) -> bool:
        return self.protocol_version == BATCH_REVISION

    def _refused(self, exchange: Exchange, method: str) -> EndpointError:
        if self.session_id is None:
            return refusal(self.target, exchange, method, stateless=self._stateless)
        if exchange.status != 404:
            failure = refusal(self.target, exchange, method)
            if exchange.status != 400 or "session" not in str(failure.facts.get("rpc_error") or failure).lower():
                return failure
        number = ORDINALS[self._sent] if self._sent < len(ORDINALS) else f"{self._sent}th"
        return SessionLostError(
            "mcp",
            f"{self.target.url}: session not found on the {number} request of the session (HTTP {exchange.status} to"
            f" {method}); the endpoint has several replicas without shared sessions: a shared session store is needed,"
            " or a Gateway that leads every request of a session to the same replica",
            http_status=exchange.status,
        )

    def _wrong(self, text: str, *, retry: bool = False) -> EndpointError:
        return EndpointError("mcp", f"{self.target.url}: {text}", retry=retry, http_status=self.http_status)
