# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Clients whose certificate a proxy in front has checked (mutual TLS), as it tells in a header.

From any other address the header means nothing: whoever reaches the broker directly could write it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from mcpops_broker.access.token import TokenError
from mcpops_broker.config.auth import CertificateOptions, Network
from mcpops_broker.principal import How, Principal

LONGEST = 1024
"""Characters of what names a client."""
_PART = re.compile(r'([A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^",;]*)([,;]|\Z)')
"""`key=value` of Envoy's header with what follows; a value with separators is quoted."""


class Certificates:
    """Recognizes clients by the configured header."""

    def __init__(self, options: CertificateOptions) -> None:
        self._options = options

    def principal(self, headers: Mapping[bytes, bytes], peer: str | None) -> Principal | None:
        """Return whose certificate a proxy has seen; None when none tells of one.

        `peer` is the address of the other end of the connection, None when it has none. Raises `TokenError` for a
        header of a proxy that cannot be understood.
        """
        raw = headers.get(self._options.header)
        if not raw or peer is None or not _within(peer, self._options.proxies):
            return None
        text = raw.decode("latin-1")
        name = nearest(text).get(self._options.part.lower(), "") if self._options.part else text
        if not name or len(name) > LONGEST or not name.isprintable():
            raise TokenError("does not name a client")
        return principal_of(name, self._options)


def nearest(text: str) -> dict[str, str]:
    """Return what the proxy nearest to the broker says in `x-forwarded-client-cert`, by keys in lower case.

    Each proxy adds an element at the end; those before it may be the client's own. Raises `TokenError`.
    """
    element: dict[str, str] = {}
    place, end = 0, ","
    while end:
        part = _PART.match(text, place)
        if part is None:
            raise TokenError("is malformed")
        if end == ",":
            element = {}
        key, value, end = part[1].lower(), part[2], part[3]
        element.setdefault(key, re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value)
        place = part.end()
        while text[place : place + 1] == " ":
            place += 1
    return element


@lru_cache(maxsize=1024)
def principal_of(name: str, options: CertificateOptions) -> Principal:
    """Return the same value for the same client, so that what depends on it is found again by it."""
    return Principal(f"certificate:{name}", How.CERTIFICATE, name, scopes=options.scopes, groups=options.groups)


@lru_cache(maxsize=1024)
def _within(peer: str, networks: tuple[Network, ...]) -> bool:
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)
