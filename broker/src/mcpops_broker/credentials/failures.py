# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What authorization servers did not give just now, so that one in trouble is not asked by each call."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

from mcpops_broker.credentials.token_endpoint import CredentialError

PAUSE = 5.0
"""Seconds after a failed fetch in which others get the same error."""


class Failures:
    """The latest errors by key; beyond `most` the oldest is forgotten. `clock` gives seconds."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._failed: dict[Hashable, tuple[float, CredentialError]] = {}

    def add(self, key: Hashable, error: CredentialError) -> None:
        """Remember an error."""
        self._failed[key] = (self._clock() + PAUSE, error)
        if len(self._failed) > self._most:
            del self._failed[next(iter(self._failed))]

    def get(self, key: Hashable) -> CredentialError | None:
        """Return the error of a fetch that failed just now, to be raised; None when another may be made."""
        until, error = self._failed.get(key, (0.0, None))
        if error is None:
            return None
        if self._clock() >= until:
            del self._failed[key]
            return None
        return CredentialError(str(error), final=error.final)
