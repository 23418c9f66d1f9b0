# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What the workers of a broker tell one another about client sessions, so that any worker serves any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcpops_broker.bus import STARTED
from mcpops_broker.mcp import session_methods

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker


def connect(broker: Broker) -> None:
    """Act on what the other workers say, from now on; call it inside the running event loop."""
    bus = broker.bus

    def ended(session_ids: list[str], sender: str) -> None:
        for session_id in session_ids:
            broker.session_ended(session_id)

    def cancel(value: dict[str, Any], sender: str) -> None:
        session_methods.cancel(broker, value["identity"], value["params"])

    def selected(values: list[tuple[str, list[str] | None]], sender: str) -> None:
        for identity, tools in values:
            broker.tools_selected(identity, None if tools is None else frozenset(tools))

    def started(value: object, sender: str) -> None:
        bus.send("ended", broker.sessions.ended(), sender)
        bus.send("selected", broker.access.selections.all(), sender)
        broker.parked.worker_started(sender)

    bus.on("ended", ended)
    bus.on("cancel", cancel)
    bus.on("selected", selected)
    bus.on(STARTED, started)
    bus.connect()
