# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Static keys that stand for principals. The configuration holds digests of them only.

A digest without salt and rounds is enough, because keys are random: `hash-key` makes them of 256 bits, and takes none
that could be guessed. It also finds a key's principal at once, and comparing digests tells nothing of the keys.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterable

from mcpops_broker.access.token import TokenError
from mcpops_broker.config.auth import ApiKey
from mcpops_broker.principal import How, Principal

PREFIX = "mcpk_"
"""Of keys that are made here, so that scanners for leaked secrets know them."""
SHORTEST = 32
"""Characters of a key."""


class ApiKeys:
    """Recognizes the keys of a configuration."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._principals = {key.hash: principal_of(key) for key in keys}

    def __bool__(self) -> bool:
        return bool(self._principals)

    def principal(self, key: bytes) -> Principal:
        """Return whose key it is; raise `TokenError` when it is nobody's, or has expired."""
        principal = self._principals.get(hashed(key))
        if principal is None:
            raise TokenError("is not known here")
        if principal.expires is not None and time.time() >= principal.expires:
            raise TokenError("has expired")
        return principal


def hashed(key: bytes) -> str:
    """Return what the configuration holds of a key."""
    return f"sha256:{hashlib.sha256(key).hexdigest()}"


def new_key() -> str:
    """Make a key."""
    return PREFIX + secrets.token_urlsafe(32)


def key_problem(key: str) -> str:
    """Tell in a sentence why a key must not be used; empty when it may."""
    if len(key) < SHORTEST:
        return (
            f"the key has {len(key)} characters: it must have at least {SHORTEST} random ones, or it could be guessed"
        )
    if len(set(key)) < SHORTEST // 3:
        return "the key repeats a few characters: it must be random, or it could be guessed"
    if not key.isascii() or not key.isprintable() or " " in key:
        return "the key must consist of visible ASCII characters, as it is sent in a header"
    if key.count(".") == 2:
        return "the key looks like a JWT, of which it must be told apart: it must not have two dots"
    return ""


def principal_of(key: ApiKey) -> Principal:
    """Return whom a key stands for."""
    return Principal(f"key:{key.name}", How.KEY, key.name, scopes=key.scopes, groups=key.groups, expires=key.expires)
