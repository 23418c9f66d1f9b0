# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What the broker says of itself to clients of both eras."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from mcpops_broker import __version__
from mcpops_broker.access import discovery
from mcpops_broker.protocol import meta

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker
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


def instructions(broker: Broker, *, sessions: bool) -> str | None:
    """Return what clients are told of the use of this server: the configured text, the broker's own tools (which only
    clients with sessions have), and what the upstreams say of themselves; None when nobody says anything.

    Where the tools depend on an authorization, what upstreams say does too, so it is left out.
    """
    settings = broker.config.broker
    parts = [settings.instructions or ""]
    if sessions and settings.discovery_tools:
        parts.append(discovery.INSTRUCTIONS)
    if not settings.enforce_capability_filtering:
        parts += map(_of_upstream, broker.upstreams.values())
    return "\n\n".join(filter(None, parts)) or None


def _of_upstream(upstream: Upstream) -> str:
    text = upstream.peer.instructions if upstream.peer is not None else None
    if not text or upstream.server.user_specific:
        return ""
    if len(text) > LONGEST_INSTRUCTIONS:
        text = text[: LONGEST_INSTRUCTIONS - 3] + "..."
    prefix = upstream.server.prefix
    return f"About the tools whose names begin with {prefix}: {text}" if prefix else text
