# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Certificates and private keys in PEM, read with the standard library only, since ``cryptography`` may be absent.

A small DER walker finds what matters; what it does not understand is None or left out, and never guessed.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import ipaddress
import re
import typing as t

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\s(.*?)\s*-----END \1-----", re.DOTALL)
_UTC_TIME, _OID, _OCTETS, _VERSION, _EXTENSIONS, _DNS_NAME, _IP_ADDRESS, _PUBLIC_KEY = (
    0x17,
    0x06,
    0x04,
    0xA0,
    0xA3,
    0x82,
    0x87,
    0xA1,
)
_SUBJECT_ALT_NAME = bytes.fromhex("551d11")
_RSA = bytes.fromhex("2a864886f70d010101")
_EC = bytes.fromhex("2a8648ce3d0201")

PublicKey = tuple[bytes, ...]


class Certificate(t.NamedTuple):
    """What matters of a certificate; times in UTC, ``names`` are its DNS names and IP addresses.

    ``subject`` and ``issuer`` are DER, to be compared. ``public_key`` is None for kinds that are not known here.
    """

    not_before: datetime.datetime
    not_after: datetime.datetime
    names: list[str]
    subject: bytes
    issuer: bytes
    public_key: PublicKey | None


class Block(t.NamedTuple):
    """A PEM block with valid base64."""

    label: str
    der: bytes
    encrypted: bool


def blocks(text: str) -> list[Block]:
    """Every PEM block of a text, in order."""
    found = []
    for label, body in _BLOCK.findall(text):
        lines = [line for line in body.splitlines() if ":" not in line]
        try:
            der = base64.b64decode("".join("".join(lines).split()), validate=True)
        except (binascii.Error, ValueError):
            continue
        found.append(Block(label, der, "ENCRYPTED" in label or "ENCRYPTED" in body))
    return found


def certificates(text: str) -> list[Certificate]:
    """The certificates of a PEM text that can be read, in order."""
    found = []
    for block in blocks(text):
        if block.label.endswith("CERTIFICATE"):
            try:
                found.append(_certificate(block.der))
            except (IndexError, ValueError):
                continue
    return found


def public_key_of(key: Block) -> PublicKey | None:
    """The public half of a private key (PKCS #8, PKCS #1, SEC 1), or None when it does not show."""
    try:
        if key.label == "PRIVATE KEY":
            _number, algorithm, (_tag, inner), *_rest = _children(_children(key.der)[0][1])
            oid = _children(algorithm[1])[0][1]
            return _rsa_key(inner) if oid == _RSA else _ec_key(inner) if oid == _EC else None
        if key.label == "RSA PRIVATE KEY":
            return _rsa_key(key.der)
        return _ec_key(key.der) if key.label == "EC PRIVATE KEY" else None
    except (IndexError, ValueError):
        return None


def _rsa_key(der: bytes) -> PublicKey:
    """RFC 8017: RSAPrivateKey ::= SEQUENCE { version, modulus, publicExponent, ... }."""
    values = [value for _tag, value in _children(_children(der)[0][1])]
    return (values[1], values[2])


def _ec_key(der: bytes) -> PublicKey | None:
    """RFC 5915: ECPrivateKey ::= SEQUENCE { version, privateKey, [0] parameters, [1] publicKey }."""
    for tag, value in _children(_children(der)[0][1]):
        if tag == _PUBLIC_KEY:
            return (_children(value)[0][1][1:],)
    return None


def _certificate(der: bytes) -> Certificate:
    """RFC 5280: tbsCertificate ::= { [0] version, serial, signature, issuer, validity, subject, key, ... }."""
    body = _children(_children(_children(der)[0][1])[0][1])
    fields = body[1:] if body[0][0] == _VERSION else body
    _serial, _signature, issuer, validity, subject, key, *more = fields
    start, end = _children(validity[1])
    names: list[str] = []
    for tag, value in more:
        if tag == _EXTENSIONS:
            names = _alt_names(_children(value)[0][1])
    return Certificate(_time(*start), _time(*end), names, subject[1], issuer[1], _subject_key(key[1]))


def _subject_key(der: bytes) -> PublicKey | None:
    """SubjectPublicKeyInfo ::= SEQUENCE { algorithm, BIT STRING }, whose first octet counts unused bits."""
    (_tag, algorithm), (_bits, value) = _children(der)
    oid = _children(algorithm)[0][1]
    if oid == _RSA:
        return tuple(part for _number, part in _children(_children(value[1:])[0][1]))
    return (value[1:],) if oid == _EC else None


def _alt_names(extensions: bytes) -> list[str]:
    for _tag, extension in _children(extensions):
        parts = _children(extension)
        if parts[0] == (_OID, _SUBJECT_ALT_NAME):
            octets = next(value for tag, value in parts if tag == _OCTETS)
            return [
                str(ipaddress.ip_address(value)) if tag == _IP_ADDRESS else value.decode("ascii")
                for tag, value in _children(_children(octets)[0][1])
                if tag in {_DNS_NAME, _IP_ADDRESS}
            ]
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
