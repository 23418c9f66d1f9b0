# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The connection to Redis or Valkey, and whether it works.

While the store cannot be reached every command fails at once, so that a request never waits for it; one task tries to
reach it again.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from mcpops_broker import logs
from mcpops_broker.background import Background
from mcpops_broker.config.store import StoreOptions
from mcpops_broker.store.store import StoreHealth

TIMEOUT = 2.0
"""Seconds that the store gets to accept a connection, and to answer a command."""
CHECK_EVERY = 1.0
"""Seconds between two looks at the store."""
REFUSED_FOR = 10.0
"""Seconds for which a refused command counts as the store's problem."""
AT_ONCE = 50
"""Commands under way at a time, each on a connection of its own; others wait. redis-py takes the 101st connection for
a failure of the store."""

T = TypeVar("T")


class StoreDownError(Exception):
    """The store cannot be reached, or cannot do what it was asked; `RedisLink.health` says why."""


class RedisLink:
    """The connection of one worker."""

    def __init__(self, options: StoreOptions, background: Background) -> None:
        self.prefix = f"{options.prefix}:"
        self._background = background
        self.client: Redis = Redis(
            host=options.host,
            port=options.port,
            db=options.database,
            username=options.username,
            password=options.password,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            client_name="mcpops-broker",
            ssl=options.tls,
            ssl_ca_data=options.ca_cert,
        )
        self._room = asyncio.Semaphore(AT_ONCE)
        self._up = asyncio.Event()
        self._look = asyncio.Event()
        self._tried = asyncio.Event()
        self._health = StoreHealth("redis", connected=False, since=time.time(), problem="it has not been reached yet")
        self._refused = 0.0
        """Monotonic seconds of the last command that was refused."""
        self._restore: list[Callable[[Redis], Awaitable[None]]] = []
        self._lost: list[Callable[[], None]] = []

    @property
    def connected(self) -> bool:
        """Whether commands are sent at all."""
        return self._up.is_set()

    @property
    def health(self) -> StoreHealth:
        """How the connection fares."""
        return self._health

    def before_use(self, restore: Callable[[Redis], Awaitable[None]]) -> None:
        """Await `restore` whenever the store was reached, before commands are sent."""
        self._restore.append(restore)

    def when_lost(self, lost: Callable[[], None]) -> None:
        """Call `lost` whenever the store cannot be reached any more."""
        self._lost.append(lost)

    def start(self) -> None:
        """Begin to connect, in the background."""
        self._background.start(self._keep(), "store")

    async def close(self) -> None:
        """Close all connections."""
        await self.client.aclose()

    async def wait_connected(self) -> None:
        """Return when the store can be used."""
        await self._up.wait()

    async def run(self, work: Callable[[Redis], Awaitable[T]]) -> T:
        """Return what `work` does with the store; raise `StoreDownError` when that is not possible now. `work` must
        not call this again."""
        if not self._tried.is_set():  # the first moment of a worker
            await self._tried.wait()
        async with self._room:
            if not self._up.is_set():
                raise StoreDownError(self._health.problem)
            try:
                return await work(self.client)
            except ResponseError as error:
                self.refused(error)
                raise StoreDownError(self._health.problem) from error
            except (RedisError, OSError) as error:
                self.failed(error)
                raise StoreDownError(self._health.problem) from error

    def failed(self, error: Exception) -> None:
        """Take note of a failure: nothing is sent until the store has been reached again."""
        problem = _sentence(error)
        if self._up.is_set():
            self._up.clear()
            logs.warning("store.lost", problem=problem)
            self._health = StoreHealth("redis", connected=False, since=time.time(), problem=problem)
            for lost in self._lost:
                lost()
        elif problem != self._health.problem:
            logs.warning("store.unreachable", problem=problem)
            self._health = StoreHealth("redis", connected=False, since=self._health.since, problem=problem)
        self._look.set()

    def refused(self, error: ResponseError) -> None:
        """Take note that the store answers, but does not do what it is asked."""
        problem = _sentence(error)
        self._refused = time.monotonic()
        if problem != self._health.problem:
            logs.warning("store.refused", problem=problem)
            self._health = StoreHealth("redis", connected=True, since=self._health.since, problem=problem)

    async def _keep(self) -> None:
        """Look at the store every now and then, and at once when a command has failed."""
        while True:
            self._look.clear()
            try:
                await self.client.ping()
                if self._health.problem:  # it could not be reached, or did not do everything that it was asked
                    await self._restored()
                    if not self._up.is_set() or time.monotonic() - self._refused > REFUSED_FOR:
                        self._found()
            except ResponseError as error:
                if self._up.is_set():
                    self.refused(error)
                else:
                    self.failed(error)
                    self._look.clear()
            except (RedisError, OSError) as error:
                self.failed(error)
                self._look.clear()
            self._tried.set()
            try:
                async with asyncio.timeout(CHECK_EVERY):
                    await self._look.wait()
            except TimeoutError:
                pass

    async def _restored(self) -> None:
        for restore in self._restore:
            try:
                await restore(self.client)
            except (RedisError, OSError):
                raise
            except Exception as error:  # a bug; the store is of use all the same
                logs.failure("store.restore", error)

    def _found(self) -> None:
        since = self._health.since if self._up.is_set() else time.time()
        self._health = StoreHealth("redis", connected=True, since=since)
        self._up.set()
        logs.info("store.connected")


def _sentence(error: Exception) -> str:
    """Say what is wrong without the address or anything that was sent: both may hold secrets."""
    if isinstance(error, AuthenticationError):
        return "it refuses the user name or password"
    if isinstance(error, NoPermissionError):
        return "its user may not run a command that the broker needs"
    if isinstance(error, ResponseError):
        code = error.status_code or str(error).partition(" ")[0]  # redis-py cuts some codes off the text
        return f"it answers with the error {code}"
    if isinstance(error, TimeoutError) or "timeout" in type(error).__name__.lower():
        return f"it did not answer within {TIMEOUT:g} s"
    cause = error.__cause__ or error.__context__
    if isinstance(error, ssl.SSLError) or isinstance(cause, ssl.SSLError):
        return "TLS with it fails: is its certificate from an authority that is trusted (broker.store.caCert)?"
    return "it cannot be reached"
