# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What `/status` says: the operator's shape, with our own additions beside it.

Shape: Kuadrant mcp-gateway, broker `/status`. Never in it: credentials, addresses of upstreams, session ids.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from mcpops_broker import __version__
from mcpops_broker.broker import Broker
from mcpops_broker.config.model import VirtualServer
from mcpops_broker.protocol.kinds import Kind
from mcpops_broker.protocol.versions import LATEST_SESSION_VERSION
from mcpops_broker.seen import metrics
from mcpops_broker.upstream.listing import Listing
from mcpops_broker.upstream.upstream import State, Upstream

NEVER = "0001-01-01T00:00:00Z"
"""The operator's broker is written in Go: its clients know this as no time, and cannot read an empty text."""


class Invalid(TypedDict):
    """Something that is not offered, and why. `name` is a name, URI or URI template."""

    name: str
    errors: list[str]


class Hidden(TypedDict):
    """Something that is hidden because another upstream (`owner`; empty: the broker itself) has its name or URI."""

    kind: str
    name: str
    owner: str
    reason: str


class Guarded(TypedDict):
    """A definition, or the server's `instructions`, in which the guard found a `problem`. `blocked`: that is why it is
    not passed on."""

    kind: str
    name: str
    problem: str
    blocked: bool


class ProtocolValidation(TypedDict):
    """The MCP revision spoken with an upstream."""

    isValid: bool
    supportedVersion: str
    expectedVersion: str


class ServerStatus(TypedDict):
    """One upstream. `problems` say which lists could not be read although it answers; the numbers are of what clients
    are offered."""

    id: str
    name: str
    lastValidated: str
    message: str
    ready: bool
    totalTools: int
    totalPrompts: int
    totalResources: int
    totalResourceTemplates: int
    invalidTools: int
    invalidToolList: list[Invalid]
    invalidPrompts: int
    invalidPromptList: list[Invalid]
    invalidResourceList: list[Invalid]
    protocolValidation: ProtocolValidation
    prefix: str
    state: str
    hidden: list[Hidden]
    guarded: list[Guarded]
    problems: list[str]
    callsInFlight: int
    circuit: str


class VirtualServerStatus(TypedDict):
    """One virtual server; `missing` are tools and prompts it names that no upstream offers."""

    name: str
    tools: int
    prompts: int
    missing: list[str]


class RateLimitStatus(TypedDict):
    """One rate limit or quota: what it allows, and the requests that this worker refused because of it."""

    allows: str
    refused: int


class TelemetryStatus(TypedDict):
    """What is shown of the broker's work elsewhere. `problem` says why something that is configured is not; `auditLost`
    counts lines of the audit log that this worker could not write."""

    metrics: bool
    traces: bool
    audit: bool
    auditLost: int
    problem: str


class ConfigStatus(TypedDict):
    """The configuration file. With `problems` the last good content is in use, loaded at `loaded`."""

    loaded: str
    problems: list[str]
    warnings: list[str]


class StoreStatus(TypedDict):
    """Where workers keep what they share: `memory` of this replica, or `redis`, since when that works or does not, and
    how many workers of other replicas answer."""

    kind: str
    connected: bool
    since: str
    problem: str
    workersElsewhere: int


class ClusterStatus(TypedDict):
    """Cluster mode. `refused` are registrations that cannot be served and `elsewhere` those of other brokers, each with
    the reason; `problems` say what could not be read or written."""

    synced: bool
    leader: bool
    leaderIdentity: str
    refused: dict[str, str]
    elsewhere: dict[str, str]
    problems: list[str]


class Status(TypedDict):
    """The whole broker. `toolConflicts` counts hidden tools, `callsAsking` calls that wait for their clients, `tasks`
    those of the process's event loop."""

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
    callsAsking: int
    tasks: int
    draining: bool
    virtualServers: list[VirtualServerStatus]
    rateLimits: dict[str, RateLimitStatus]
    telemetry: TelemetryStatus
    config: ConfigStatus
    store: StoreStatus
    cluster: ClusterStatus | None


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
        "toolConflicts": sum(
            conflict.kind is Kind.TOOLS for conflicts in broker.catalogue.conflicts.values() for conflict in conflicts
        ),
        "timestamp": _time(time.time()),
        "scopedSessions": len(broker.access.selections),
        "version": __version__,
        "sessions": len(broker.sessions),
        "streams": len(broker.streams) + len(broker.subscriptions),
        "requestsInFlight": broker.requests,
        "callsAsking": sum(upstream.waiting for upstream in broker.upstreams.values()),
        "tasks": len(asyncio.all_tasks()),
        "draining": broker.draining,
        "virtualServers": [virtual_server_status(broker, server) for server in broker.config.virtual_servers],
        "rateLimits": {
            limit.name: {"allows": limit.allowance, "refused": broker.rate_limits.refused.get(limit.name, 0)}
            for limit in broker.config.broker.rate_limits
        },
        "telemetry": {
            "metrics": broker.config.broker.telemetry.metrics,
            "traces": broker.telemetry.traces,
            "audit": bool(broker.config.broker.audit.output),
            "auditLost": round(metrics.AUDIT_LOST.cell(())[0]),
            "problem": broker.telemetry.problem,
        },
        "config": {
            "loaded": _time(broker.config_state.loaded),
            "problems": list(broker.config_state.problems),
            "warnings": list(broker.config.warnings),
        },
        "store": _store(broker),
        "cluster": None if broker.cluster is None else broker.cluster.status(),
    }


def _store(broker: Broker) -> StoreStatus:
    health = broker.store.health
    return {
        "kind": health.kind,
        "connected": health.connected,
        "since": _time(health.since),
        "problem": health.problem,
        "workersElsewhere": len(broker.bus.others) - len(broker.bus.local.others),
    }


def server_status(broker: Broker, upstream: Upstream) -> ServerStatus:
    """Describe one upstream now."""
    server, listed = upstream.server, upstream.listed
    hidden = broker.catalogue.conflicts.get(server.name, ())
    findings = broker.catalogue.findings.get(server.name, ())
    withheld = [conflict.kind.noun for conflict in hidden]
    withheld += [kind for kind, _ in {(one.kind, one.name) for one in findings if one.blocked}]
    total = {kind: len(listed.items(kind)) - withheld.count(kind.noun) for kind in Kind}
    version = upstream.peer.version if upstream.peer else ""
    return {
        "id": server.id,
        "name": server.name,
        "lastValidated": _time(upstream.validated) if upstream.validated else NEVER,
        "message": _message(upstream, total, len(hidden)),
        "ready": upstream.state is State.READY,
        "totalTools": total[Kind.TOOLS],
        "totalPrompts": total[Kind.PROMPTS],
        "totalResources": total[Kind.RESOURCES],
        "totalResourceTemplates": total[Kind.TEMPLATES],
        "invalidTools": len(listed.invalid(Kind.TOOLS)),
        "invalidToolList": _invalid(listed, Kind.TOOLS),
        "invalidPrompts": len(listed.invalid(Kind.PROMPTS)),
        "invalidPromptList": _invalid(listed, Kind.PROMPTS),
        "invalidResourceList": _invalid(listed, Kind.RESOURCES, Kind.TEMPLATES),
        "protocolValidation": {
            "isValid": bool(version),
            "supportedVersion": version,
            "expectedVersion": LATEST_SESSION_VERSION,
        },
        "prefix": server.prefix,
        "state": upstream.state.value,
        "hidden": [{"kind": one.kind.noun, "name": one.id, "owner": one.owner, "reason": str(one)} for one in hidden],
        "guarded": [
            {"kind": one.kind, "name": one.name, "problem": one.problem, "blocked": one.blocked} for one in findings
        ],
        "problems": list(listed.problems()),
        "callsInFlight": upstream.active,
        "circuit": upstream.breaker.circuit.value,
    }


def _message(upstream: Upstream, total: dict[Kind, int], hidden: int) -> str:
    if upstream.state is State.DISABLED:
        return "server is disabled"
    if upstream.state is State.CONNECTING:
        return "connecting"
    if upstream.state is State.FAILED:
        return upstream.problem or "failed"
    if upstream.server.user_specific:
        return "userSpecificList server healthy, tools fetched per-user"
    added = f"Total tools added {total[Kind.TOOLS]}. Total prompts added {total[Kind.PROMPTS]}"
    conflicts = f". {hidden} hidden by conflicts of names, see hidden" if hidden else ""
    return f"server added successfully. {added}{conflicts}"


def _invalid(listed: Listing, *kinds: Kind) -> list[Invalid]:
    return [{"name": one.name, "errors": list(one.errors)} for kind in kinds for one in listed.invalid(kind)]


def virtual_server_status(broker: Broker, server: VirtualServer) -> VirtualServerStatus:
    catalogue = broker.catalogue
    missing = {name for name in server.tools if catalogue.route(Kind.TOOLS, name) is None}
    missing |= {name for name in server.prompts if catalogue.route(Kind.PROMPTS, name) is None}
    return {
        "name": server.name,
        "tools": len(server.tools),
        "prompts": len(server.prompts),
        "missing": sorted(missing),
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
