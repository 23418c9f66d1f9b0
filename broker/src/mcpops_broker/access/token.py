# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Tokens that a trusted component in front of the broker signs: JWT with ES256 (RFC 7515, RFC 7518 section 3.4).

That algorithm only, whatever the token's header says.
"""

from __future__ import annotations

import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

TIMES = ("exp", "nbf")
"""The claims that say when a token holds."""
_HALF = 32
"""Bytes of one of the two numbers that a signature consists of."""


class TokenError(ValueError):
    """The token cannot be trusted; the message, a part of a sentence, says why."""


class BadKeyError(ValueError):
    """The key is none of ES256; the message, a sentence, says what it must be."""


class Verifier:
    """Checks tokens with one public key, in PEM form. Raises `BadKeyError`."""

    def __init__(self, pem: str) -> None:
        try:
            key = load_pem_public_key(pem.encode())
        except (ValueError, UnsupportedAlgorithm):
            raise BadKeyError("it must be a public key in PEM form") from None
        if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
            self._key = key
        else:
            raise BadKeyError("it must be an ECDSA key on the curve P-256, as ES256 needs")

    def claims(self, token: str) -> dict[str, Any]:
        """Return what a token says; raise `TokenError` unless it is signed and valid now."""
        parts = token.split(".")
        if len(parts) != 3:
            raise TokenError("is no JWT")
        header = _json(parts[0])
        if header.get("alg") != "ES256" or "crit" in header:
            raise TokenError("is not signed with ES256")
        signature = _decode(parts[2])
        if len(signature) != 2 * _HALF:
            raise TokenError("has a malformed signature")
        r, s = (int.from_bytes(half) for half in (signature[:_HALF], signature[_HALF:]))
        try:
            self._key.verify(encode_dss_signature(r, s), f"{parts[0]}.{parts[1]}".encode(), ECDSA(SHA256()))
        except InvalidSignature:
            raise TokenError("is not signed with the trusted key") from None
        claims = _json(parts[1])
        check_time(claims)
        return claims


def check_time(claims: dict[str, Any]) -> None:
    """Raise `TokenError` unless the claims hold now (RFC 7519, `exp` and `nbf`, both optional)."""
    now = time.time()
    for name in TIMES:
        if name in claims and type(claims[name]) not in (int, float):
            raise TokenError(f"has the claim {name!r}, which must be a number of seconds")
    if now >= claims.get("exp", float("inf")):
        raise TokenError("has expired")
    if now < claims.get("nbf", 0):
        raise TokenError("is not valid yet")


def _json(part: str) -> dict[str, Any]:
    try:
        value = orjson.loads(_decode(part))
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise TokenError("is no JWT")
    return value


def _decode(part: str) -> bytes:
    try:
        plain = urlsafe_b64decode(part + "=" * (-len(part) % 4))
        if urlsafe_b64encode(plain).rstrip(b"=") == part.encode("ascii"):  # Python skips what is not base64
            return plain
    except ValueError:  # not base64, not ASCII
        pass
    raise TokenError("is no JWT")
