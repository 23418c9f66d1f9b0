# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Session ids that carry the session: sealed (encrypted and authenticated), so that no store is needed.

Any worker or replica with the same key serves a session that another one started, a restart with the same key
loses none, and nobody can make or change an id. The id is `base64url(version byte, nonce, ciphertext)`; inside are
a random identity, whose session it is, the time of birth, the protocol revision and what the client can do. The
version byte lets later releases carry more.
"""

from __future__ import annotations

import os
import struct
import time
from dataclasses import dataclass

from mcpops_broker.protocol.versions import SESSION_VERSIONS
from mcpops_broker.sealed_box import OVERHEAD, SealedBox, Secrets

_FORMAT = b"\x03"
_PLAIN = struct.Struct(">16s16sQBH")
ID_LENGTH = (len(_FORMAT) + OVERHEAD + _PLAIN.size) // 3 * 4
"""Characters of a session id: visible ASCII, as MCP asks, and no padding as the sealed bytes are a multiple of 3."""


@dataclass(frozen=True, slots=True)
class SessionKey:
    """What an id says."""

    identity: str
    """32 hex digits. Not a secret: it is no session id and opens nothing, so logs may name it."""
    owner: bytes
    """Digest of the principal that started the session; for nobody else it exists."""
    born: int
    """Seconds since 1970."""
    version: str
    """The protocol revision agreed in `initialize`."""
    flags: int
    """What the client can do, see `capabilities`."""


class Sealer:
    """Makes and opens session ids with keys of the deployment.

    `secrets` are texts of at least 32 bytes (for example GATEWAY_SIGNING_KEY); the first seals, all open.
    """

    def __init__(self, secrets: Secrets, max_age: float) -> None:
        self._box = SealedBox(b"mcpops-broker session id", _FORMAT, secrets)
        self.max_age = max_age

    def use(self, secrets: Secrets) -> None:
        """Take other secrets."""
        self._box.use(secrets)

    def mint(self, owner: bytes, version: str, flags: int) -> tuple[str, SessionKey]:
        """Start a session of a principal, by its digest; return its id and what the id says."""
        identity = os.urandom(16)
        born = int(time.time())
        plain = _PLAIN.pack(identity, owner, born, SESSION_VERSIONS.index(version), flags)
        return self._box.seal(plain), SessionKey(identity.hex(), owner, born, version, flags)

    def open(self, session_id: str) -> SessionKey | None:
        """Return what an id says; None when it is not ours, was changed, or has expired."""
        if len(session_id) != ID_LENGTH:
            return None
        plain = self._box.open(session_id)
        if plain is None:
            return None
        identity, owner, born, version, flags = _PLAIN.unpack(plain)
        if version >= len(SESSION_VERSIONS) or self.expired(born):
            return None
        return SessionKey(identity.hex(), owner, born, SESSION_VERSIONS[version], flags)

    def expired(self, born: int) -> bool:
        """Tell whether a session that began then is too old. A birth in the future is another clock's error."""
        return time.time() - born >= self.max_age
