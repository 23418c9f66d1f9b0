# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The session era (MCP 2025-11-25 and earlier): `initialize`, then requests in a session.

Every client has a session of its own at the upstream, opened with that client's capabilities, so that the upstream
can ask what this client can answer. The broker's own session, without capabilities, is for lists and for watching.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import suppress
from itertools import count
from secrets import token_hex
from typing import Any, Protocol

import orjson

from mcpops_broker import logs
from mcpops_broker.background import Background
from mcpops_broker.config.model import BrokerOptions
from mcpops_broker.net.client import Answer
from mcpops_broker.protocol import jsonrpc, meta
from mcpops_broker.protocol.capabilities import of_sessions
from mcpops_broker.protocol.jsonrpc import Id, Message
from mcpops_broker.protocol.versions import LATEST_SESSION_VERSION, SESSION_VERSIONS
from mcpops_broker.upstream.deadline import Deadline
from mcpops_broker.upstream.errors import StaleSessionError, UpstreamError, UpstreamRpcError
from mcpops_broker.upstream.exchange import Client, Exchange, Reply
from mcpops_broker.upstream.link import CLIENT_INFO, CONTROL_TIMEOUT, Events, Link
from mcpops_broker.upstream.peer import Era, Peer
from mcpops_broker.upstream.pool import SessionPool
from mcpops_broker.upstream.session import UpstreamSession
from mcpops_broker.upstream.session_calls import CallInbound, OwnInbound
from mcpops_broker.upstream.session_stream import SessionStream
from mcpops_broker.upstream.session_watch import watch
from mcpops_broker.upstream.streams import read_response
from mcpops_broker.upstream.transport import Transport, error_reply

MOST_RENEWALS = 2
"""Times that a request gets a new session: an upstream that restarts twice in a row forgets the first new one, too."""
MOST_TOLD = 250
"""Notifications and answers that one upstream may be slow to take at the same time."""


class Keeper(Protocol):
    """Knows the clients' sessions that other workers have opened at this upstream, and tells them of ours."""

    async def find(self, client: Client, stale: str | None) -> Mapping[str, Any] | None:
        """Return the `UpstreamSession.export` of a client's session that another worker has open; None: open one here.
        `stale` is the id of a session that the upstream has forgotten, which is not the one wanted."""

    def opened(self, client: Client, session: UpstreamSession) -> None:
        """Take note that a session was opened here."""

    def failed(self, client: Client) -> None:
        """Take note that a session could not be opened here."""

    async def may_end(self, identity: str, session: UpstreamSession) -> bool:
        """Tell whether it is this worker that ends a client's session that all replicas know."""


class SessionLink(Link):
    """The way to one upstream by sessions."""

    def __init__(self, transport: Transport, options: BrokerOptions, background: Background, events: Events) -> None:
        self._transport = transport
        self._background = background
        self.events = events
        self._total = options.timeouts.total
        self._control = min(CONTROL_TIMEOUT, options.timeouts.total)
        self._own: UpstreamSession | None = None
        """The broker's own session."""
        self._shared: UpstreamSession | None = None
        """The own session when the upstream keeps none: it does for all."""
        self._renewing = asyncio.Lock()
        self.sessions = SessionPool(transport.name, self._open_for, self._close_later)
        self.keeper: Keeper | None = None
        self._ids = count(1)
        self._salt = token_hex(4)
        """In the ids of the broker's own requests: another worker may use the same session."""
        self._told = 0
        """Messages on their way that nobody waits for."""
        self._watcher: asyncio.Task[None] | None = None
        self._uris: set[str] = set()
        """The resources subscribed to in the own session."""

    async def connect(self) -> Peer:
        """Open the broker's own session."""
        session = await self._open({}, self._transport.headers)
        self.disconnect()  # another one may have been opened meanwhile
        self._own = session
        self._shared = session if session.id is None and not self._transport.personal else None
        return session.peer

    @property
    def keeps_sessions(self) -> bool:
        """Whether the upstream gave the broker's own session an id."""
        return self._own is not None and self._own.id is not None

    async def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send one of the broker's own requests, in a new session when the upstream has forgotten the old one."""
        session = self._own or await self._renewed(None)
        try:
            return await self._call(session, method, params)
        except StaleSessionError:
            return await self._call(await self._renewed(session), method, params)

    async def ping(self) -> None:
        """Send `ping`."""
        await self.call("ping", {})

    async def request(self, exchange: Exchange, method: str, params: dict[str, Any]) -> Reply:
        """Carry out a client's request.

        A session that the upstream has forgotten is replaced and the request sent again, which is safe: the upstream
        refused it because of the session.
        """
        client = exchange.client
        session = self._shared or self.sessions.peek(client.identity) or await self.sessions.get(client)
        token: Id | None = None
        if client.stateless or session.id is None:
            # Others share the session, or all that the upstream sees of it, so ids and tokens are the broker's own.
            exchange.upstream_id = f"{self._salt}:{next(self._ids)}"
            params, token = _in_session(params, exchange.upstream_id)
        else:
            exchange.upstream_id = exchange.request_id
        body = orjson.dumps(jsonrpc.request(exchange.upstream_id, method, params))
        for _ in range(MOST_RENEWALS):
            try:
                return await self._relay(session, body, exchange, token)
            except StaleSessionError:
                logs.info("upstream.session.stale", upstream=self._transport.name, session=client.identity)
                self.sessions.forget(client.identity, session)
                session = await self.sessions.get(client, session.id)
        return await self._relay(session, body, exchange, token)

    async def cancel(self, exchange: Exchange, reason: str | None) -> None:
        """Tell the upstream that nobody waits for a request any more."""
        params: dict[str, Any] = {"requestId": exchange.upstream_id}
        if reason is not None:
            params["reason"] = reason
        await self.notify(exchange.client.identity, jsonrpc.notification("notifications/cancelled", params))

    async def notify(self, identity: str, message: Message) -> None:
        """Pass on a client's notification, if it has a session."""
        session = self._shared or self.sessions.peek(identity)
        if session is not None:
            await self._tell(session, message)

    async def announce(self, identity: str, message: Message) -> None:
        """Pass on a notification about the client itself, if its session was opened here: the upstream hears it once,
        from one of the workers."""
        session = self.sessions.peek(identity)
        if session is not None and not session.borrowed:
            await self._tell(session, message)

    async def watch(self, uris: Iterable[str]) -> None:
        """Open the stream of the broker's own session if the upstream announces anything, and subscribe to the
        resources that are not subscribed to in this session."""
        session = self._own
        if session is None:
            return
        if self._watcher is None and _announces(session.peer):
            work = watch(self._transport, session, OwnInbound(self, session), self._gap)
            self._watcher = self.spawn(work, f"watch {self._transport.name}")
        for uri in set(uris) - self._uris:
            with suppress(UpstreamRpcError):  # the resource has gone in the meantime
                await self.subscribe(uri)
                self.events.updated(uri)  # nobody knows what happened since the last session ended

    async def subscribe(self, uri: str) -> None:
        """Send `resources/subscribe` in the broker's own session."""
        await self.call("resources/subscribe", {"uri": uri})
        self._uris.add(uri)

    async def unsubscribe(self, uri: str) -> None:
        """Send `resources/unsubscribe`."""
        if self._own is not None and uri in self._uris:
            self._uris.discard(uri)
            await self._call(self._own, "resources/unsubscribe", {"uri": uri})

    def end_client(self, identity: str) -> None:
        """End a client's session."""
        self.sessions.drop(identity)

    def disconnect(self) -> None:
        """End the broker's own session and its stream."""
        if self._own is not None:
            self._close_later("", self._own)
        self._forget_own()

    def close(self) -> None:
        """End all sessions."""
        self.sessions.clear()
        self.disconnect()

    async def export(self, client: Client, stale: str | None) -> dict[str, Any]:
        """Return a client's session as another worker can use it, opened if need be."""
        session = self.sessions.peek(client.identity)
        if session is not None and session.id == stale:
            self.sessions.forget(client.identity, session)
            session = None
        session = session or await self.sessions.get(client, stale)
        session.lent = True
        return session.export()

    def _session(self) -> UpstreamSession:
        if self._own is None:
            raise self._transport.error("closed", "is being disconnected")
        return self._own

    async def _renewed(self, stale: UpstreamSession | None) -> UpstreamSession:
        """Return the own session that is there instead of one which the upstream has forgotten (None: there was none).

        Several requests find out at the same time: the first opens a session, the others get that one. What was
        watched in the old one is watched in the new one.
        """
        async with self._renewing:
            if self._own is not stale:
                return self._session()
            watched, uris = self._watcher is not None, self._uris
            self._forget_own()
            await self.connect()
        if watched or uris:
            await self.watch(uris)
        if stale is not None:
            self.events.changed()
        return self._session()

    def _forget_own(self) -> None:
        self._stop_watching()
        self._own = self._shared = None
        self._uris = set()

    def _gap(self) -> None:
        """The stream was interrupted: anything may have changed."""
        self.events.changed()
        for uri in self._uris:
            self.events.updated(uri)

    def _stop_watching(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None

    async def _open_for(self, client: Client, stale: str | None) -> UpstreamSession:
        headers = self._transport.authorized(self._transport.headers, client)
        capabilities = of_sessions(client.capabilities)
        keeper = self.keeper
        if keeper is None or client.stateless:
            return await self._open(capabilities, headers)
        if (known := await keeper.find(client, stale)) is not None:
            return UpstreamSession.adopted(known, headers)
        try:
            session = await self._open(capabilities, headers)
        except BaseException:
            keeper.failed(client)
            raise
        keeper.opened(client, session)
        return session

    async def _open(self, capabilities: Mapping[str, Any], headers: dict[str, str]) -> UpstreamSession:
        """Initialize a session; `headers` are those of every request in it."""
        transport = self._transport
        params = {
            "protocolVersion": LATEST_SESSION_VERSION,
            "capabilities": capabilities,
            "clientInfo": CLIENT_INFO,
        }
        bare = UpstreamSession.opened(None, Peer(Era.SESSION, LATEST_SESSION_VERSION), headers)
        body = orjson.dumps(jsonrpc.request("initialize", "initialize", params))
        with Deadline(transport.name, self._control):
            answer = await transport.post(bare.headers, body)
            session_id = answer.header("mcp-session-id")
            inbound = OwnInbound(self, bare)
            _, response = await read_response(transport, answer, "initialize", inbound)
            session = UpstreamSession.opened(session_id, self._peer(transport.result(response)), headers)
            await self._send(session, jsonrpc.notification("notifications/initialized"))
        return session

    def _peer(self, result: dict[str, Any]) -> Peer:
        version = result.get("protocolVersion")
        if version not in SESSION_VERSIONS:
            raise self._transport.error("version", f"speaks MCP {version!r}, which this broker does not")
        capabilities, info, text = (result.get(key) for key in ("capabilities", "serverInfo", "instructions"))
        return Peer(
            Era.SESSION,
            version,
            capabilities if isinstance(capabilities, dict) else {},
            info if isinstance(info, dict) else {},
            text if isinstance(text, str) else None,
        )

    async def _call(self, session: UpstreamSession, method: str, params: dict[str, Any]) -> dict[str, Any]:
        transport = self._transport
        request_id = f"broker:{self._salt}:{next(self._ids)}"
        body = orjson.dumps(jsonrpc.request(request_id, method, params))
        with Deadline(transport.name, self._control):
            answer = await transport.post(session.headers, body, in_session=session.id is not None)
            inbound = OwnInbound(self, session)
            _, response = await read_response(transport, answer, request_id, inbound)
        return transport.result(response)

    async def _relay(self, session: UpstreamSession, body: bytes, exchange: Exchange, token: Id | None) -> Reply:
        transport = self._transport
        request_id = exchange.upstream_id
        if request_id is None:
            raise RuntimeError("a request needs an id")
        client = exchange.client
        # What else is said in the session, answers for example, needs the authorization that is valid now, too. The
        # request itself has its own client's, whoever uses the session meanwhile.
        headers = session.headers = transport.authorized(session.headers, client)
        if client.log_level is not None:
            await self._set_level(session, client)
        stream: SessionStream | None = None
        inbound: CallInbound | None = None
        session.active += 1
        session.used = time.monotonic()
        try:
            with Deadline(transport.name, self._total) as deadline:
                inbound = CallInbound(self, session, exchange, deadline, token=token)
                if session.id is not None and (client.capabilities or client.log_level is not None):
                    stream = session.stream = session.stream or SessionStream(
                        self, transport, session, alone=self.keeper is None
                    )
                    await stream.begin(inbound)
                sent = {**headers, **exchange.trace} if exchange.trace else headers
                answer = await transport.post(sent, body, in_session=session.id is not None)
                return Reply(*await read_response(transport, answer, request_id, inbound))
        except UpstreamRpcError as error:
            return error_reply(request_id, error)
        finally:
            session.active -= 1
            if inbound is not None:
                inbound.close()
                if stream is not None:
                    stream.end(inbound)

    async def _set_level(self, session: UpstreamSession, client: Client) -> None:
        """Have the upstream send log messages as the client wants them.

        On a session that several clients share the most talkative level wins; the endpoint drops what is too much.
        """
        level, now = client.log_level, session.log_level
        if level is None or level == now or not session.peer.offers("logging"):
            return
        if client.stateless and now is not None and meta.logs_at(now, level):
            return
        session.log_level = level
        with suppress(UpstreamRpcError):  # it does not know the level: log messages are no reason to fail
            await self._call(session, "logging/setLevel", {"level": level})

    async def _send(self, session: UpstreamSession, message: Message) -> None:
        with Deadline(self._transport.name, self._control):
            body = orjson.dumps(message)
            (await self._transport.post(session.headers, body, in_session=session.id is not None)).close()

    async def _tell(self, session: UpstreamSession, message: Message) -> None:
        """Send a message that nobody waits for. With `MOST_TOLD` on their way another one is dropped: an upstream that
        asks without end and takes no answer would get all connections that the process may have."""
        if self._told >= MOST_TOLD:
            raise self._transport.error("busy", f"has not taken {self._told} messages yet; another one is dropped")
        self._told += 1
        try:
            await self._send(session, message)
        finally:
            self._told -= 1

    async def respond(self, session: UpstreamSession, response: Message) -> None:
        """Send the response to a request of the upstream."""
        with suppress(UpstreamError):  # the upstream is gone, and so is its question
            await self._tell(session, response)

    async def resume(self, session: UpstreamSession, last_event: str) -> Answer | None:
        """Open a stream again from an event on."""
        return await self._transport.listen(session.headers, last_event)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run something that nobody awaits."""
        return self._background.start(work, name)

    def _close_later(self, identity: str, session: UpstreamSession, ended: bool = True) -> None:
        if session.stream is not None:
            session.stream.close()
        if session.id is None:
            return
        if session.shared:
            if ended:
                self.spawn(self._end_shared(identity, session), "close session")
        elif not session.borrowed:
            self.spawn(self._close(session), "close session")

    async def _end_shared(self, identity: str, session: UpstreamSession) -> None:
        if self.keeper is not None and await self.keeper.may_end(identity, session):
            await self._close(session)

    async def end(self, exported: Mapping[str, Any]) -> None:
        """End a session that another worker has opened."""
        await self._close(UpstreamSession.adopted(exported, self._transport.headers))

    async def _close(self, session: UpstreamSession) -> None:
        # Whether or not the upstream is still there.
        with suppress(UpstreamError), Deadline(self._transport.name, self._control):
            await self._transport.delete(session.headers)


def _announces(peer: Peer) -> bool:
    """Tell whether the upstream sends any notifications on its own stream."""
    return peer.offers("resources", "subscribe") or any(
        peer.offers(capability, "listChanged") for capability in ("tools", "prompts", "resources")
    )


def _in_session(params: dict[str, Any], token: Id) -> tuple[dict[str, Any], Id | None]:
    """Return params of a request without a session as a session has them, with the broker's progress token, and the
    client's token if it gave one."""
    params = meta.without_envelope(params)
    own = params.get("_meta")
    if not isinstance(own, dict) or (theirs := own.get(meta.PROGRESS_TOKEN)) is None:
        return params, None
    return {**params, "_meta": {**own, meta.PROGRESS_TOKEN: token}}, theirs
