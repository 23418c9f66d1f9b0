# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tree of CEL to a program: nested functions of a scope, made once and run many times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..schema import Schema
from . import functions, libraries
from .functions import no_overload
from .operators import OPERATORS, field, item
from .parser import (
    Binary,
    Call,
    Condition,
    Index,
    ListNode,
    Literal,
    MapNode,
    Name,
    Node,
    ParseError,
    Select,
    Unary,
    parse,
)
from .values import NOTHING, BudgetError, EvaluationError, Optional, TypeName

Scope = dict[str, Any]
Code = Callable[[Scope], Any]
_BUDGET = "@budget"
_ITEM = "@item"
"""In a comprehension: what its (first) variable is."""
_LIBRARIES = ("format", "ip", "lists", "optional", "sets", "strings")
_GLOBALS = functions.GLOBALS | libraries.GLOBALS
_METHODS = functions.METHODS | libraries.METHODS
_TYPES = ("bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint")
_ERRORS = (EvaluationError, TypeError, AttributeError)
"""What evaluation raises for an expression without a value; Python's own errors are missing overloads."""


_PLAIN_TYPES = {"string": "string", "integer": "int", "number": "double", "boolean": "bool"}
"""Types of schemas, and what rules call them, that have no fields."""


class Budget:
    """Processor time that evaluations may take together, in seconds."""

    def __init__(self, seconds: float) -> None:
        self._end = time.thread_time() + seconds
        self._steps = 0

    def spend(self) -> None:
        """Called in every round of a comprehension. Raises `BudgetError` when the time is over."""
        self._steps += 1
        if self._steps % 64 == 0:
            self.check()

    def check(self) -> None:
        """Raise `BudgetError` when the time is over."""
        if time.thread_time() > self._end:
            raise BudgetError


class Program:
    """A compiled expression."""

    def __init__(self, text: str, variables: Mapping[str, Schema | None]) -> None:
        """Compile; ``variables`` are those there will be, with their schema where it is known.

        Raises `ParseError`, also for fields that the schema of a variable does not have.
        """
        self.text = text
        compiler = _Compiler(dict(variables))
        self._code = compiler.compile(parse(text))
        self.used = frozenset(compiler.used)
        """Variables that the expression refers to."""

    def run(self, variables: Scope, budget: Budget) -> Any:
        """The value. Raises `EvaluationError` and `BudgetError`."""
        try:
            return self._code({**variables, _BUDGET: budget})
        except (TypeError, AttributeError) as error:
            raise no_overload() from error
        except RecursionError as error:
            raise EvaluationError("expression is nested too deeply") from error


class _Compiler:
    def __init__(self, names: dict[str, Schema | None]) -> None:
        self.names = names
        self.used: set[str] = set()

    def compile(self, node: Node) -> Code:
        method: Callable[[Any], Code] = getattr(self, f"_{type(node).__name__.lower()}")
        return method(node)

    def _literal(self, node: Literal) -> Code:
        value = node.value
        return lambda scope: value

    def _name(self, node: Name) -> Code:
        name = node.name
        if name not in self.names:
            if name in _TYPES:
                return lambda scope: TypeName(name)
            raise ParseError(f"undeclared reference to '{name}' (in container '')", node.position)
        self.used.add(name)
        return lambda scope: scope[name]

    def _select(self, node: Select) -> Code:
        operand, name = self.compile(node.operand), node.field
        self._check_field(node)
        return lambda scope: field(operand(scope), name, node.optional)

    def _index(self, node: Index) -> Code:
        operand, index = self.compile(node.operand), self.compile(node.index)
        return lambda scope: item(operand(scope), index(scope), node.optional)

    def _listnode(self, node: ListNode) -> Code:
        items = [(self.compile(part), optional) for part, optional in node.items]

        def make(scope: Scope) -> list[Any]:
            found = [(part(scope), optional) for part, optional in items]
            kept = (value.value if optional else value for value, optional in found if not optional or value.present)
            return list(kept)

        return make

    def _mapnode(self, node: MapNode) -> Code:
        entries = [(self.compile(key), self.compile(value), optional) for key, value, optional in node.entries]

        def make(scope: Scope) -> dict[Any, Any]:
            found = {}
            for key, code, optional in entries:
                value = code(scope)
                if not optional:
                    found[key(scope)] = value
                elif value.present:
                    found[key(scope)] = value.value
            return found

        return make

    def _condition(self, node: Condition) -> Code:
        test, yes, no = self.compile(node.test), self.compile(node.yes), self.compile(node.no)
        return lambda scope: yes(scope) if _truth(test(scope)) else no(scope)

    def _unary(self, node: Unary) -> Code:
        operand = self.compile(node.operand)
        if node.operator == "!":
            return lambda scope: not _truth(operand(scope))
        return lambda scope: -operand(scope)

    def _binary(self, node: Binary) -> Code:
        left, right = self.compile(node.left), self.compile(node.right)
        if node.operator in ("&&", "||"):
            return _logic(left, right, decisive=node.operator == "||")
        operate = OPERATORS[node.operator]
        return lambda scope: operate(left(scope), right(scope))

    def _call(self, node: Call) -> Code:
        macro = self._macro(node)
        if macro:
            return macro
        arguments = [self.compile(argument) for argument in node.arguments]
        target = node.target
        if isinstance(target, Name) and target.name in _LIBRARIES and target.name not in self.names:
            function = _GLOBALS.get(f"{target.name}.{node.function}")
            target = None
        else:
            function = (_METHODS if target else _GLOBALS).get(node.function)
        if function is None:
            raise ParseError(f"undeclared reference to '{node.function}' (in container '')", node.position)
        if target is None:
            return lambda scope: function(*(argument(scope) for argument in arguments))
        receiver = self.compile(target)
        return lambda scope: function(receiver(scope), *(argument(scope) for argument in arguments))

    # macros

    def _macro(self, node: Call) -> Code | None:
        name, arguments = node.function, node.arguments
        if node.target is None:
            return self._has(node) if name == "has" else None
        if name in ("optMap", "optFlatMap"):
            return self._optional_map(node)
        if name in _COMPREHENSIONS and len(arguments) >= 2 and isinstance(arguments[0], Name):
            return self._comprehension(node)
        return None

    def _within(self, names: Mapping[str, Schema | None], node: Node) -> Code:
        """Compile where more variables are known."""
        outer = self.names
        self.names = {**outer, **names}
        code = self.compile(node)
        self.names = outer
        return code

    # what is known of types

    def _check_field(self, node: Select) -> None:
        """Refuse a field that the schema does not declare, as the type checker of a kube-apiserver does."""
        schema = self._schema(node.operand)
        if schema is None or schema.deduced or schema.int_or_string:
            return
        plain = _PLAIN_TYPES.get(schema.type) if "format" not in schema.source else None
        if plain:
            raise ParseError(f"type '{plain}' does not support field selection", node.position)
        if schema.type == "object" and schema.element is None and schema.field(node.field) is None:
            raise ParseError(f"undefined field '{node.field}'", node.position)

    def _schema(self, node: Node) -> Schema | None:
        """The schema of a part of the expression, where it follows from that of a variable."""
        if isinstance(node, Name):
            return self.names.get(node.name)
        if isinstance(node, Select) and not node.optional:
            schema = self._schema(node.operand)
            return schema.field(node.field) if schema and schema.type == "object" else None
        if isinstance(node, Index) and not node.optional:
            return _element(self._schema(node.operand))
        if isinstance(node, Call) and node.function == "filter" and node.target:
            return self._schema(node.target)
        return None

    def _has(self, node: Call) -> Code:
        select = node.arguments[0] if len(node.arguments) == 1 else None
        if not isinstance(select, Select):
            raise ParseError("invalid argument to has() macro", node.position + 1)
        operand, name = self.compile(select.operand), select.field
        self._check_field(select)

        def has(scope: Scope) -> bool:
            value = operand(scope)
            if isinstance(value, Optional):
                value = value.value if value.present else {}
            if not isinstance(value, dict):
                raise no_overload()
            return name in value

        return has

    def _optional_map(self, node: Call) -> Code:
        name = node.arguments[0]
        if not isinstance(name, Name) or node.target is None:
            raise ParseError(f"{node.function}() variable names must be simple identifiers", 0)
        target, body = self.compile(node.target), self._within({name.name: None}, node.arguments[1])
        flat = node.function == "optFlatMap"

        def apply(scope: Scope) -> Any:
            optional = target(scope)
            if not optional.present:
                return NOTHING
            value = body({**scope, name.name: optional.value})
            return value if flat else Optional(True, value)

        return apply

    def _comprehension(self, node: Call) -> Code:
        arguments = list(node.arguments)
        names: list[str] = []
        while len(arguments) > 1 and isinstance(arguments[0], Name) and len(names) < 2:
            if names and node.function in ("map", "filter", "sortBy"):
                break
            first = arguments.pop(0)
            names.append(first.name if isinstance(first, Name) else "")
        if node.target is None:
            raise ParseError(f"{node.function}() needs a target", 0)
        target = self.compile(node.target)
        known: dict[str, Schema | None] = dict.fromkeys(names)
        items = self._schema(node.target)
        if items and items.type == "array":
            known[names[-1]] = items.items
        bodies = [self._within(known, argument) for argument in arguments]
        run = _COMPREHENSIONS[node.function]
        one = len(names) == 1

        def evaluate(scope: Scope) -> Any:
            inner = dict(scope)
            budget: Budget = scope[_BUDGET]

            def rounds() -> Iterator[Scope]:
                for key, value in _pairs(target(scope)):
                    budget.spend()
                    first = value if key is None else key
                    inner[names[0]] = inner[_ITEM] = first
                    if not one:
                        inner[names[1]] = value
                    yield inner

            return run(rounds(), bodies)

        def _pairs(items: Any) -> Iterator[tuple[Any, Any]]:
            if isinstance(items, list):
                return ((None if one else index, value) for index, value in enumerate(items))
            if isinstance(items, dict):
                return iter(items.items())
            raise no_overload()

        return evaluate


def _element(schema: Schema | None) -> Schema | None:
    """The schema of what an index finds."""
    if schema is None or schema.deduced:
        return None
    return schema.items if schema.type == "array" else schema.element


def _truth(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise no_overload()


def _logic(left: Code, right: Code, decisive: bool) -> Code:
    """&& and ||: either side may decide, whatever error the other one has."""

    def evaluate(scope: Scope) -> bool:
        try:
            if _truth(left(scope)) is decisive:
                return decisive
        except _ERRORS:
            if _decides(right, scope, decisive):
                return decisive
            raise
        return _truth(right(scope))

    return evaluate


def _decides(code: Code, scope: Scope, decisive: bool) -> bool:
    """Whether one side alone settles && or ||; an error does not."""
    try:
        return _truth(code(scope)) is decisive
    except _ERRORS:
        return False


# comprehensions


def _until(rounds: Iterator[Scope], bodies: list[Code], decisive: bool) -> bool:
    """all and exists: one round decides; errors count only if none does."""
    failure: Exception | None = None
    for scope in rounds:
        try:
            if _truth(bodies[0](scope)) is decisive:
                return decisive
        except _ERRORS as error:
            failure = error
    if failure:
        raise failure
    return not decisive


def _exists_one(rounds: Iterator[Scope], bodies: list[Code]) -> bool:
    return sum(_truth(bodies[0](scope)) for scope in rounds) == 1


def _filter(rounds: Iterator[Scope], bodies: list[Code]) -> list[Any]:
    return [scope[_ITEM] for scope in rounds if _truth(bodies[0](scope))]


def _map_entries(rounds: Iterator[Scope], bodies: list[Code]) -> dict[Any, Any]:
    if len(bodies) == 1:
        return {scope[_ITEM]: bodies[0](scope) for scope in rounds}
    return {scope[_ITEM]: bodies[1](scope) for scope in rounds if _truth(bodies[0](scope))}


def _map(rounds: Iterator[Scope], bodies: list[Code]) -> list[Any]:
    if len(bodies) == 1:
        return [bodies[0](scope) for scope in rounds]
    return [bodies[1](scope) for scope in rounds if _truth(bodies[0](scope))]


def _map_whole_entries(rounds: Iterator[Scope], bodies: list[Code]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for scope in rounds:
        if len(bodies) == 1 or _truth(bodies[0](scope)):
            found.update(bodies[-1](scope))
    return found


def _sort_by(rounds: Iterator[Scope], bodies: list[Code]) -> list[Any]:
    keyed = [(bodies[0](scope), scope[_ITEM]) for scope in rounds]
    return [value for _, value in sorted(keyed, key=lambda pair: pair[0])]


_COMPREHENSIONS: dict[str, Callable[[Iterator[Scope], list[Code]], Any]] = {
    "all": lambda rounds, bodies: _until(rounds, bodies, decisive=False),
    "exists": lambda rounds, bodies: _until(rounds, bodies, decisive=True),
    "exists_one": _exists_one,
    "existsOne": _exists_one,
    "filter": _filter,
    "map": _map,
    "sortBy": _sort_by,
    "transformList": _map,
    "transformMap": _map_entries,
    "transformMapEntry": _map_whole_entries,
}
