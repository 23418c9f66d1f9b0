# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""One HTTP exchange on a connection of its own.

A probe sends half a dozen requests, so a connection for each costs little, and no failure can come from an idle
connection that the other side has closed meanwhile.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
import types
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_connect import alert_text, connect, seconds_left
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError, excerpt
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_target import Target
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_timing import Timing

MAX_BODY = 64 * 1024 * 1024
"""Bytes of one answer that are read at most; a catalogue of 1,000 tools is about 1 MB."""


class Exchange:
    """A request that was sent and whose answer is read piece by piece. A context manager: it closes the connection.

    Everything must have been read ``timeout`` seconds after the start; ``timing`` gets the seconds of each phase.
    """

    def __init__(
        self,
        method: str,
        target: Target,
        tls: ssl.SSLContext | None,
        headers: t.Mapping[str, str],
        body: bytes | None,
        *,
        timeout: float,
        timing: Timing | None = None,
    ) -> None:
        timing = timing or Timing()
        self._target = target
        self._timeout = timeout
        self.deadline = time.monotonic() + timeout  # seconds of the monotonic clock
        self._sock: socket.socket = connect(target, tls, self.deadline, timing)
        self._connection = http.client.HTTPConnection(target.host, target.port)
        self._connection.sock = self._sock
        self._read = 0
        try:
            with timing.phase("first_byte"):
                self._response = self._send(method, headers, body)
        except BaseException:
            self.close()
            raise

    @property
    def status(self) -> int:
        return self._response.status

    def header(self, name: str) -> str | None:
        """A header's value without surrounding blanks; several of one name are joined by commas."""
        values = self._response.headers.get_all(name)
        return ", ".join(value.strip() for value in values) if values else None

    @property
    def content_type(self) -> str:
        """The media type in lower case without parameters, ``""`` when none is given."""
        return (self.header("Content-Type") or "").partition(";")[0].strip().lower()

    def body(self) -> bytes:
        """The rest of the answer."""
        return b"".join(self._chunks(lambda: self._response.read1(65536)))

    def lines(self) -> t.Iterator[bytes]:
        """The lines of an answer that may never end."""
        return self._chunks(lambda: self._response.readline(MAX_BODY))

    def extend(self, timeout: float) -> None:
        """Give an answer that goes on (an event stream between two requests) ``timeout`` further seconds from now."""
        self._timeout = timeout
        self.deadline = time.monotonic() + timeout

    def close(self) -> None:
        self._connection.close()
        self._sock.close()

    def __enter__(self) -> Exchange:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        self.close()

    def _send(self, method: str, headers: t.Mapping[str, str], body: bytes | None) -> http.client.HTTPResponse:
        try:
            self._sock.settimeout(seconds_left(self.deadline))
            self._connection.putrequest(method, self._target.request_target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                self._connection.putheader(name, value)
            self._connection.endheaders(body)
            return self._connection.getresponse()
        except (OSError, http.client.HTTPException, ValueError, UnicodeError) as error:
            raise self._failure(error) from error

    def _chunks(self, read: t.Callable[[], bytes]) -> t.Iterator[bytes]:
        while not self._response.isclosed():  # http.client closes an answer, socket included, once it is complete
            try:
                self._sock.settimeout(seconds_left(self.deadline))
                chunk = read()
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise self._failure(error) from error
            if not chunk:
                break
            self._read += len(chunk)
            if self._read > MAX_BODY:
                raise EndpointError(
                    "http", f"{self._target.url}: the answer is longer than {MAX_BODY} bytes", retry=False
                )
            yield chunk
            if time.monotonic() >= self.deadline:
                raise self._failure(TimeoutError())
        if self._response.length:
            raise self._failure(http.client.IncompleteRead(b"", self._response.length))

    def _failure(self, error: Exception) -> EndpointError:
        url, dialed = self._target.url, self._target.dialed
        if isinstance(error, TimeoutError):
            text = (
                f"no complete answer within {self._timeout:g} s; the endpoint or what stands behind it hangs,"
                " or timeout is too short"
            )
            return EndpointError("http", f"{url}: {text}")
        if isinstance(error, http.client.BadStatusLine) and not isinstance(error, http.client.RemoteDisconnected):
            text = f"{dialed} does not speak HTTP (it sent {excerpt(str(error))!r}); check the port"
            return EndpointError("http", f"{url}: {text}")
        if isinstance(error, ssl.SSLError) and alert_text(str(error.reason)):
            text = f"{dialed} ended the TLS connection ({error.reason}); {alert_text(str(error.reason))}"
            return EndpointError("tls", f"{url}: {text}", retry=False)
        if isinstance(error, (ConnectionError, ssl.SSLEOFError, http.client.HTTPException)):
            text = f"{dialed} closed the connection without a complete answer; "
            text += (
                "if the listener speaks TLS, use https://"
                if self._target.scheme == "http"
                else "look at the gateway's log (one that wants another client_cert closes like this, too)"
            )
            return EndpointError("http", f"{url}: {text}")
        if isinstance(error, OSError):
            return EndpointError(
                "http", f"{url}: the connection to {dialed} broke ({error.strerror or error}); try again"
            )
        return EndpointError(
            "input", f"{url}: the request cannot be sent ({error}); check the options url and headers", retry=False
        )
