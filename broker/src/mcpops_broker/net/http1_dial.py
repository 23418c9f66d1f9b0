# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Connecting to an upstream: TCP, TLS, and an HTTP proxy between when the environment names one."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from base64 import b64encode
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

import aiohappyeyeballs

from mcpops_broker.net.client import HttpError, Target
from mcpops_broker.net.guard import Guard
from mcpops_broker.net.http1_connection import Connection
from mcpops_broker.net.target import tls_context

NEXT_ADDRESS = 0.25
"""Seconds after which the next address of a name is tried beside those before it."""
_SOCKET = {
    getattr(socket, name): value
    for name, value in (("TCP_NODELAY", 1), ("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))
    if hasattr(socket, name)
}
"""Nothing waits for more to send, and it is noticed when the other side has vanished, as streams may be silent for
hours: seconds of silence before the first probe and between probes, and how many may be lost."""
_PATH = "/%:@!$&'()*+,;=~-._"
"""What a path may hold as it is, RFC 3986."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where connections go: requests to one place may use the same connections."""

    host: str
    port: int
    proxy: str | None
    tls: ssl.SSLContext | None
    """None without TLS."""
    guard: Guard


class Route:
    """The way of one target's requests: the place, and how a request begins there."""

    __slots__ = ("_start", "place")

    def __init__(self, target: Target) -> None:
        parts = urlsplit(target.url)
        secure = parts.scheme == "https"
        host = parts.hostname or ""
        try:
            host = host if host.isascii() else host.encode("idna").decode()
        except UnicodeError:
            raise HttpError(f"the name {host!r} is not a valid host name") from None
        port = parts.port or (443 if secure else 80)
        shown = f"[{host}]" if ":" in host else host
        authority = shown if parts.port is None else f"{shown}:{port}"
        path = quote(parts.path or "/", _PATH) + (f"?{quote(parts.query, _PATH + '?')}" if parts.query else "")
        self.place = Place(host, port, target.proxy, (target.tls or tls_context(())) if secure else None, target.guard)
        extra = ""
        if target.proxy and not secure:
            path = f"http://{authority}{path}"
            extra = _proxy_authorization(target.proxy)
        self._start = f" {path} HTTP/1.1\r\nhost: {authority}\r\n{extra}"

    def start(self, method: str) -> str:
        """The request line and the headers that every request has."""
        return method + self._start


async def dial(place: Place, connection: Connection) -> None:
    """Open a connection. Raises `HttpError`."""
    try:
        if place.proxy is None:
            await _connect(connection, place.host, place.port, place.tls, place.guard)
        else:
            await _through_proxy(place, place.proxy, connection)
    except OSError as error:
        raise _explained(error, place.host, place.port) from error


async def _connect(
    connection: Connection, host: str, port: int, tls: ssl.SSLContext | None, guard: Guard | None = None
) -> None:
    """Connect to the address that answers first: one that is silent must not take the time of all (RFC 8305)."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    allowed = found if guard is None else [one for one in found if guard.refusal(str(one[4][0])) is None]
    if guard is not None and not allowed:
        raise HttpError(f"no connection to {host}:{port}: {guard.refusal(str(found[0][4][0]))}; see upstreamAddresses")
    link = await aiohappyeyeballs.start_connection(allowed, happy_eyeballs_delay=NEXT_ADDRESS, interleave=1)
    try:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _SOCKET.items():
            link.setsockopt(socket.IPPROTO_TCP, option, value)
        await loop.create_connection(lambda: connection, sock=link, ssl=tls, server_hostname=host if tls else None)
    except BaseException:
        link.close()
        raise


async def _through_proxy(place: Place, proxy: str, connection: Connection) -> None:
    """Connect to the proxy, and for https through it (CONNECT, RFC 9110 section 9.3.6)."""
    parts = urlsplit(proxy)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise HttpError(f"a proxy of the kind {parts.scheme}:// is not supported; give an http:// address")
    if refusal := place.guard.refusal(place.host):
        raise HttpError(f"no connection to {place.host}:{place.port}: {refusal}; see upstreamAddresses")
    tls = tls_context(()) if parts.scheme == "https" else None
    port = parts.port or (443 if tls else 80)
    try:
        await _connect(connection, parts.hostname, port, tls)
    except OSError as error:
        raise _explained(error, parts.hostname, port, "the HTTP proxy ") from error
    if place.tls is None:
        return
    host = f"[{place.host}]" if ":" in place.host else place.host
    line = f"CONNECT {host}:{place.port} HTTP/1.1\r\nhost: {host}:{place.port}\r\n"
    await connection.tunnel((line + _proxy_authorization(proxy) + "\r\n").encode(), place.tls, place.host)


def _proxy_authorization(proxy: str) -> str:
    parts = urlsplit(proxy)
    if parts.username is None:
        return ""
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    return f"proxy-authorization: Basic {b64encode(login).decode()}\r\n"


def _explained(error: OSError, host: str, port: int, what: str = "") -> HttpError:
    """Say what went wrong; only texts of the system are used, which hold no address's query and no header."""
    where = f"{what}{host}:{port}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return HttpError(f"the TLS certificate of {where} is not valid ({error.verify_message})")
    if isinstance(error, ssl.SSLError):
        return HttpError(f"no TLS connection to {where} ({error.reason or 'TLS error'})")
    if isinstance(error, socket.gaierror):
        return HttpError(f"the name {host!r} cannot be resolved")
    # asyncio puts the address once more into its text
    why = os.strerror(error.errno).lower() if error.errno else error.strerror or "connection failed"
    return HttpError(f"no connection to {where} ({why})")
