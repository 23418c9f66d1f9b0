# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""TLS Secrets looked at before a listener uses them: type, keys, PEM, validity, names. Standard library only.

The certificate is read by a small DER walker, since ``cryptography`` may be absent; what it does not understand
is left to the Gateway's controller.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import re
import typing as t

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\s(.*?)\s*-----END \1-----", re.DOTALL)
_SEQUENCE, _UTC_TIME, _GENERALIZED_TIME, _EXTENSIONS, _OID, _OCTETS, _DNS_NAME = (
    0x30,
    0x17,
    0x18,
    0xA3,
    0x06,
    0x04,
    0x82,
)
_SUBJECT_ALT_NAME = bytes.fromhex("551d11")
SOON = datetime.timedelta(days=14)


class Certificate(t.NamedTuple):
    """What matters of a leaf certificate; times in UTC."""

    not_before: datetime.datetime
    not_after: datetime.datetime
    names: list[str]


def secret_problem(secret: t.Mapping[str, t.Any]) -> str:
    """Why the Secret cannot serve TLS (completes "the Secret X ..."), or an empty text."""
    kind = secret.get("type") or "Opaque"
    if kind != "kubernetes.io/tls":
        return f"has the type {kind}, and a listener needs kubernetes.io/tls"
    for key, what in (("tls.crt", "CERTIFICATE"), ("tls.key", "PRIVATE KEY")):
        text = _decoded(secret, key)
        if text is None:
            return f"has no usable data entry {key}"
        if not any(label.endswith(what) for label, _der in blocks(text)):
            return f"has no PEM {what.lower()} in its data entry {key}"
    leaf = leaf_certificate(_decoded(secret, "tls.crt") or "")
    if leaf is None:
        return "has a data entry tls.crt that is no X.509 certificate"
    now = datetime.datetime.now(datetime.UTC)
    if leaf.not_after < now:
        return f"holds a certificate that expired on {leaf.not_after:%Y-%m-%d %H:%M} UTC"
    return ""


def secret_warnings(secret: t.Mapping[str, t.Any], hostname: str | None) -> list[str]:
    """What is not wrong yet, or wrong only for clients: near expiry, not valid yet, a host name not covered."""
    leaf = leaf_certificate(_decoded(secret, "tls.crt") or "")
    if leaf is None:
        return []
    found = []
    now = datetime.datetime.now(datetime.UTC)
    if leaf.not_before > now:
        found.append(f"its certificate is valid only from {leaf.not_before:%Y-%m-%d %H:%M} UTC")
    elif leaf.not_after - now < SOON:
        found.append(f"its certificate expires on {leaf.not_after:%Y-%m-%d %H:%M} UTC")
    if hostname and leaf.names and not any(covers(name, hostname) for name in leaf.names):
        found.append(f"its certificate is for {', '.join(leaf.names)} and does not cover {hostname}")
    return found


def covers(name: str, hostname: str) -> bool:
    """Whether a certificate's DNS name is valid for a host name (a wildcard stands for one label)."""
    name, hostname = name.lower(), hostname.lower()
    if name == hostname:
        return True
    return name.startswith("*.") and not hostname.startswith("*.") and hostname.partition(".")[2] == name[2:]


def blocks(text: str) -> list[tuple[str, bytes]]:
    """(label, DER) of every PEM block with valid base64."""
    found = []
    for label, body in _BLOCK.findall(text):
        lines = [line for line in body.split() if ":" not in line]
        try:
            found.append((label, base64.b64decode("".join(lines), validate=True)))
        except (binascii.Error, ValueError):
            continue
    return found


def leaf_certificate(text: str) -> Certificate | None:
    """The first certificate of a PEM text, or None when there is none that can be read."""
    der = next((der for label, der in blocks(text) if label.endswith("CERTIFICATE")), None)
    if der is None:
        return None
    try:
        return _parse(der)
    except (IndexError, ValueError):
        return None


def _parse(der: bytes) -> Certificate:
    """RFC 5280: Certificate ::= SEQUENCE { tbsCertificate SEQUENCE { ... validity ... [3] extensions } ... }."""
    outer = _children(der)[0]
    body = _children(_children(outer[1])[0][1])
    times = next(
        content
        for content in (_children(value) for tag, value in body if tag == _SEQUENCE)
        if len(content) == 2 and all(tag in {_UTC_TIME, _GENERALIZED_TIME} for tag, _value in content)
    )
    names: list[str] = []
    for tag, value in body:
        if tag == _EXTENSIONS:
            names = _alt_names(_children(value)[0][1])
    return Certificate(_time(*times[0]), _time(*times[1]), names)


def _alt_names(extensions: bytes) -> list[str]:
    for _tag, extension in _children(extensions):
        parts = _children(extension)
        if parts[0] == (_OID, _SUBJECT_ALT_NAME):
            octets = next(value for tag, value in parts if tag == _OCTETS)
            return [value.decode("ascii") for tag, value in _children(_children(octets)[0][1]) if tag == _DNS_NAME]
    return []


def _children(data: bytes) -> list[tuple[int, bytes]]:
    """The DER values that stand one after another in ``data``: (tag, content)."""
    found, position = [], 0
    while position < len(data):
        tag, length = data[position], data[position + 1]
        position += 2
        if length & 0x80:
            size = length & 0x7F
            length = int.from_bytes(data[position : position + size], "big")
            position += size
        if position + length > len(data):
            raise ValueError("truncated DER")
        found.append((tag, data[position : position + length]))
        position += length
    return found


def _time(tag: int, value: bytes) -> datetime.datetime:
    text = value.decode("ascii")
    if tag == _UTC_TIME:
        text = ("20" if int(text[:2]) < 50 else "19") + text
    return datetime.datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=datetime.UTC)


def _decoded(secret: t.Mapping[str, t.Any], key: str) -> str | None:
    value = (secret.get("data") or {}).get(key)
    if not value:
        return None
    try:
        return base64.b64decode(str(value), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
