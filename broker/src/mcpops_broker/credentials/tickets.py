# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Values that travel through a browser: sealed, for one purpose, for a short time.

They say themselves what they are for, so no worker and no replica has to remember them.
"""

from __future__ import annotations

import time
from typing import Any

import orjson

from mcpops_broker.sealed_box import SealedBox, Secrets

LONGEST = 4000
"""Characters of a ticket; a browser's cookie holds no more."""


class Tickets:
    """Makes and opens tickets with keys of the deployment."""

    def __init__(self, secrets: Secrets) -> None:
        self._box = SealedBox(b"mcpops-broker ticket", b"\x01", secrets)

    def use(self, secrets: Secrets) -> None:
        """Take other secrets."""
        self._box.use(secrets)

    def make(self, purpose: str, value: Any, seconds: float) -> str:
        """Seal a JSON value."""
        return self._box.seal(orjson.dumps([purpose, time.time() + seconds, value]))

    def open(self, purpose: str, ticket: str) -> Any:
        """Return the value of a ticket; None when it is not ours, is for another purpose, or has expired."""
        plain = self._box.open(ticket) if len(ticket) <= LONGEST else None
        if plain is None:
            return None
        made_for, expires, value = orjson.loads(plain)
        return value if made_for == purpose and time.time() < expires else None
