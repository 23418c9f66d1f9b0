# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The authorization code flow (RFC 6749 section 4.1) with PKCE (RFC 7636), for a browser that visits the broker.

Nothing is remembered meanwhile: the state is a ticket, which nobody else can read, and holds only in the browser that
has its cookie.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlencode

from mcpops_broker.config.credentials import OAuthClient
from mcpops_broker.credentials.tickets import Tickets
from mcpops_broker.credentials.token_endpoint import Token, TokenSource

WITHIN = 600.0
"""Seconds in which the browser must come back."""
_STATE = "state"


@dataclass(frozen=True, slots=True)
class Departure:
    """Where to send a browser, and the cookie that it must come back with."""

    url: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Return:
    """What was kept while a browser was away."""

    verifier: str
    """Of PKCE: shows that the broker began the flow that it ends."""
    value: Any
    """What was given to `begin`."""


class CodeFlow:
    """Sends browsers to authorization servers and takes what they come back with."""

    def __init__(self, tickets: Tickets) -> None:
        self._tickets = tickets

    def begin(self, client: OAuthClient, redirect_uri: str, value: Any) -> Departure:
        """Begin a flow; `value` is JSON that is there again when the browser comes back."""
        cookie, verifier = token_urlsafe(24), token_urlsafe(32)
        challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": client.client_id,
            "redirect_uri": redirect_uri,
            "state": self._tickets.make(_STATE, [_mark(cookie), verifier, value], WITHIN),
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if client.scopes:
            query["scope"] = " ".join(client.scopes)
        if client.resource:
            query["resource"] = client.resource
        if client.audience:
            query["audience"] = client.audience
        page = client.authorization_url or ""
        return Departure(f"{page}{'&' if '?' in page else '?'}{urlencode(query)}", cookie)

    def returned(self, state: str, cookie: str) -> Return | None:
        """Return what a browser comes back from; None when that is nothing that it began."""
        opened = self._tickets.open(_STATE, state)
        if opened is None or not hmac.compare_digest(opened[0], _mark(cookie)):
            return None
        return Return(opened[1], opened[2])

    async def end(self, source: TokenSource, redirect_uri: str, code: str, verifier: str) -> Token:
        """Turn the code that the browser brought into a token; raise `CredentialError`."""
        return await source.fetch(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": redirect_uri,
                "code_verifier": verifier,
            }
        )


def place_of(client: OAuthClient) -> str:
    """Return what the redirect URI for an authorization server ends with. Each has its own, so that one that sends a
    browser on to another one does not get what the browser brings from there (RFC 9700 section 4.4, "mix-up")."""
    return hashlib.sha256(f"{client.token_url} {client.client_id}".encode()).hexdigest()[:16]


def _mark(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
