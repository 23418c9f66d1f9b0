# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""The HTTP+SSE transport of revision 2024-11-05: one GET stream for all answers, messages go to another address."""

from __future__ import annotations

import dataclasses
import typing as t
from urllib.parse import urljoin, urlsplit

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_channel import encode, reply_to
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError, excerpt
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_message import (
    Json,
    checked_answer,
    is_answer,
    messages_of,
    refusal,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_sse import events
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_status import status_failure
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_target import Target
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wire import Wire


class WrongStreamError(EndpointError):
    """There is an event stream, but not one of this transport."""


class HttpSseChannel:
    """A connection whose GET stream is the session."""

    transport = "http+sse"
    session = True

    def __init__(self, wire: Wire) -> None:
        self.target = wire.target
        self.protocol_version: str | None = None
        self.server_requests: list[str] = []
        self._wire = wire
        self._stream = wire.send("GET", {"Accept": "text/event-stream"})
        self.http_status = self._stream.status
        try:
            self._events = events(self._stream.lines())
            self._messages = self._endpoint()
        except BaseException:
            self._stream.close()
            raise

    def request(self, message: Json, headers: t.Mapping[str, str] | None = None) -> Json:
        """Send a request and return the whole answer with its result, which comes on the stream."""
        method = message["method"]
        self._stream.extend(self._wire.timeout)
        self._post(message, method, headers or {})
        for event in self._events:
            for one in messages_of(self.target, event.data, self._stream, method, batch=False):
                if is_answer(one, message["id"]):
                    return checked_answer(self.target, one, method, self.http_status)
                if "method" in one and one.get("id") is not None:
                    self.server_requests.append(str(one["method"]))
                    self.notify(reply_to(one))
        raise self._wrong(f"the event stream ended before the answer to {method}", retry=True)

    def notify(self, message: Json) -> None:
        self._post(message, message.get("method", "the answer to the server's own request"), {})

    def restart(self) -> None:
        raise self._wrong("the session ended with its event stream", retry=True)

    def close(self) -> None:
        """End the session, which is the stream."""
        self._stream.close()

    def _endpoint(self) -> Target:
        """The address for messages, which the first event names. It must be of the same server."""
        if self._stream.status != 200:
            raise status_failure(self.target, self._stream.status, self._stream.header, self._stream.body())
        if self._stream.content_type != "text/event-stream":
            raise self._wrong(f"GET is answered with {self._stream.content_type or 'no content type'}, not with events")
        first = next(self._events, None)
        if first is None or first.name != "endpoint":
            raise self._wrong_stream(
                "the event stream does not begin with the event endpoint of the HTTP+SSE transport"
            )
        url = urljoin(self.target.url, first.data.strip())
        asked, found = urlsplit(self.target.url), urlsplit(url)
        if (asked.scheme, asked.netloc) != (found.scheme, found.netloc):
            raise self._wrong_stream(f"the event endpoint names {excerpt(url)}, which is another server")
        path = (found.path or "/") + (f"?{found.query}" if found.query else "")
        return dataclasses.replace(self.target, url=url, path=path)

    def _post(self, message: Json, method: str, headers: t.Mapping[str, str]) -> None:
        content = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json", **headers}
        with self._wire.send("POST", content, encode(message), target=self._messages) as exchange:
            self.http_status = exchange.status
            if not 200 <= exchange.status < 300:
                raise refusal(self._messages, exchange, method)

    def _wrong_stream(self, text: str) -> WrongStreamError:
        return WrongStreamError("mcp", f"{self.target.url}: {text}", retry=False, http_status=self.http_status)

    def _wrong(self, text: str, *, retry: bool = False) -> EndpointError:
        return EndpointError("mcp", f"{self.target.url}: {text}", retry=retry, http_status=self.http_status)
