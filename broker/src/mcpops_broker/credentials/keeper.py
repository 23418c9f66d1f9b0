# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Tokens that are kept until shortly before they expire: one fetch for all who wait for the same one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

from mcpops_broker import logs
from mcpops_broker.credentials.failures import PAUSE, Failures
from mcpops_broker.credentials.token_endpoint import CredentialError, Token
from mcpops_broker.seen import metrics

EARLY = 60.0
"""Seconds before its end at which the next token is fetched, or a fifth of its life when that is shorter."""
UNKNOWN_LIFE = 600.0
"""Seconds that a token is used whose life the authorization server does not tell."""
MOST = 10_000
"""Tokens that are kept; the one fetched longest ago makes room."""

Fetch = Callable[[], Awaitable[Token]]


@dataclass(slots=True)
class _Kept:
    token: Token
    fetched: float
    renew_at: float
    ends: float
    """All in seconds since 1970."""


class TokenKeeper:
    """The tokens of one upstream, by key: one for all, or one for each user. `clock` gives seconds since 1970."""

    def __init__(self, name: str, clock: Callable[[], float] = time.time) -> None:
        self._name = name
        self._clock = clock
        self._kept: dict[Hashable, _Kept] = {}
        self._fetching: dict[Hashable, asyncio.Task[Token]] = {}
        self._failures = Failures(MOST, clock)

    def __len__(self) -> int:
        return len(self._kept)

    async def get(self, key: Hashable, fetch: Fetch) -> Token:
        """Return the token of a key, fetched if there is none; raise `CredentialError`.

        One that ends soon is still returned, while the next one is fetched.
        """
        kept = self._kept.get(key)
        if kept is not None:
            now = self._clock()
            if now < kept.renew_at:
                return kept.token
            if now < kept.ends:
                if self._failures.get(key) is None:
                    self._start(key, fetch)
                return kept.token
        if (failure := self._failures.get(key)) is not None:
            raise failure
        return await asyncio.shield(self._start(key, fetch))

    def refused(self, key: Hashable, value: str) -> bool:
        """Forget a token that an upstream refused; tell whether it makes sense to ask again with another one. It does
        not when this one is new: the upstream does not want what this authorization server gives."""
        kept = self._kept.get(key)
        if kept is None or kept.token.value != value:
            return True  # somebody else was refused, too, and the next one is being fetched or there
        if self._clock() < kept.fetched + PAUSE:
            return False
        del self._kept[key]
        return True

    def _start(self, key: Hashable, fetch: Fetch) -> asyncio.Task[Token]:
        task = self._fetching.get(key)
        if task is None:
            task = self._fetching[key] = asyncio.create_task(self._fetch(key, fetch))
            task.add_done_callback(_seen)
        return task

    async def _fetch(self, key: Hashable, fetch: Fetch) -> Token:
        try:
            token = await fetch()
        except CredentialError as error:
            logs.warning("credential.failed", upstream=self._name, problem=str(error))
            metrics.TOKENS.add(self._name, "error")
            self._failures.add(key, error)
            raise
        finally:
            del self._fetching[key]
        metrics.TOKENS.add(self._name, "ok")
        now = self._clock()
        ends = now + UNKNOWN_LIFE if token.expires is None else token.expires
        self._kept.pop(key, None)
        self._kept[key] = _Kept(token, now, ends - min(EARLY, (ends - now) / 5), ends)
        if len(self._kept) > MOST:
            del self._kept[next(iter(self._kept))]
        return token


def _seen(task: asyncio.Task[Token]) -> None:
    """Mark a failure as seen even when everybody who waited has gone."""
    if not task.cancelled():
        task.exception()
