# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions of CEL: the standard ones and the extensions for strings, lists, sets and optionals.

Each takes the target (if it is called as a method) and the arguments as Python values and returns one.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import SplitResult
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..formats import regex
from .values import (
    NOTHING,
    Cidr,
    EvaluationError,
    Ip,
    Optional,
    TypeName,
    duration,
    parse_timestamp,
    type_name,
)

Function = Callable[..., Any]


def no_overload(*_: Any) -> EvaluationError:
    return EvaluationError("no such overload")


def size(value: Any) -> int:
    if isinstance(value, (str, bytes, list, dict)):
        return len(value)
    raise no_overload()


def matches(text: Any, pattern: Any) -> bool:
    if not isinstance(text, str) or not isinstance(pattern, str):
        raise no_overload()
    try:
        return regex(_inner_flags(pattern)).search(text) is not None
    except re.error as error:
        raise EvaluationError(f"error parsing regexp: {error}") from error


def _inner_flags(pattern: str) -> str:
    """RE2 allows flags behind an anchor (``^(?i)…``), Python only at the start."""
    return re.sub(r"^(\^*)(\(\?[ims]+\))", r"\2\1", pattern)


# conversions


def _int(value: Any) -> int:
    if isinstance(value, datetime):
        return int(value.timestamp())
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise EvaluationError(f"type conversion error from {type_name(value)} to int") from None
    if not -(2**63) <= number < 2**63:
        raise EvaluationError("integer overflow")
    return number


def _uint(value: Any) -> int:
    number = _int(value)
    if number < 0:
        raise EvaluationError("unsigned integer overflow")
    return number


def _double(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise EvaluationError(f"type conversion error from {type_name(value)} to double") from None


def _string(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float):
        return _double_text(value)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    if isinstance(value, Ip):
        return str(value.address)
    if isinstance(value, Cidr):
        return str(value.interface)
    if isinstance(value, SplitResult):
        return value.geturl()
    return str(value)


def _double_text(value: float) -> str:
    """A double as Go's %g prints it: whole numbers without a point, large and small ones with an exponent."""
    if value == int(value) and abs(value) < 1e10:
        return str(int(value))
    text = repr(value)
    return re.sub(r"e([+-])(\d)$", r"e\g<1>0\2", text) if "e" in text else _exponent(value)


def _exponent(value: float) -> str:
    if abs(value) < 1e10:
        return repr(value)
    text = f"{value:e}"
    mantissa, _, power = text.partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{power}"


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "True", "TRUE", "t", "1"):
        return True
    if value in ("false", "False", "FALSE", "f", "0"):
        return False
    raise EvaluationError(f"type conversion error from {type_name(value)} to bool")


def _duration(value: Any) -> timedelta:
    return value if isinstance(value, timedelta) else duration(value)


def _timestamp(value: Any) -> datetime:
    return value if isinstance(value, datetime) else parse_timestamp(value)


# strings


def _substring(text: str, start: int, end: int | None = None) -> str:
    end = len(text) if end is None else end
    if not 0 <= start <= end <= len(text):
        raise EvaluationError(f"index out of range: {start}")
    return text[start:end]


def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise EvaluationError(f"index out of range: {index}")
    return text[index : index + 1]


def _index_of(where: Any, what: Any, start: int = 0) -> int:
    if isinstance(where, str):
        return where.find(what, start)
    return where.index(what) if what in where else -1


def _last_index_of(where: Any, what: Any) -> int:
    if isinstance(where, str):
        return where.rfind(what)
    return len(where) - 1 - where[::-1].index(what) if what in where else -1


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    return text.replace(old, new, count)


def _split(text: str, separator: str, count: int = -1) -> list[str]:
    if count == 0:
        return []
    if separator == "":
        return list(text)
    return text.split(separator, count - 1 if count > 0 else -1)


def _join(items: list[Any], separator: str = "") -> str:
    if not all(isinstance(item, str) for item in items):
        raise no_overload()
    return separator.join(items)


def _format(text: str, arguments: list[Any]) -> str:
    values = iter(arguments)

    def show(match: re.Match[str]) -> str:
        kind = match[2]
        if kind == "%":
            return "%"
        try:
            value = next(values)
        except StopIteration:
            raise EvaluationError("index out of range in format string") from None
        if kind == "s":
            return _display(value)
        if kind == "d":
            return str(value)
        return f"{value:{match[1]}{kind}}"

    return re.sub(r"%((?:\.\d+)?)([sdfeboxX%])", show, text)


def _display(value: Any, nested: bool = False) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_display(item, True) for item in value) + "]"
    if isinstance(value, dict):
        entries = sorted((_display(key, True), _display(item, True)) for key, item in value.items())
        return "{" + ", ".join(f"{key}:{item}" for key, item in entries) + "}"
    if nested and isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return "null" if value is None else _string(value)


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [match[0] for match in regex(pattern).finditer(text)]
    return found if limit < 0 else found[:limit]


def _find(text: str, pattern: str) -> str:
    return next(iter(_find_all(text, pattern, 1)), "")


# lists


def _sum(items: list[Any]) -> Any:
    total: Any = timedelta() if items and isinstance(items[0], timedelta) else 0
    for item in items:
        total += item
    return total


def _extreme(choose: Callable[[list[Any]], Any], name: str) -> Function:
    def pick(items: list[Any]) -> Any:
        if not items:
            raise EvaluationError(f"{name} called on empty list")
        return choose(items)

    return pick


def _distinct(items: list[Any]) -> list[Any]:
    found: list[Any] = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


def _flatten(items: list[Any], depth: int = 1) -> list[Any]:
    found: list[Any] = []
    for item in items:
        found.extend(_flatten(item, depth - 1) if isinstance(item, list) and depth > 0 else [item])
    return found


# optionals


def _or_value(optional: Optional, other: Any) -> Any:
    return optional.value if optional.present else other


def _value(optional: Optional) -> Any:
    if not optional.present:
        raise EvaluationError("optional.none() dereference")
    return optional.value


def _non_zero(value: Any) -> Optional:
    return Optional(True, value) if value not in (None, "", 0, False, [], {}, b"") else NOTHING


# times


def _local(time: datetime, zone: str = "UTC") -> datetime:
    """The time in a zone: a name of the tz database or an offset such as +02:00."""
    offset = re.fullmatch(r"([+-])(\d\d):(\d\d)", zone)
    if offset:
        minutes = int(offset[2]) * 60 + int(offset[3])
        return time.astimezone(timezone(timedelta(minutes=-minutes if offset[1] == "-" else minutes)))
    try:
        return time.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        raise EvaluationError(f"unknown time zone {zone}") from None


def _part(of_time: Callable[[datetime], int], seconds: float = 0) -> Function:
    """A part of a time; or, of a duration, the whole duration in units of so many seconds."""

    def read(value: Any, *zone: str) -> int:
        if isinstance(value, timedelta) and seconds:
            return int(value / timedelta(seconds=seconds))
        return of_time(_local(value, *zone))

    return read


GLOBALS: dict[str, Function] = {
    "bool": _bool,
    "bytes": _bytes,
    "double": _double,
    "duration": _duration,
    "dyn": lambda value: value,
    "int": _int,
    "lists.range": lambda count: list(range(count)),
    "matches": matches,
    "optional.none": lambda: NOTHING,
    "optional.of": lambda value: Optional(True, value),
    "optional.ofNonZeroValue": _non_zero,
    "sets.contains": lambda items, wanted: all(item in items for item in wanted),
    "sets.equivalent": lambda left, right: all(i in right for i in left) and all(i in left for i in right),
    "sets.intersects": lambda left, right: any(item in right for item in left),
    "size": size,
    "string": _string,
    "strings.quote": lambda text: json.dumps(text, ensure_ascii=False),
    "timestamp": _timestamp,
    "type": lambda value: TypeName(type_name(value)),
    "uint": _uint,
}
"""Functions that are called without a target; dotted names are those of a library."""

METHODS: dict[str, Function] = {
    "charAt": _char_at,
    "contains": lambda text, part: part in text,
    "distinct": _distinct,
    "endsWith": lambda text, part: text.endswith(part),
    "find": _find,
    "findAll": _find_all,
    "first": lambda items: Optional(True, items[0]) if items else NOTHING,
    "flatten": _flatten,
    "format": _format,
    "getDate": _part(lambda time: time.day),
    "getDayOfMonth": _part(lambda time: time.day - 1),
    "getDayOfWeek": _part(lambda time: time.isoweekday() % 7),
    "getDayOfYear": _part(lambda time: time.timetuple().tm_yday - 1),
    "getFullYear": _part(lambda time: time.year),
    "getHours": _part(lambda time: time.hour, 3600),
    "getMilliseconds": _part(lambda time: time.microsecond // 1000, 0.001),
    "getMinutes": _part(lambda time: time.minute, 60),
    "getMonth": _part(lambda time: time.month - 1),
    "getSeconds": _part(lambda time: time.second, 1),
    "hasValue": lambda optional: optional.present,
    "indexOf": _index_of,
    "isSorted": lambda items: all(left <= right for left, right in itertools.pairwise(items)),
    "join": _join,
    "last": lambda items: Optional(True, items[-1]) if items else NOTHING,
    "lastIndexOf": _last_index_of,
    "lowerAscii": lambda text: text.lower(),
    "matches": matches,
    "max": _extreme(max, "max"),
    "min": _extreme(min, "min"),
    "or": lambda optional, other: optional if optional.present else other,
    "orValue": _or_value,
    "replace": _replace,
    "reverse": lambda items: items[::-1],
    "size": size,
    "slice": lambda items, start, end: items[start:end],
    "sort": sorted,
    "split": _split,
    "startsWith": lambda text, part: text.startswith(part),
    "substring": _substring,
    "sum": _sum,
    "trim": lambda text: text.strip(),
    "upperAscii": lambda text: text.upper(),
    "value": _value,
}
"""Functions that are called on a target."""
