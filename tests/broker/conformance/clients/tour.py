# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every real client does with the fixtures, and what it must have seen at the end.

Only the standard library is used here: clients of both eras read it, each in a virtual environment of its own.
tour.mjs does the same with the clients of TypeScript.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from typing import Any

from broker.conformance import content
from broker.conformance.content import Json

USER: Json = {"username": "ada", "email": "ada@example.com"}
MODEL = "blue"
ROOT = "file:///work"


class Client(ABC):
    """A connected client of some library: its own calls, with results as JSON of the wire.

    It answers an elicitation with USER (or agrees to open a page), a request to the model with MODEL, roots with ROOT.
    """

    protocol: str
    """Revision that was agreed on."""
    server: str
    """Name of the server."""
    logs: list[Any]
    """Data of the log messages that arrived."""

    @abstractmethod
    async def names(self, kind: str) -> list[str]:
        """List the names (of resources the URIs) of tools, prompts, resources or templates."""

    @abstractmethod
    async def call(self, tool: str, arguments: Json, progress: list[float] | None = None) -> Json:
        """Call a tool, adding progress to the list."""

    @abstractmethod
    async def read(self, uri: str) -> str:
        """Read the text of a resource."""

    @abstractmethod
    async def prompt(self, name: str, arguments: dict[str, str]) -> str:
        """Get the text of a prompt."""

    @abstractmethod
    async def complete(self, prompt: str, argument: str, value: str) -> list[str]:
        """Complete the argument of a prompt."""

    @abstractmethod
    async def watch(self, uri: str, touch: str) -> str:
        """Subscribe to a resource, call the tool that changes it, and return the URI that the server says changed."""


def text(result: Json) -> str:
    """Return the text of the first block of a tool's result."""
    return str(result["content"][0]["text"])


async def tour(client: Client) -> Json:
    """Use everything once."""
    progress: list[float] = []
    seen: Json = {"protocol": client.protocol, "server": client.server}
    for kind in ("tools", "prompts", "resources", "templates"):
        seen[kind] = sorted(await client.names(kind))
    seen["text"] = text(await client.call("test_simple_text", {}))
    seen["structured"] = (await client.call("test_structured", {"city": "Oslo"}))["structuredContent"]
    seen["failed"] = (await client.call("test_error_handling", {}))["isError"]
    seen["headers"] = json.loads(text(await client.call(content.HEADER_TOOL, {"region": "Ås, äst", "size": 7})))
    await client.call("test_tool_with_progress", {}, progress)
    seen["progress"] = progress
    await client.call("test_tool_with_logging", {})
    seen["logs"] = client.logs
    seen["read"] = await client.read("test://static-text")
    seen["template"] = json.loads(await client.read("test://template/7/data"))["id"]
    seen["prompt"] = await client.prompt("test_prompt_with_arguments", {"arg1": "a", "arg2": "b"})
    seen["completion"] = await client.complete("test_prompt_with_arguments", "arg1", "par")
    seen["elicitation"] = text(await client.call("test_elicitation", {"message": "Who?"}))
    seen["url"] = text(await client.call("test_url_elicitation", {"url": "https://login.example/"}))
    seen["sampling"] = text(await client.call("test_sampling", {"prompt": "Which colour?"}))
    seen["roots"] = text(await client.call("test_roots", {}))
    seen["rounds"] = text(await client.call("test_input_required_result_multi_round", {}))
    seen["asked at once"] = text(await client.call("test_input_required_result_multiple_inputs", {}))
    seen["updated"] = await client.watch(content.WATCHED, "test_touch")
    return seen


def expected(protocol: str) -> Json:
    """Return what a client that agreed on this revision must have seen."""
    user = f"action=accept, content={json.dumps(USER, sort_keys=True)}"
    return {
        "protocol": protocol,
        "server": "mcpops-broker",
        "tools": sorted(tool["name"] for tool in content.TOOLS),
        "prompts": sorted(prompt["name"] for prompt in content.PROMPTS),
        "resources": sorted(resource["uri"] for resource in content.RESOURCES),
        "templates": [template["uriTemplate"] for template in content.TEMPLATES],
        "text": "This is a simple text response for testing.",
        "structured": {"city": "Oslo", "degrees": 21.5},
        "failed": True,
        "headers": {"region": "Ås, äst", "size": 7},
        "progress": [0, 50, 100],
        "logs": ["Tool execution started", "Tool processing data", "Tool execution completed"],
        "read": "This is the content of the static text resource.",
        "template": "7",
        "prompt": "Prompt with arguments: arg1='a', arg2='b'",
        "completion": ["paris", "park", "party"],
        "elicitation": f"User response: {user}",
        "url": "action=accept",
        "sampling": f"LLM response: {MODEL}",
        "roots": ROOT,
        "rounds": f"{user}; {user}",
        "asked at once": f"state-ok; client_roots: {ROOT}; greeting: {MODEL}; user_name: {user}",
        "updated": content.WATCHED,
    }


def show(seen: Json) -> None:
    """Print what was seen, for the test that started this program."""
    print(json.dumps(seen))


class Changes:
    """Resources that the server said were changed."""

    def __init__(self) -> None:
        self._uris: asyncio.Queue[str] = asyncio.Queue()

    def add(self, uri: str) -> None:
        """Note a change."""
        self._uris.put_nowait(uri)

    async def next(self) -> str:
        """Wait for a change."""
        return await asyncio.wait_for(self._uris.get(), 30)
