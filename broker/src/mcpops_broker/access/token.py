# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Tokens that somebody signs whom the broker trusts: JWT (RFC 7519, best practices of RFC 8725), checked by PyJWT.

Signatures are those of key pairs, and which of them may be used says the broker, never the token. PyJWT is loaded when
the first key is: it takes 3.5 MB, and most brokers need none.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from math import isfinite
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

TIMES = ("exp", "nbf")
"""The claims that say when a token holds."""


class TokenError(ValueError):
    """The token cannot be trusted; the message, a part of a sentence, says why."""


class BadKeyError(ValueError):
    """The key is none of ES256; the message, a sentence, says what it must be."""


class Verifier:
    """Checks tokens with one public key, in PEM form, and ES256 only. Raises `BadKeyError`."""

    def __init__(self, pem: str) -> None:
        try:
            key = load_pem_public_key(pem.encode())
        except (ValueError, UnsupportedAlgorithm):
            raise BadKeyError("it must be a public key in PEM form") from None
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
            raise BadKeyError("it must be an ECDSA key on the curve P-256, as ES256 needs")
        self._key = key

    def claims(self, token: str) -> dict[str, Any]:
        """Return what a token says; raise `TokenError` unless it is signed and valid now."""
        if header_of(token).get("alg") != "ES256":
            raise TokenError("is not signed with ES256")
        claims = verified(token, self._key, ("ES256",))
        check_time(claims)
        return claims


def header_of(token: str) -> dict[str, Any]:
    """Return the header of a token, of which nothing is checked yet; raise `TokenError` when it is no JWT."""
    import jwt  # noqa: PLC0415 - see the head of this file

    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, *_UNREADABLE):
        raise TokenError("is no JWT") from None
    if "crit" in header:  # RFC 7515 section 4.1.11
        raise TokenError("needs an extension of JWT (crit)")
    return header


def claims_of(token: str) -> dict[str, Any]:
    """Return what a token says, of which nothing is checked yet; raise `TokenError` when it is no JWT."""
    import jwt  # noqa: PLC0415 - see the head of this file

    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, *_UNREADABLE):
        raise TokenError("is no JWT") from None
    return claims


def verified(token: str, key: Any, algorithms: Collection[str]) -> dict[str, Any]:
    """Return what a token says; raise `TokenError` unless it is signed with the key by one of the algorithms.

    What it says is not checked: neither when it holds nor for whom it is.
    """
    import jwt  # noqa: PLC0415 - see the head of this file

    options: Any = dict.fromkeys(_LATER, False)
    try:
        claims: dict[str, Any] = jwt.decode(token, key, list(algorithms), options=options)
    except jwt.InvalidAlgorithmError:
        raise TokenError(f"is not signed with {' or '.join(algorithms)}") from None
    except jwt.InvalidSignatureError:
        raise TokenError("is not signed with the trusted key") from None
    except (jwt.PyJWTError, *_UNREADABLE):
        raise TokenError("is no JWT that can be checked") from None
    return claims


def check_time(claims: Mapping[str, Any], skew: float = 0.0) -> None:
    """Raise `TokenError` unless the claims hold now (RFC 7519, `exp` and `nbf`, both optional), give or take `skew`
    seconds."""
    now = time.time()
    for name in TIMES:
        if name in claims and (type(claims[name]) not in (int, float) or not isfinite(claims[name])):
            raise TokenError(f"has the claim {name!r}, which must be a number of seconds")
    if now >= claims.get("exp", float("inf")) + skew:
        raise TokenError("has expired")
    if now < claims.get("nbf", 0) - skew:
        raise TokenError("is not valid yet")


_UNREADABLE = (ValueError, TypeError, RecursionError)
"""What PyJWT lets through: bytes that are no UTF-8, members of other types than expected, lists in lists and so on."""
_LATER = ("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_iss", "verify_sub", "verify_jti")
