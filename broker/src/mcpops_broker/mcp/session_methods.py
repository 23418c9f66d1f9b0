# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What the requests and notifications of client sessions do. No HTTP here: messages in, serialized responses out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson

from mcpops_broker import __version__
from mcpops_broker.mcp import methods
from mcpops_broker.mcp.calls import CANCEL_GRACE, Call
from mcpops_broker.mcp.session_exchange import SessionExchange
from mcpops_broker.protocol import jsonrpc
from mcpops_broker.protocol.jsonrpc import Id, Message, RpcError
from mcpops_broker.protocol.versions import negotiate
from mcpops_broker.sessions.capabilities import flags_of
from mcpops_broker.sessions.store import Session
from mcpops_broker.upstream.errors import UpstreamError

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker

REQUEST_CANCELLED = -32800
"""Answer to a request that its client has cancelled; clients ignore it. Outside the codes that JSON-RPC reserves."""


def initialize(broker: Broker, message: Message) -> tuple[bytes, str]:
    """Start a session: return the response and the new session's id."""
    params = message.get("params", {})
    version = negotiate(params.get("protocolVersion"))
    result: dict[str, Any] = {
        "protocolVersion": version,
        "capabilities": {"tools": {"listChanged": True}},
        "serverInfo": {"name": "mcpops-broker", "version": __version__},
    }
    if broker.config.broker.instructions:
        result["instructions"] = broker.config.broker.instructions
    session_id = broker.sessions.start(version, flags_of(params.get("capabilities")))
    return jsonrpc.result_bytes(message["id"], orjson.dumps(result)), session_id


async def answer(broker: Broker, exchange: SessionExchange, message: Message) -> bytes:
    """Carry out a request and return its response; errors of the request become error responses."""
    request_id: Id = message["id"]
    method = message["method"]
    try:
        if method == "ping":
            return jsonrpc.result_bytes(request_id, b"{}")
        if method == "initialize":
            raise RpcError(jsonrpc.INVALID_REQUEST, "Invalid request: initialize cannot be part of a batch")
        return await _cancellable(broker, exchange, method, message.get("params", {}))
    except RpcError as error:
        return jsonrpc.error_bytes(request_id, error)
    except UpstreamError as error:
        return jsonrpc.error_bytes(request_id, methods.rpc_error(error))


def take_notification(broker: Broker, session: Session, message: Message) -> None:
    """Act on a notification of a client. Those without meaning here are accepted and dropped, as JSON-RPC asks."""
    if message["method"] == "notifications/cancelled":
        params = message.get("params", {})
        if not cancel(broker, session.key.identity, params):
            broker.bus.send("cancel", {"identity": session.key.identity, "params": params})


def cancel(broker: Broker, identity: str, params: dict[str, Any]) -> bool:
    """Cancel a call of this worker: tell the upstream, and stop waiting for it soon. False: no such call here."""
    call = broker.calls.find(identity, params.get("requestId"))
    if call is None:
        return False
    reason = params.get("reason")
    upstream = call.exchange.upstream
    if upstream is not None:
        told = upstream.cancel(call.exchange, reason if isinstance(reason, str) else None)
        broker.background.start(told, "cancel")
    asyncio.get_running_loop().call_later(CANCEL_GRACE, _stop, broker, call)
    return True


async def _cancellable(broker: Broker, exchange: SessionExchange, method: str, params: dict[str, Any]) -> bytes:
    call = broker.calls.begin(exchange)
    try:
        return await methods.answer(broker, exchange, method, params)
    except asyncio.CancelledError:
        if not call.stopped:
            raise
        call.task.uncancel()
        raise RpcError(REQUEST_CANCELLED, "Request cancelled") from None
    finally:
        broker.calls.end(call)


def _stop(broker: Broker, call: Call) -> None:
    if broker.calls.find(call.exchange.client.identity, call.exchange.request_id) is call:
        call.stop()
