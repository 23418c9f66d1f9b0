# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What requests mean in every revision of MCP: which upstream gets them, and under which names.

No HTTP and no sessions here. Methods that only one era has are in `session_methods` and in that of the other era.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from mcpops_broker import logs
from mcpops_broker.mcp.exchange import ClientExchange
from mcpops_broker.protocol import jsonrpc
from mcpops_broker.protocol.jsonrpc import RpcError
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.upstream.errors import UpstreamError, UpstreamRpcError
from mcpops_broker.upstream.upstream import Upstream

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker

Params = dict[str, Any]
Handler = Callable[["Broker", ClientExchange, Params], Awaitable[bytes]]


async def answer(broker: Broker, exchange: ClientExchange, method: str, params: Params) -> bytes:
    """Carry out a request and return its response, serialized; `params` is changed.

    Raises `RpcError` for what the client did wrong and `UpstreamError` for what an upstream did; `rpc_error` makes
    the first of the second.
    """
    handler = HANDLERS.get(method)
    if handler is None:
        raise RpcError(jsonrpc.METHOD_NOT_FOUND, f"Method not found: {jsonrpc.excerpt(method)}")
    return await handler(broker, exchange, params)


def rpc_error(error: UpstreamError) -> RpcError:
    """Turn what an upstream did wrong into what its client is told."""
    if isinstance(error, UpstreamRpcError):
        return RpcError(error.code, error.message, error.data)
    logs.warning("call.failed", upstream=error.upstream, reason=error.reason, problem=str(error))
    data = {"upstream": error.upstream, "reason": error.reason}
    return RpcError(jsonrpc.INTERNAL_ERROR, str(error), data)


async def relay(broker: Broker, exchange: ClientExchange, upstream: Upstream, method: str, params: Params) -> bytes:
    """Have an upstream carry out a request.

    The request is written anew from its parsed form, never passed on as bytes: with a duplicate key the upstream
    might read another name than the one that was checked here. The response is passed on byte by byte.
    """
    exchange.upstream = upstream
    try:
        return exchange.response(await upstream.request(exchange, method, params))
    except UpstreamError as error:
        if error.reason == "timeout":
            broker.background.start(upstream.cancel(exchange, "timeout"), "cancel")
        raise


async def _call_tool(broker: Broker, exchange: ClientExchange, params: Params) -> bytes:
    name = params.get("name")
    if not isinstance(name, str):
        raise RpcError(jsonrpc.INVALID_PARAMS, 'Invalid params: "name" must be the name of a tool')
    catalogue = broker.catalogue
    route = catalogue.route_tool(name)
    if route is None or not catalogue.view(exchange.scope).allows_tool(name):
        raise RpcError(jsonrpc.INVALID_PARAMS, f"Unknown tool: {jsonrpc.excerpt(name)}")
    params["name"] = route.name
    return await relay(broker, exchange, broker.upstreams[route.upstream], "tools/call", params)


async def _list_tools(broker: Broker, exchange: ClientExchange, params: Params) -> bytes:
    stateless = exchange.client.stateless
    page = broker.catalogue.view(exchange.scope).page(Kind.TOOLS, params.get("cursor"), stateless=stateless)
    return jsonrpc.result_bytes(exchange.request_id, page)


HANDLERS: dict[str, Handler] = {
    "tools/call": _call_tool,
    "tools/list": _list_tools,
}
"""The methods of both eras."""
