# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""What the broker behind an endpoint says of its MCP servers: ``GET /status`` of the same host."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_message import Json
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_target import Target
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wellknown import get_document
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_wire import Wire

EVERY = "*"


def check_servers(status: Wire, endpoint: Target, expected: t.Sequence[str]) -> dict[str, bool]:
    """Whether each server is ready, by its name. Those that are expected must be; ``*`` expects every listed one.

    ``status`` leads to the broker's /status.
    """
    document, problem = get_document(status)
    servers = document.get("servers") if document is not None else None
    if not isinstance(servers, list):
        raise EndpointError(
            "assert",
            f"{status.target.url}: this is no status of a broker ({problem or 'it has no list of servers'}); route the"
            " path /status to the broker, or leave expect_status_servers out",
        )
    by_name: dict[str, Json] = {str(one.get("name")): one for one in servers if isinstance(one, dict)}
    wrong = [f"{name} is not registered" for name in expected if name != EVERY and name not in by_name]
    for name, server in by_name.items():
        if (EVERY in expected or name in expected) and not server.get("ready"):
            wrong.append(f"{name} is not ready ({server.get('message') or 'no reason given'})")
    if EVERY in expected and not by_name:
        wrong.append("no server is registered")
    ready = {name: bool(server.get("ready")) for name, server in by_name.items()}
    if wrong:
        raise EndpointError(
            "assert",
            f"{endpoint.url}: {'; '.join(wrong)}; look at the registration and at the MCP server's own log",
            servers=ready,
        )
    return ready


def status_target(target: Target) -> Target:
    """The address of /status beside the endpoint."""
    return dataclasses.replace(target, url=f"{target.scheme}://{target.host_header}/status", path="/status")
