# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Who makes a request, as a value that every layer may use: found out once, before the request is read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

NO_CLAIMS: Mapping[str, Any] = MappingProxyType({})


class How(StrEnum):
    """How a principal was recognized."""

    ANONYMOUS = "anonymous"
    """Not at all, where that is allowed."""
    TOKEN = "token"  # noqa: S105 - the name of a way, not a token
    """By an OAuth access token (JWT)."""
    KEY = "key"
    """By a static API key of the configuration."""
    CERTIFICATE = "certificate"
    """By a header in which a trusted proxy names the client's certificate."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request. Two requests are of the same principal exactly when their `id` is equal."""

    id: str
    """Stable and unique over all ways of recognition and all issuers; it may be logged. A session belongs to one."""
    how: How
    name: str
    """For people: the token's subject, the key's name, the certificate's subject. May be logged."""
    issuer: str = ""
    client_id: str = ""
    """The OAuth client that acts for the principal."""
    scopes: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=lambda: NO_CLAIMS, repr=False, compare=False)
    """All that the token says. Never logged as a whole."""
    token: str | None = field(default=None, repr=False, compare=False)
    """The access token itself, to be exchanged for one of an upstream. Never logged, by default never passed on."""
    expires: float | None = field(default=None, compare=False)
    """Seconds since 1970 when the recognition ends; None: never."""
    digest: bytes = field(init=False, repr=False, compare=False)
    """16 bytes that stand for `id`: sealed into what belongs to the principal."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.blake2b(self.id.encode(), digest_size=16).digest())


ANONYMOUS = Principal("anonymous", How.ANONYMOUS, "anonymous")
