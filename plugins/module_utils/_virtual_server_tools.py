# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Which tools of a virtual server no MCP server offers, since the operator accepts every name.

The gateway itself is asked as clients ask it. Where that cannot be done from here, only names that begin with the
prefix of no registration are known to be wrong.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._broker_place import (
    Broker,
    broker_of,
    gateway_of,
    told_broker,
)
from ansible_collections.mcpops.gateway.plugins.module_utils._client import Object
from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import Forbidden
from ansible_collections.mcpops.gateway.plugins.module_utils._extension_manifest import GROUP
from ansible_collections.mcpops.gateway.plugins.module_utils._extension_manifest import KIND as EXTENSION
from ansible_collections.mcpops.gateway.plugins.module_utils._gateway_rules import API_VERSION as GATEWAY_API
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_open import open_client
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_revisions import STATELESS_REVISION

REGISTRATION = "MCPServerRegistration"
PATH = "/mcp"


def unknown_tools(engine: Engine, tools: t.Sequence[str], told: t.Mapping[str, t.Any] | None) -> list[str] | None:
    """Those that no server offers, in their order; None when it cannot be found out."""
    brokers = _brokers(engine, told)
    offered: set[str] | None = set()
    for broker in brokers:
        found = tools_at(broker)
        offered = None if found is None or offered is None else offered | found
    if brokers and offered is not None:
        return [tool for tool in tools if tool not in offered]
    prefixes = _prefixes(engine)
    if prefixes is None or "" in prefixes:
        return None
    return [tool for tool in tools if not tool.startswith(tuple(prefixes))]


def tools_at(broker: Broker) -> set[str] | None:
    """Names of the tools that clients of any revision see; None when the broker gives no list.

    A gateway shows the tools of servers of the stateless revision to clients of that revision only.
    """
    wire = broker.wire(PATH)
    found: set[str] | None = None
    for revision in (None, STATELESS_REVISION):
        with contextlib.suppress(EndpointError):  # None then means that nothing is known
            client, hello = open_client(wire, revision)
            try:
                names = {tool["name"] for tool in client.tools()} if "tools" in hello.capabilities else set()
                found = (found or set()) | names
            finally:
                client.close()
    return found


def _brokers(engine: Engine, told: t.Mapping[str, t.Any] | None) -> list[Broker]:
    """The broker that the user tells, or those of all extensions, since each of them gets the virtual server."""
    known = told_broker(told)
    if known is not None:
        return [known]
    found = []
    try:
        for extension in _objects(engine, EXTENSION) or []:
            namespace, name = gateway_of(extension)
            broker = broker_of(extension, engine.read(GATEWAY_API, "Gateway", name, namespace), told)
            if broker is None:
                return []
            found.append(broker)
    except Forbidden:  # not all gateways may be seen, so not all tools are known
        return []
    return found


def _prefixes(engine: Engine) -> set[str] | None:
    """The prefixes of all registrations, "" for one without; None when they are not all to be seen."""
    registrations = _objects(engine, REGISTRATION)
    if registrations is None:
        return None
    specs = [one.get("spec") or {} for one in registrations]
    return {str(spec.get("prefix") or spec.get("toolPrefix") or "") for spec in specs}


def _objects(engine: Engine, kind: str) -> list[Object] | None:
    """All of a kind in the cluster; None when they may not be listed."""
    resource = engine.discovery.find_in_group(GROUP, kind)
    if resource is None:
        return []
    try:
        return engine.client.list(resource)[0]
    except Forbidden:
        return None
