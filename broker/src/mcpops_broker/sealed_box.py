# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What only the broker can make and read (AES-256-GCM), though others keep or carry it: clients, and the shared store.

The keys proper are derived from the deployment's secrets once, so no request pays for that; each use has keys of its
own.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Secrets = Sequence[bytes]
"""Secrets of the deployment, one or more: the first seals, all open. So keys can be changed and nothing is lost."""
_NONCE = 12
OVERHEAD = _NONCE + 16
"""Bytes that sealing adds: nonce and tag."""


class Keys:
    """The keys of one use, which `purpose` names. What is sealed is for one place: elsewhere it cannot be opened."""

    def __init__(self, purpose: bytes, secrets: Secrets) -> None:
        self._purpose = purpose
        self.use(secrets)

    def use(self, secrets: Secrets) -> None:
        """Take other secrets."""
        self._keys = [AESGCM(self._derived(secret)) for secret in secrets]

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """Seal bytes for a place."""
        nonce = os.urandom(_NONCE)
        return nonce + self._keys[0].encrypt(nonce, plain, place)

    def open(self, sealed: bytes, place: bytes) -> bytes | None:
        """Return what was sealed; None when that was by another key or for another place, or it was changed."""
        for key in self._keys:
            try:
                return key.decrypt(sealed[:_NONCE], sealed[_NONCE:], place)
            except (ValueError, InvalidTag):
                continue
        return None

    def _derived(self, secret: bytes) -> bytes:
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=self._purpose).derive(secret)


class SealedBox:
    """Seals text for clients and opens it, for one use; `version` is the first byte of what is sealed.

    A text is `base64url(version byte, nonce, ciphertext)`.
    """

    def __init__(self, purpose: bytes, version: bytes, secrets: Secrets) -> None:
        self._version = version
        self._keys = Keys(purpose, secrets)

    def use(self, secrets: Secrets) -> None:
        """Take other secrets."""
        self._keys.use(secrets)

    def seal(self, plain: bytes) -> str:
        """Return bytes as text for a client."""
        return urlsafe_b64encode(self._version + self._keys.seal(plain, self._version)).decode()

    def open(self, text: str) -> bytes | None:
        """Return what was sealed; None when it is not ours, or was changed."""
        try:
            sealed = urlsafe_b64decode(text)
            if sealed[:1] != self._version or urlsafe_b64encode(sealed).decode() != text:
                return None  # also refuses a second spelling: Python's decoder is lenient
        except ValueError:
            return None
        return self._keys.open(sealed[1:], self._version)
