# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The metrics of the broker, all of them: names and labels here are an interface, dashboards and alerts use them.

The names of tools come from servers and those of methods from clients: labels have values of which there are few, or a
bounded number (`meters.MOST_SERIES`). Whoever makes a request is no label, and neither is a session.
"""

from __future__ import annotations

from collections.abc import Collection

from mcpops_broker.config.limits import METHODS as MCP_METHODS
from mcpops_broker.seen.meters import OTHER, Counter, Gauge, Histogram, count
from mcpops_broker.seen.record import Outcome, Record

REQUESTS = Counter(
    "mcpops_broker_requests_total",
    "Requests and notifications of clients that have ended; streams count when they close.",
    "method", "era", "outcome",
)  # fmt: skip
DURATION = Histogram(
    "mcpops_broker_request_duration_seconds",
    "Time from the head of a request to its answer, without streams.",
    "method",
)
TOOL_CALLS = Counter(
    "mcpops_broker_tool_calls_total",
    "Calls of tools that went to a server; the tool's name is the one that clients use.",
    "server", "tool", "outcome",
)  # fmt: skip
UPSTREAM_DURATION = Histogram(
    "mcpops_broker_upstream_duration_seconds", "Time that a server had a request of a client.", "server"
)
UPSTREAM_ERRORS = Counter(
    "mcpops_broker_upstream_errors_total",
    "Requests of clients that a server did not answer as it should: unreachable, timeout, busy, unavailable, ...",
    "server", "reason",
)  # fmt: skip
RATE_LIMITED = Counter("mcpops_broker_rate_limited_total", "Requests that a rate limit or quota refused.", "limit")
TOKENS = Counter(
    "mcpops_broker_server_tokens_total",
    "Tokens for a server that an authorization server gave, or did not.",
    "server",
    "outcome",
)
AUDIT_LOST = Counter("mcpops_broker_audit_lost_total", "Lines of the audit log that could not be written.")

BUILD = Gauge("mcpops_broker_build_info", "Always 1; the release is a label.", "version")
WORKER_UP = Gauge("mcpops_broker_worker_up", "Whether a worker has answered; one that has not is missing elsewhere.")
DRAINING = Gauge("mcpops_broker_draining", "Whether the broker stops and takes no new streams.")
CONFIG_OK = Gauge(
    "mcpops_broker_config_last_reload_successful", "Whether the configuration file as it is now is in use."
)
CONFIG_LOADED = Gauge(
    "mcpops_broker_config_last_reload_success_timestamp_seconds", "When the configuration in use was read."
)
IN_FLIGHT = Gauge("mcpops_broker_requests_in_flight", "POST requests that are being carried out.")
SESSIONS = Gauge("mcpops_broker_sessions", "Sessions of clients in memory.")
STREAMS = Gauge("mcpops_broker_streams", "Open streams of notifications.")
PARKED = Gauge("mcpops_broker_parked_calls", "Calls of clients without sessions that have asked, or may ask, them.")
STORE_OK = Gauge(
    "mcpops_broker_store_connected", "Whether what replicas share is shared; without a shared store always.", "kind"
)
TASKS = Gauge("mcpops_broker_tasks", "Tasks of the event loop.")
SERVER_UP = Gauge("mcpops_broker_server_up", "Whether a server answers; none that is disabled.", "server")
SERVER_CALLS = Gauge("mcpops_broker_server_calls_in_flight", "Requests of clients that a server has now.", "server")
SERVER_OFFERS = Gauge(
    "mcpops_broker_server_offers", "What a server offers, by kind (tools, prompts, ...).", "server", "kind"
)
SERVER_HIDDEN = Gauge(
    "mcpops_broker_server_hidden", "What a server offers and another has the name of, so that it is hidden.", "server"
)
SERVER_FINDINGS = Gauge(
    "mcpops_broker_server_guard_findings",
    "What the guard has found in what a server offers and says, and whether that keeps it from clients.",
    "server",
    "blocked",
)
CIRCUIT_OPEN = Gauge(
    "mcpops_broker_server_circuit_open",
    "Whether requests to a server are refused since it fails again and again.",
    "server",
)

METHODS = MCP_METHODS | {
    "notifications/initialized", "notifications/cancelled", "notifications/progress",
    "notifications/roots/list_changed", "batch", "response", "GET", "DELETE", "OPTIONS", "",
}  # fmt: skip
"""The values of the label `method`; any other method is `other`."""


MOST_KINDS = 4096
"""Kinds of requests whose cells are remembered."""
MAX_NAME = 256
"""Characters of a tool's name that count, here and for limits: of a server with lists of each user's own clients may
write anything."""

_Kind = tuple[str, str, str, str, str]
"""What decides where a request is counted: method, era, outcome, server, tool. No text of a client without end."""
_Cells = tuple[list[float], list[float] | None, list[float] | None, list[float] | None]
"""Where a request is counted: requests, durations, durations of its server, calls of its tool."""

_cells: dict[_Kind, _Cells] = {}


def observe(record: Record) -> None:
    """Count a request. Where it is counted is looked up once for all requests of its kind."""
    server = record.upstream
    method = record.method if record.method in METHODS else OTHER
    tool = record.name[:MAX_NAME] if server and method == "tools/call" else ""
    kind = (method, record.era, record.outcome, server, tool)
    requests, durations, durations_there, calls = _cells.get(kind) or _find(kind, stream=record.stream)
    requests[0] += 1
    if durations is not None:
        count(durations, record.duration)
    if durations_there is not None:
        count(durations_there, record.upstream_seconds)
        if calls is not None:
            calls[0] += 1
        if record.outcome is Outcome.UPSTREAM:
            UPSTREAM_ERRORS.add(server, record.reason)


def keep_servers(names: Collection[str]) -> None:
    """Forget the figures of all servers but these."""
    for meter in (TOOL_CALLS, UPSTREAM_DURATION, UPSTREAM_ERRORS):
        meter.keep("server", names)
    _cells.clear()


def _find(kind: _Kind, *, stream: bool) -> _Cells:
    method, era, outcome, server, tool = kind
    cells = (
        REQUESTS.cell((method, era, outcome)),
        None if stream else DURATION.cell((method,)),
        UPSTREAM_DURATION.cell((server,)) if server else None,
        TOOL_CALLS.cell((server, tool, outcome)) if server and method == "tools/call" else None,
    )
    if len(_cells) >= MOST_KINDS:
        _cells.clear()
    _cells[kind] = cells
    return cells
