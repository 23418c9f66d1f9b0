# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""May this principal use this, and why? The answer that a call would get, for people who run the broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mcpops_broker.catalogue.scope import Decision, Scope
from mcpops_broker.principal import Principal
from mcpops_broker.protocol.jsonrpc import RpcError
from mcpops_broker.protocol.kinds import Kind

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker


def explain(
    broker: Broker, principal: Principal, kind: Kind, name: str, *, virtual_server: str | None = None
) -> Decision:
    """Decide as for a request of this principal for a tool or prompt by the name that clients see, or for a resource by
    its URI. What a request's `x-mcp-authorized` and its session's selection leave out is not considered.
    """
    catalogue, policy = broker.catalogue, broker.access.policy
    grants = policy.grants(principal, virtual_server) if policy is not None else None
    try:
        view = catalogue.view(Scope(virtual_server, grants=grants))
    except RpcError as error:
        return Decision(False, "unknown", error.message)
    if kind in (Kind.TOOLS, Kind.PROMPTS):
        item = catalogue.route(kind, name)
        if item is None:
            return Decision(False, "unknown", f"no server offers a {kind.noun} of this name")
        return view.decide(item)
    owners = catalogue.route_resource(name)
    if not owners:
        return Decision(False, "unknown", "no server has resources")
    decisions = [view.decide_resource(name, owner) for owner in owners]
    return max(decisions, key=lambda decision: (decision.allowed, decision.listed))
