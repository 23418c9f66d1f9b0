# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Common Expression Language, by the engine of the package common-expression-language.

The engine has no optional selection (``a.?b``), counts the bytes of strings, has its own regular expressions and
texts of numbers, and does not know types before it runs: an expression is rewritten for the first three, and its
fields are looked up in the schema for the last. What remains different from a kube-apiserver: wrong types are found
when a rule is evaluated, not when its definition is created, where the cost of rules is not estimated either; macros
with two variables and semver() are refused; ``exists`` stops at an item that errors.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

import cel

from .cellibrary import FUNCTIONS
from .schema import Schema

logging.getLogger("cel").setLevel(logging.ERROR)  # a rule whose function raises has no value: that is no event

_MACROS = "all|exists|exists_one|existsOne|filter|map|optMap|optFlatMap"
_TEXT = re.compile(
    r"""//[^\n]*|[bB]?[rR][bB]?(?:\"{3}[\s\S]*?\"{3}|'{3}[\s\S]*?'{3}|"[^"\n]*"|'[^'\n]*')"""
    r"""|[bB]?\"{3}(?:\\[\s\S]|[^\\])*?\"{3}|[bB]?'{3}(?:\\[\s\S]|[^\\])*?'{3}|[bB]?"(?:\\.|[^"\\\n])*"|[bB]?'(?:\\.|[^'\\\n])*'"""
)
_CALL = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
_BOUND = re.compile(rf"\.({_MACROS})\s*\(\s*([A-Za-z_]\w*)\s*,")
_CHAIN = re.compile(r"(?<![\w.\])}])(?<!\.\?)\b([A-Za-z_]\w*)((?:\s*\.\s*[A-Za-z_]\w*\b(?!\s*\()|\s*\[[^\[\]]*\])*)")
_HAS = re.compile(r"\bhas\s*(\()\s*$")
_LINK = re.compile(r"\.\s*(\w+)|\[")
_REWRITTEN = re.compile(r"\b(matches|size|string)(?=\s*\()|\.\?\s*(\w+)|\[\?|\.(optMap|optFlatMap)\s*\(")
_NATIVE = frozenset(
    "bytes contains double duration dyn endsWith getDate getDayOfMonth getDayOfWeek getDayOfYear getFullYear getHours "
    "getMilliseconds getMinutes getMonth getSeconds has hasValue int matches none of ofNonZeroValue or orValue size "
    f"startsWith string timestamp type uint value {_MACROS.replace('|', ' ')}".split()
)
_KNOWN = _NATIVE | {name.rpartition(".")[2] for name in FUNCTIONS}
_NAMES = {"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint", "optional", "in"}
_NAMES |= {"true", "false", "null", *(name.partition(".")[0] for name in FUNCTIONS if "." in name)}
_PLAIN = {"string": "string", "integer": "int", "number": "double", "boolean": "bool"}
_FAILED = re.compile(
    r"Function '(\w+)' error: (?:Python function call failed: (\w+): )?(.*)\. Check function", re.DOTALL
)
_CONVERSIONS = {name: name for name in ("double", "int", "uint")} | {
    "duration": "google.protobuf.Duration",
    "timestamp": "google.protobuf.Timestamp",
}
_LONGEST = 10_000
"""Characters of an expression; the engine's stack does not bear much longer ones (a kube-apiserver takes 100,000)."""
_FAILURES = (IndexError, KeyError, OverflowError, RuntimeError, TypeError, ZeroDivisionError)
"""What the engine raises for an expression without a value."""


Scope = cel.Context
"""Variables and functions; dear to make, because values are converted, and cheap to use again."""


class CompileError(Exception):
    """An expression that cannot be compiled, told with its place as cel-go does."""


class EvaluationError(Exception):
    """An expression has no value: a missing key, a wrong type, an overflow."""


class Expression:
    """A compiled expression."""

    def __init__(self, text: str, variables: Mapping[str, Schema | None]) -> None:
        """Compile; ``variables`` are those there will be, with their schema where it is known.

        Raises `CompileError`, also for names and fields that do not exist.
        """
        if len(text) > _LONGEST:
            size = f"size: {len(text)}, limit {_LONGEST}"
            raise CompileError(f"ERROR: <input>:-1:0: expression code point size exceeds limit: {size}")
        code = _TEXT.sub(_blank, text)
        self._text = _rewrite(text, code)
        try:
            self._program = cel.compile(self._text)
        except ValueError as error:
            message = str(error).partition("': ERROR")[2]
            raise CompileError("ERROR" + message.replace("\n| ", "\n | ")) from None
        problems = sorted(_problems(code, variables))
        if problems:
            raise CompileError("\n".join(_located(text, position, problem) for position, problem in problems))
        references = self._program.references()
        self.used = frozenset(references["variables"])
        """Variables that the expression refers to, those of its own macros included."""
        called = set(references["functions"])
        self.functions = {name: made for name, made in FUNCTIONS.items() if name.rpartition(".")[2] in called}
        """Those that a scope needs for it."""

    def run(self, scope: Scope) -> Any:
        """The value. Raises `EvaluationError`."""
        try:
            return self._program.execute(scope)
        except _FAILURES as error:
            raise EvaluationError(_told(self._first(scope, error))) from None

    def _first(self, scope: Scope, failure: Exception) -> Exception:
        """Where several operands of && and || fail, cel-go tells of the first and the engine of the last."""
        try:
            text = _TEXT.sub(lambda part: _blank(part) if part[0].startswith("//") else part[0], self._text)
            cel.compile(_mirrored(text, _TEXT.sub(_blank, text))).execute(scope)
        except _FAILURES as first:
            return first
        return failure


def _told(failure: Exception) -> str:
    """What cel-go says; the engine says that a function does not exist where its types are wrong."""
    if isinstance(failure, KeyError):
        return f"no such key: {failure.args[0]}"
    if isinstance(failure, ZeroDivisionError):
        return "modulus by zero" if "modulo" in str(failure) else "division by zero"
    if isinstance(failure, (IndexError, OverflowError)):
        return str(failure) if isinstance(failure, IndexError) else "integer overflow"
    failed = _FAILED.match(str(failure))
    if failed and failed[1] in _CONVERSIONS:
        return f"type conversion error from 'string' to '{_CONVERSIONS[failed[1]]}'"
    return failed[3] if failed and failed[2] in (None, "ValueError", "IndexError") else "no such overload"


def _blank(literal: re.Match[str]) -> str:
    """A literal without its content, of the same length; comments go."""
    text = literal[0]
    return re.sub(r"[^\n]", " ", text) if text.startswith("//") else '"' + " " * (len(text) - 2) + '"'


def _located(text: str, position: int, problem: str) -> str:
    """A compile error as CEL shows it, with the place in the text."""
    line = text.count("\n", 0, position)
    column = position - (text.rfind("\n", 0, position) + 1)
    return f"ERROR: <input>:{line + 1}:{column + 1}: {problem}\n | {text.split(chr(10))[line]}\n | {'.' * column}^"


def _closing(code: str, start: int) -> int:
    """Where the bracket that is open before ``start`` closes; the end of the text when it does not."""
    depth = 1
    for index in range(start, len(code)):
        depth += (code[index] in "([{") - (code[index] in ")]}")
        if depth == 0:
            return index
    return len(code)


def _rewrite(text: str, code: str) -> str:
    """The expression in words that the engine knows."""
    edits: list[tuple[int, int, str]] = []
    for match in _REWRITTEN.finditer(code):
        start, end = match.span()
        if match[1]:
            edits.append((start, end, match[1].capitalize()))
        elif match[2]:
            edits.append((start, end, f'.optSelect("{match[2]}")'))
        elif match[3]:
            closing = _closing(code, end)
            edits.append((start, end, ".optList().map("))
            edits.append((closing, closing + 1, ").optFirst()" if match[3] == "optMap" else ").optFlat()"))
        else:
            closing = _closing(code, end)
            edits += [(start, end, ".optSelect("), (closing, closing + 1, ")")]
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _mirrored(text: str, code: str) -> str:
    """The expression with the operands of each && and || in the other order; comments go."""
    found, index = "", 0
    operands = [[""]]  # those of ||, each a list of those of &&

    def taken() -> str:
        return " || ".join(" && ".join(reversed(parts)) for parts in reversed(operands))

    while index < len(code):
        char, step = code[index], 1
        if code.startswith(("&&", "||"), index):
            operands[-1].append("") if char == "&" else operands.append([""])
            step = 2
        elif char in "([{":
            end = _closing(code, index + 1)
            operands[-1][-1] += char + _mirrored(text[index + 1 : end], code[index + 1 : end]) + code[end : end + 1]
            step = end + 1 - index
        elif char in ",?:":
            found += taken() + char
            operands = [[""]]
        else:
            operands[-1][-1] += text[index]
        index += step
    return found + taken()


def _problems(code: str, variables: Mapping[str, Schema | None]) -> Iterator[tuple[int, str]]:
    """Names and fields that do not exist, with their place: what the type checker of cel-go would find."""
    known: dict[str, Schema | None] = dict(variables)
    for match in _BOUND.finditer(code):
        schema = _bound_to(code[: match.start()], known)
        known[match[2]] = schema if known.get(match[2], schema) is schema else None
    for match in _CALL.finditer(code):
        if match[1] not in _KNOWN:
            yield match.end() - 1, f"undeclared reference to '{match[1]}' (in container '')"
    for match in _CHAIN.finditer(code):
        name = match[1]
        if name in known:
            problem = _walk(known[name], match[2])[1]
            if problem:
                macro = _HAS.search(code, 0, match.start()) if match[2].rfind(".") == problem[0] else None
                yield macro.start(1) if macro else match.start(2) + problem[0], problem[1]
        elif name not in _NAMES and not re.match(r"\s*\(", code[match.end(1) :]):
            yield match.start(), f"undeclared reference to '{name}' (in container '')"


def _bound_to(before: str, known: Mapping[str, Schema | None]) -> Schema | None:
    """The schema of a macro's variable: that of the items of the list before it."""
    chains = [match for match in _CHAIN.finditer(before) if match.end() == len(before.rstrip())]
    schema = _walk(known.get(chains[0][1]), chains[0][2])[0] if chains else None
    return schema.items if schema and schema.type == "array" else None


def _walk(schema: Schema | None, links: str) -> tuple[Schema | None, tuple[int, str] | None]:
    """The schema at the end of ``.a.b[0]``, None where it is not known; or the first link that leads nowhere."""
    for link in _LINK.finditer(links):
        if schema is None or schema.deduced or schema.int_or_string:
            return None, None
        if not link[1]:
            schema = schema.items if schema.type == "array" else schema.element
            continue
        plain = _PLAIN.get(schema.type) if "format" not in schema.source else None
        if plain:
            return None, (link.start(), f"type '{plain}' does not support field selection")
        if schema.type != "object":
            return None, None
        name = unescaped(link[1])
        if schema.element is None and schema.field(name) is None:
            return None, (link.start(), f"undefined field '{link[1]}'")
        schema = schema.field(name)
    return schema, None


# names of properties

_RESERVED = frozenset(
    {"as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop"}
    | {"namespace", "null", "package", "return", "true"}
)
_SYMBOLS = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
_ESCAPES = {escaped: symbol for symbol, escaped in _SYMBOLS.items()} | {f"__{word}__": word for word in _RESERVED}


@functools.cache
def escaped(name: str) -> str:
    """The name by which rules select a property."""
    if name in _RESERVED:
        return f"__{name}__"
    return re.sub(r"__|[./-]", lambda match: _SYMBOLS[match[0]], name)


def unescaped(name: str) -> str:
    """The property that rules select by a name."""
    return re.sub(r"__[a-z]+__", lambda match: _ESCAPES.get(match[0], match[0]), name)
