# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What was found out about tokens, kept while there is room: checking one takes a quarter of a millisecond."""

from __future__ import annotations

from typing import Generic, TypeVar

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """Values by the bytes that they were made of; those used longest ago make room."""

    def __init__(self, largest_total: int) -> None:
        self._largest_total = largest_total
        """Bytes of all keys together."""
        self._total = 0
        self._values: dict[bytes, Value] = {}

    def get(self, key: bytes) -> Value | None:
        """Return what is kept under a key."""
        value = self._values.pop(key, None)
        if value is not None:
            self._values[key] = value  # at the end again: the first is the one used longest ago
        return value

    def put(self, key: bytes, value: Value) -> None:
        """Keep a value."""
        self.drop(key)
        self._values[key] = value
        self._total += len(key)
        while self._total > self._largest_total:
            self.drop(next(iter(self._values)))

    def drop(self, key: bytes) -> None:
        """Forget what is kept under a key, if anything is."""
        if self._values.pop(key, None) is not None:
            self._total -= len(key)

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()
        self._total = 0
