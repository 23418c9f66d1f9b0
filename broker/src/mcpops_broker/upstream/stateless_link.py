# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The stateless era (MCP 2026-07-28 and later): every request stands alone and says who its client is.

Nothing is kept at the upstream, so there is nothing to open, to lose or to end. When an upstream needs something of a
client it ends the request with `input_required` and is asked again with the answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any

import orjson

from mcpops_broker import logs
from mcpops_broker.background import Background
from mcpops_broker.config.model import BrokerOptions
from mcpops_broker.protocol import headers, jsonrpc, meta
from mcpops_broker.protocol.capabilities import of_sessions
from mcpops_broker.protocol.headers import Mirror
from mcpops_broker.protocol.jsonrpc import Message
from mcpops_broker.protocol.versions import LATEST_STATELESS_VERSION, SESSION_VERSIONS, STATELESS_VERSIONS
from mcpops_broker.upstream.deadline import Deadline
from mcpops_broker.upstream.errors import UpstreamError, UpstreamRpcError
from mcpops_broker.upstream.exchange import Client, Exchange, Reply
from mcpops_broker.upstream.input_rounds import InputRounds
from mcpops_broker.upstream.link import CLIENT_INFO, CONTROL_TIMEOUT, Events, Link
from mcpops_broker.upstream.listing import Item, Listing
from mcpops_broker.upstream.peer import Era, Peer
from mcpops_broker.upstream.stateless_watch import StatelessWatch
from mcpops_broker.upstream.streams import Inbound, read_response
from mcpops_broker.upstream.transport import Transport, error_reply

DEFAULT_LOG_LEVEL = "info"
"""What a client session gets that never said which log messages it wants: up to 2025-11-25 the server decides."""


class StatelessLink(Link):
    """The way to one upstream without sessions."""

    def __init__(self, transport: Transport, options: BrokerOptions, background: Background, events: Events) -> None:
        self._transport = transport
        self._events = events
        self._total = options.timeouts.total
        self._control = min(CONTROL_TIMEOUT, options.timeouts.total)
        self._version = LATEST_STATELESS_VERSION
        self._ids = count(1)
        self._listing = Listing()
        self._tools: dict[str, Item] | None = None
        self._mirrors: dict[str, tuple[Mirror, ...]] = {}
        self._watch = StatelessWatch(transport, self._version, background, events)
        self._peer: Peer | None = None

    async def connect(self) -> Peer:
        """Send `server/discover`. Raises `UpstreamRpcError` as the upstream gave it, also one that is of no era."""
        result = await self.call("server/discover", {})
        supported = result.get("supportedVersions")
        if not isinstance(supported, list):
            raise self._transport.error("invalid", "answered server/discover without supportedVersions")
        mutual = [version for version in STATELESS_VERSIONS if version in supported]
        if not mutual:
            reason = "era" if any(version in SESSION_VERSIONS for version in supported) else "version"
            named = jsonrpc.excerpt(", ".join(map(str, supported)))
            raise self._transport.error(reason, f"speaks MCP {named}, which this broker does not")
        self._version = mutual[-1]
        capabilities, text, info = result.get("capabilities"), result.get("instructions"), result.get("_meta")
        info = info.get(meta.SERVER_INFO) if isinstance(info, dict) else None
        peer = Peer(
            Era.STATELESS,
            self._version,
            capabilities if isinstance(capabilities, dict) else {},
            info if isinstance(info, dict) else {},
            text if isinstance(text, str) else None,
        )
        self._peer = peer
        return peer

    async def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send one of the broker's own requests and return its result."""
        transport = self._transport
        request_id = f"broker:{next(self._ids)}"
        params = meta.with_envelope(params, version=self._version, capabilities={}, client_info=CLIENT_INFO)
        body = orjson.dumps(jsonrpc.request(request_id, method, params))
        own = {**transport.headers, **headers.standard_headers(self._version, method, params)}
        with Deadline(transport.name, self._control):
            answer = await transport.post(own, body)
            _, response = await read_response(transport, answer, request_id, _NOBODY)
        return transport.result(response)

    async def ping(self) -> None:
        """Send `server/discover`: this era has no ping."""
        await self.call("server/discover", {})

    async def request(self, exchange: Exchange, method: str, params: dict[str, Any]) -> Reply:
        """Carry out a client's request, in several rounds when the upstream needs input and the client does not know
        of such rounds."""
        exchange.upstream_id = exchange.request_id
        exchange.carrier = asyncio.current_task()
        try:
            with Deadline(self._transport.name, self._total) as deadline:
                reply = await self._post(exchange, method, params)
                if not exchange.resolves_input or not _needs_input(reply):
                    return reply
                rounds = InputRounds(self._transport.name, exchange, deadline)
                while _needs_input(reply):
                    more = await rounds.answers(reply.message["result"])
                    if isinstance(more, Reply):
                        return more
                    exchange.upstream_id = f"broker:{next(self._ids)}"
                    reply = await self._post(exchange, method, {**params, **more})
                return reply
        except asyncio.CancelledError:
            task = exchange.carrier
            if not exchange.cancelled or task is None:
                raise
            task.uncancel()
            raise self._transport.error("cancelled", "the request was cancelled") from None
        finally:
            exchange.carrier = None

    async def cancel(self, exchange: Exchange, reason: str | None) -> None:
        """Drop the connection that carries the request: in this era that is how to cancel."""
        if exchange.carrier is not None and not exchange.cancelled:
            exchange.cancelled = True
            exchange.carrier.cancel()

    async def notify(self, identity: str, message: Message) -> None:
        """Do nothing: clients have nothing to notify a server of in this era."""

    def learn(self, listing: Listing) -> None:
        """Take note of the tools: some have arguments that are repeated in headers."""
        if listing.tools is not self._listing.tools:
            self._tools = None
            self._mirrors.clear()
        self._listing = listing

    async def watch(self, uris: Iterable[str]) -> None:
        """Listen for what the upstream announces."""
        if self._peer is not None:
            self._watch.restore(self._peer, uris)

    async def subscribe(self, uri: str) -> None:
        """Listen for changes of a resource, too; return when the upstream has agreed."""
        if self._peer is None:
            raise self._transport.error("closed", "is not connected")
        await self._watch.add(self._peer, uri)

    async def unsubscribe(self, uri: str) -> None:
        """Listen for changes of a resource no more."""
        if self._peer is not None:
            self._watch.discard(self._peer, uri)

    def end_client(self, identity: str) -> None:
        """Do nothing: no client is known to the upstream."""

    def disconnect(self) -> None:
        """Stop listening."""
        self._peer = None
        self._watch.stop()

    def close(self) -> None:
        """Stop listening."""
        self.disconnect()

    async def _post(self, exchange: Exchange, method: str, params: dict[str, Any]) -> Reply:
        """Send a request once and return its response."""
        transport, client, request_id = self._transport, exchange.client, exchange.upstream_id
        if request_id is None:
            raise RuntimeError("a request needs an id")
        own = {**transport.headers, **headers.standard_headers(self._version, method, params)}
        if method == "tools/call" and (mirrors := self._mirrors_of(params.get("name"))):
            own.update(headers.param_headers(mirrors, params.get("arguments")))
        own = transport.authorized(own, client)
        if exchange.headers:
            own.update(exchange.headers)
        if exchange.trace:
            own.update(exchange.trace)
        body = orjson.dumps(jsonrpc.request(request_id, method, self._with_client(client, params)))
        try:
            answer = await transport.post(own, body)
            inbound = _CallInbound(exchange)
            return Reply(*await read_response(transport, answer, request_id, inbound))
        except UpstreamRpcError as error:
            if error.code == jsonrpc.HEADER_MISMATCH:
                self._events.changed()  # the headers were made from its tools as they were listed
                raise transport.error(
                    "headers", f"did not accept the headers of the request ({error.message}); its lists are read again"
                ) from None
            if error.code == jsonrpc.UNSUPPORTED_VERSION:
                self._events.changed()
                raise transport.error("version", f"does not speak MCP {self._version} any more") from None
            return error_reply(request_id, error)

    def _with_client(self, client: Client, params: dict[str, Any]) -> dict[str, Any]:
        """Add what the upstream must know of the client."""
        if client.stateless:
            info = meta.meta_of({"params": params}).get(meta.CLIENT_INFO)
            capabilities: Mapping[str, Any] = client.capabilities
            level = client.log_level
        else:
            info = None
            capabilities = of_sessions(client.capabilities)
            level = client.log_level or DEFAULT_LOG_LEVEL
        return meta.with_envelope(
            params,
            version=self._version,
            capabilities=capabilities,
            client_info=info if isinstance(info, dict) else CLIENT_INFO,
            log_level=level,
        )

    def _mirrors_of(self, name: object) -> tuple[Mirror, ...]:
        if not isinstance(name, str):
            return ()
        mirrors = self._mirrors.get(name)
        if mirrors is None:
            if self._tools is None:
                self._tools = {tool["name"]: tool for tool in self._listing.tools}
            try:
                mirrors = headers.find_mirrors(self._tools.get(name, {}).get("inputSchema"))
            except ValueError as error:
                logs.debug("tool.headers", upstream=self._transport.name, tool=name, problem=str(error))
                mirrors = ()
            self._mirrors[name] = mirrors
        return mirrors


class _CallInbound(Inbound):
    """What comes beside the response to a client's request: notifications about it, nothing else."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def notification(self, raw: bytes, message: Message) -> None:
        """Pass a notification on to the client."""
        await self._exchange.notify(raw)

    def request(self, message: Message) -> None:
        """Ignore a request: servers have none in this era."""


class _Nobody(Inbound):
    """What comes beside responses to the broker's own requests."""

    async def notification(self, raw: bytes, message: Message) -> None:
        """Ignore it."""

    def request(self, message: Message) -> None:
        """Ignore it."""


_NOBODY = _Nobody()


def _needs_input(reply: Reply) -> bool:
    result = reply.message.get("result")
    return isinstance(result, dict) and result.get("resultType") == "input_required"


def is_other_era(error: UpstreamError) -> bool:
    """Tell whether a failed `connect` shows that the upstream is no server of this era.

    Rule: MCP 2026-07-28 basic/versioning and basic/transports/streamable-http, "Backward Compatibility". What says
    nothing of the era (no connection, a refused credential, a redirect) is no reason to try the other one.
    """
    if isinstance(error, UpstreamRpcError):
        if error.code in (jsonrpc.HEADER_MISMATCH, jsonrpc.MISSING_CAPABILITY):
            return False
        if error.code == jsonrpc.UNSUPPORTED_VERSION:
            supported = error.data.get("supported") if isinstance(error.data, dict) else None
            return not isinstance(supported, list) or any(version in SESSION_VERSIONS for version in supported)
        return True
    return error.reason not in ("unreachable", "refused", "credential", "redirect", "version")
