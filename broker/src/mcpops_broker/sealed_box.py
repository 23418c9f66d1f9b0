# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Text that only the broker can make and read (AES-256-GCM), for what passes through clients.

A text is `base64url(version byte, nonce, ciphertext)`. The keys proper are derived from the deployment's secrets once,
so no request pays for that; each use has keys of its own.
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
"""Bytes that sealing adds beside the version byte: nonce and tag."""


class SealedBox:
    """Seals and opens for one use, which `purpose` names; `version` is the first byte of what is sealed."""

    def __init__(self, purpose: bytes, version: bytes, secrets: Secrets) -> None:
        self._purpose = purpose
        self._version = version
        self.use(secrets)

    def use(self, secrets: Secrets) -> None:
        """Take other secrets."""
        self._keys = [AESGCM(self._derived(secret)) for secret in secrets]

    def seal(self, plain: bytes) -> str:
        """Return bytes as text for a client."""
        nonce = os.urandom(_NONCE)
        sealed = self._version + nonce + self._keys[0].encrypt(nonce, plain, self._version)
        return urlsafe_b64encode(sealed).decode()

    def open(self, text: str) -> bytes | None:
        """Return what was sealed; None when it is not ours, or was changed."""
        try:
            sealed = urlsafe_b64decode(text)
            if sealed[:1] != self._version or urlsafe_b64encode(sealed).decode() != text:
                return None  # also refuses a second spelling: Python's decoder is lenient
        except ValueError:
            return None
        for key in self._keys:
            try:
                return key.decrypt(sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :], self._version)
            except (ValueError, InvalidTag):
                continue
        return None

    def _derived(self, secret: bytes) -> bytes:
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=self._purpose).derive(secret)
