# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What requests without sessions do (MCP 2026-07-28). No HTTP here: messages in, serialized responses out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from mcpops_broker.catalogue.scope import EVERYTHING, Scope
from mcpops_broker.mcp import methods, tasks
from mcpops_broker.mcp.introduction import CAPABILITIES, SERVER_INFO, instructions
from mcpops_broker.mcp.stateless_exchange import StatelessExchange
from mcpops_broker.protocol import jsonrpc, meta
from mcpops_broker.protocol.jsonrpc import RpcError
from mcpops_broker.protocol.versions import STATELESS_VERSIONS
from mcpops_broker.upstream.errors import UpstreamError

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker

DISCOVER_TTL = 300_000
"""Milliseconds for which a client may take what it discovered as current."""


async def answer(broker: Broker, exchange: StatelessExchange, params: dict[str, Any]) -> bytes:
    """Carry out a request and return its response; errors of the request become error responses."""
    try:
        if exchange.method == "server/discover":
            return jsonrpc.result_bytes(exchange.request_id, _discovery(broker, exchange.scope))
        if exchange.method in tasks.METHODS:
            work = tasks.answer(broker, exchange, params)
        else:
            work = methods.answer(broker, exchange, exchange.method, params)
        return await broker.calls.run(exchange, work)
    except RpcError as error:
        exchange.record.failed(error)
        return exchange.failed(error)
    except UpstreamError as error:
        exchange.record.failed(error)
        return exchange.failed(methods.rpc_error(error))


def _discovery(broker: Broker, scope: Scope) -> bytes:
    result: dict[str, Any] = {
        "resultType": "complete",
        "supportedVersions": list(STATELESS_VERSIONS),
        "capabilities": {**CAPABILITIES, "extensions": {tasks.EXTENSION: {}}}
        if tasks.offered(broker)
        else CAPABILITIES,
        "ttlMs": DISCOVER_TTL,
        "cacheScope": "public" if scope is EVERYTHING else "private",
        "_meta": {meta.SERVER_INFO: SERVER_INFO},
    }
    if text := instructions(broker, scope, sessions=False):
        result["instructions"] = text
    return orjson.dumps(result)
