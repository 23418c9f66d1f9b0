# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What the workers of a broker tell one another about client sessions, so that any worker serves any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcpops_broker.bus import GONE, STARTED
from mcpops_broker.mcp import session_messages

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker


def connect(broker: Broker) -> None:
    """Act on what the other workers say, from now on; call it inside the running event loop.

    Streams and resumption have messages of their own.
    """
    bus = broker.bus

    def ended(session_ids: list[str], sender: str) -> None:
        for session_id in session_ids:
            broker.session_ended(session_id)

    def selected(values: list[tuple[str, list[str] | None]], sender: str) -> None:
        for identity, tools in values:
            broker.tools_selected(identity, None if tools is None else frozenset(tools))

    def level(values: list[tuple[str, str]], sender: str) -> None:
        for session_id, log_level in values:
            if (session := broker.sessions.find(session_id)) is not None:
                session.set_log_level(log_level)

    async def subscribe(session_id: str, upstream: str, uri: str, sender: str) -> None:
        if (session := broker.sessions.find(session_id)) is not None:
            await broker.watched_resources.add_later(session, upstream, uri)
        bus.send("watched", [session_id, uri], sender)

    def subscribed(values: list[tuple[str, str, str]], sender: str) -> None:
        for session_id, upstream, uri in values:
            broker.background.start(subscribe(session_id, upstream, uri, sender), "subscribe")

    def unsubscribed(value: tuple[str, str], sender: str) -> None:
        if (session := broker.sessions.find(value[0])) is not None:
            broker.background.start(broker.watched_resources.remove(session, value[1]), "unsubscribe")

    def returned(session_id: str, sender: str) -> None:
        if (session := broker.sessions.peek(session_id)) is not None:
            log_level, watched = session.client.log_level, broker.watched_resources.of_session(session)
            if log_level is not None or watched:
                bus.send("recalled", [session_id, log_level, watched], sender)

    def recalled(value: tuple[str, str | None, list[tuple[str, str]]], sender: str) -> None:
        session_id, log_level, watched = value
        if (session := broker.sessions.peek(session_id)) is None:
            return
        if log_level is not None and session.client.log_level is None:  # else its client has chosen another meanwhile
            session.set_log_level(log_level)
        for upstream, uri in watched:
            broker.background.start(broker.watched_resources.add_later(session, upstream, uri), "subscribe")

    def lost(sender: str) -> None:
        broker.streams.worker_gone(sender)
        broker.resumption.worker_gone(sender)
        broker.announcements.worker_gone(sender)
        broker.homes.worker_gone(sender)
        broker.parked.worker_gone(sender)

    def gone(value: object, sender: str) -> None:
        lost(sender)
        broker.watched_resources.worker_gone(sender)

    def started(value: object, sender: str) -> None:
        lost(sender)  # its predecessor
        bus.send("ended", broker.sessions.ended(), sender)
        bus.send("selected", broker.access.selections.all(), sender)
        broker.announcements.worker_started(sender)
        broker.rate_limits.counters.worker_started(sender)
        bus.send("level", broker.sessions.log_levels(), sender)
        bus.send("subscribed", broker.watched_resources.all(), sender)

    def cancel(value: tuple[str, dict[str, Any]], sender: str) -> None:
        session_messages.cancel(broker, *value)

    bus.on("ended", ended)
    bus.on("selected", selected)
    bus.on("level", level)
    bus.on("subscribed", subscribed)
    bus.on("watched", lambda value, sender: broker.watched_resources.shared(value[0], value[1], sender))
    bus.on("unsubscribed", unsubscribed)
    bus.on("returned", returned)
    bus.on("recalled", recalled)
    bus.on("cancel", cancel)
    bus.on("tell", lambda value, sender: session_messages.tell_upstreams(broker, *value))
    bus.on("response", lambda value, sender: broker.asks.respond(*value))
    bus.on("progress", lambda value, sender: broker.asks.take_progress(*value))
    bus.on(STARTED, started)
    bus.on(GONE, gone)
    bus.connect()
