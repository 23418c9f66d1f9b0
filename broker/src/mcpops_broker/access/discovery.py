# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The broker's own tools, with which a client finds and chooses among many: `discover_tools`, `select_tools`,
`list_tags`, `filter_tools_by_tags`. Names, arguments and results: Kuadrant mcp-gateway 0.7 and later.

They show and take what the request may use, nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from mcpops_broker.catalogue.scope import Scope
from mcpops_broker.catalogue.source import Definition, Item
from mcpops_broker.config.model import Server
from mcpops_broker.protocol.kinds import Kind

if TYPE_CHECKING:
    from mcpops_broker.broker import Broker

MAX_SELECTED = 250
"""Tools that a session can choose."""
INSTRUCTIONS = (
    "This server offers the tools of many others. To see few of them at a time, call discover_tools for their names "
    "and select_tools with those that the task needs: tools/list then has only these."
)

Arguments = dict[str, Any]


class _BadArgumentsError(ValueError):
    """The arguments cannot be used; the message is for the model that sent them."""


def definitions(servers: Iterable[Server]) -> list[Definition]:
    """Return the tools as lists show them; those about tags only when a server has some."""
    names = ["discover_tools", "select_tools"]
    if any(server.tags for server in servers):
        names += ["list_tags", "filter_tools_by_tags"]
    return [_DEFINITIONS[name] for name in names]


def call(broker: Broker, scope: Scope, identity: str, name: str, arguments: object) -> bytes:
    """Call one of the tools for a session; return the result, serialized."""
    try:
        if not isinstance(arguments, dict):
            raise _BadArgumentsError("invalid arguments: they must be an object")
        text, error = _TOOLS[name](broker, scope, identity, arguments), False
    except _BadArgumentsError as problem:
        text, error = str(problem).encode(), True
    return orjson.dumps({"content": [{"type": "text", "text": text.decode()}], "isError": error})


def _discover(broker: Broker, scope: Scope, identity: str, arguments: Arguments) -> bytes:
    category = arguments.get("category")
    wanted = category.casefold() if isinstance(category, str) else ""
    found = []
    for server, tools in _visible(broker, scope):
        categories = server.categories or ("uncategorised",)
        if wanted and wanted not in [one.casefold() for one in categories]:
            continue
        about: dict[str, Any] = {"name": server.name, "categories": categories}
        if server.hint:
            about["hint"] = server.hint
        found.append({**about, "tools": sorted(tool.id for tool in tools)})
    return orjson.dumps({"servers": sorted(found, key=lambda server: server["name"])})


def _select(broker: Broker, scope: Scope, identity: str, arguments: Arguments) -> bytes:
    names = _texts(arguments, "tools")
    if len(names) > MAX_SELECTED:
        raise _BadArgumentsError(f"too many tools requested (max {MAX_SELECTED})")
    if not names:
        broker.select_tools(identity, None)
        return orjson.dumps({"status": "scope reset to all tools"})
    usable = {tool.id for _, tools in _visible(broker, scope) for tool in tools}
    missing = [name for name in names if name not in usable]
    if missing:
        raise _BadArgumentsError(f"tool not available: {', '.join(missing[:10])}. Nothing was changed")
    broker.select_tools(identity, frozenset(names))
    return orjson.dumps({"status": f"scope set to {len(names)} tools", "tools": names})


def _list_tags(broker: Broker, scope: Scope, identity: str, arguments: Arguments) -> bytes:
    return orjson.dumps(sorted({tag for server, _ in _visible(broker, scope) for tag in server.tags}))


def _filter_by_tags(broker: Broker, scope: Scope, identity: str, arguments: Arguments) -> bytes:
    tags = _texts(arguments, "tags")
    if not tags or not all(tags):
        raise _BadArgumentsError("tags must not " + ("contain empty strings" if tags else "be empty"))
    found = [tool for server, tools in _visible(broker, scope) if set(tags) <= set(server.tags) for tool in tools]
    return b"[" + b",".join(tool.raw for tool in sorted(found, key=lambda tool: tool.id)) + b"]"


def _visible(broker: Broker, scope: Scope) -> list[tuple[Server, list[Item]]]:
    """Return what the request may use whatever its session has chosen, by server, without servers of which it is
    nothing."""
    by_server: dict[str, list[Item]] = {}
    for tool in broker.catalogue.view(replace(scope, selection=None)).items(Kind.TOOLS):
        by_server.setdefault(tool.upstream, []).append(tool)
    return [(server, by_server[server.name]) for server in broker.config.servers if server.name in by_server]


def _texts(arguments: Arguments, name: str) -> list[str]:
    values = arguments.get(name)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise _BadArgumentsError(f"invalid {name} parameter: it must be an array of strings")
    return values


_TOOLS: dict[str, Callable[[Broker, Scope, str, Arguments], bytes]] = {
    "discover_tools": _discover,
    "select_tools": _select,
    "list_tags": _list_tags,
    "filter_tools_by_tags": _filter_by_tags,
}


def _tool(
    name: str, description: str, properties: dict[str, Any], *required: str, read_only: bool = True
) -> Definition:
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    hints = {"readOnlyHint": read_only, "idempotentHint": True, "openWorldHint": False}
    return {"name": name, "description": description, "inputSchema": schema, "annotations": hints}


def _list_of_texts(description: str) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string"}, "description": description}


_DEFINITIONS = {
    definition["name"]: definition
    for definition in (
        _tool(
            "discover_tools",
            "Names all tools that can be used, by server, with the server's categories and a hint. Without schemas, "
            "so it is short however many tools there are. Choose from them with select_tools.",
            {
                "category": {
                    "type": "string",
                    "description": "Only servers of this category (upper and lower case alike)",
                }
            },
        ),
        _tool(
            "select_tools",
            "Limits tools/list to the tools that are named, for this session. Takes effect when the list is read "
            "again. An empty list brings all tools back.",
            {"tools": _list_of_texts(f"Names of at most {MAX_SELECTED} tools, as discover_tools gives them")},
            "tools",
            read_only=False,
        ),
        _tool("list_tags", "Names all tags of servers that have tools which can be used.", {}),
        _tool(
            "filter_tools_by_tags",
            "Returns the tools, with their schemas, of the servers that have all of the given tags.",
            {"tags": _list_of_texts("Tags, at least one")},
            "tags",
        ),
    )
}
