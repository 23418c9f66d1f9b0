# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""An HTTP proxy between this machine and an endpoint: its address, and the tunnel through it."""

from __future__ import annotations

import dataclasses
import re
import socket
import typing as t
from urllib.parse import urlsplit

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError, excerpt, wrong_url

LONGEST_HEAD = 64 * 1024
"""Bytes that a proxy may take to answer CONNECT."""
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ?([^\r\n]*)")


@dataclasses.dataclass(frozen=True)
class Proxy:
    """Where the proxy is, and the headers that only it gets, such as Proxy-Authorization."""

    host: str
    port: int
    headers: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"{name}:{self.port}"


def parse_proxy(url: str, headers: t.Mapping[str, str]) -> Proxy:
    """Raises EndpointError of layer ``input`` that names the wrong value; credentials in the URL are refused."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise _wrong(url, f"is not a URL ({error}); write it as http://host:port") from error
    if "@" in parts.netloc or parts.scheme != "http" or not parts.hostname or parts.path.strip("/"):
        raise _wrong(url, "is no address of an HTTP proxy; write it as http://host:port")
    return Proxy(parts.hostname, port or 80, headers)


def _wrong(url: str, why: str) -> EndpointError:
    return wrong_url("proxy", url, why, credentials="proxy_headers (Proxy-Authorization)")


def open_tunnel(sock: socket.socket, proxy: Proxy, url: str, dialed: str) -> None:
    """Have the proxy connect ``sock`` to ``dialed`` (RFC 9110, CONNECT). ``url`` is the endpoint's, for messages.

    Raises EndpointError, or OSError when the connection breaks.
    """
    lines = [f"CONNECT {dialed} HTTP/1.1", f"Host: {dialed}", *(f"{k}: {v}" for k, v in proxy.headers.items())]
    if any("\r" in line or "\n" in line for line in lines):
        raise EndpointError("input", "proxy_headers must not hold line breaks", retry=False)
    sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    head = b""
    while b"\r\n\r\n" not in head:
        # byte by byte: what follows the head belongs to the tunnel
        piece = sock.recv(1)
        head += piece
        if not piece or len(head) > LONGEST_HEAD:
            raise EndpointError(
                "http", f"{url}: the proxy {proxy} gave no answer to CONNECT; is it an HTTP proxy? Check proxy"
            )
    found = _STATUS.match(head)
    if found is None:
        said = excerpt(head)
        raise EndpointError("http", f"{url}: {proxy} is no HTTP proxy (it sent {said!r}); check proxy", retry=False)
    status = int(found[1])
    if not 200 <= status < 300:
        raise proxy_refusal(url, proxy, dialed, status, found[2].decode(errors="replace"))


def proxy_refusal(url: str, proxy: Proxy, dialed: str, status: int, reason: str) -> EndpointError:
    """The failure for a proxy that does not make the tunnel."""
    if status == 407:
        why = "it wants credentials: send Proxy-Authorization in proxy_headers"
    elif status >= 500:
        why = "it cannot reach that address: check url and connect_to, and the proxy's own network"
    else:
        why = "its rules forbid that address or port: have it allowed, or go without a proxy"
    text = f"{url}: the proxy {proxy} does not connect to {dialed} (HTTP {status} {excerpt(reason)}); {why}"
    return EndpointError("http", text, retry=status >= 500, http_status=status)
