# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""One condition of the policy, in the Common Expression Language (github.com/google/cel-spec), compiled once.

The engine (package common-expression-language) checks names and types when an expression runs. Whoever writes a policy
wants to hear of a typing error before: names, fields and functions are looked up here, and every expression is tried
with values of the right types.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

LONGEST = 2000
"""Characters; the engine's stack does not bear expressions that are ten times as deep."""

FIELDS: Mapping[str, frozenset[str]] = {
    "principal": frozenset({"id", "how", "name", "issuer", "clientId", "scopes", "groups", "claims"}),
    "server": frozenset({"name", "prefix", "hostname", "tags", "categories"}),
    "tool": frozenset({"name", "originalName", "annotations"}),
    "prompt": frozenset({"name", "originalName"}),
    "resource": frozenset({"uri", "annotations"}),
    "virtualServer": frozenset(),
}
"""The variables of an expression and their fields. `virtualServer` is text."""
HINTS: Mapping[str, bool] = {
    "readOnlyHint": False,
    "destructiveHint": True,
    "idempotentHint": False,
    "openWorldHint": True,
}
"""Annotations that every tool has, with what holds when its server does not say (MCP schema, ToolAnnotations)."""

_SAMPLE: Mapping[str, Any] = {
    "principal": {
        **dict.fromkeys(("id", "how", "name", "issuer", "clientId"), "text"),
        "scopes": ["text"],
        "groups": ["text"],
        "claims": {},
    },
    "server": {"name": "text", "prefix": "text", "hostname": "text", "tags": ["text"], "categories": ["text"]},
    "tool": {"name": "text", "originalName": "text", "annotations": HINTS},
    "prompt": {"name": "text", "originalName": "text"},
    "resource": {"uri": "text", "annotations": {}},
    "virtualServer": "text",
}
_FUNCTIONS = frozenset({
    "bytes", "contains", "double", "duration", "dyn", "endsWith", "getDate", "getDayOfMonth", "getDayOfWeek",
    "getDayOfYear", "getFullYear", "getHours", "getMilliseconds", "getMinutes", "getMonth", "getSeconds", "int",
    "matches", "size", "startsWith", "string", "timestamp", "type", "uint",
})  # fmt: skip
_TYPES = frozenset({"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"})
_LITERAL = re.compile(
    r"""//[^\n]*|[bB]?[rR][bB]?(?:"[^"\n]*"|'[^'\n]*')|[bB]?(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')"""
)
_BOUND = re.compile(r"\.\s*(?:all|exists|exists_one|filter|map)\s*\(\s*([A-Za-z_]\w*)\s*,")
_FIELD = re.compile(r"(?<![\w.])(principal|server|tool|prompt|resource)\b(?:\s*\.\s*([A-Za-z_]\w*))?")
_MEMBER = re.compile(r"""\s*(?:\.\s*([A-Za-z_]\w*)|\[\s*(?:"([^"\\]*)"|'([^'\\]*)')\s*\])""")


class ExpressionError(ValueError):
    """An expression that cannot be used, or has no value. The message goes on after "it" and quotes no values."""


class Expression:
    """A compiled expression. Two of the same text are equal."""

    __slots__ = ("_program", "claims", "text", "uses")

    def __init__(self, text: str) -> None:
        """Compile; raise `ExpressionError`."""
        if len(text) > LONGEST:
            raise ExpressionError(f"is longer than {LONGEST} characters")
        self.text = text
        code = _LITERAL.sub(_blank, text)
        try:
            self._program = engine().compile(text)
        except ValueError as error:
            raise ExpressionError(f"cannot be read: {_syntax(error)}") from None
        self.uses: Mapping[str, frozenset[str]] = _fields(code, self._names(code))
        """The fields that it needs, by variable. What is not here cannot matter: it is not there when it runs."""
        self.claims = _claims(text, code)
        """The claims that it needs; None: all."""
        self._try()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def holds(self, context: Any) -> bool:
        """Tell whether it is true of the variables in a context of the engine; raise `ExpressionError` when it has no
        value, or one that is neither true nor false."""
        try:
            value = self._program.execute(context)
        except Exception as error:
            raise ExpressionError(_failure(error)) from None
        if type(value) is not bool:
            raise ExpressionError("is neither true nor false")
        return value

    def _names(self, code: str) -> frozenset[str]:
        """Return the variables that it uses."""
        references = self._program.references()
        own = set(_BOUND.findall(code))
        for name in sorted(own & FIELDS.keys()):
            raise ExpressionError(f"gives the name '{name}' to something of its own: choose another")
        names = frozenset(references["variables"]) - _TYPES - own
        for name in sorted(names - FIELDS.keys()):
            raise ExpressionError(f"has the unknown name '{name}'; known are {', '.join(sorted(FIELDS))}")
        for name in sorted(references["functions"]):
            if name[0].isalpha() and name not in _FUNCTIONS:
                raise ExpressionError(f"has the unknown function '{name}'")
        return names

    def _try(self) -> None:
        """Run it once. Only what the sample lacks (claims, annotations) may be missing."""
        try:
            value = self._program.execute(engine().Context(dict(_SAMPLE)))
        except (KeyError, IndexError):
            return
        except Exception as error:
            raise ExpressionError(_failure(error)) from None
        if type(value) is not bool:
            raise ExpressionError("must be true or false, not a value of another type")


def engine() -> ModuleType:
    """Return the engine's package, without its command line: that would cost 25 MB and 0.15 s."""
    known = sys.modules.get("cel")
    if known is not None:
        return known
    sys.modules["cel.cli"] = ModuleType("cel.cli")
    try:
        import cel  # noqa: PLC0415 - a broker without policy needs none
    finally:
        del sys.modules["cel.cli"]
    return cel


def _fields(code: str, names: frozenset[str]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = dict.fromkeys(names, frozenset())
    for variable, field in _FIELD.findall(code):
        if variable not in names:
            continue  # the name of a field
        if field and field not in FIELDS[variable]:
            known = ", ".join(sorted(FIELDS[variable]))
            raise ExpressionError(f"has the unknown field '{variable}.{field}'; known are {known}")
        found[variable] |= {field} if field else FIELDS[variable]
    return found


def _claims(text: str, code: str) -> frozenset[str] | None:
    claims: set[str] = set()
    for match in re.finditer(r"(?<![\w.])principal\b(?:\s*\.\s*claims\b)?", code):
        if not match[0].endswith("claims"):
            if not re.match(r"\s*\.", code[match.end() :]):
                return None  # the principal as a whole
            continue
        member = _MEMBER.match(text, match.end())
        if member is None:
            return None
        claims.add(next(name for name in member.groups() if name is not None))
    return frozenset(claims)


def _blank(literal: re.Match[str]) -> str:
    """Return a literal or comment without its content, of the same length."""
    text = literal[0]
    return " " * len(text) if text.startswith("//") else '"' + " " * (len(text) - 2) + '"'


def _syntax(error: ValueError) -> str:
    """Return what is wrong and where, without the expression, which the message has twice."""
    found = re.search(r"ERROR: <input>:(\d+):(\d+): ([^\n]*)", str(error))
    if found is None:
        return "syntax error"
    what = re.sub(r",? ?expecting .*", "", found[3])
    return f"{what} (line {found[1]}, column {found[2]})"


def _failure(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"needs {str(error.args[0] if error.args else 'a value').strip(chr(39))}, which is not there"
    if isinstance(error, IndexError | OverflowError | ZeroDivisionError):
        return "fails: an index, number or divisor is out of its bounds"
    if isinstance(error, TypeError):
        return "fails: values of these types cannot be combined"
    function = re.match(r"Function '(\w+)' error", str(error))
    return f"fails in {function[1]}()" if function else "fails"
