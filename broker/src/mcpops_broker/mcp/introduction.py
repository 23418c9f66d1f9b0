# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What the broker says of itself to clients of both eras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from mcpops_broker import __version__
from mcpops_broker.access import discovery
from mcpops_broker.catalogue.scope import EVERYTHING, Scope
from mcpops_broker.protocol import meta
from mcpops_broker.protocol.kinds import Kind

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker
    from mcpops_broker.catalogue.guard import ToolGuard
    from mcpops_broker.upstream.upstream import Upstream

SERVER_INFO = {"name": "mcpops-broker", "version": __version__}

CAPABILITIES: dict[str, Any] = {
    "completions": {},
    "logging": {},
    "prompts": {"listChanged": True},
    "resources": {"listChanged": True, "subscribe": True},
    "tools": {"listChanged": True},
}
"""The same whatever the upstreams offer now: they come and go, while clients ask for capabilities once."""

SERVER_META = b'"_meta":' + orjson.dumps({meta.SERVER_INFO: SERVER_INFO})
"""A member of results for clients without sessions, which do not hear of the server otherwise."""

LONGEST_INSTRUCTIONS = 4000
"""Characters of one upstream's instructions that are passed on: clients put them into a model's context."""


def instructions(broker: Broker, scope: Scope, *, sessions: bool) -> str | None:
    """Return what clients are told of the use of this server: the configured text, the broker's own tools (which only
    clients with sessions have), and what the upstreams say of themselves of which the client may use something; None
    when nobody says anything. Raises `RpcError` for a virtual server that is not configured.
    """
    settings = broker.config.broker
    parts = [settings.instructions or ""]
    if sessions and settings.discovery_tools:
        parts.append(discovery.INSTRUCTIONS)
    upstreams = list(broker.upstreams.values())
    if scope is not EVERYTHING:
        view = broker.catalogue.view(scope)
        seen = {item.upstream for kind in Kind for item in view.items(kind)}
        upstreams = [upstream for upstream in upstreams if upstream.server.name in seen]
    parts += [_of_upstream(upstream, broker.tool_guard) for upstream in upstreams]
    return "\n\n".join(filter(None, parts)) or None


def _of_upstream(upstream: Upstream, guard: ToolGuard) -> str:
    text = upstream.peer.instructions if upstream.peer is not None else None
    if not text or upstream.server.user_specific or any(finding.blocked for finding in guard.instructions(text)):
        return ""
    if len(text) > LONGEST_INSTRUCTIONS:
        text = text[: LONGEST_INSTRUCTIONS - 3] + "..."
    prefix = upstream.server.prefix
    return f"About the tools whose names begin with {prefix}: {text}" if prefix else text
