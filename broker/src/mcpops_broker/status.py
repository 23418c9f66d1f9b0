# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What `/status` says: the operator's shape, with our own additions beside it.

Shape: Kuadrant mcp-gateway, broker `/status`. Never in it: credentials, addresses of upstreams, session ids.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from mcpops_broker import __version__
from mcpops_broker.broker import Broker
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.protocol.versions import LATEST_SESSION_VERSION
from mcpops_broker.upstream.upstream import State, Upstream


class InvalidTool(TypedDict):
    """A tool that is not offered, and why."""

    name: str
    errors: list[str]


class HiddenTool(TypedDict):
    """A tool that is hidden by another upstream's tool of the same name."""

    name: str
    owner: str
    reason: str


class ProtocolValidation(TypedDict):
    """The MCP revision spoken with an upstream."""

    isValid: bool
    supportedVersion: str
    expectedVersion: str


class ServerStatus(TypedDict):
    """One upstream."""

    id: str
    name: str
    lastValidated: str
    message: str
    ready: bool
    totalTools: int
    totalPrompts: int
    invalidTools: int
    invalidToolList: list[InvalidTool]
    invalidPrompts: int
    protocolValidation: ProtocolValidation
    prefix: str
    state: str
    hiddenTools: list[HiddenTool]
    callsInFlight: int


class VirtualServerStatus(TypedDict):
    """One virtual server; `missing` are tools it names that no upstream offers."""

    name: str
    tools: int
    missing: list[str]


class ConfigStatus(TypedDict):
    """The configuration file. With `problems` the last good content is in use, loaded at `loaded`."""

    loaded: str
    problems: list[str]
    warnings: list[str]


class Status(TypedDict):
    """The whole broker. `toolConflicts` counts hidden tools."""

    servers: list[ServerStatus]
    overallValid: bool
    totalServers: int
    healthyServers: int
    unHealthyServers: int
    toolConflicts: int
    timestamp: str
    scopedSessions: int
    version: str
    sessions: int
    streams: int
    requestsInFlight: int
    draining: bool
    virtualServers: list[VirtualServerStatus]
    config: ConfigStatus


def status(broker: Broker) -> Status:
    """Describe the broker now."""
    servers = [server_status(broker, upstream) for upstream in broker.upstreams.values()]
    healthy = sum(server["ready"] for server in servers)
    disabled = sum(upstream.state is State.DISABLED for upstream in broker.upstreams.values())
    return {
        "servers": servers,
        "overallValid": healthy + disabled == len(servers),
        "totalServers": len(servers),
        "healthyServers": healthy,
        "unHealthyServers": len(servers) - healthy,
        "toolConflicts": len(broker.catalogue.conflicts),
        "timestamp": _time(time.time()),
        "scopedSessions": len(broker.access.selections),
        "version": __version__,
        "sessions": len(broker.sessions),
        "streams": len(broker.streams),
        "requestsInFlight": broker.requests,
        "draining": broker.draining,
        "virtualServers": [
            {
                "name": server.name,
                "tools": len(server.tools),
                "missing": sorted(name for name in server.tools if broker.catalogue.route_tool(name) is None),
            }
            for server in broker.config.virtual_servers
        ],
        "config": {
            "loaded": _time(broker.config_state.loaded),
            "problems": list(broker.config_state.problems),
            "warnings": list(broker.config.warnings),
        },
    }


def server_status(broker: Broker, upstream: Upstream) -> ServerStatus:
    """Describe one upstream now."""
    server, listed = upstream.server, upstream.listed
    invalid = listed.invalid(Kind.TOOLS)
    hidden = [conflict for conflict in broker.catalogue.conflicts if conflict.upstream == server.name]
    version = upstream.peer.version if upstream.peer else ""
    message = {
        State.DISABLED: "server is disabled",
        State.CONNECTING: "connecting",
        State.READY: f"server added successfully. Total tools added {len(listed.tools) - len(hidden)}. "
        "Total prompts added 0",
        State.FAILED: upstream.problem or "failed",
    }[upstream.state]
    if hidden:
        message += f". {len(hidden)} tools hidden by name conflicts, see hiddenTools"
    return {
        "id": server.id,
        "name": server.name,
        "lastValidated": _time(upstream.validated) if upstream.validated else "",
        "message": message,
        "ready": upstream.state is State.READY,
        "totalTools": len(listed.tools) - len(hidden),
        "totalPrompts": 0,
        "invalidTools": len(invalid),
        "invalidToolList": [{"name": tool.name, "errors": list(tool.errors)} for tool in invalid],
        "invalidPrompts": 0,
        "protocolValidation": {
            "isValid": bool(version),
            "supportedVersion": version,
            "expectedVersion": LATEST_SESSION_VERSION,
        },
        "prefix": server.prefix,
        "state": upstream.state.value,
        "hiddenTools": [{"name": one.id, "owner": one.owner, "reason": str(one)} for one in hidden],
        "callsInFlight": upstream.active,
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
