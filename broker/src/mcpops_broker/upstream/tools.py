# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Listing an upstream's tools: all pages, the odd ones sorted out with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mcpops_broker.upstream.errors import UpstreamError
from mcpops_broker.upstream.link import UpstreamLink
from mcpops_broker.upstream.session import UpstreamSession

MAX_TOOLS = 20_000
"""Tools of one upstream. More is taken for a server that pages without end."""

Tool = dict[str, Any]
"""A tool as the upstream wrote it; fields we do not know are kept."""


@dataclass(frozen=True, slots=True)
class InvalidTool:
    """A tool that is not offered to clients, because they would refuse the whole list for it."""

    name: str
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ToolList:
    """What an upstream offers."""

    tools: tuple[Tool, ...] = ()
    invalid: tuple[InvalidTool, ...] = ()


async def list_tools(link: UpstreamLink, session: UpstreamSession) -> ToolList:
    """Read all pages of `tools/list`; raise `UpstreamError`. Without the capability nothing is asked."""
    if "tools" not in session.capabilities:
        return ToolList()
    found: list[Any] = []
    cursors: set[str] = set()
    params: dict[str, Any] = {}
    while True:
        page = await link.request(session, "tools/list", params)
        tools = page.get("tools")
        if not isinstance(tools, list):
            raise UpstreamError(link.name, "invalid", "answered tools/list without a list of tools")
        found += tools
        cursor = page.get("nextCursor")
        if not isinstance(cursor, str) or not cursor:
            return sort_out(found)
        if cursor in cursors or len(found) > MAX_TOOLS:
            raise UpstreamError(link.name, "invalid", "does not come to an end of tools/list")
        cursors.add(cursor)
        params = {"cursor": cursor}


def sort_out(found: list[Any]) -> ToolList:
    """Separate usable tools from unusable ones."""
    tools: list[Tool] = []
    invalid: list[InvalidTool] = []
    names: set[str] = set()
    for tool in found:
        errors = problems(tool)
        name = tool.get("name") if isinstance(tool, dict) else None
        if not errors and name in names:
            errors = ("the upstream lists another tool of this name before",)
        if errors:
            invalid.append(InvalidTool(name if isinstance(name, str) else "", errors))
        else:
            names.add(tool["name"])
            tools.append(tool)
    return ToolList(tuple(tools), tuple(invalid))


def problems(tool: Any) -> tuple[str, ...]:
    """Say what makes a tool unusable (MCP server/tools: a name, and an input schema that is an object schema)."""
    if not isinstance(tool, dict):
        return ("a tool must be an object",)
    errors: list[str] = []
    if not isinstance(tool.get("name"), str) or not tool["name"]:
        errors.append("the name must be non-empty text")
    schema = tool.get("inputSchema")
    if not isinstance(schema, dict) or schema.get("type") != "object":
        errors.append('inputSchema must be an object with "type": "object"')
    if "outputSchema" in tool and not isinstance(tool["outputSchema"], dict):
        errors.append("outputSchema must be an object")
    return tuple(errors)
