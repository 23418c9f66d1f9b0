# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module utility is PRIVATE to the collection: it can change or go away with any release.

"""The list of tools with all its pages, and the result of a call, in every revision alike."""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_failure import EndpointError, excerpt
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_message import Json
from ansible_collections.mcpops.gateway.plugins.module_utils._mcp_target import Target

MAX_PAGES = 1000


def list_tools(target: Target, ask: t.Callable[[Json], Json]) -> list[Json]:
    """Every tool, all pages. ``ask`` sends tools/list with these params and returns the result."""
    found: list[Json] = []
    cursor: str | None = None
    for _page in range(MAX_PAGES):
        result = ask({"cursor": cursor} if cursor else {})
        page = result.get("tools")
        if not isinstance(page, list) or not all(isinstance(x, dict) and isinstance(x.get("name"), str) for x in page):
            raise _wrong(target, "the answer to tools/list holds no list of named tools")
        found += page
        following = result.get("nextCursor")
        if not following:
            return found
        if following == cursor:
            raise _wrong(target, f"tools/list gives the cursor {excerpt(str(following))!r} again and again")
        cursor = following
    raise _wrong(target, f"tools/list does not end after {MAX_PAGES} pages")


def checked_call(target: Target, name: str, result: Json) -> Json:
    """The result of tools/call, when it does not say ``isError``."""
    if not result.get("isError"):
        return result
    said = excerpt(text_of(result)) or "no text"
    raise EndpointError(
        "assert",
        f"{target.url}: the tool {name} answered with an error ({said});"
        " correct call.arguments, or repair the MCP server",
        retry=False,
        call_result=result,
    )


def text_of(result: Json) -> str:
    """The text of a result, its parts one a line."""
    return "\n".join(str(x.get("text", "")) for x in result.get("content") or [] if isinstance(x, dict))


def _wrong(target: Target, text: str) -> EndpointError:
    return EndpointError("mcp", f"{target.url}: {text}", retry=False)
