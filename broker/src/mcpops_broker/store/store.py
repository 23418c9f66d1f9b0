# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The interface of a store: small values by key, each for a limited time.

Keys are text that begins with the area they belong to (`token:...`); values are bytes, secrets among them sealed by
whoever stores them. No method raises when a store cannot be reached: it goes on with what this replica knows, and
`health` says so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """How a store fares, for `/status`. No address and no password is in it."""

    kind: str
    """`memory` or `redis`."""
    connected: bool
    """Whether what is stored is shared as it should be."""
    since: float
    """Seconds since 1970 when that began."""
    problem: str = ""
    """Why it is not connected, in a sentence."""


class Store(ABC):
    """Small values by key. What one worker stores any other finds; `take` and `add` succeed for one of them only."""

    @abstractmethod
    async def get(self, key: str) -> bytes | None:
        """Return a value; None when there is none, or its time is over."""

    @abstractmethod
    async def set(self, key: str, value: bytes, ttl: float) -> None:
        """Keep a value for `ttl` seconds, in place of the one before."""

    @abstractmethod
    async def add(self, key: str, value: bytes, ttl: float) -> bytes | None:
        """Keep a value for `ttl` seconds unless there is one, which is returned then; None: it was added. A key that
        is added before some work and deleted after it keeps others from doing the same work at once."""

    @abstractmethod
    async def take(self, key: str) -> bytes | None:
        """Return a value and delete it; of several that take it at once one gets it."""

    @abstractmethod
    async def delete(self, key: str) -> None:
        """Forget a value. That there is none does not matter."""

    @abstractmethod
    async def keys(self, prefix: str) -> list[str]:
        """Return the keys that begin so, in any order."""

    @property
    @abstractmethod
    def health(self) -> StoreHealth:
        """How the store fares now."""

    @abstractmethod
    def sweep(self) -> None:
        """Forget what has expired; called from time to time."""
