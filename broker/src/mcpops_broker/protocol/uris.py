# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""URIs of resources, as servers may read them.

Servers do not compare text: those made with the Python SDK 1.x parse a URI before they look for it, others as browsers
do (WHATWG URL): both drop tabs, resolve `..`, take `file:/x` for `file:///x`. A decision about a URI that no server
lists is worth something only when the URI has one reading.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import unquote

_URI = re.compile(r"([a-z][a-z0-9+.-]*):(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#.*)?", re.DOTALL)
"""Scheme, authority, path and query (RFC 3986, appendix B)."""
_WRITTEN = re.compile(r"(?:[A-Za-z0-9._~:/?#@!$&'()*+,;=\[\]-]|%[0-9A-F]{2})+")
"""What a URI consists of (RFC 3986, section 2), with encodings in capitals (section 6.2.2.1)."""
_NEEDLESS = re.compile(r"%(?:2[de]|3[0-9]|4[1-9a-f]|5[0-9af]|6[1-9a-f]|7[0-9ae])", re.IGNORECASE)
"""A percent-encoding that RFC 3986 (section 6.2.2.2) wants decoded."""
_HIDDEN = re.compile(r"%(?:2f|5c|[01][0-9a-f]|7f)", re.IGNORECASE)
"""An encoded slash, backslash or control character: a server that decodes it finds another path."""
_PORTS = {"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21"}
"""Schemes with hosts of the Internet, which all parsers know and write anew, and the port that goes without saying."""
_PLACE = re.compile(r"([^@:;=\[\]]+@)?([^@:\[\]]*|\[[0-9a-f:]+\])(?::(0|[1-9][0-9]*))?")
"""User, host and port."""
_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[.*\]")
_AUTHORITY = re.compile(r"[a-z][a-z0-9+.-]*://([^/?#\\]*)(?=[/?#]|$)", re.IGNORECASE)


def authority(uri: str) -> str:
    """Return the authority of a URI (`host` of `ui://host/x`); empty when it has none, or one of which parsers
    disagree where it ends."""
    found = _AUTHORITY.match(uri)
    return found[1] if found else ""


def is_plain(uri: str) -> bool:
    """Tell whether a URI is written in the simplest way (RFC 3986, section 6.2), so that whoever parses it, or decodes
    it again and again, is led to the same resource as who compares its text."""
    parts = _URI.fullmatch(uri)
    if parts is None or not _WRITTEN.fullmatch(uri):
        return False
    scheme, host, path, query = parts.groups()
    if "//" in path or "[" in path:  # servers collapse empty segments
        return False
    known = scheme in _PORTS or scheme == "file"
    if known and (host is None or not path or "'" in (query or "")):  # they end in a path and encode quotes
        return False
    if scheme == "file":
        plain = host == ""
    elif scheme in _PORTS:
        plain = _is_plain_host(host, _PORTS[scheme])
    else:
        plain = host is None or _is_plain_place(host)
    return plain and _stays_plain(uri)


def _is_plain_place(place: str) -> bool:
    """Tell whether an authority is plain under a scheme that parsers do not know."""
    found = _PLACE.fullmatch(place)
    if found is None:
        return False
    host: str = found[2]
    try:
        return not host.startswith("[") or str(IPv6Address(host[1:-1])) == host[1:-1]
    except AddressValueError:
        return False


def _is_plain_host(place: str, default_port: str) -> bool:
    """Tell whether an authority is plain under a scheme for hosts of the Internet."""
    found = _PLACE.fullmatch(place)
    if found is None or found[1] or found[3] == default_port or not _NAME.fullmatch(found[2]):
        return False
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", found[2].rpartition(".")[2]):  # parsers take it for an address
        try:
            IPv4Address(found[2])
        except AddressValueError:
            return False
    return _is_plain_place(place)


def _stays_plain(uri: str) -> bool:
    for _ in range(4):
        segments = re.split(r"[/\\?#;]", uri)  # some servers drop what follows a semicolon
        if "." in segments or ".." in segments or _NEEDLESS.search(uri) or _HIDDEN.search(uri):
            return False
        uri, before = unquote(uri), uri
        if uri == before:
            return True
    return False
