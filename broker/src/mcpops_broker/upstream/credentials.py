# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""With what one upstream is asked: the same for everybody, or for each user something of their own.

A credential that belongs to a user is put into the user's requests only, and the broker's own only into the others. A
client's token reaches an upstream in one case: when the configuration says `passthrough` for that upstream.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from mcpops_broker.config.credentials import (
    ClientCredentials,
    Passthrough,
    StaticHeader,
    TokenExchange,
    UserToken,
)
from mcpops_broker.config.model import BrokerOptions, Server
from mcpops_broker.credentials.keeper import TokenKeeper
from mcpops_broker.credentials.token_endpoint import CredentialError, Token, TokenSource
from mcpops_broker.net.client import HttpClient
from mcpops_broker.principal import Principal
from mcpops_broker.upstream.exchange import Client

AUTHORIZATION = "authorization"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_OWN = "broker"
"""Key of the broker's own token."""


class Credentials:
    """The credential of one upstream. This class: one value for everybody that never changes, or none."""

    personal = False
    """Whether each user has an own one."""
    changing = False
    """Whether that of the broker's own requests changes: then `own` says it."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers
        """Headers of the broker's own requests, and of everybody's when it is not personal."""

    @property
    def has_own(self) -> bool:
        """Whether the broker's own requests have one."""
        return self.changing or bool(self.headers)

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values that must not be repeated to anybody."""
        return tuple(part for value in self.headers.values() for part in (value, value.rpartition(" ")[2]))

    async def own(self) -> str:
        """Return the Authorization header of the broker's own requests; raise `CredentialError`."""
        return self.headers[AUTHORIZATION]

    def own_refused(self, authorization: str) -> bool:
        """Take note that the upstream refused it; tell whether to ask again with what `own` returns then."""
        return False

    async def of_user(self, client: Client, principal: Principal) -> str | None:
        """Return the Authorization header of a user's requests, None for none; raise `CredentialError`, or
        `UserNeededError` for what the user must do first."""
        return client.authorization

    async def user_refused(self, client: Client, principal: Principal, authorization: str | None) -> bool:
        """Take note that the upstream refused it; tell whether to ask again with what `of_user` returns then."""
        return False


class ClientAuthorization(Credentials):
    """The client's own authorization. `token_too`: also when the client is known to the broker by it, which takes a
    word of the configuration: the token was given for the broker, and an upstream could use it there."""

    personal = True

    def __init__(self, headers: Mapping[str, str], *, token_too: bool) -> None:
        super().__init__(headers)
        self._token_too = token_too

    async def of_user(self, client: Client, principal: Principal) -> str | None:
        """Return what the client sent."""
        if self._token_too and principal.token is not None:
            return f"Bearer {principal.token}"
        return client.authorization


class OwnToken(Credentials):
    """A token for the broker itself, by the client credentials grant; used for everybody."""

    changing = True

    def __init__(self, name: str, source: TokenSource, headers: Mapping[str, str]) -> None:
        super().__init__(headers)
        self._source = source
        self._tokens = TokenKeeper(name)

    async def own(self) -> str:
        """Return the token, fetched when there is none or it ends soon."""
        return (await self._tokens.get(_OWN, self._fetch)).header

    def own_refused(self, authorization: str) -> bool:
        """Have another one fetched."""
        return self._tokens.refused(_OWN, authorization.removeprefix("Bearer "))

    async def _fetch(self) -> Token:
        return await self._source.fetch({"grant_type": "client_credentials"})


class ExchangedToken(OwnToken):
    """Each user's token is exchanged for one of the upstream (RFC 8693); the broker's own requests have `credential`,
    and without one a token for the broker itself from the same server."""

    personal = True

    def __init__(self, name: str, source: TokenSource, headers: Mapping[str, str], way: TokenExchange) -> None:
        super().__init__(name, source, headers)
        self.changing = AUTHORIZATION not in headers
        self._way = way

    async def of_user(self, client: Client, principal: Principal) -> str | None:
        """Return the user's token for the upstream."""
        subject = _bearer(client, principal)
        if subject is None:
            raise CredentialError("it is asked with the token of each user, and this client has none", final=True)

        async def fetch() -> Token:
            return await self._exchange(subject, principal)

        return (await self._tokens.get(_digest(subject), fetch)).header

    async def user_refused(self, client: Client, principal: Principal, authorization: str | None) -> bool:
        """Have another one fetched."""
        subject = _bearer(client, principal)
        if subject is None or authorization is None:
            return False
        return self._tokens.refused(_digest(subject), authorization.removeprefix("Bearer "))

    async def _exchange(self, subject: str, principal: Principal) -> Token:
        token = await self._source.fetch(
            {
                "grant_type": EXCHANGE,
                "subject_token": subject,
                "subject_token_type": self._way.subject_type,
                "requested_token_type": self._way.requested_type,
            }
        )
        if principal.expires is None:
            return token
        # It stands for a user whose own token ends then; what comes of a later one is exchanged anew.
        return Token(token.value, min(token.expires or principal.expires, principal.expires))


def credentials_for(server: Server, http: HttpClient, options: BrokerOptions, ca_bundle: str | None) -> Credentials:
    """Build the credential that a server is configured with. Those that users give (`UserToken`) are not built here:
    without the page for them they are nothing."""
    headers = {AUTHORIZATION: server.credential} if server.credential else {}
    auth = server.auth
    if auth is None or isinstance(auth, UserToken):
        return ClientAuthorization(headers, token_too=False) if server.user_specific else Credentials(headers)
    if isinstance(auth, StaticHeader):
        return Credentials({**headers, auth.name: auth.value})
    if isinstance(auth, Passthrough):
        return ClientAuthorization(headers, token_too=True)
    source = TokenSource.build(auth.client, http, options, ca_bundle)
    if isinstance(auth, ClientCredentials):
        return OwnToken(server.name, source, {})
    return ExchangedToken(server.name, source, headers, auth)


def _bearer(client: Client, principal: Principal) -> str | None:
    """Return a client's token: the one that the broker knows it by, or the one that a proxy in front let through."""
    if principal.token is not None:
        return principal.token
    scheme, _, token = (client.authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _digest(token: str) -> bytes:
    return hashlib.blake2b(token.encode(), digest_size=16).digest()
