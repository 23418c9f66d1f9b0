# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""One upstream MCP server: kept connected in the background, its tools listed, its health known."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any

import orjson

from mcpops_broker import logs
from mcpops_broker.background import Background
from mcpops_broker.config.model import BrokerOptions, Server
from mcpops_broker.net.client import HttpClient
from mcpops_broker.protocol import jsonrpc
from mcpops_broker.upstream.errors import StaleSessionError, UpstreamError
from mcpops_broker.upstream.exchange import Exchange, Reply
from mcpops_broker.upstream.link import UpstreamLink
from mcpops_broker.upstream.pool import SessionPool
from mcpops_broker.upstream.session import UpstreamSession
from mcpops_broker.upstream.tools import ToolList, list_tools
from mcpops_broker.upstream.watch import watch

FIRST_BACKOFF = 1.0
"""Seconds before the second attempt to connect; doubled each time up to the check interval."""
KEEP_TOOLS_FOR = 3
"""Failures in a row after which the tools of an upstream are no longer listed (as in the operator's broker)."""
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

    `changed` is called when the tools differ from the last listing. Failures stay inside: they show in `state` and
    `problem`, and calls raise `UpstreamError`.
    """

    def __init__(
        self,
        server: Server,
        http: HttpClient,
        options: BrokerOptions,
        ca_bundle: str | None,
        changed: Callable[[], None],
    ) -> None:
        self.server = server
        self.state = State.CONNECTING if server.enabled else State.DISABLED
        self.problem: str | None = None
        self.listed = ToolList()
        self.validated: float | None = None
        """Seconds since 1970 of the last attempt to list the tools."""
        self.session: UpstreamSession | None = None
        """The broker's own session, for lists and notifications."""
        self.active = 0
        """Calls in flight."""
        self._options = options
        self._changed = changed
        self._background = Background()
        self._link = UpstreamLink(server, http, options, self._background, ca_bundle)
        self.sessions = SessionPool(server.name, self._link.open_session, self._close_later)
        self._again = asyncio.Event()
        self._idle = asyncio.Event()
        self._failures = 0
        self._loop: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to connect, in the background."""
        if self.server.enabled:
            self._loop = self._background.start(self._run(), f"upstream {self.server.name}")

    async def retire(self, grace: float) -> None:
        """Stop listing tools at once, and close when the calls in flight have ended."""
        self._stop()
        while self.active:
            self._idle.clear()
            await self._idle.wait()
        await self.close(grace)

    async def close(self, grace: float) -> None:
        """End all sessions and tasks; what must be said to the upstream gets `grace` seconds."""
        self._stop()
        self.sessions.clear()
        if self.session is not None:
            self._close_later(self.session)
            self.session = None
        await self._background.close(grace)

    def refresh(self) -> None:
        """List the tools again soon."""
        self._again.set()

    async def request(self, exchange: Exchange, method: str, params: dict[str, Any]) -> Reply:
        """Carry out a client's request and return the response, a result or an error.

        `params` are as the upstream knows them (names without prefix). A session that the upstream has forgotten is
        replaced and the request sent once more, which is safe: the upstream refused it because of the session.
        Raises `UpstreamError`.
        """
        if self.active >= self._options.limits.calls_per_upstream:
            raise UpstreamError(self.server.name, "busy", f"{self.active} calls are in flight already; try again later")
        self.active += 1
        try:
            identity = exchange.client.identity
            exchange.upstream_id = exchange.request_id
            body = orjson.dumps(jsonrpc.request(exchange.request_id, method, params))
            session = await self._session_for(identity)
            try:
                return await self._link.relay(session, body, exchange)
            except StaleSessionError:
                logs.info("upstream.session.stale", upstream=self.server.name, session=identity)
                self.sessions.forget(identity, session)
                return await self._link.relay(await self.sessions.get(identity), body, exchange)
        finally:
            self.active -= 1
            if not self.active:
                self._idle.set()

    async def notify(self, identity: str, message: jsonrpc.Message) -> None:
        """Send a notification of a client session, if it has a session at the upstream; raise `UpstreamError`."""
        session = self.sessions.peek(identity) or self._shared_session()
        if session is not None:
            await self._link.notify(session, message)

    async def cancel(self, exchange: Exchange, reason: str | None) -> None:
        """Tell the upstream that nobody waits for a request any more. A failure is logged: nobody waits for it."""
        if exchange.upstream_id is None:
            return  # it never heard of the request
        params: dict[str, Any] = {"requestId": exchange.upstream_id}
        if reason is not None:
            params["reason"] = reason
        try:
            await self.notify(exchange.client.identity, jsonrpc.notification("notifications/cancelled", params))
        except UpstreamError as error:
            logs.debug("cancel.failed", upstream=error.upstream, problem=str(error))

    def end_session(self, identity: str) -> None:
        """End a client session's session at the upstream."""
        self.sessions.drop(identity)

    def _stop(self) -> None:
        self.state = State.DISABLED
        for task in (self._loop, self._watcher):
            if task is not None:
                task.cancel()

    async def _session_for(self, identity: str) -> UpstreamSession:
        return self._shared_session() or await self.sessions.get(identity)

    def _shared_session(self) -> UpstreamSession | None:
        """Return the broker's own session when the upstream keeps no sessions, so that one does for all."""
        if self.session is not None and self.session.id is None:
            return self.session
        return None

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
            await asyncio.sleep(SHORTEST_GAP)
            try:
                async with asyncio.timeout(wait * random.uniform(0.9, 1.1)):  # noqa: S311 - spreads load
                    await self._again.wait()
            except TimeoutError:
                pass

    async def _check(self) -> None:
        try:
            listed = await self._list()
        except StaleSessionError:
            self._lost_session()
            listed = await self._list()
        session = self.session
        if self.state is not State.READY:
            logs.info(
                "upstream.ready",
                upstream=self.server.name,
                tools=len(listed.tools),
                protocol=session.version if session else None,
            )
        self.state, self.problem, self._failures = State.READY, None, 0
        self.validated = time.time()
        self._take(listed)

    async def _list(self) -> ToolList:
        if self.session is None:
            self.session = await self._link.open_session()
        if self._watcher is None and self._announces_changes(self.session):
            work = watch(self._link, self.session, self.refresh)
            self._watcher = self._background.start(work, f"watch {self.server.name}")
        return await list_tools(self._link, self.session)

    def _failed(self, error: UpstreamError) -> float:
        self._failures += 1
        problem = str(error)
        if problem != self.problem:
            logs.warning("upstream.failed", upstream=self.server.name, reason=error.reason, problem=problem)
        self.state, self.problem, self.validated = State.FAILED, problem, time.time()
        if self.session is not None:
            self._close_later(self.session)
        self._lost_session()
        if self._failures >= KEEP_TOOLS_FOR:
            self._take(ToolList())
        backoff: float = FIRST_BACKOFF * 2 ** min(self._failures - 1, 20)
        return min(backoff, self._options.check_interval)

    def _take(self, listed: ToolList) -> None:
        if listed != self.listed:
            self.listed = listed
            self._changed()

    def _lost_session(self) -> None:
        self.session = None
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None

    @staticmethod
    def _announces_changes(session: UpstreamSession) -> bool:
        tools = session.capabilities.get("tools")
        return isinstance(tools, dict) and tools.get("listChanged") is True

    def _close_later(self, session: UpstreamSession) -> None:
        self._background.start(self._link.close_session(session), "close session")
