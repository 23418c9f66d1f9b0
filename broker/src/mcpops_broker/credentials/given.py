# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""A token as somebody typed it."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode

import orjson

from mcpops_broker.credentials.token_endpoint import Token

LONGEST = 16 << 10
"""Characters of a token."""
_TOKEN = re.compile(r"[\x21-\x7e]+\Z")


class BadTokenError(ValueError):
    """It cannot be a token; the message says why, to the user who typed it."""


def read_given(text: str) -> Token:
    """Return the token; raise `BadTokenError`. That of a JWT's end is believed: it can only shorten its use."""
    value = text.strip()
    scheme, _, rest = value.partition(" ")
    if scheme.lower() == "bearer":  # copied with the name of its scheme
        value = rest.strip()
    if not value:
        raise BadTokenError("The token is empty.")
    if len(value) > LONGEST:
        raise BadTokenError(f"The token has more than {LONGEST} characters.")
    if not _TOKEN.match(value):
        raise BadTokenError("The token has blanks or characters that no token has.")
    return Token(value, _end_of(value))


def _end_of(value: str) -> float | None:
    parts = value.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = orjson.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    end = claims.get("exp") if isinstance(claims, dict) else None
    return float(end) if isinstance(end, int | float) and not isinstance(end, bool) else None
