# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""One upstream MCP server: kept connected in the background, its lists read, its health known."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from mcpops_broker import logs
from mcpops_broker.background import Background
from mcpops_broker.config.model import BrokerOptions, Server
from mcpops_broker.credentials.token_endpoint import CredentialError
from mcpops_broker.net.client import HttpClient
from mcpops_broker.principal import Principal
from mcpops_broker.protocol.jsonrpc import Message
from mcpops_broker.upstream.breaker import Breaker
from mcpops_broker.upstream.credentials import Credentials, credentials_for
from mcpops_broker.upstream.eras import Eras
from mcpops_broker.upstream.errors import UnauthorizedError, UpstreamError, UserNeededError
from mcpops_broker.upstream.exchange import Client, Exchange, Reply
from mcpops_broker.upstream.link import Events
from mcpops_broker.upstream.lister import read_listing
from mcpops_broker.upstream.listing import Listing
from mcpops_broker.upstream.peer import Peer
from mcpops_broker.upstream.pool import SessionPool
from mcpops_broker.upstream.session_link import Keeper, SessionLink
from mcpops_broker.upstream.stateless_link import StatelessLink
from mcpops_broker.upstream.subscriptions import Subscriptions
from mcpops_broker.upstream.transport import Transport, error_reply, failed_call

FIRST_BACKOFF = 1.0
"""Seconds before the second attempt to connect; doubled each time up to the check interval."""
KEEP_LISTED_FOR = 3
"""Failures in a row after which the items of an upstream are no longer listed (as in the operator's broker)."""
SHORTEST_GAP = 0.25
"""Seconds between two listings, however often an upstream says that its list changed."""


class State(StrEnum):
    """Health of an upstream."""

    DISABLED = "disabled"
    CONNECTING = "connecting"
    READY = "ready"
    FAILED = "failed"


class Upstream:
    """An upstream server and everything the broker knows about it.

    `changed` is called when what it offers differs from the last listing, `updated` with the URI of a subscribed
    resource that has changed. Failures stay inside: they show in `state` and `problem`, and requests raise
    `UpstreamError`.
    """

    def __init__(
        self,
        server: Server,
        http: HttpClient,
        options: BrokerOptions,
        ca_bundle: str | None,
        *,
        changed: Callable[[], None],
        updated: Callable[[Upstream, str], None],
        credentials: Credentials | None = None,
    ) -> None:
        self.server = server
        self.state = State.CONNECTING if server.enabled else State.DISABLED
        self.problem: str | None = None
        self.last_failure: tuple[float, str] | None = None
        """When it failed last (seconds since 1970) and how, also when it is well again; None: never."""
        self.peer: Peer | None = None
        """How the upstream introduced itself; None: not connected."""
        self.listed = Listing()
        self.asked = asyncio.Event()
        """Set when it has been asked for its lists, whatever came of it."""
        self.validated: float | None = None
        """Seconds since 1970 of the last attempt to list."""
        self.active = 0
        """Requests of clients in flight."""
        self.waiting = 0
        """Those of them that wait for their client's answer, which may take minutes: not counted for the limit."""
        self.breaker = Breaker(server.name)
        """Refuses requests while the upstream fails again and again."""
        self._options = options
        self._changed = changed
        self._background = Background()
        events = Events(self.refresh, lambda uri: updated(self, uri))
        self.credentials = credentials or credentials_for(server, http, options, ca_bundle)
        """With what it is asked."""
        transport = Transport(server, self.credentials, http, options, ca_bundle)
        self._eras = Eras(
            SessionLink(transport, options, self._background, events),
            StatelessLink(transport, options, self._background, events),
            server.protocol,
        )
        self._subscriptions = Subscriptions()
        self._again = asyncio.Event()
        self._idle = asyncio.Event()
        self._failures = 0
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to connect, in the background."""
        if self.server.enabled:
            self._loop = self._background.start(self._run(), f"upstream {self.server.name}")

    def take_over(self, old: Upstream) -> None:
        """Begin with what is known of the server of this name under an older configuration, so that requests can go on
        while the connection is made. What another address offers is not known; what clients subscribed to is."""
        self._subscriptions = old._subscriptions  # clients went on: the counts hold, the new connection subscribes
        if self.server.url != old.server.url or not self.server.enabled:
            return
        if not self.server.user_specific:
            self.listed = old.listed
        self.last_failure = old.last_failure
        self._eras.assume(old._eras)
        self._eras.stateless.learn(self.listed)

    def expect(self, uris: Iterable[str]) -> None:
        """Begin with what clients are subscribed to since the server of this name was last in the configuration."""
        self._subscriptions.expect(uris)

    async def retire(self, grace: float) -> None:
        """Stop listing at once, and close when the requests in flight have ended. Those of other workers in sessions
        that were opened here are not seen: they get as long as a request may take."""
        self._stop()
        try:
            while self.active:
                self._idle.clear()
                await self._idle.wait()
            if self.client_sessions.used_elsewhere:
                self._eras.main.disconnect()  # nobody needs the broker's own session meanwhile
                await asyncio.sleep(self._options.timeouts.total)
        finally:
            await self.close(grace)

    async def close(self, grace: float) -> None:
        """End all sessions and tasks; what must be said to the upstream gets `grace` seconds."""
        self._stop()
        self._eras.sessions.close()
        self._eras.stateless.close()
        await self._background.close(grace)

    def refresh(self) -> None:
        """Read the lists again soon."""
        self._again.set()

    def keeps_session_for(self, client: Client) -> bool:
        """Tell whether a client's requests go over a session at the upstream, so that it may be asked during a call."""
        return self._eras.for_client(client) is self._eras.sessions

    async def request(self, exchange: Exchange, method: str, params: dict[str, Any]) -> Reply:
        """Carry out a client's request and return the response, a result or an error.

        `params` are as the upstream knows them (names without prefix). Raises `UpstreamError`.
        """
        working = self.active - self.waiting
        if working >= self._options.limits.calls_per_upstream:
            raise UpstreamError(self.server.name, "busy", f"{working} calls are in flight already; try again later")
        breaker = self.breaker
        breaker.enter()
        self.active += 1
        try:
            if self.credentials.personal:
                reply = await self._request_of_user(exchange, method, params)
            else:
                reply = await self._eras.for_client(exchange.client).request(exchange, method, params)
        except UserNeededError as error:
            breaker.left()
            if error.can_show or method != "tools/call":
                return error_reply(exchange.request_id, error)
            return failed_call(exchange.request_id, f"{self.server.name} needs a token of its user: {error.url}")
        except UpstreamError as error:
            breaker.failed(error)
            raise
        except BaseException:
            breaker.left()
            raise
        else:
            if breaker.failures:
                breaker.answered()
            return reply
        finally:
            self.active -= 1
            if not self.active:
                self._idle.set()

    async def _request_of_user(self, exchange: Exchange, method: str, params: dict[str, Any]) -> Reply:
        """Carry out a request with the user's own credential; once more with another one when it is refused."""
        client, principal = exchange.client, exchange.principal
        link = self._eras.for_client(client)
        try:
            authorization = await self._authorization_of(client, principal)
            exchange.client = replace(client, authorization=authorization)
            try:
                return await link.request(exchange, method, params)
            except UnauthorizedError:
                if not await self._user_refused(client, principal, authorization):
                    raise
            exchange.client = replace(client, authorization=await self._authorization_of(client, principal))
            return await link.request(exchange, method, params)
        finally:
            exchange.client = client

    async def _authorization_of(self, client: Client, principal: Principal) -> str | None:
        try:
            return await self.credentials.of_user(client, principal)
        except CredentialError as error:
            raise UpstreamError(self.server.name, "credential", f"was not asked, since {error}") from error

    async def _user_refused(self, client: Client, principal: Principal, authorization: str | None) -> bool:
        try:
            return await self.credentials.user_refused(client, principal, authorization)
        except CredentialError as error:
            problem = f"refused the token of the user, and there is no other, since {error}"
            raise UpstreamError(self.server.name, "credential", problem) from error

    async def cancel(self, exchange: Exchange, reason: str | None) -> None:
        """End a request in flight: nobody waits for it any more. A failure is logged, since nobody waits for it."""
        if exchange.upstream_id is None:
            return  # it never heard of the request
        try:
            await self._eras.for_client(exchange.client).cancel(exchange, reason)
        except UpstreamError as error:
            logs.debug("cancel.failed", upstream=error.upstream, problem=str(error))

    async def notify(self, identity: str, message: Message) -> None:
        """Pass on a client's notification, if the upstream knows the client; raise `UpstreamError`."""
        await self._eras.for_sessions.notify(identity, message)

    async def announce(self, identity: str, message: Message) -> None:
        """Pass on a notification about the client itself (its roots have changed), as `notify`, but only from the
        worker that opened the client's session."""
        await self._eras.sessions.announce(identity, message)

    async def subscribe(self, uri: str) -> None:
        """Have changes of a resource reported to `updated`. Counted: each needs its `unsubscribe`.

        Raises `UpstreamRpcError` when the upstream refuses the URI, and `UpstreamError`, for an upstream without the
        capability with reason `unsupported`.
        """
        if self.peer is None:
            raise UpstreamError(self.server.name, "closed", "is not connected")
        if not self.peer.offers("resources", "subscribe"):
            raise UpstreamError(self.server.name, "unsupported", "does not report changes of resources")
        await self._subscriptions.add(uri, self._eras.main.subscribe)

    async def unsubscribe(self, uri: str) -> None:
        """Take one subscription back; raise `UpstreamError`."""
        await self._subscriptions.remove(uri, self._eras.main.unsubscribe)

    def keep_sessions_by(self, keeper: Keeper) -> None:
        """Ask `keeper` for a client's session before one is opened here: another worker may have it."""
        self._eras.sessions.keeper = keeper

    @property
    def client_sessions(self) -> SessionPool:
        """The clients' sessions that this worker has."""
        return self._eras.sessions.sessions

    async def end_known(self, exported: Mapping[str, Any]) -> None:
        """End a session that another worker has opened, whether or not the upstream is still there."""
        await self._eras.sessions.end(exported)

    async def session_for(self, client: Client, stale: str | None) -> dict[str, Any]:
        """Return a client's session for another worker, opened if need be; raise `UpstreamError`.

        `stale` is the id of a session that the other worker found forgotten.
        """
        return await self._eras.sessions.export(client, stale)

    def borrowed(self) -> list[str]:
        """Return whose sessions are used here though another worker ends them."""
        return self._eras.sessions.sessions.borrowed()

    def session_used(self, identity: str) -> None:
        """Take note that another worker still uses a session that this one ends."""
        session = self._eras.sessions.sessions.peek(identity)
        if session is not None:
            session.used = time.monotonic()

    def end_session(self, identity: str) -> None:
        """Forget a client, and end its session at the upstream if it has one."""
        self._eras.sessions.end_client(identity)

    def leave_session(self, identity: str) -> None:
        """Forget a client that is not heard of here any more, unless its session is in use by a request or worker."""
        self._eras.sessions.sessions.leave(identity)

    def sweep(self) -> None:
        """End sessions that nobody has used for long, and streams of sessions sooner."""
        self._eras.sessions.sessions.sweep(self._options.session_idle)

    def _stop(self) -> None:
        self.state = State.DISABLED
        if self._loop is not None:
            self._loop.cancel()

    async def _run(self) -> None:
        while True:
            self._again.clear()
            try:
                await self._check()
            except UpstreamError as error:
                wait = self._failed(error)
            except Exception as error:  # one upstream's odd answer must not end its loop
                logs.failure("upstream.bug", error, upstream=self.server.name)
                wait = self._failed(
                    UpstreamError(self.server.name, "internal", f"{type(error).__name__} in the broker")
                )
            else:
                wait = self._options.check_interval
            self.asked.set()
            await asyncio.sleep(SHORTEST_GAP)
            try:
                async with asyncio.timeout(wait * random.uniform(0.9, 1.1)):  # noqa: S311 - spreads load
                    await self._again.wait()
            except TimeoutError:
                pass

    async def _check(self) -> None:
        try:
            listed = await self._list()
        except UpstreamError as error:
            server = self.server
            if error.reason != "refused" or not server.user_specific or self.credentials.has_own:
                raise
            listed = Listing()  # it wants to know users, of which the broker is none: it is there
        if self.server.user_specific:
            listed = Listing()  # what the broker itself is offered is not for users
        if self.state is not State.READY:
            counts = {kind.key: len(items.valid) for kind, items in listed.kinds.items()}
            version = self.peer.version if self.peer is not None else None
            logs.info("upstream.ready", upstream=self.server.name, protocol=version, **counts)
        self.state, self.problem, self._failures = State.READY, None, 0
        self.breaker.answered()
        self.validated = time.time()
        self._take(listed)

    async def _list(self) -> Listing:
        peer = self.peer
        if peer is None:
            peer = self.peer = await self._eras.connect()
        await self._eras.main.watch(self._subscriptions)
        listed = await read_listing(self.server.name, peer, self._eras.main.call)
        if not listed.kinds:
            await self._eras.main.ping()  # nothing was asked, and it must be known whether it is there
        return listed

    def _failed(self, error: UpstreamError) -> float:
        self._failures += 1
        problem = str(error)
        if problem != self.problem:
            logs.warning("upstream.failed", upstream=self.server.name, reason=error.reason, problem=problem)
        self.state, self.problem, self.validated = State.FAILED, problem, time.time()
        self.last_failure = (self.validated, problem)
        self._eras.main.disconnect()
        self.peer = None
        if self._failures >= KEEP_LISTED_FOR:
            self._take(Listing())
        backoff: float = FIRST_BACKOFF * 2 ** min(self._failures - 1, 20)
        return min(backoff, self._options.check_interval)

    def _take(self, listed: Listing) -> None:
        new = self.listed.updated_by(listed)
        if new is not self.listed:
            self.listed = new
            self._changed()
        self._eras.stateless.learn(self.listed)
