# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The tokens that users gave the broker for upstreams: sealed in the store, each for one principal and one upstream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import orjson

from mcpops_broker import logs
from mcpops_broker.credentials.failures import Failures
from mcpops_broker.credentials.keeper import EARLY
from mcpops_broker.credentials.token_endpoint import CredentialError, Token
from mcpops_broker.sealed_box import SealedBox, Secrets
from mcpops_broker.store.store import Store

REFRESH_WITHIN = 25.0
"""Seconds that one worker gets to renew a token while the others wait for it: a refresh token may only be used once."""
_LOCKED_FOR = REFRESH_WITHIN + 5.0
"""Seconds after which another worker may try when the one that was at it is gone."""
MOST_OPENED = 10_000
"""Tokens that are kept opened; the one opened longest ago makes room."""
_LOOK_AGAIN = 0.2
"""Seconds between two looks for what another worker is fetching."""

Refresh = Callable[[str], Awaitable[Token]]
"""Asks for the next token by a refresh token; raises `CredentialError`."""


class UserTokens:
    """Keeps tokens with keys of the deployment. Who reads the store learns none, and cannot put one user's token in
    the place of another's."""

    def __init__(self, secrets: Secrets, store: Store) -> None:
        self._box = SealedBox(b"mcpops-broker user token", b"\x01", secrets)
        self._store = store
        self._refreshing: dict[str, asyncio.Task[Token | None]] = {}
        self._failures = Failures(MOST_OPENED)
        self._opened: dict[str, tuple[bytes, Token]] = {}
        """What was stored under a key last, and opened: looking that up costs 2 microseconds instead of 30."""

    def use(self, secrets: Secrets) -> None:
        """Take other secrets."""
        self._box.use(secrets)
        self._opened.clear()

    async def get(self, principal: bytes, upstream: str) -> Token | None:
        """Return a user's token, `principal` being the digest; None when there is none or it has expired for good."""
        key = _key(principal, upstream)
        sealed = await self._store.get(key)
        if sealed is None:
            return None
        known = self._opened.get(key)
        token = known[1] if known is not None and known[0] == sealed else self._open(key, sealed)
        if token is None:
            return None
        expires = token.expires
        return token if token.refresh or expires is None or time.time() < expires else None

    async def put(self, principal: bytes, upstream: str, token: Token, lifetime: float) -> None:
        """Keep a user's token; for `lifetime` seconds when it does not say how long it is valid, or can be renewed."""
        known = token.expires is not None and not token.refresh
        seconds = token.expires - time.time() if known and token.expires is not None else lifetime
        if seconds <= 0:
            return
        key = _key(principal, upstream)
        plain = orjson.dumps([key, token.value, token.expires, token.refresh])
        await self._store.set(key, self._box.seal(plain).encode(), seconds)

    def _open(self, key: str, sealed: bytes) -> Token | None:
        plain = self._box.open(sealed.decode("latin-1"))
        if plain is None:
            return None  # sealed with a key that is no longer known: the user is asked again
        place, value, expires, refresh = orjson.loads(plain)
        if place != key:
            return None
        token = Token(value, expires, refresh)
        self._opened[key] = (sealed, token)
        if len(self._opened) > MOST_OPENED:
            del self._opened[next(iter(self._opened))]
        return token

    async def forget(self, principal: bytes, upstream: str, refused: str) -> None:
        """Forget a token that the upstream refused; another one that was given since is kept."""
        token = await self.get(principal, upstream)
        if token is not None and token.value == refused:
            await self._store.delete(_key(principal, upstream))

    async def renewed(
        self, principal: bytes, upstream: str, old: Token, refresh: Refresh, lifetime: float
    ) -> Token | None:
        """Return the successor of a token that can be renewed; None when the user must be asked again.

        One fetch for all who wait, in all workers. Raises `CredentialError` when it may be possible later.
        """
        if (failure := self._failures.get(_key(principal, upstream))) is not None:
            raise failure
        return await asyncio.shield(self._renewal(principal, upstream, old, refresh, lifetime))

    def renew(self, principal: bytes, upstream: str, old: Token, refresh: Refresh, lifetime: float) -> None:
        """Begin to renew a token that is used until then, unless that failed just now."""
        if self._failures.get(_key(principal, upstream)) is None:
            self._renewal(principal, upstream, old, refresh, lifetime)

    def _renewal(
        self, principal: bytes, upstream: str, old: Token, refresh: Refresh, lifetime: float
    ) -> asyncio.Task[Token | None]:
        key = _key(principal, upstream)
        task = self._refreshing.get(key)
        if task is None:
            work = self._renew(principal, upstream, old, refresh, lifetime)
            task = self._refreshing[key] = asyncio.create_task(work)
            task.add_done_callback(lambda done: self._renewal_ended(key, done))
        return task

    async def _renew(
        self, principal: bytes, upstream: str, old: Token, refresh: Refresh, lifetime: float
    ) -> Token | None:
        lock = f"renewing:{_key(principal, upstream)}"
        until = time.monotonic() + REFRESH_WITHIN
        while await self._store.add(lock, b"1", _LOCKED_FOR) is not None:  # another worker is at it
            await asyncio.sleep(_LOOK_AGAIN)
            token = await self.get(principal, upstream)
            if token is None or token.value != old.value:
                return token
            if time.monotonic() >= until:
                raise _late()
        try:
            token = await self.get(principal, upstream)
            if token is None or token.value != old.value or not token.refresh:
                return token  # another worker was faster, or the user has given another one
            try:
                new = await _in_time(refresh(token.refresh))
            except CredentialError as error:
                logs.warning("user_token.not_renewed", upstream=upstream, problem=str(error))
                if not error.final:
                    self._failures.add(_key(principal, upstream), error)
                    raise
                await self.forget(principal, upstream, old.value)
                return None
            new = Token(new.value, new.expires, new.refresh or token.refresh)
            await self.put(principal, upstream, new, lifetime)
            return new
        finally:
            await self._store.delete(lock)

    def _renewal_ended(self, key: str, task: asyncio.Task[Token | None]) -> None:
        del self._refreshing[key]
        if not task.cancelled():
            task.exception()  # seen, even when everybody who waited has gone


async def _in_time(renewal: Awaitable[Token]) -> Token:
    try:
        async with asyncio.timeout(REFRESH_WITHIN):
            return await renewal
    except TimeoutError:
        raise _late() from None


def _late() -> CredentialError:
    return CredentialError("the token of this user could not be renewed in time")


def has_ended(token: Token) -> bool:
    """Tell whether a token is worth nothing any more."""
    return token.expires is not None and time.time() >= token.expires


def ends_soon(token: Token) -> bool:
    """Tell whether a token should be renewed before it is used."""
    return token.expires is not None and time.time() > token.expires - EARLY


def _key(principal: bytes, upstream: str) -> str:
    return f"token:{principal.hex()}:{upstream}"
