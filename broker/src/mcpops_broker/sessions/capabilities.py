# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""What a client can do, as a number that fits into its session id.

Only capabilities that change what a server may ask of its client are kept (MCP, ClientCapabilities): elicitation by
form and by URL, sampling with tools and with context, roots and their changes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

_ELICITATION_FORM = 1
_ELICITATION_URL = 2
_SAMPLING = 4
_SAMPLING_TOOLS = 8
_SAMPLING_CONTEXT = 16
_ROOTS = 32
_ROOTS_CHANGED = 64
ALL = 127
"""The largest number that `flags_of` returns."""


def flags_of(capabilities: object) -> int:
    """Return the number for what a client declares in `initialize`. What is no object declares nothing."""
    if not isinstance(capabilities, dict):
        return 0
    flags = 0
    elicitation = capabilities.get("elicitation")
    if isinstance(elicitation, dict):
        url = _has(elicitation, "url")
        flags |= _ELICITATION_URL if url else 0
        if _has(elicitation, "form") or not url:  # MCP 2025-11-25: an empty object means forms
            flags |= _ELICITATION_FORM
    sampling = capabilities.get("sampling")
    if isinstance(sampling, dict):
        flags |= _SAMPLING
        flags |= _SAMPLING_TOOLS if _has(sampling, "tools") else 0
        flags |= _SAMPLING_CONTEXT if _has(sampling, "context") else 0
    roots = capabilities.get("roots")
    if isinstance(roots, dict):
        flags |= _ROOTS | (_ROOTS_CHANGED if roots.get("listChanged") is True else 0)
    return flags


@lru_cache(maxsize=ALL + 1)
def capabilities_of(flags: int) -> dict[str, Any]:
    """Return the capabilities for a number, as MCP writes them: one object, never to be changed."""
    capabilities: dict[str, Any] = {}
    if flags & (_ELICITATION_FORM | _ELICITATION_URL):
        elicitation: dict[str, Any] = {}
        capabilities["elicitation"] = elicitation
        if flags & _ELICITATION_URL:
            if flags & _ELICITATION_FORM:
                elicitation["form"] = {}
            elicitation["url"] = {}
    if flags & _SAMPLING:
        sampling: dict[str, Any] = {}
        capabilities["sampling"] = sampling
        if flags & _SAMPLING_TOOLS:
            sampling["tools"] = {}
        if flags & _SAMPLING_CONTEXT:
            sampling["context"] = {}
    if flags & _ROOTS:
        capabilities["roots"] = {"listChanged": True} if flags & _ROOTS_CHANGED else {}
    return capabilities


def _has(parent: dict[str, Any], name: str) -> bool:
    return isinstance(parent.get(name), dict)
