# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Sealing what goes through the store with a key of the deployment: the store can neither read nor make any of it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE = 12


class Box:
    """Seals with the first of the secrets (each at least 32 bytes) and opens what was sealed with any of them."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self.use(secrets)

    def use(self, secrets: Sequence[bytes]) -> None:
        """Take other secrets."""
        self._keys = [
            AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=b"mcpops-broker store").derive(secret))
            for secret in secrets
        ]

    def seal(self, plain: bytes, place: str) -> bytes:
        """Seal a value for the place (key or channel) where it will be: elsewhere it cannot be opened."""
        nonce = os.urandom(_NONCE)
        return nonce + self._keys[0].encrypt(nonce, plain, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes | None:
        """Return the value; None when it was sealed with another key or for another place, or was changed."""
        for key in self._keys:
            try:
                return key.decrypt(sealed[:_NONCE], sealed[_NONCE:], place.encode())
            except (InvalidTag, ValueError):
                continue
        return None
