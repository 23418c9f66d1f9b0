# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Clients without sessions, as upstreams with sessions know them.

Every request describes its client, so nothing needs to be remembered of one; but an upstream with sessions needs a
session for it. Requests of the same principal by the same OAuth client, with the same scopes, authorization and
capabilities share one, and it is closed when none has come for a while.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from mcpops_broker.principal import Principal
from mcpops_broker.upstream.exchange import Client

LARGEST_TOTAL = 32 << 20
"""Bytes of what clients say of themselves that are kept; beyond that the client idle longest is forgotten."""

_Key = tuple[str, bytes, str, frozenset[str], bytes, bytes]
"""Revision, digest of the principal, the OAuth client that acts for it and the scopes (what one agent may do at a
server is not for another one of the same user), authorization, and capabilities serialized."""


@dataclass(slots=True)
class _Known:
    client: Client
    used: float


class StatelessClients:
    """The clients seen lately. `dropped` is called with the identity of each that is forgotten."""

    def __init__(self, *, capacity: int, idle: float, dropped: Callable[[str], None]) -> None:
        self.capacity = capacity
        self.idle = idle
        self._dropped = dropped
        self._known: dict[_Key, _Known] = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self._known)

    def find(
        self,
        version: str,
        principal: Principal,
        authorization: bytes,
        capabilities: Mapping[str, Any],
        log_level: str | None,
    ) -> Client:
        """Return the client of a request."""
        said = orjson.dumps(capabilities, option=orjson.OPT_SORT_KEYS)
        key = (version, principal.digest, principal.client_id, principal.scopes, authorization, said)
        known = self._known.pop(key, None)
        if known is None:
            agent = orjson.dumps([principal.client_id, sorted(principal.scopes)])
            parts = (version.encode(), principal.digest, agent, said, authorization)
            digest = hashlib.blake2b(b"\0".join(parts), digest_size=16)
            client = Client(
                digest.hexdigest(),
                version,
                stateless=True,
                capabilities=capabilities,
                authorization=authorization.decode("latin-1") or None,
            )
            known = _Known(client, 0.0)
            self._size += _size_of(key)
            while self._known and (len(self._known) >= self.capacity or self._size > LARGEST_TOTAL):
                self._drop(next(iter(self._known)))
        known.used = time.monotonic()
        self._known[key] = known  # at the end again: the first is the one used longest ago
        return known.client if log_level is None else replace(known.client, log_level=log_level)

    def sweep(self) -> None:
        """Forget the clients from which nothing came for `idle` seconds."""
        oldest = time.monotonic() - self.idle
        for key in [key for key, known in self._known.items() if known.used < oldest]:
            self._drop(key)

    def _drop(self, key: _Key) -> None:
        self._size -= _size_of(key)
        self._dropped(self._known.pop(key).client.identity)


def _size_of(key: _Key) -> int:
    _, _, client_id, scopes, authorization, said = key
    return len(client_id) + sum(map(len, scopes)) + len(authorization) + len(said)
