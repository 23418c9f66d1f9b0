# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Authorino's patterns (selector, operator, value; predicate; all; any; patternRef) as Lua expressions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from sandbox.controllers.gateway_world import Json
from sandbox.controllers.kuadrant_cel import AUTH_FIELDS, REQUEST_FIELDS, UnsupportedCelError, quoted, to_lua

Patterns = Mapping[str, Sequence[Json]]
"""The policy's named patterns."""


def all_of(items: Sequence[Json], named: Patterns) -> str:
    """Lua that is true when every pattern holds. Raises `UnsupportedCelError`."""
    return _joined([_pattern(item, named) for item in items], "both", "true")


def _any_of(items: Sequence[Json], named: Patterns) -> str:
    return _joined([_pattern(item, named) for item in items], "either", "false")


def _joined(parts: Sequence[str], word: str, empty: str) -> str:
    if not parts:
        return empty
    result = parts[-1]
    for part in reversed(parts[:-1]):
        result = f"{word}(function() return {part} end,function() return {result} end)"
    return result


def _pattern(item: Json, named: Patterns) -> str:
    if item.get("predicate"):
        return to_lua(item["predicate"])
    if "all" in item:
        return all_of(item["all"], named)
    if "any" in item:
        return _any_of(item["any"], named)
    if reference := item.get("patternRef"):
        if reference not in named:
            raise UnsupportedCelError(f'names the pattern "{reference}", which the policy does not have')
        return all_of(named[reference], {name: value for name, value in named.items() if name != reference})
    if item.get("selector"):
        return _comparison(item)
    raise UnsupportedCelError(f"has a pattern of the fields {', '.join(sorted(item)) or 'none'}, which is not known")


def _comparison(item: Json) -> str:
    found, value = selector(item["selector"]), quoted(str(item.get("value") or ""))
    match item.get("operator"):
        case "eq":
            return f"(tostring({found} or '')=={value})"
        case "neq":
            return f"(tostring({found} or '')~={value})"
        case "incl":
            return f"among({value},{found} or {{}})"
        case "excl":
            return f"(not among({value},{found} or {{}}))"
        case other:
            raise UnsupportedCelError(f'uses the operator "{other}", which this data plane cannot evaluate')


def selector(path: str) -> str:
    """Lua for a selector of names and dots, for example ``auth.identity.realm_access.roles``; nil when absent."""
    names = path.split(".")
    if names[:3] == ["context", "request", "http"]:
        names = ["request", *names[3:]]
    known = {"request": REQUEST_FIELDS, "auth": AUTH_FIELDS}.get(names[0])
    if known is None or len(names) < 2 or names[1] not in known or not all(map(_plain, names)):
        raise UnsupportedCelError(f'uses the selector "{path}", which this data plane cannot evaluate')
    result = names[0]
    for name in names[1:]:
        result = f"({result} or {{}})[{quoted(name)}]"
    return result


def _plain(name: str) -> bool:
    """Whether a part of a selector is just a name: modifiers and queries of gjson are not known here."""
    return bool(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", name))
