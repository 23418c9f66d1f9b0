# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""What the gateway's broker says of one MCP server: ``GET /status/NAMESPACE/NAME`` through the Gateway's listener.

Since version 0.8 of the operator a registration is Ready as soon as the broker's configuration is written; only the
broker knows whether the server answers. It has no watch, so this asks once a second until the deadline.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass

from ansible_collections.mcpops.gateway.plugins.module_utils._broker_place import REQUEST_TIMEOUT, Broker
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import WaitTimeout
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_http import Exchange
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_target import Target
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wire import Wire
from ansible_collections.mcpops.gateway.plugins.module_utils._wait import Deadline

PAUSE = 1.0
"""Seconds between two questions."""
FOREVER = frozenset({"dns", "tcp", "tls", "input"})
"""Layers whose failure means that this machine cannot reach the broker at all."""


class UnreachableError(Exception):
    """The broker's status cannot be read from here; the text says why and what to do."""


@dataclass(frozen=True)
class ServerStatus:
    """One server as its broker sees it: ``known`` is False while the broker has not read the registration yet."""

    known: bool
    ready: bool = False
    tools: int = 0
    message: str = ""

    def satisfies(self, min_tools: int) -> bool:
        """Ready, with at least so many tools."""
        return self.ready and self.tools >= min_tools

    def seen(self, min_tools: int) -> str:
        """What is missing, in words."""
        if not self.known:
            return "the broker does not know it yet (its configuration reaches it within about a minute)"
        if not self.ready:
            return f"the broker says: {self.message or 'not ready'}"
        return f"it offers {self.tools} tools, at least {min_tools} were asked for"


def await_server(
    broker: Broker, namespace: str, name: str, *, min_tools: int, deadline: Deadline, patient: bool
) -> ServerStatus:
    """Ask until the server is ready. Raises WaitTimeout with what was seen last.

    A broker that cannot be reached from here raises UnreachableError at once, unless ``patient``: then it is asked
    until the deadline, except where waiting cannot help.
    """
    wire = broker.wire(f"/status/{namespace}/{name}")
    pause = threading.Event()
    while True:
        status, problem = _ask(wire, deadline, patient)
        if status is not None and status.satisfies(min_tools):
            return status
        if status is not None:
            deadline.progress.tick(f"waiting for the broker at {broker.url}: {status.seen(min_tools)}")
        if deadline.remaining <= PAUSE:
            seen = status.seen(min_tools) if status is not None else problem
            raise WaitTimeout(
                f"Waited {deadline.seconds:g} s for MCPServerRegistration {namespace}/{name} to be served by the "
                f"broker at {broker.url}; last seen: {seen}; look at the MCP server's own log, its Service, and the "
                "path and credential of the registration.",
                waited_for="be served by the broker",
                last_seen=seen,
            )
        pause.wait(PAUSE)


def _ask(wire: Wire, deadline: Deadline, patient: bool) -> tuple[ServerStatus | None, str]:
    timeout = min(REQUEST_TIMEOUT, max(1.0, deadline.remaining))
    try:
        with wire.send("GET", {"Accept": "application/json"}, timeout=timeout) as answer:
            return _status(answer, wire.target), ""
    except EndpointError as error:
        if error.layer in FOREVER and not (patient and error.retry):
            raise UnreachableError(str(error)) from error
        return None, str(error)


def _status(answer: Exchange, target: Target) -> ServerStatus | None:
    body = answer.body()
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if answer.status == 404 and isinstance(found, dict) and "error" in found:
        return ServerStatus(known=False)
    if answer.status == 200 and isinstance(found, dict) and "ready" in found:
        return ServerStatus(
            True, bool(found["ready"]), int(found.get("totalTools") or 0), str(found.get("message") or "")
        )
    if answer.status >= 500 or answer.status == 429:
        raise EndpointError("http", f"{target.url}: the answer has the status {answer.status}")
    raise UnreachableError(
        f"{target.url} answers {answer.status}, which is no status of a broker (a custom route without the path "
        "/status, or a policy that asks for a token, is in the way)"
    )
