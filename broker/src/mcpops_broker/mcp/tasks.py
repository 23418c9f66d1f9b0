# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The tasks extension of MCP 2026-07-28 (`io.modelcontextprotocol/tasks`), for upstreams that offer it.

Ids as clients see them say which upstream has the task and whose it is, see `task_ids`. Changes of tasks are not
reported by `subscriptions/listen`; clients ask for them with `tasks/get`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from mcpops_broker.catalogue.scope import EVERYTHING, Scope
from mcpops_broker.mcp import methods
from mcpops_broker.mcp.task_ids import TaskIds, tag_of
from mcpops_broker.principal import Principal
from mcpops_broker.protocol import jsonrpc
from mcpops_broker.protocol.jsonrpc import RpcError
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.upstream.exchange import Reply
from mcpops_broker.upstream.upstream import Upstream

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker
    from mcpops_broker.mcp.stateless_exchange import StatelessExchange

EXTENSION = "io.modelcontextprotocol/tasks"
METHODS = frozenset({"tasks/cancel", "tasks/get", "tasks/update"})


def offered_by(upstream: Upstream) -> bool:
    """Tell whether an upstream has tasks of this kind; those of sessions (2025-11-25, experimental) are others."""
    extensions = upstream.peer.capabilities.get("extensions") if upstream.peer is not None else None
    return isinstance(extensions, dict) and EXTENSION in extensions


def offered(broker: Broker) -> bool:
    """Tell whether any upstream has tasks."""
    return any(map(offered_by, broker.upstreams.values()))


async def answer(broker: Broker, exchange: StatelessExchange, params: dict[str, Any]) -> bytes:
    """Have the upstream of a task carry out a request about it. Clients that have not declared the extension are told
    to, as the extension wants it."""
    if not offered(broker):
        raise RpcError(jsonrpc.METHOD_NOT_FOUND, f"Method not found: {exchange.method}")
    extensions = exchange.client.capabilities.get("extensions")
    if not isinstance(extensions, dict) or EXTENSION not in extensions:
        text = f"{exchange.method} is for clients that have declared the extension {EXTENSION}"
        missing: dict[str, Any] = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
        raise RpcError(jsonrpc.MISSING_CAPABILITY, text, missing, status=400)
    task = params.get("taskId")
    if not isinstance(task, str):
        raise RpcError(jsonrpc.INVALID_PARAMS, 'Invalid params: "taskId" must be the id of a task')
    tag, params["taskId"] = broker.task_ids.unwrap(task, exchange.principal) or ("", "")
    for upstream in broker.upstreams.values():
        if tag_of(upstream.server.name) == tag and offered_by(upstream) and _may_use(broker, exchange.scope, upstream):
            return exchange.response(await methods.relay(broker, exchange, upstream, exchange.method, params))
    raise RpcError(jsonrpc.INVALID_PARAMS, f"Unknown task: {jsonrpc.excerpt(task)}")


def with_wrapped_id(reply: Reply, upstream: Upstream, principal: Principal, ids: TaskIds) -> Reply:
    """Return a response with its task's id as clients see it; a response about no task as it is."""
    task = reply.message["result"].get("taskId")
    if not isinstance(task, str):
        return reply
    wrapped = ids.wrap(upstream.server.name, task, principal)
    message = {**reply.message, "result": {**reply.message["result"], "taskId": wrapped}}
    return Reply(orjson.dumps(message), message)


def _may_use(broker: Broker, scope: Scope, upstream: Upstream) -> bool:
    """Tell whether a client may call any tool of an upstream. Which tool began a task cannot be told."""
    if scope is EVERYTHING:
        return True
    view = broker.catalogue.view(scope)
    return any(tool.upstream == upstream.server.name and view.decide(tool).allowed for tool in view.items(Kind.TOOLS))
