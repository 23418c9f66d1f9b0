# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Text of a CEL expression to a tree (grammar: https://github.com/google/cel-spec/blob/master/doc/langdef.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_EXPRESSION_EXPECTED = (
    "expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', "
    "NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
)


class ParseError(ValueError):
    """The text is no CEL expression; ``position`` is where that shows, counted from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


class Node:
    """Part of an expression."""


@dataclass(frozen=True)
class Literal(Node):
    value: Any


@dataclass(frozen=True)
class Name(Node):
    name: str
    position: int = 0


@dataclass(frozen=True)
class Select(Node):
    operand: Node
    field: str
    optional: bool = False
    position: int = 0
    """Where the dot is."""


@dataclass(frozen=True)
class Index(Node):
    operand: Node
    index: Node
    optional: bool = False


@dataclass(frozen=True)
class Call(Node):
    """A function of arguments, or of a target and arguments."""

    function: str
    arguments: tuple[Node, ...]
    target: Node | None = None
    position: int = 0
    """Where the opening parenthesis is."""


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
    """Items, each with whether it is left out when it is an empty optional."""

    items: tuple[tuple[Node, bool], ...]


@dataclass(frozen=True)
class MapNode(Node):
    """Keys and values, each with whether it is left out when the value is an empty optional."""

    entries: tuple[tuple[Node, Node, bool], ...]


_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
  | (?P<string>[bB]?[rR]?(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
  | (?P<number>0[xX][0-9a-fA-F]+[uU]?|\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?|\d+[uU]?)
  | (?P<name>[_a-zA-Z][_a-zA-Z0-9]*|`[^`]+`)
  | (?P<operator>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]{}])
    """,
    re.VERBOSE | re.DOTALL,
)
_RAW_STRING = re.compile(
    r"""[bB]?[rR](?:\"\"\"(?:.*?)\"\"\"|'''(?:.*?)'''|"[^"\n]*"|'[^'\n]*')""",
    re.DOTALL,
)
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|X([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))", re.DOTALL
)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_CONSTANTS = {"true": True, "false": False, "null": None}
_RELATIONS = ("<", "<=", ">", ">=", "==", "!=", "in")
_UNESCAPED = re.compile(r"__(underscores|dot|dash|slash)__")
_SYMBOLS = {"underscores": "__", "dot": ".", "dash": "-", "slash": "/"}
_KEYWORD = re.compile(
    "__(true|false|null|in|as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var|"
    "void|while)__"
)


def field_name(escaped: str) -> str:
    """The property that an identifier stands for, as Kubernetes escapes names that CEL does not allow."""
    keyword = _KEYWORD.fullmatch(escaped)
    if keyword:
        return keyword[1]
    return _UNESCAPED.sub(lambda match: _SYMBOLS[match[1]], escaped)


def parse(text: str) -> Node:
    """The tree of an expression. Raises `ParseError`."""
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        position = 0
        while position < len(text):
            match = _RAW_STRING.match(text, position)
            kind = "string"
            if match is None:
                match = _TOKEN.match(text, position)
                if match is None:
                    raise ParseError(f"Syntax error: token recognition error at: '{text[position]}'", position)
                kind = match.lastgroup or ""
            if kind != "space":
                self.tokens.append((kind, match[0], position))
            position = match.end()
        self.tokens.append(("end", "<EOF>", len(text)))
        self.at = 0

    # tokens

    def peek(self) -> str:
        """The text of the next token, if it is an operator or a word; strings and numbers never match."""
        kind, text, _ = self.tokens[self.at]
        return text if kind in ("operator", "name", "end") else ""

    def position(self) -> int:
        """Where the next token starts."""
        return self.tokens[self.at][2]

    def accept(self, *texts: str) -> str:
        """The next token, taken, if it is one of these; else an empty string."""
        found = self.peek()
        if found in texts:
            self.at += 1
            return found
        return ""

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise self.unexpected(f"expecting '{text}'")

    def unexpected(self, wanted: str) -> ParseError:
        _, text, position = self.tokens[self.at]
        return ParseError(f"Syntax error: mismatched input '{text}' {wanted}", position)

    # grammar

    def whole(self) -> Node:
        node = self.expression()
        if self.tokens[self.at][0] != "end":
            raise self.unexpected("expecting <EOF>")
        return node

    def expression(self) -> Node:
        test = self.disjunction()
        if not self.accept("?"):
            return test
        yes = self.disjunction()
        self.expect(":")
        return Condition(test, yes, self.expression())

    def disjunction(self) -> Node:
        node = self.conjunction()
        while self.accept("||"):
            node = Binary("||", node, self.conjunction())
        return node

    def conjunction(self) -> Node:
        node = self.relation()
        while self.accept("&&"):
            node = Binary("&&", node, self.relation())
        return node

    def relation(self) -> Node:
        node = self.addition()
        while operator := self.accept(*_RELATIONS):
            node = Binary(operator, node, self.addition())
        return node

    def addition(self) -> Node:
        node = self.multiplication()
        while operator := self.accept("+", "-"):
            node = Binary(operator, node, self.multiplication())
        return node

    def multiplication(self) -> Node:
        node = self.unary()
        while operator := self.accept("*", "/", "%"):
            node = Binary(operator, node, self.unary())
        return node

    def unary(self) -> Node:
        if self.accept("!"):
            return Unary("!", self.unary())
        if self.accept("-"):
            operand = self.unary()
            if isinstance(operand, Literal) and isinstance(operand.value, (int, float)):
                return Literal(-operand.value)
            return Unary("-", operand)
        return self.member()

    def member(self) -> Node:
        node = self.primary()
        while True:
            start = self.position()
            if self.accept("."):
                optional = bool(self.accept("?"))
                name = self.word()
                start_of_call = self.position()
                if not optional and self.accept("("):
                    node = Call(name, self.arguments(")"), node, start_of_call)
                else:
                    node = Select(node, field_name(name), optional, start)
            elif self.accept("["):
                optional = bool(self.accept("?"))
                index = self.expression()
                self.expect("]")
                node = Index(node, index, optional)
            else:
                return node

    def word(self) -> str:
        kind, text, _ = self.tokens[self.at]
        if kind != "name":
            raise self.unexpected("expecting IDENTIFIER")
        self.at += 1
        return text.strip("`")

    def arguments(self, end: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self.accept(end):
            found.append(self.expression())
            if not self.accept(","):
                self.expect(end)
                break
        return tuple(found)

    def primary(self) -> Node:
        if self.accept("("):
            node = self.expression()
            self.expect(")")
            return node
        if self.accept("["):
            return self.list()
        if self.accept("{"):
            return self.map()
        self.accept(".")
        kind, text, position = self.tokens[self.at]
        if kind == "number":
            self.at += 1
            return Literal(_number(text))
        if kind == "string":
            self.at += 1
            return Literal(_string(text, position))
        if kind != "name" or text == "in":
            raise self.unexpected(_EXPRESSION_EXPECTED)
        self.at += 1
        if text in _CONSTANTS:
            return Literal(_CONSTANTS[text])
        start_of_call = self.position()
        if self.accept("("):
            return Call(text, self.arguments(")"), None, start_of_call)
        return Name(text, position)

    def list(self) -> Node:
        items: list[tuple[Node, bool]] = []
        while not self.accept("]"):
            optional = bool(self.accept("?"))
            items.append((self.expression(), optional))
            if not self.accept(","):
                self.expect("]")
                break
        return ListNode(tuple(items))

    def map(self) -> Node:
        entries: list[tuple[Node, Node, bool]] = []
        while not self.accept("}"):
            optional = bool(self.accept("?"))
            key = self.expression()
            self.expect(":")
            entries.append((key, self.expression(), optional))
            if not self.accept(","):
                self.expect("}")
                break
        return MapNode(tuple(entries))


def _number(text: str) -> int | float:
    bare = text.rstrip("uU")
    if bare.lower().startswith("0x"):
        return int(bare, 16)
    return int(bare) if bare.isdigit() else float(bare)


def _string(text: str, position: int) -> str | bytes:
    start = min(text.index(quote) for quote in "\"'" if quote in text)
    prefix, body = text[:start].lower(), text[start:]
    width = 3 if body[:3] in ('"""', "'''") and len(body) >= 6 else 1
    body = body[width:-width]
    if "r" not in prefix:
        body = _ESCAPE.sub(lambda match: _unescape(match, position), body)
    return body.encode("latin-1" if "\\" in text else "utf-8", "replace") if "b" in prefix else body


def _unescape(match: re.Match[str], position: int) -> str:
    short, capital, four, eight, octal, simple = match.groups()
    code = short or capital or four or eight
    if code:
        return chr(int(code, 16))
    if octal:
        return chr(int(octal, 8))
    if simple in _SIMPLE:
        return _SIMPLE[simple]
    if simple in "\\'\"`?":
        return simple
    raise ParseError(f"Syntax error: token recognition error at: '\\{simple}'", position)
