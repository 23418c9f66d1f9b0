# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Whose a resource is by its URI: matching URI templates (RFC 6570)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mcpops_broker.catalogue.source import Item

LONGEST_URI = 8192
"""Characters of a URI that is matched; a longer one belongs to no template."""

_EXPRESSION = re.compile(r"\{([+#./;?&]?)([^{}]*)\}")
_VALUE = "[^/?#]*?"
"""What an expanded variable may hold: everything reserved is percent-encoded."""
_PATTERNS = {
    "": _VALUE,
    "+": ".*?",
    "#": ".*?",
    ".": r"(?:\.[^/?#]*?)?",
    "/": "(?:/[^?#]*?)?",
    ";": "(?:;[^/?#]*?)?",
    "?": r"(?:\?[^#]*?)?",
    "&": "(?:&[^#]*?)?",
}


class Templates:
    """The URI templates of all upstreams, in the order of the configuration."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._waiting = [(item.id, item.upstream) for item in items]
        self._patterns: list[tuple[re.Pattern[str], str]] | None = None

    def owners(self, uri: str) -> tuple[str, ...]:
        """Return the upstreams with a template that the URI fits, each once."""
        if len(uri) > LONGEST_URI:
            return ()
        if self._patterns is None:  # compiled when first needed: most clients read what is listed
            self._patterns = [(compile_template(template), upstream) for template, upstream in self._waiting]
        return tuple(dict.fromkeys(upstream for pattern, upstream in self._patterns if pattern.fullmatch(uri)))


def compile_template(template: str) -> re.Pattern[str]:
    """Turn a URI template into a pattern of the URIs that it can make (and few others).

    Each variable takes the shortest text before the literal that follows it and does not try again (an atomic
    group), so that no template and no URI can make matching slow.
    """
    parts: list[str] = []
    wildcard = ""
    end = 0
    for match in _EXPRESSION.finditer(template):
        literal = template[end : match.start()]
        if literal or not wildcard:
            parts.append(_step(wildcard, literal))
            wildcard = _wildcard(match)
        else:
            wildcard = ".*?"  # two variables without anything between them
        end = match.end()
    rest = re.escape(template[end:])
    return re.compile("".join(parts) + wildcard + rest, re.DOTALL)


def _wildcard(match: re.Match[str]) -> str:
    operator, variables = match.groups()
    if not operator and variables.endswith("*"):  # many servers write {path*} for text with slashes
        return ".*?"
    return _PATTERNS[operator]


def _step(wildcard: str, literal: str) -> str:
    return f"(?>{wildcard}{re.escape(literal)})" if wildcard else re.escape(literal)
