# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What requests mean in every revision of MCP: which upstream gets them, and under which names.

No HTTP and no sessions here. Methods that only one era has are in `session_methods` and in that of the other era.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

import orjson

from mcpops_broker import logs
from mcpops_broker.access import discovery, personal
from mcpops_broker.catalogue.source import OWN
from mcpops_broker.mcp.asking import take_asking, with_marked_state
from mcpops_broker.mcp.exchange import ClientExchange
from mcpops_broker.protocol import jsonrpc
from mcpops_broker.protocol.jsonrpc import RefusalError, RpcError
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.seen.record import Outcome
from mcpops_broker.upstream.errors import UpstreamError, UpstreamRpcError
from mcpops_broker.upstream.exchange import Reply
from mcpops_broker.upstream.upstream import Upstream

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker
    from mcpops_broker.catalogue.scope import Decision, Scope
    from mcpops_broker.catalogue.source import Item

Params = dict[str, Any]
Handler = Callable[["Broker", ClientExchange, Params], Awaitable[bytes]]

MOST_OWNERS = 16
"""Upstreams that are asked for a resource which none of them lists."""
_NOT_FOUND = (jsonrpc.RESOURCE_NOT_FOUND, jsonrpc.INVALID_PARAMS)
"""What upstreams answer for a resource that they do not have, up to MCP 2025-11-25 and since 2026-07-28."""


async def answer(broker: Broker, exchange: ClientExchange, method: str, params: Params) -> bytes:
    """Carry out a request and return its response, serialized; `params` is changed.

    Raises `RpcError` for what the client did wrong and `UpstreamError` for what an upstream did; `rpc_error` makes
    the first of the second.
    """
    handler = HANDLERS.get(method)
    if handler is None:
        raise RpcError(jsonrpc.METHOD_NOT_FOUND, f"Method not found: {jsonrpc.excerpt(method)}")
    record = exchange.record
    record.name, record.params = _named(params), params
    return await handler(broker, exchange, params)


def rpc_error(error: UpstreamError) -> RpcError:
    """Turn what an upstream did wrong into what its client is told."""
    if isinstance(error, UpstreamRpcError):
        return RpcError(error.code, error.message, error.data)
    logs.warning("call.failed", upstream=error.upstream, reason=error.reason, problem=str(error))
    data = {"upstream": error.upstream, "reason": error.reason}
    return RpcError(jsonrpc.INTERNAL_ERROR, str(error), data)


async def relay(
    broker: Broker, exchange: ClientExchange, upstream: Upstream, method: str, params: Params, *, tool: str = ""
) -> Reply:
    """Have an upstream carry out a request, if the rate limits allow it; `tool` is the name of the tool it calls.

    The request is written anew from its parsed form, never passed on as bytes: with a duplicate key the upstream
    might read another name than the one that was checked here. The response is passed on byte by byte.
    """
    broker.rate_limits.call(exchange.principal, method, upstream.server.name, tool)
    record = exchange.record
    record.upstream = upstream.server.name
    exchange.trace = broker.telemetry.send(record, params)
    began = perf_counter()
    try:
        reply = await exchange.carry_out(upstream, method, params)
    except asyncio.CancelledError:
        record.outcome = Outcome.GONE
        raise
    except UpstreamError as error:
        record.failed(error)
        if error.reason == "timeout":
            broker.background.start(exchange.cancel("timeout"), "cancel")
        raise
    else:
        record.answered(reply.message)
        return reply
    finally:
        record.upstream_seconds += perf_counter() - began
        if record.sent is not None:
            broker.telemetry.received(record)


async def _call_tool(broker: Broker, exchange: ClientExchange, params: Params) -> bytes:
    tool = _find(broker, exchange, Kind.TOOLS, params)
    if tool.upstream == OWN:
        arguments = params.get("arguments", {})
        result = discovery.call(broker, exchange.scope, exchange.client.identity, tool.name, arguments)
        return jsonrpc.result_bytes(exchange.request_id, result)
    exchange.check_call(tool, params)
    params["name"] = tool.name
    upstream = broker.upstreams[tool.upstream]
    return exchange.response(await relay(broker, exchange, upstream, "tools/call", params, tool=tool.id))


async def _get_prompt(broker: Broker, exchange: ClientExchange, params: Params) -> bytes:
    prompt = _find(broker, exchange, Kind.PROMPTS, params)
    params["name"] = prompt.name
    return exchange.response(await relay(broker, exchange, broker.upstreams[prompt.upstream], "prompts/get", params))


async def _read_resource(broker: Broker, exchange: ClientExchange, params: Params) -> bytes:
    """Read a resource from the first of the upstreams that may have it and does; a retry from the one that has asked
    for what it brings."""
    uri = params.get("uri")
    if not isinstance(uri, str):
        raise RpcError(jsonrpc.INVALID_PARAMS, 'Invalid params: "uri" must be the URI of a resource')
    upstreams = resource_upstreams(broker, exchange, uri)
    several = len(upstreams) > 1
    asking = take_asking(params, upstreams)
    for upstream in upstreams if asking is None else [asking]:
        try:
            reply = await relay(broker, exchange, upstream, "resources/read", params)
        except UpstreamRpcError as error:
            if error.code not in _NOT_FOUND:
                raise
            continue
        if _error_code(reply) not in _NOT_FOUND:
            return exchange.response(with_marked_state(reply, upstream) if several else reply)
    raise unknown_resource(exchange, uri)


async def _complete(broker: Broker, exchange: ClientExchange, params: Params) -> bytes:
    """Complete an argument of a prompt or a variable of a resource template."""
    ref: Params = params["ref"] if isinstance(params.get("ref"), dict) else {}
    kind = ref.get("type")
    if kind == "ref/prompt":
        prompt = _find(broker, exchange, Kind.PROMPTS, ref)
        ref["name"] = prompt.name
        upstream = broker.upstreams[prompt.upstream]
    elif kind == "ref/resource" and isinstance(ref.get("uri"), str):
        upstreams = resource_upstreams(broker, exchange, ref["uri"])
        if len(upstreams) != 1:  # none lists it: there is nobody to ask
            raise RpcError(jsonrpc.INVALID_PARAMS, f"Unknown resource template: {jsonrpc.excerpt(ref['uri'])}")
        upstream = upstreams[0]
    else:
        raise RpcError(jsonrpc.INVALID_PARAMS, 'Invalid params: "ref" must name a prompt or a resource template')
    reply = await relay(broker, exchange, upstream, "completion/complete", params)
    if _error_code(reply) == jsonrpc.METHOD_NOT_FOUND:  # the broker offers completions, this upstream has none
        none: Params = {"jsonrpc": "2.0", "id": exchange.request_id, "result": {"completion": {"values": []}}}
        reply = Reply(orjson.dumps(none), none)
        exchange.record.answered(none)
    return exchange.response(reply)


def resource_upstreams(broker: Broker, exchange: ClientExchange, uri: str) -> list[Upstream]:
    """Return the upstreams that may have a resource and that the client may read it from, the likeliest first.

    Raises `RefusalError` when it may from none, but could with more scopes.
    """
    upstreams, decision = readable(broker, exchange.scope, uri)
    exchange.record.decision = decision
    if decision is not None and decision.needs_scopes:
        raise _more_scopes(broker, exchange, decision)
    return upstreams


def readable(broker: Broker, scope: Scope, uri: str) -> tuple[list[Upstream], Decision | None]:
    """Return the upstreams that may have a resource and that may be asked for it, and what was decided: about the
    first of them, otherwise the decision that comes nearest. None: nobody has resources."""
    catalogue = broker.catalogue
    view = catalogue.view(scope)
    found: list[Upstream] = []
    best: Decision | None = None
    for name in catalogue.route_resource(uri):
        decision = view.decide_resource(uri, name)
        if decision.allowed:
            found.append(broker.upstreams[name])
        if best is None or (decision.allowed, decision.listed) > (best.allowed, best.listed):
            best = decision
    return found[:MOST_OWNERS], best


def unknown_resource(exchange: ClientExchange, uri: str) -> RpcError:
    """Build the error for a resource that no upstream has, as the client's revision has it."""
    code = jsonrpc.INVALID_PARAMS if exchange.client.stateless else jsonrpc.RESOURCE_NOT_FOUND
    return RpcError(code, f"Resource not found: {jsonrpc.excerpt(uri)}", {"uri": jsonrpc.excerpt(uri)})


def _find(broker: Broker, exchange: ClientExchange, kind: Kind, named: Params) -> Item:
    """Return the tool or prompt that a request names; raise `RpcError` when there is none that its client may use."""
    name = named.get("name")
    if not isinstance(name, str):
        raise RpcError(jsonrpc.INVALID_PARAMS, f'Invalid params: "name" must be the name of a {kind.noun}')
    catalogue = broker.catalogue
    item = catalogue.route(kind, name)
    view = catalogue.view(exchange.scope)
    if item is not None and (item.upstream != OWN or not exchange.client.stateless):  # it must remember a selection
        decision = exchange.record.decision = view.decide(item)
        if decision.allowed:
            return item
        if decision.needs_scopes:
            raise _more_scopes(broker, exchange, decision)
    raise RpcError(jsonrpc.INVALID_PARAMS, f"Unknown {kind.noun}: {jsonrpc.excerpt(name)}")


def _more_scopes(broker: Broker, exchange: ClientExchange, decision: Decision) -> RefusalError:
    """Build the refusal that tells a client for which scopes to ask. What it names stays out of it: names come from
    servers, and this one goes into a header."""
    return broker.authentication.insufficient_scope(
        decision.needs_scopes, "this needs more scopes than the token has", exchange.record.path
    )


def _named(params: Params) -> str:
    """Return what a request names: a tool, a prompt, or the URI of a resource; empty when it names nothing."""
    name = params.get("name")
    if name is None:
        name = params.get("uri")
    return name if isinstance(name, str) else ""


def _error_code(reply: Reply) -> object:
    error = reply.message.get("error")
    return error.get("code") if isinstance(error, dict) else None


def _lister(kind: Kind) -> Handler:
    async def lists(broker: Broker, exchange: ClientExchange, params: Params) -> bytes:
        stateless, cursor = exchange.client.stateless, params.get("cursor")
        view = broker.catalogue.view(exchange.scope)
        if broker.catalogue.personal:
            sources = await personal.read_lists(broker, exchange, kind)
            page = view.personal_page(kind, sources, cursor, stateless=stateless)
        else:
            page = view.page(kind, cursor, stateless=stateless)
        return jsonrpc.result_bytes(exchange.request_id, page)

    return lists


HANDLERS: dict[str, Handler] = {
    "tools/call": _call_tool,
    "prompts/get": _get_prompt,
    "resources/read": _read_resource,
    "completion/complete": _complete,
    **{kind.method: _lister(kind) for kind in Kind},
}
"""The methods of both eras."""
