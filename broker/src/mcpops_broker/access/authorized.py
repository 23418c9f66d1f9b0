# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What a client is authorized to use, by a header that a trusted component (Authorino) signs.

Header and claims: Kuadrant mcp-gateway, `x-mcp-authorized` with the claim `allowed-capabilities`, in 0.6.0
`x-authorized-tools` with `allowed-tools`. Where that broker shows an empty list for a header that it cannot use, this
one refuses the request and says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from mcpops_broker.access.kept import Kept
from mcpops_broker.access.token import TIMES, TokenError, Verifier, check_time
from mcpops_broker.catalogue.scope import Authorized, Pairs
from mcpops_broker.protocol.jsonrpc import INVALID_REQUEST, RpcError

HEADER = b"x-mcp-authorized"
OLD_HEADER = b"x-authorized-tools"
"""As in 0.6.0."""
MAX_KEPT = 4 << 20
"""Bytes of tokens whose meaning is kept."""

_NOTHING = Authorized(frozenset(), frozenset(), frozenset())


class Authorization:
    """Reads the header. With `enforce`, what it does not grant is refused, and so is everything without it."""

    def __init__(self, verifier: Verifier | None, enforce: bool) -> None:
        self._verifier = verifier
        self._unspecified = _NOTHING if enforce else None
        self._known: Kept[tuple[dict[str, Any], Authorized]] = Kept(MAX_KEPT)
        """By header and token: when it holds, what it grants."""

    def authorized(self, headers: Mapping[bytes, bytes]) -> Authorized | None:
        """Return what the headers grant, None for everything.

        Raises `RpcError` (HTTP 403) for a header that cannot be trusted or understood.
        """
        token = headers.get(HEADER)
        if token is not None:
            return self._read(HEADER, token)
        token = headers.get(OLD_HEADER)
        if token is not None:
            return self._read(OLD_HEADER, token)
        return self._unspecified

    def _read(self, header: bytes, token: bytes) -> Authorized:
        try:
            key = header + token
            known = self._known.get(key)
            if known is None:
                if self._verifier is None:
                    raise TokenError("cannot be checked, since no key is configured (TRUSTED_HEADER_PUBLIC_KEY)")
                claims = self._verifier.claims(token.decode("latin-1"))
                times = {name: claims[name] for name in TIMES if name in claims}
                known = times, self._grants(header, claims)
                self._known.put(key, known)
            else:
                check_time(known[0])
        except TokenError as error:
            text = f"Forbidden: the {header.decode()} header {error}"
            raise RpcError(INVALID_REQUEST, text, status=403) from None
        return known[1]

    def _grants(self, header: bytes, claims: dict[str, Any]) -> Authorized:
        missing = self._unspecified or Authorized()
        if header == OLD_HEADER:
            return Authorized(_pairs(_claim(claims, "allowed-tools")), missing.prompts, missing.resources)
        granted = _claim(claims, "allowed-capabilities")
        return Authorized(
            _pairs(granted["tools"]) if "tools" in granted else missing.tools,
            _pairs(granted["prompts"]) if "prompts" in granted else missing.prompts,
            _pairs(granted["resources"]) if "resources" in granted else missing.resources,
        )


def _claim(claims: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a claim that is JSON inside a text."""
    value = claims.get(name)
    try:
        value = orjson.loads(value) if isinstance(value, str) else None
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise TokenError(f"must have the claim {name!r}: text that holds a JSON object")
    return value


def _pairs(servers: Any) -> Pairs:
    if servers is None:
        return frozenset()
    if isinstance(servers, dict):
        pairs = [(server, name) for server, names in servers.items() if isinstance(names, list) for name in names]
        if all(isinstance(name, str) for _, name in pairs):
            return frozenset(pairs)
    raise TokenError("must grant lists of names by the names of servers")
