# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The credentials of an upstream that each user gives the broker a token for.

A client without one is told the way to a web page (MCP 2025-11-25 client/elicitation, URL mode), and sends its request
again when its user has been there. The page finds out by itself who opens it: the link alone is worth nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from secrets import token_hex
from urllib.parse import quote

from mcpops_broker.config.credentials import UserToken
from mcpops_broker.config.credentials import UserTokens as Page
from mcpops_broker.config.model import BrokerOptions, Server
from mcpops_broker.credentials.tickets import Tickets
from mcpops_broker.credentials.token_endpoint import CredentialError, Token, TokenSource
from mcpops_broker.credentials.user_tokens import Refresh, UserTokens, ends_soon, has_ended
from mcpops_broker.net.client import HttpClient
from mcpops_broker.principal import How, Principal
from mcpops_broker.protocol.capabilities import missing
from mcpops_broker.upstream.credentials import AUTHORIZATION, Credentials
from mcpops_broker.upstream.errors import UserNeededError
from mcpops_broker.upstream.exchange import Client

PATH = "/tokens"
"""Of the page, as at the operator's broker."""
VISIT_WITHIN = 900.0
"""Seconds in which a link can be used."""
_ASK, _VISIT = "elicitation/create", "visit"


@dataclass(frozen=True, slots=True)
class Shared:
    """What the credentials of all such upstreams and the page have in common."""

    tokens: UserTokens
    tickets: Tickets


@dataclass(frozen=True, slots=True)
class Visit:
    """What a link is for."""

    principal: bytes
    """Digest of the principal whose token is wanted."""
    upstream: str
    identity: str
    """Of the client session in which it was wanted."""
    number: str
    """The elicitation's id in MCP."""

    def ticket(self, tickets: Tickets) -> str:
        """Write it into a link."""
        value = [self.principal.hex(), self.upstream, self.identity, self.number]
        return tickets.make(_VISIT, value, VISIT_WITHIN)

    @classmethod
    def opened(cls, tickets: Tickets, ticket: str) -> Visit | None:
        """Read it out of a link; None when that is not ours or too old."""
        value = tickets.open(_VISIT, ticket)
        return None if value is None else cls(bytes.fromhex(value[0]), *value[1:])


class TokenOfUser(Credentials):
    """Each user's own token, from the page. The broker's own requests have `credential`."""

    personal = True

    def __init__(
        self,
        name: str,
        headers: Mapping[str, str],
        way: UserToken,
        page: Page,
        shared: Shared,
        *,
        source: TokenSource | None,
    ) -> None:
        super().__init__(headers)
        self._name = name
        self._way = way
        self._page = page
        self._shared = shared
        self.source = source
        """The upstream's authorization server; None: the user enters the token."""

    async def of_user(self, client: Client, principal: Principal) -> str | None:
        """Return the user's token. One that ends soon is still used while the next one is fetched."""
        if principal.how is How.ANONYMOUS:
            why = "it is asked with a token of each user, and this broker does not know its users (broker.auth)"
            raise CredentialError(why, final=True)
        token = await self._shared.tokens.get(principal.digest, self._name)
        if token is not None and token.refresh and self.source is not None and ends_soon(token):
            tokens, lifetime = self._shared.tokens, self._page.lifetime
            if has_ended(token):
                token = await tokens.renewed(principal.digest, self._name, token, _refresh(self.source), lifetime)
            else:
                tokens.renew(principal.digest, self._name, token, _refresh(self.source), lifetime)
        if token is None:
            raise self._needed(client, principal)
        return token.header

    async def user_refused(self, client: Client, principal: Principal, authorization: str | None) -> bool:
        """Renew the token, or forget it: then the user is asked for another one."""
        refused = (authorization or "").removeprefix("Bearer ")
        token = await self._shared.tokens.get(principal.digest, self._name)
        if token is not None and token.value == refused:
            tokens, lifetime = self._shared.tokens, self._page.lifetime
            if token.refresh and self.source is not None:
                await tokens.renewed(principal.digest, self._name, token, _refresh(self.source), lifetime)
            else:
                await tokens.forget(principal.digest, self._name, refused)
        return True

    async def give(self, principal: bytes, token: Token) -> None:
        """Keep the token that a user has given, `principal` being the digest."""
        await self._shared.tokens.put(principal, self._name, token, self._page.lifetime)

    def _needed(self, client: Client, principal: Principal) -> UserNeededError:
        number = token_hex(16)
        ticket = Visit(principal.digest, self._name, client.identity, number).ticket(self._shared.tickets)
        url = f"{self._way.url or self._page.url + PATH}?elicitation_id={quote(ticket)}"
        message = f"{self._name} needs a token of yours. Please open this page to give it."
        asked = [{"mode": "url", "elicitationId": number, "url": url, "message": message}]
        can_show = client.stateless or not missing(client.capabilities, _ASK, {"mode": "url"})
        return UserNeededError(self._name, asked, can_show=can_show)


def token_of_user(
    server: Server, shared: Shared, http: HttpClient, options: BrokerOptions, ca_bundle: str | None
) -> TokenOfUser | None:
    """Build the credentials of a server that users give tokens for; None when it is another one."""
    way, page = server.auth, options.user_tokens
    if not isinstance(way, UserToken) or page is None:
        return None
    headers = {AUTHORIZATION: server.credential} if server.credential else {}
    source = TokenSource.build(way.oauth, http, options, ca_bundle) if way.oauth is not None else None
    return TokenOfUser(server.name, headers, way, page, shared, source=source)


def _refresh(source: TokenSource) -> Refresh:
    async def refresh(by: str) -> Token:
        return await source.fetch({"grant_type": "refresh_token", "refresh_token": by})

    return refresh
