# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tree of CEL to a program: nested functions of a scope, made once and run many times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from .functions import GLOBALS, METHODS, no_overload
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
_LIBRARIES = ("base64", "ip", "math", "optional", "sets", "cel")
_TYPES = ("bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint")
_INT_LIMIT = 2**63
_ERRORS = (EvaluationError, TypeError, AttributeError)
"""What evaluation raises for an expression without a value; Python's own errors are missing overloads."""


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

    def __init__(self, text: str, names: tuple[str, ...]) -> None:
        """Compile; ``names`` are the variables there will be. Raises `ParseError`."""
        self.text = text
        compiler = _Compiler(set(names))
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
    def __init__(self, names: set[str]) -> None:
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
            raise ParseError(f"undeclared reference to '{name}' (in container '')", 0)
        self.used.add(name)
        return lambda scope: scope[name]

    def _select(self, node: Select) -> Code:
        operand, field = self.compile(node.operand), node.field
        return lambda scope: _field(operand(scope), field, node.optional)

    def _index(self, node: Index) -> Code:
        operand, index = self.compile(node.operand), self.compile(node.index)
        return lambda scope: _item(operand(scope), index(scope), node.optional)

    def _listnode(self, node: ListNode) -> Code:
        items = [(self.compile(item), optional) for item, optional in node.items]

        def make(scope: Scope) -> list[Any]:
            found = [(item(scope), optional) for item, optional in items]
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
        operate = _OPERATORS[node.operator]
        return lambda scope: operate(left(scope), right(scope))

    def _call(self, node: Call) -> Code:
        macro = self._macro(node)
        if macro:
            return macro
        arguments = [self.compile(argument) for argument in node.arguments]
        target = node.target
        if isinstance(target, Name) and target.name in _LIBRARIES and target.name not in self.names:
            function = GLOBALS.get(f"{target.name}.{node.function}")
            target = None
        else:
            function = (METHODS if target else GLOBALS).get(node.function)
        if function is None:
            raise ParseError(f"undeclared reference to '{node.function}' (in container '')", 0)
        if target is None:
            return lambda scope: function(*(argument(scope) for argument in arguments))
        receiver = self.compile(target)
        return lambda scope: function(receiver(scope), *(argument(scope) for argument in arguments))

    # macros

    def _macro(self, node: Call) -> Code | None:
        name, arguments = node.function, node.arguments
        if node.target is None:
            return self._has(arguments) if name == "has" else None
        if isinstance(node.target, Name) and node.target.name == "cel" and name == "bind":
            return self._bind(arguments)
        if name in ("optMap", "optFlatMap"):
            return self._optional_map(node)
        if name in _COMPREHENSIONS and len(arguments) >= 2 and isinstance(arguments[0], Name):
            return self._comprehension(node)
        return None

    def _within(self, names: tuple[str, ...], node: Node) -> Code:
        """Compile where more variables are known."""
        added = set(names) - self.names
        self.names |= added
        code = self.compile(node)
        self.names -= added
        return code

    def _has(self, arguments: tuple[Node, ...]) -> Code:
        if len(arguments) != 1 or not isinstance(arguments[0], Select):
            raise ParseError("invalid argument to has() macro", 0)
        select = arguments[0]
        operand, field = self.compile(select.operand), select.field

        def has(scope: Scope) -> bool:
            value = operand(scope)
            if isinstance(value, Optional):
                value = value.value if value.present else {}
            if not isinstance(value, dict):
                raise no_overload()
            return field in value

        return has

    def _bind(self, arguments: tuple[Node, ...]) -> Code:
        name = arguments[0]
        if not isinstance(name, Name):
            raise ParseError("cel.bind() variable names must be simple identifiers", 0)
        value, body = self.compile(arguments[1]), self._within((name.name,), arguments[2])
        return lambda scope: body({**scope, name.name: value(scope)})

    def _optional_map(self, node: Call) -> Code:
        name = node.arguments[0]
        if not isinstance(name, Name) or node.target is None:
            raise ParseError(f"{node.function}() variable names must be simple identifiers", 0)
        target, body = self.compile(node.target), self._within((name.name,), node.arguments[1])
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
            if names and node.function in ("map", "filter"):
                break
            first = arguments.pop(0)
            names.append(first.name if isinstance(first, Name) else "")
        if node.target is None:
            raise ParseError(f"{node.function}() needs a target", 0)
        target = self.compile(node.target)
        bodies = [self._within(tuple(names), argument) for argument in arguments]
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
                return ((None if one else index, item) for index, item in enumerate(items))
            if isinstance(items, dict):
                return iter(items.items())
            raise no_overload()

        return evaluate


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


def _field(value: Any, field: str, optional: bool) -> Any:
    if isinstance(value, Optional):
        if not value.present:
            return NOTHING
        return _field(value.value, field, True)
    if not isinstance(value, dict):
        raise no_overload()
    if field in value:
        return Optional(True, value[field]) if optional else value[field]
    if optional:
        return NOTHING
    raise EvaluationError(f"no such key: {field}")


def _item(value: Any, index: Any, optional: bool) -> Any:
    if isinstance(value, Optional):
        return _item(value.value, index, True) if value.present else NOTHING
    if isinstance(value, dict):
        return _field(value, index, optional)
    if not isinstance(value, list) or isinstance(index, bool):
        raise no_overload()
    if isinstance(index, float) and index.is_integer():
        index = int(index)
    if 0 <= index < len(value):
        return Optional(True, value[index]) if optional else value[index]
    if optional:
        return NOTHING
    raise EvaluationError(f"index out of bounds: {index}")


def equal(left: Any, right: Any) -> bool:
    """Equality of CEL: numbers by value, true is not 1, containers by their content."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(value, right[key]) for key, value in left.items())
    return bool(left == right)


def _in(item: Any, where: Any) -> bool:
    if isinstance(where, dict):
        return item in where
    if isinstance(where, list):
        return any(equal(item, known) for known in where)
    raise no_overload()


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def check(left: Any, right: Any) -> bool:
        numbers = isinstance(left, (int, float)) and isinstance(right, (int, float))
        if not numbers and type(left) is not type(right):
            raise no_overload()
        return compare(left, right)

    return check


def _whole(value: Any) -> Any:
    if isinstance(value, int) and not -_INT_LIMIT <= value < _INT_LIMIT:
        raise EvaluationError("integer overflow")
    return value


def _arithmetic(operate: Callable[[Any, Any], Any], *kinds: type) -> Callable[[Any, Any], Any]:
    def calculate(left: Any, right: Any) -> Any:
        if (
            isinstance(left, bool)
            or isinstance(right, bool)
            or not isinstance(left, kinds)
            or not isinstance(right, kinds)
        ):
            raise no_overload()
        return _whole(operate(left, right))

    return calculate


def _divide(left: Any, right: Any) -> Any:
    if isinstance(left, float) or isinstance(right, float):
        return left / right if right else float("inf") * (1 if left > 0 else -1)
    if right == 0:
        raise EvaluationError("division by zero")
    return abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)


def _modulo(left: int, right: int) -> int:
    if right == 0:
        raise EvaluationError("modulus by zero")
    return abs(left) % abs(right) * (-1 if left < 0 else 1)


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": _ordered(lambda left, right: left < right),
    "<=": _ordered(lambda left, right: left <= right),
    ">": _ordered(lambda left, right: left > right),
    ">=": _ordered(lambda left, right: left >= right),
    "in": _in,
    "+": _arithmetic(lambda left, right: left + right, int, float, str, bytes, list, datetime, timedelta),
    "-": _arithmetic(lambda left, right: left - right, int, float, datetime, timedelta),
    "*": _arithmetic(lambda left, right: left * right, int, float),
    "/": _arithmetic(_divide, int, float),
    "%": _arithmetic(_modulo, int),
}


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


_COMPREHENSIONS: dict[str, Callable[[Iterator[Scope], list[Code]], Any]] = {
    "all": lambda rounds, bodies: _until(rounds, bodies, decisive=False),
    "exists": lambda rounds, bodies: _until(rounds, bodies, decisive=True),
    "exists_one": _exists_one,
    "existsOne": _exists_one,
    "filter": _filter,
    "map": _map,
    "transformList": _map,
    "transformMap": _map_entries,
}
