# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What requests of client sessions do. No HTTP here: messages in, serialized responses out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import orjson

from mcpops_broker.catalogue.scope import Scope
from mcpops_broker.mcp import methods
from mcpops_broker.mcp.introduction import CAPABILITIES, SERVER_INFO, instructions
from mcpops_broker.mcp.session_exchange import SessionExchange
from mcpops_broker.principal import Principal
from mcpops_broker.protocol import jsonrpc, meta
from mcpops_broker.protocol.jsonrpc import Message, RpcError
from mcpops_broker.protocol.versions import negotiate
from mcpops_broker.seen.record import Outcome
from mcpops_broker.sessions.capabilities import flags_of
from mcpops_broker.upstream.errors import UpstreamError

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker

Params = dict[str, Any]


def initialize(broker: Broker, principal: Principal, scope: Scope, message: Message) -> tuple[bytes, str]:
    """Start a session: return the response and the new session's id. `scope` is that of this request."""
    params = message.get("params", {})
    version = negotiate(params.get("protocolVersion"))
    result: dict[str, Any] = {"protocolVersion": version, "capabilities": CAPABILITIES, "serverInfo": SERVER_INFO}
    if text := instructions(broker, scope, sessions=True):
        result["instructions"] = text
    session_id = broker.sessions.start(principal.digest, version, flags_of(params.get("capabilities")))
    return jsonrpc.result_bytes(message["id"], orjson.dumps(result)), session_id


async def answer(broker: Broker, exchange: SessionExchange, message: Message) -> bytes:
    """Carry out a request and return its response; errors of the request become error responses."""
    method = message["method"]
    params = message.get("params", {})
    try:
        broker.rate_limits.request(exchange.principal, method)
        handler = _HANDLERS.get(method)
        if handler is not None:
            await handler(broker, exchange, params)
            return jsonrpc.result_bytes(exchange.request_id, b"{}")
        return await broker.calls.run(exchange, methods.answer(broker, exchange, method, params))
    except asyncio.CancelledError:
        exchange.record.outcome = Outcome.GONE
        raise
    except RpcError as error:
        exchange.record.failed(error)
        return exchange.failed(error)
    except UpstreamError as error:
        exchange.record.failed(error)
        return exchange.failed(methods.rpc_error(error))


async def _initialize(broker: Broker, exchange: SessionExchange, params: Params) -> None:
    raise RpcError(jsonrpc.INVALID_REQUEST, "Invalid request: initialize cannot be part of a batch")


async def _ping(broker: Broker, exchange: SessionExchange, params: Params) -> None:
    """Answer."""


async def _set_level(broker: Broker, exchange: SessionExchange, params: Params) -> None:
    level = params.get("level")
    if level not in meta.LOG_LEVELS:
        wanted = ", ".join(meta.LOG_LEVELS)
        raise RpcError(jsonrpc.INVALID_PARAMS, f'Invalid params: "level" must be one of {wanted}')
    exchange.session.set_log_level(level)
    broker.bus.send("level", [[exchange.session.id, level]])


async def _subscribe(broker: Broker, exchange: SessionExchange, params: Params) -> None:
    uri = _uri(params)
    broker.watched_resources.check(exchange.session, uri)
    refusal: UpstreamError | None = None
    for upstream in methods.resource_upstreams(broker, exchange, uri):
        broker.rate_limits.call(exchange.principal, "resources/subscribe", upstream.server.name, "")
        try:
            await broker.watched_resources.add(exchange.session, upstream.server.name, uri)
        except UpstreamError as error:
            refusal = error
        else:
            await broker.watched_resources.share(exchange.session, upstream.server.name, uri)
            return
    raise refusal or methods.unknown_resource(exchange, uri)


async def _unsubscribe(broker: Broker, exchange: SessionExchange, params: Params) -> None:
    uri = _uri(params)
    await broker.watched_resources.remove(exchange.session, uri)
    broker.bus.send("unsubscribed", [exchange.session.id, uri])


def _uri(params: Params) -> str:
    uri = params.get("uri")
    if not isinstance(uri, str):
        raise RpcError(jsonrpc.INVALID_PARAMS, 'Invalid params: "uri" must be the URI of a resource')
    return uri


_HANDLERS: dict[str, Callable[[Broker, SessionExchange, Params], Awaitable[None]]] = {
    "initialize": _initialize,
    "logging/setLevel": _set_level,
    "ping": _ping,
    "resources/subscribe": _subscribe,
    "resources/unsubscribe": _unsubscribe,
}
"""The methods of sessions only. All have an empty result."""
