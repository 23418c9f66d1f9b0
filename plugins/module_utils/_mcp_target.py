# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""Where an MCP endpoint is: its URL, and the address that is really dialed."""

from __future__ import annotations

import dataclasses
import socket
import typing as t
from urllib.parse import urlsplit

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError, wrong_url
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_proxy import Proxy

DialRule = t.Literal["always", "unresolved"]


@dataclasses.dataclass(frozen=True)
class Target:
    """A parsed endpoint URL. ``dial_host`` and ``dial_port`` say where the connection goes; ``host`` and ``port``
    stay in the Host header and, for TLS, in SNI and in the certificate check."""

    url: str
    scheme: str
    host: str
    port: int
    path: str
    dial_host: str
    dial_port: int
    proxy: Proxy | None = None

    @property
    def host_header(self) -> str:
        """The Host header as HTTP clients write it: without the scheme's own port."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.scheme == "https" else 80) else f"{name}:{self.port}"

    @property
    def tunnelled(self) -> bool:
        """Whether the proxy only makes a tunnel; otherwise it is asked for the whole URL (RFC 9110, absolute form)."""
        redirected = (self.dial_host, self.dial_port) != (self.host, self.port)
        return self.proxy is not None and (self.scheme == "https" or redirected)

    @property
    def request_target(self) -> str:
        """What stands behind the method in the request."""
        absolute = self.proxy is not None and not self.tunnelled
        return f"{self.scheme}://{self.host_header}{self.path}" if absolute else self.path

    @property
    def dialed(self) -> str:
        """``host:port`` of the connection, for messages and results."""
        name = f"[{self.dial_host}]" if ":" in self.dial_host else self.dial_host
        return f"{name}:{self.dial_port}"


def parse_target(url: str, connect_to: str | None = None, rule: DialRule = "always") -> Target:
    """Parse O(url) and O(connect_to).

    With ``rule`` ``unresolved`` the address in ``connect_to`` is used only when the URL's host name does not resolve.
    Raises :class:`EndpointError` of layer ``input`` that names the wrong value.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise _wrong(url, f"is not a URL ({error}); write it as http://host:port/mcp") from error
    if parts.scheme not in ("http", "https"):
        raise _wrong(url, "must begin with http:// or https://, for example http://mcp.example.com:8080/mcp")
    if not parts.hostname:
        raise _wrong(url, f"names no host; write it as {parts.scheme}://host:port/mcp")
    if "@" in parts.netloc:
        raise _wrong(url, "holds a user name or password")
    host = parts.hostname
    port = port or (443 if parts.scheme == "https" else 80)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    address = split_address(connect_to, port) if connect_to else (host, port)
    if address != (host, port) and rule == "unresolved" and resolves(host):
        address = (host, port)
    dial_host, dial_port = address
    return Target(url.strip(), parts.scheme, host, port, path, dial_host, dial_port)


def _wrong(url: str, why: str) -> EndpointError:
    return wrong_url("url", url, why, credentials="headers")


def split_address(address: str, default_port: int) -> tuple[str, int]:
    """``host``, ``host:port``, ``[v6]`` or ``[v6]:port`` → (host, port)."""
    try:
        parts = urlsplit(
            f"//{address.strip()}" if address.count(":") < 2 or "[" in address else f"//[{address.strip()}]"
        )
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _input(f"connect_to {address!r} is not host or host:port ({error})") from error
    if not host or parts.path:
        raise _input(f"connect_to {address!r} is not host or host:port, for example 192.0.2.10:8080")
    return host, port or default_port


def resolves(host: str) -> bool:
    """Whether the name resolves on this machine."""
    try:
        socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return True


def _input(message: str) -> EndpointError:
    return EndpointError("input", message, retry=False)
