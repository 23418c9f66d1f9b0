# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammar of CEL, as far as expressions about requests use it: a text becomes a tree.

The API server's CEL engine evaluates and shows no tree, and here the tree is what is wanted: see `kuadrant_cel`.
Constants have the types of Python; maps, bytes and optional selection are not part of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
  | (?P<string>[rR]?(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
  | (?P<number>\d+\.\d+|\d+)
  | (?P<name>[_a-zA-Z][_a-zA-Z0-9]*)
  | (?P<operator>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_CONSTANTS = {"true": True, "false": False, "null": None}
_LEVELS = (("||",), ("&&",), ("<", "<=", ">", ">=", "==", "!=", "in"), ("+", "-"), ("*", "/", "%"))
"""Binary operators, from the loosest to the tightest."""


class ParseError(ValueError):
    """The text is no expression, and where that shows."""


class Node:
    """Part of an expression."""


@dataclass(frozen=True)
class Literal(Node):
    value: Any


@dataclass(frozen=True)
class Name(Node):
    name: str


@dataclass(frozen=True)
class Select(Node):
    operand: Node
    field: str


@dataclass(frozen=True)
class Index(Node):
    operand: Node
    index: Node


@dataclass(frozen=True)
class Call(Node):
    """A function of arguments, or of a target and arguments."""

    function: str
    arguments: tuple[Node, ...]
    target: Node | None = None


@dataclass(frozen=True)
class Unary(Node):
    operator: str
    operand: Node


@dataclass(frozen=True)
class Binary(Node):
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Condition(Node):
    test: Node
    yes: Node
    no: Node


@dataclass(frozen=True)
class ListNode(Node):
    items: tuple[Node, ...]


def parse(text: str) -> Node:
    """The tree of an expression. Raises `ParseError`."""
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str, int]] = []
        position = 0
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise ParseError(f'"{text[position]}" at position {position} begins nothing that is known')
            if match.lastgroup != "space":
                self._tokens.append((match.lastgroup or "", match[0], position))
            position = match.end()
        self._tokens.append(("end", "the end", len(text)))
        self._at = 0

    def whole(self) -> Node:
        node = self._expression()
        if self._tokens[self._at][0] != "end":
            raise self._unexpected("the end")
        return node

    def _accept(self, *texts: str) -> str:
        """The next token, taken, if it is one of these; else an empty string."""
        kind, found, _ = self._tokens[self._at]
        if kind in ("operator", "name") and found in texts:
            self._at += 1
            return found
        return ""

    def _expect(self, text: str) -> None:
        if not self._accept(text):
            raise self._unexpected(f'"{text}"')

    def _unexpected(self, wanted: str) -> ParseError:
        _, text, position = self._tokens[self._at]
        return ParseError(f"found {text} at position {position}, expected {wanted}")

    def _expression(self) -> Node:
        test = self._binary(0)
        if not self._accept("?"):
            return test
        yes = self._binary(0)
        self._expect(":")
        return Condition(test, yes, self._expression())

    def _binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        node = self._binary(level + 1)
        while operator := self._accept(*_LEVELS[level]):
            node = Binary(operator, node, self._binary(level + 1))
        return node

    def _unary(self) -> Node:
        if operator := self._accept("!", "-"):
            return Unary(operator, self._unary())
        return self._member()

    def _member(self) -> Node:
        node = self._primary()
        while True:
            if self._accept("."):
                kind, name, _ = self._tokens[self._at]
                if kind != "name":
                    raise self._unexpected("a name")
                self._at += 1
                node = Call(name, self._list(")"), node) if self._accept("(") else Select(node, name)
            elif self._accept("["):
                node = Index(node, self._expression())
                self._expect("]")
            else:
                return node

    def _list(self, end: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self._accept(end):
            found.append(self._expression())
            if not self._accept(","):
                self._expect(end)
                break
        return tuple(found)

    def _primary(self) -> Node:
        if self._accept("("):
            node = self._expression()
            self._expect(")")
            return node
        if self._accept("["):
            return ListNode(self._list("]"))
        kind, text, _ = self._tokens[self._at]
        if kind not in ("number", "string", "name") or text == "in":
            raise self._unexpected("a value")
        self._at += 1
        if kind == "number":
            return Literal(float(text) if "." in text else int(text))
        if kind == "string":
            return Literal(_string(text))
        if text in _CONSTANTS:
            return Literal(_CONSTANTS[text])
        return Call(text, self._list(")")) if self._accept("(") else Name(text)


def _string(text: str) -> str:
    raw = text[0] in "rR"
    body = text[1:] if raw else text
    width = 3 if body[:3] in ('"""', "'''") and len(body) >= 6 else 1
    body = body[width:-width]
    return body if raw else _ESCAPE.sub(_unescaped, body)


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    if code:
        return chr(int(code, 16))
    if match[3] in _SIMPLE or match[3] in "\\'\"`?":
        return _SIMPLE.get(match[3], match[3])
    raise ParseError(f'"\\{match[3]}" is no escape')
