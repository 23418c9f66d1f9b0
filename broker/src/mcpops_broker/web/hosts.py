# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""By which names the broker may be asked: the check of the Host header.

A web page whose own name is made to point at this machine (DNS rebinding) reads what it likes as if it were its own:
browsers send no Origin with such a GET. They do send the page's name as Host. The trick needs a name, so an IP address
is always accepted.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

MISDIRECTED = 421
"""HTTP status of a refusal (RFC 9110 section 15.5.20)."""
NOT_SERVED = "the Host header names a host that is not served here (--public-host, broker.allowedHosts)"
_MOST_KNOWN = 1000
_LONGEST = 261
"""Characters: a name of 253 (RFC 1035), two dots or brackets, a colon and a port."""
_ODD = frozenset(",/@\\? \t")
"""Not part of any host; a comma stands between the values of a header that was sent twice."""


class HostPolicy:
    """Accepts IP addresses, `localhost`, the public host and the configured names.

    Other names are accepted only when others than programs of this machine reach the broker, under names that it does
    not know, and none are configured ("*" accepts any).
    """

    def __init__(self, allowed: Iterable[str], public_host: str | None, *, loopback: bool) -> None:
        names = {name.lower().rstrip(".") for name in allowed}
        self._any = "*" in names or not (names or loopback)
        self._names = names | {"localhost"} | ({public_host.lower()} if public_host else set())
        self._known: set[bytes] = set()
        """Headers that were accepted: clients always send the same one."""

    def accepts(self, host: bytes | None) -> bool:
        """Tell whether a request with this Host header may be served; None: it has none (HTTP/1.0)."""
        if host is None or host in self._known:
            return True
        if not self._is_good(host.decode("latin-1").lower()):
            return False
        if len(self._known) < _MOST_KNOWN:
            self._known.add(host)
        return True

    def _is_good(self, host: str) -> bool:
        if len(host) > _LONGEST or not _ODD.isdisjoint(host):
            return False
        name, colon, port = host.rpartition(":")
        if not colon or host.endswith("]"):
            name = host
        elif port and not (port.isascii() and port.isdigit()):
            return False
        name = name.rstrip(".")
        if self._any or name in self._names or name.endswith(".localhost"):
            return True
        try:
            ip_address(name[1:-1] if name.startswith("[") and name.endswith("]") else name)
        except ValueError:
            return False
        return True
