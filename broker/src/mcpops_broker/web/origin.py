# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Which web pages may speak to the broker: the check of the Origin header that MCP demands.

A browser sends Origin with every POST, also after DNS rebinding, when the attacker's name points at this machine; so
this check alone stops such pages. Programs send none and are accepted.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class OriginPolicy:
    """Accepts loopback origins, those of the public host, and the configured ones ("*" accepts any)."""

    def __init__(self, allowed: Iterable[str], public_host: str | None) -> None:
        self._allowed = {origin.rstrip("/").lower() for origin in allowed}
        self._any = "*" in self._allowed
        self._hosts = _LOOPBACK | ({public_host.lower()} if public_host else set())

    def accepts(self, origin: bytes) -> bool:
        """Tell whether a request with this Origin header may be served."""
        if self._any:
            return True
        text = origin.decode("latin-1").lower()
        if text in self._allowed:
            return True
        try:
            parts = urlsplit(text)
        except ValueError:  # brackets that do not match
            return False
        return parts.scheme in ("http", "https") and parts.hostname in self._hosts
