# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The four kinds of things that an MCP server lists, and what the protocol calls their parts.

Rules: MCP server/tools, server/prompts, server/resources (the same in all revisions).
"""

from __future__ import annotations

from enum import Enum


class Kind(Enum):
    """What is listed."""

    TOOLS = ("tools", "tools/list", "name", "tools", "tool")
    PROMPTS = ("prompts", "prompts/list", "name", "prompts", "prompt")
    RESOURCES = ("resources", "resources/list", "uri", "resources", "resource")
    TEMPLATES = ("resourceTemplates", "resources/templates/list", "uriTemplate", "resources", "resource template")

    def __init__(self, key: str, method: str, identity: str, capability: str, noun: str) -> None:
        self.key = key
        """The member of a list result that holds the elements."""
        self.method = method
        """The request that lists them."""
        self.identity = identity
        """The member of an element that no two elements may share."""
        self.capability = capability
        """The capability of a server that offers them; it also names their notification of a change."""
        self.noun = noun
        """One of them, in a sentence."""

    @property
    def changed(self) -> str:
        """The notification that says that the list is another one now."""
        return f"notifications/{self.capability}/list_changed"
