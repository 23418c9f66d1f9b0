# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Values that travel through a browser: sealed (encrypted and authenticated), for one purpose, for a short time.

They say themselves what they are for, so no worker and no replica has to remember them.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE = 12
_LONGEST = 4000
"""Characters of a ticket; a browser's cookie holds no more."""


class Tickets:
    """Makes and opens tickets with a key of the deployment, derived from its secret."""

    def __init__(self, secret: bytes) -> None:
        self._key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"mcpops-broker ticket").derive(secret)
        self._aead = AESGCM(self._key)

    def make(self, purpose: str, value: Any, seconds: float) -> str:
        """Seal a JSON value."""
        nonce = os.urandom(_NONCE)
        plain = orjson.dumps([time.time() + seconds, value])
        return urlsafe_b64encode(nonce + self._aead.encrypt(nonce, plain, purpose.encode())).decode().rstrip("=")

    def open(self, purpose: str, ticket: str) -> Any:
        """Return the value of a ticket; None when it is not ours, is for another purpose, or has expired."""
        if not ticket or len(ticket) > _LONGEST:
            return None
        try:
            sealed = urlsafe_b64decode(ticket + "=" * (-len(ticket) % 4))
            expires, value = orjson.loads(self._aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], purpose.encode()))
        except (ValueError, InvalidTag):
            return None
        return value if time.time() < expires else None

    def derive(self, purpose: str, text: str) -> str:
        """Return a secret that belongs to a text: 43 characters that are safe in a URL, always the same."""
        digest = hmac.new(self._key, f"{purpose}\0{text}".encode(), hashlib.sha256).digest()
        return urlsafe_b64encode(digest).decode().rstrip("=")
