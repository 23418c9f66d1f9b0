# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""The tools that sessions have chosen to see (`select_tools`)."""

from __future__ import annotations

MAX_SELECTIONS = 10_000
"""Sessions whose choice is kept, as in the operator's broker. Then the oldest choice is forgotten."""


class Selections:
    """Chosen tools by session identity."""

    def __init__(self) -> None:
        self._chosen: dict[str, frozenset[str]] = {}

    def __len__(self) -> int:
        return len(self._chosen)

    def get(self, identity: str | None) -> frozenset[str] | None:
        """Return what a session has chosen; None when it has not."""
        return self._chosen.get(identity) if identity is not None else None

    def set(self, identity: str, tools: frozenset[str] | None) -> None:
        """Remember a session's choice; None: all tools."""
        self._chosen.pop(identity, None)
        if tools is not None:
            self._chosen[identity] = tools
            if len(self._chosen) > MAX_SELECTIONS:
                del self._chosen[next(iter(self._chosen))]

    def all(self) -> list[tuple[str, list[str]]]:
        """Return all choices, for a worker that just started."""
        return [(identity, sorted(tools)) for identity, tools in self._chosen.items()]
