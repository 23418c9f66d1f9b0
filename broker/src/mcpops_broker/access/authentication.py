# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""From an HTTP request to its principal: who makes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mcpops_broker.principal import ANONYMOUS, How, Principal
from mcpops_broker.protocol.jsonrpc import RefusalError

API_KEY = b"x-api-key"
_AUTHORIZATION = b"authorization"


class Authentication:
    """Recognizes the principals of one broker."""

    async def authenticate(self, headers: Mapping[bytes, bytes], scope: Mapping[str, Any]) -> Principal:
        """Return who makes a request, by its headers and its ASGI scope (path, address of the peer).

        Raises `RefusalError` for who may not come in.
        """
        return ANONYMOUS

    def insufficient_scope(self, scopes: Iterable[str], why: str, path: str = "/mcp") -> RefusalError:
        """Build the refusal of a request whose token lacks scopes (RFC 6750 section 3.1): the client may ask for a
        token with these."""
        wanted = " ".join(scopes)
        challenge = f'Bearer error="insufficient_scope", scope="{wanted}"'
        return RefusalError(403, f"Forbidden: {why}", (b"www-authenticate", challenge.encode()))


def authorization_for_upstreams(headers: Mapping[bytes, bytes], principal: Principal) -> bytes | None:
    """Return the client's Authorization header, for an upstream that wants to know its users; None when the broker
    itself knows the client by it: then it is for the broker and for nobody else."""
    if principal.how is How.TOKEN or (principal.how is How.KEY and API_KEY not in headers):
        return None
    return headers.get(_AUTHORIZATION)
