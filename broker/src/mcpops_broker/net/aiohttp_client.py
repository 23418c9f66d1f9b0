# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The HTTP client on aiohttp."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
from aiohttp import hdrs
from yarl import URL

from mcpops_broker.net.client import HttpError, HttpTimeoutError, Target

KEEP_ALIVE = 4.0
"""Seconds an idle connection is kept. Below the 5 s after which uvicorn and Node close one, so that a request is not
sent into a connection that is just being closed: a tool call must not be sent twice to find out."""

_PROBES = {
    getattr(socket, name): value
    for name, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))
    if hasattr(socket, name)
}
"""Seconds of silence before the first probe and between probes, and how many may be lost."""


class AiohttpAnswer:
    """An answer as the interface `Answer` describes it."""

    __slots__ = ("_response", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status

    def header(self, name: str) -> str | None:
        """Return a header's value."""
        return self._response.headers.get(name)

    async def read(self, limit: int) -> bytes:
        """Return the whole body, at most `limit` bytes."""
        length = self._response.content_length
        if length is not None and length > limit:
            raise HttpError(f"the answer is {length} bytes long, more than the limit of {limit}")
        parts: list[bytes] = []
        size = 0
        async for chunk in self.chunks():
            size += len(chunk)
            if size > limit:
                raise HttpError(f"the answer is longer than the limit of {limit} bytes")
            parts.append(chunk)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Iterate over the body as it arrives."""
        content = self._response.content
        try:
            while chunk := await content.readany():
                yield chunk
        except aiohttp.SocketTimeoutError as error:
            raise HttpTimeoutError("the answer stopped in the middle, nothing more came in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise HttpError(f"the answer broke off ({_reason(error)})") from error

    def close(self) -> None:
        """Give the connection back, or drop it when the body was not read to its end."""
        self._response.release() if self._response.content.at_eof() else self._response.close()


class AiohttpClient:
    """A pool of connections as the interface `HttpClient` describes it. Make it inside a running event loop."""

    def __init__(self) -> None:
        connector = aiohttp.TCPConnector(
            limit=0, keepalive_timeout=KEEP_ALIVE, ttl_dns_cache=10, socket_factory=_socket
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            skip_auto_headers=(hdrs.USER_AGENT, hdrs.CONTENT_TYPE, hdrs.ACCEPT),
            auto_decompress=True,
            max_line_size=16 * 1024,
            max_field_size=16 * 1024,
        )
        self._urls: dict[str, URL] = {}
        self._timeouts: dict[tuple[float, float | None, float | None], aiohttp.ClientTimeout] = {}

    async def request(
        self,
        method: str,
        target: Target,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        first_byte: float | None,
        idle: float | None,
    ) -> AiohttpAnswer:
        """Send a request and wait for the head of its answer."""
        url = self._urls.get(target.url)
        if url is None:
            if len(self._urls) > 10_000:
                self._urls.clear()
            url = self._urls[target.url] = URL(target.url)
        try:
            async with asyncio.timeout(first_byte):
                response = await self._session.request(
                    method,
                    url,
                    data=body,
                    headers=headers,
                    allow_redirects=False,
                    proxy=target.proxy,
                    ssl=target.tls or True,
                    timeout=self._timeout(target.connect_timeout, first_byte, idle),
                )
        except aiohttp.ConnectionTimeoutError as error:
            raise HttpTimeoutError(f"no connection within {target.connect_timeout:g} s") from error
        except TimeoutError as error:
            raise HttpTimeoutError(f"no answer within {first_byte:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise HttpError(_reason(error)) from error
        return AiohttpAnswer(response)

    def _timeout(self, connect: float, first_byte: float | None, idle: float | None) -> aiohttp.ClientTimeout:
        """Return the library's own limits. Its limit of silence also holds before the first byte, which has its own."""
        limits = self._timeouts.get((connect, first_byte, idle))
        if limits is None:
            silence = None if idle is None else max(idle, first_byte or 0.0)
            limits = aiohttp.ClientTimeout(total=None, sock_connect=connect, sock_read=silence)
            self._timeouts[connect, first_byte, idle] = limits
        return limits

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """Make a socket that notices when the other side has vanished: streams may be silent for hours."""
    family, kind, protocol = address[:3]
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _PROBES.items():
        made.setsockopt(socket.IPPROTO_TCP, option, value)
    return made


def _reason(error: Exception) -> str:
    """Say what went wrong. Texts of the library are used only where they cannot hold an address's query or a header."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"the name {error.host!r} cannot be resolved"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"the TLS certificate of {error.host}:{error.port} is not valid ({error.certificate_error})"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return f"no TLS connection to {error.host}:{error.port} ({error.os_error.strerror or 'TLS error'})"
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"the HTTP proxy refused the connection (HTTP {error.status})"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection to {error.host}:{error.port} ({error.os_error.strerror or 'connection failed'})"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the server closed the connection without an answer"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the body ended too early"
    if isinstance(error, aiohttp.ClientResponseError):
        return "the answer is not valid HTTP"
    if isinstance(error, OSError):
        return error.strerror or "the connection was lost"
    return type(error).__name__
