# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What notifications and responses of client sessions do. They may be meant for a request at another worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mcpops_broker import logs
from mcpops_broker.mcp.asks import asker_of
from mcpops_broker.mcp.calls import CANCEL_GRACE, Call
from mcpops_broker.protocol import meta
from mcpops_broker.protocol.jsonrpc import Message, RpcError
from mcpops_broker.sessions.store import Session
from mcpops_broker.upstream.errors import UpstreamError
from mcpops_broker.upstream.upstream import Upstream

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker

REQUEST_CANCELLED = -32800
"""Answer to a request that its client has cancelled; clients ignore it. Outside the codes that JSON-RPC reserves."""


def take_notification(broker: Broker, session: Session, message: Message) -> None:
    """Act on a notification of a client. Those without meaning here are accepted and dropped, as JSON-RPC asks."""
    handler = _HANDLERS.get(message["method"])
    if handler is not None:
        handler(broker, session.key.identity, message)


def take_response(broker: Broker, identity: str, message: Message) -> None:
    """Give a client's response to whoever asked."""
    if not _sent_to_asker(broker, "response", message.get("id"), (identity, message)):
        broker.asks.respond(identity, message)


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


def tell_upstreams(broker: Broker, identity: str, message: Message) -> None:
    """Pass on a notification about a client to every upstream where this worker has opened a session for it."""
    for upstream in broker.upstreams.values():
        broker.background.start(_tell(upstream, identity, message), "tell upstream")


def _cancelled(broker: Broker, identity: str, message: Message) -> None:
    params = message.get("params", {})
    if not cancel(broker, identity, params):
        broker.bus.send("cancel", [identity, params])


def _roots_changed(broker: Broker, identity: str, message: Message) -> None:
    tell_upstreams(broker, identity, message)
    broker.bus.send("tell", [identity, message])


def _progress(broker: Broker, identity: str, message: Message) -> None:
    token = message.get("params", {}).get(meta.PROGRESS_TOKEN)
    if not _sent_to_asker(broker, "progress", token, (identity, message)):
        broker.asks.take_progress(identity, message)


def _sent_to_asker(broker: Broker, kind: str, ask_id: object, said: tuple[str, Message]) -> bool:
    """Send what a client said about a question to the worker that asked; False when that is this one, or none."""
    worker = asker_of(ask_id)
    if worker is None or not broker.bus.knows(worker):
        return False
    broker.bus.send(kind, said, worker)
    return True


def _stop(broker: Broker, call: Call) -> None:
    if broker.calls.find(call.exchange.client.identity, call.exchange.request_id) is call:
        call.stop(RpcError(REQUEST_CANCELLED, "Request cancelled"))


async def _tell(upstream: Upstream, identity: str, message: Message) -> None:
    try:
        await upstream.announce(identity, message)
    except UpstreamError as error:
        logs.debug("notification.failed", upstream=error.upstream, problem=str(error))


_HANDLERS: dict[str, Callable[[Broker, str, Message], None]] = {
    "notifications/cancelled": _cancelled,
    "notifications/progress": _progress,
    "notifications/roots/list_changed": _roots_changed,
}
