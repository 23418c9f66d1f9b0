# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What a session's requests and notifications do. No HTTP here: messages in, serialized responses out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import orjson

from mcpops_broker import __version__, logs
from mcpops_broker.mcp.calls import CANCEL_GRACE, Call
from mcpops_broker.protocol import jsonrpc
from mcpops_broker.protocol.jsonrpc import Id, Message, RpcError
from mcpops_broker.protocol.versions import negotiate
from mcpops_broker.sessions.store import Session
from mcpops_broker.upstream.errors import UpstreamError, UpstreamRpcError
from mcpops_broker.upstream.exchange import Exchange
from mcpops_broker.upstream.transport import OnNotification
from mcpops_broker.upstream.upstream import Upstream

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker

REQUEST_CANCELLED = -32800
"""Answer to a request that its client has cancelled; clients ignore it. Outside the codes that JSON-RPC reserves."""


class SessionExchange(Exchange):
    """A request of a client session."""

    resolves_input = True
    headers: Mapping[str, str] = MappingProxyType({})

    __slots__ = ("_notify", "client", "request_id", "session", "virtual_server")

    def __init__(
        self, session: Session, request_id: Id, virtual_server: str | None, notify: OnNotification | None
    ) -> None:
        self.session = session
        self.request_id = request_id
        self.virtual_server = virtual_server
        self.client = session.client
        self._notify = notify
        """Takes notifications that belong to the request; None when the client cannot get any."""

    async def notify(self, raw: bytes) -> None:
        """Pass on a notification that belongs to the request."""
        if self._notify is not None:
            await self._notify(raw)

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Refuse: no client declares anything here yet."""
        raise RpcError(jsonrpc.METHOD_NOT_FOUND, f"Method {jsonrpc.excerpt(method)} is not supported by this client")


def initialize(broker: Broker, message: Message) -> tuple[bytes, str]:
    """Start a session: return the response and the new session's id."""
    version = negotiate(message.get("params", {}).get("protocolVersion"))
    result: dict[str, Any] = {
        "protocolVersion": version,
        "capabilities": {"tools": {"listChanged": True}},
        "serverInfo": {"name": "mcpops-broker", "version": __version__},
    }
    if broker.config.broker.instructions:
        result["instructions"] = broker.config.broker.instructions
    return jsonrpc.result_bytes(message["id"], orjson.dumps(result)), broker.sessions.start(version)


async def answer(broker: Broker, exchange: SessionExchange, message: Message) -> bytes:
    """Carry out a request and return its response; errors of the request become error responses."""
    request_id: Id = message["id"]
    try:
        method = message["method"]
        if method == "tools/call":
            return await _call_tool(broker, exchange, message)
        if method == "tools/list":
            view = broker.catalogue.view(exchange.virtual_server)
            return jsonrpc.result_bytes(request_id, view.page(message.get("params", {}).get("cursor")))
        if method == "ping":
            return jsonrpc.result_bytes(request_id, b"{}")
        if method == "initialize":
            raise RpcError(jsonrpc.INVALID_REQUEST, "Invalid request: initialize cannot be part of a batch")
        raise RpcError(jsonrpc.METHOD_NOT_FOUND, f"Method not found: {jsonrpc.excerpt(method)}")
    except RpcError as error:
        return jsonrpc.error_bytes(request_id, error)
    except UpstreamRpcError as error:
        return jsonrpc.error_bytes(request_id, RpcError(error.code, error.message, error.data))
    except UpstreamError as error:
        logs.warning("call.failed", upstream=error.upstream, reason=error.reason, problem=str(error))
        data = {"upstream": error.upstream, "reason": error.reason}
        return jsonrpc.error_bytes(request_id, RpcError(jsonrpc.INTERNAL_ERROR, str(error), data))


def take_notification(broker: Broker, session: Session, message: Message) -> None:
    """Act on a notification of a client. Those without meaning here are accepted and dropped, as JSON-RPC asks."""
    if message["method"] == "notifications/cancelled":
        params = message.get("params", {})
        if not cancel(broker, session.key.identity, params):
            broker.tell_workers("cancel", {"identity": session.key.identity, "params": params})


def cancel(broker: Broker, identity: str, params: dict[str, Any]) -> bool:
    """Cancel a call of this worker: tell the upstream, and stop waiting for it soon. False: no such call here."""
    call = broker.calls.find(identity, params.get("requestId"))
    if call is None:
        return False
    forwarded = _cancelled(params["requestId"], params.get("reason"))
    broker.background.start(_tell(call.upstream, identity, forwarded), "cancel")
    asyncio.get_running_loop().call_later(CANCEL_GRACE, _stop, broker, identity, params["requestId"], call)
    return True


async def _call_tool(broker: Broker, exchange: SessionExchange, message: Message) -> bytes:
    """Relay `tools/call` to the tool's upstream.

    The request is written anew from its parsed form, never passed on as bytes: with a duplicate key the upstream
    might read another tool name than the one that was checked here. The response is passed on byte by byte.
    """
    params = message.get("params", {})
    name = params.get("name")
    if not isinstance(name, str):
        raise RpcError(jsonrpc.INVALID_PARAMS, 'Invalid params: "name" must be the name of a tool')
    catalogue = broker.catalogue
    route = catalogue.routes.get(name)
    if route is None or (exchange.virtual_server is not None and name not in catalogue.view(exchange.virtual_server)):
        raise RpcError(jsonrpc.INVALID_PARAMS, f"Unknown tool: {jsonrpc.excerpt(name)}")
    upstream = broker.upstreams[route.upstream]
    request_id: Id = message["id"]
    identity = exchange.session.key.identity
    params["name"] = route.tool
    call = broker.calls.begin(identity, request_id, upstream)
    try:
        reply = await upstream.request(exchange, "tools/call", params)
        return reply.for_request(request_id)
    except asyncio.CancelledError:
        if not call.stopped:
            raise
        call.task.uncancel()
        raise RpcError(REQUEST_CANCELLED, "Request cancelled") from None
    except UpstreamError as error:
        if error.reason == "timeout":
            cancelled = _cancelled(request_id, "timeout")
            broker.background.start(_tell(upstream, identity, cancelled), "cancel")
        raise
    finally:
        broker.calls.end(identity, request_id, call)


def _cancelled(request_id: Id, reason: object) -> Message:
    params: dict[str, Any] = {"requestId": request_id}
    if isinstance(reason, str):
        params["reason"] = reason
    return jsonrpc.notification("notifications/cancelled", params)


async def _tell(upstream: Upstream, identity: str, message: Message) -> None:
    try:
        await upstream.notify(identity, message)
    except UpstreamError as error:
        logs.debug("cancel.failed", upstream=error.upstream, problem=str(error))


def _stop(broker: Broker, identity: str, request_id: Id, call: Call) -> None:
    if broker.calls.find(identity, request_id) is call:
        call.stop()
