# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators of CEL on Python values: selection, indexing, equality, order, arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from .functions import no_overload
from .values import NOTHING, EvaluationError, Optional

_INT_LIMIT = 2**63


def field(value: Any, name: str, optional: bool) -> Any:
    """A field of an object; an optional one when asked for so, or when the object is optional."""
    if isinstance(value, Optional):
        if not value.present:
            return NOTHING
        return field(value.value, name, True)
    if not isinstance(value, dict):
        raise no_overload()
    if name in value:
        return Optional(True, value[name]) if optional else value[name]
    if optional:
        return NOTHING
    raise EvaluationError(f"no such key: {name}")


def item(value: Any, index: Any, optional: bool) -> Any:
    """An item of a list or map."""
    if isinstance(value, Optional):
        return item(value.value, index, True) if value.present else NOTHING
    if isinstance(value, dict):
        return field(value, index, optional)
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


def _in(wanted: Any, where: Any) -> bool:
    if isinstance(where, dict):
        return wanted in where
    if isinstance(where, list):
        return any(equal(wanted, known) for known in where)
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


OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
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
