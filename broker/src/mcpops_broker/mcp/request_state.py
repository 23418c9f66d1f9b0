# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What the broker puts into `requestState`: sealed (encrypted and authenticated), since it passes through the client.

Rules: MCP 2026-07-28 basic/patterns/mrtr, "Server Requirements": the state is for one client and one request, and only
for a short time.
"""

from __future__ import annotations

import hashlib
import struct
import time
from dataclasses import dataclass
from typing import Any

import orjson

from mcpops_broker.sealed_box import SealedBox, Secrets

_FORMAT = b"\x01"
_PLAIN = struct.Struct(">16s16s16sQ")
_DIGEST = 16


@dataclass(frozen=True, slots=True)
class RequestState:
    """Where a call waits for its client, and whose call it is."""

    worker: str
    """Bus address of the worker that has the call."""
    call: bytes
    """Id of the call there, 16 random bytes."""
    owner: bytes
    """Digest of who called."""
    request: bytes
    """Digest of what was called."""
    expires: int
    """Seconds since 1970."""


def digest_of(*parts: Any) -> bytes:
    """Return a digest of JSON values, the same whatever the order of their keys."""
    return hashlib.blake2b(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS), digest_size=_DIGEST).digest()


class StateSealer:
    """Makes and opens request states with keys of the deployment; the first seals, all open."""

    def __init__(self, secrets: Secrets) -> None:
        self._box = SealedBox(b"mcpops-broker request state", _FORMAT, secrets)

    def use(self, secrets: Secrets) -> None:
        """Take other secrets."""
        self._box.use(secrets)

    def seal(self, state: RequestState) -> str:
        """Write a state as text for a client."""
        plain = _PLAIN.pack(state.call, state.owner, state.request, state.expires) + state.worker.encode()
        return self._box.seal(plain)

    def open(self, text: object) -> RequestState | None:
        """Read what a client sent back; None when it is not ours, was changed, or has expired."""
        if not isinstance(text, str) or len(text) > 1000:
            return None
        plain = self._box.open(text)
        if plain is None:
            return None
        call, owner, request, expires = _PLAIN.unpack_from(plain)
        if time.time() >= expires:
            return None
        return RequestState(plain[_PLAIN.size :].decode(), call, owner, request, expires)
