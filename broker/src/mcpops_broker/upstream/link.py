# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Speaking MCP to one upstream: sessions, requests, notifications.

The link has no state of its own; sessions are values that callers keep. Every method raises `UpstreamError`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import orjson

from mcpops_broker import __version__
from mcpops_broker.background import Background
from mcpops_broker.config.model import BrokerOptions, Server
from mcpops_broker.net.client import HttpClient
from mcpops_broker.protocol import jsonrpc
from mcpops_broker.protocol.jsonrpc import Message
from mcpops_broker.protocol.versions import LATEST_SESSION_VERSION, SESSION_VERSIONS
from mcpops_broker.upstream.errors import UpstreamError
from mcpops_broker.upstream.exchange import Exchange, Reply
from mcpops_broker.upstream.session import UpstreamSession
from mcpops_broker.upstream.transport import Transport

CONTROL_TIMEOUT = 30.0
"""Seconds for the broker's own requests (initialize, lists), unless the configured total is shorter."""


class UpstreamLink:
    """The way to one upstream."""

    def __init__(
        self, server: Server, http: HttpClient, options: BrokerOptions, background: Background, ca_bundle: str | None
    ) -> None:
        self.name = server.name
        self._transport = Transport(
            server, http, options, background=background, ca_bundle=ca_bundle, on_request=self._answer
        )
        self._total = options.timeouts.total
        self._control = min(CONTROL_TIMEOUT, options.timeouts.total)

    async def open_session(self) -> UpstreamSession:
        """Initialize a session."""
        transport = self._transport
        bare = UpstreamSession(None, LATEST_SESSION_VERSION, {}, transport.headers)
        params = {
            "protocolVersion": LATEST_SESSION_VERSION,
            "capabilities": {},
            "clientInfo": {"name": "mcpops-broker", "version": __version__},
        }
        body = orjson.dumps(jsonrpc.request("initialize", "initialize", params))
        async with _Deadline(self.name, self._control):
            answer = await transport.post(bare, body)
            session_id = answer.header("mcp-session-id")
            result = transport.result((await transport.response(bare, answer, "initialize", None))[1])
            version = result.get("protocolVersion")
            if version not in SESSION_VERSIONS:
                raise transport.error("version", f"speaks MCP {version!r}, which this broker does not")
            capabilities = result.get("capabilities")
            headers = {**transport.headers, "mcp-protocol-version": version}
            if session_id:
                headers["mcp-session-id"] = session_id
            session = UpstreamSession(
                session_id or None, version, capabilities if isinstance(capabilities, dict) else {}, headers
            )
            await self.notify(session, jsonrpc.notification("notifications/initialized"))
        return session

    async def request(self, session: UpstreamSession, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Send one of the broker's own requests and return its result."""
        request_id = f"broker:{method}"
        body = orjson.dumps(jsonrpc.request(request_id, method, params))
        async with _Deadline(self.name, self._control):
            answer = await self._transport.post(session, body)
            _, response = await self._transport.response(session, answer, request_id, None)
        return self._transport.result(response)

    async def relay(self, session: UpstreamSession, body: bytes, exchange: Exchange) -> Reply:
        """Send a client's request and return the response.

        Notifications that come before it go to the client. Raises `StaleSessionError` when nothing was carried out
        and a new session would help.
        """
        if exchange.upstream_id is None:
            raise RuntimeError("a request needs an id")
        async with _Deadline(self.name, self._total):
            answer = await self._transport.post(session, body)
            return Reply(*await self._transport.response(session, answer, exchange.upstream_id, exchange.notify))

    async def notify(self, session: UpstreamSession, message: Message) -> None:
        """Send a notification or a response."""
        async with _Deadline(self.name, self._control):
            (await self._transport.post(session, orjson.dumps(message))).close()

    async def listen(self, session: UpstreamSession) -> AsyncIterator[Message] | None:
        """Open the stream of an upstream's own notifications; None when it offers none."""
        answer = await self._transport.listen(session)
        return None if answer is None else self._transport.messages(session, answer)

    async def close_session(self, session: UpstreamSession) -> None:
        """End a session, whether or not the upstream is still there."""
        if session.id is not None:
            with suppress(UpstreamError):
                async with _Deadline(self.name, self._control):
                    await self._transport.delete(session)

    async def _answer(self, session: UpstreamSession, message: Message) -> None:
        """Answer a request of the upstream: `ping`; we declared no capability, so anything else is unknown to us."""
        response: Message = {"jsonrpc": "2.0", "id": message["id"]}
        if message["method"] == "ping":
            response["result"] = {}
        else:
            text = f"Method {jsonrpc.excerpt(message['method'])} is not supported by this client"
            response["error"] = {"code": jsonrpc.METHOD_NOT_FOUND, "message": text}
        with suppress(UpstreamError):  # the upstream is gone, and so is its question
            await self.notify(session, response)


class _Deadline:
    """`asyncio.timeout` that raises an `UpstreamError` naming the upstream and the time."""

    __slots__ = ("_seconds", "_timeout", "_upstream")

    def __init__(self, upstream: str, seconds: float) -> None:
        self._upstream = upstream
        self._seconds = seconds
        self._timeout = asyncio.timeout(seconds)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            raise UpstreamError(self._upstream, "timeout", f"no complete answer within {self._seconds:g} s") from None
