# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions of CEL: the standard ones, strings and lists extensions, and the libraries that Kubernetes adds.

Each takes the target (if it is called as a method) and the arguments as Python values and returns one.
"""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from ..formats import regex
from .values import (
    NOTHING,
    Cidr,
    EvaluationError,
    Ip,
    Optional,
    Quantity,
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
        return f"{value:g}" if value != int(value) else str(int(value))
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


def _display(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_display, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_display(key)}: {_display(item)}" for key, item in sorted(value.items())) + "}"
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


# URLs, addresses, quantities


def _is(parse: Callable[[Any], Any]) -> Callable[[Any], bool]:
    def check(value: Any) -> bool:
        try:
            parse(value)
        except EvaluationError:
            return False
        return True

    return check


def _url(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise EvaluationError(f"URL parse error during conversion from string: {text}") from None
    if not (parts.scheme and (parts.netloc or parts.path)) and not text.startswith("/"):
        raise EvaluationError(f'URL parse error during conversion from string: parse "{text}": invalid URI for request')
    return parts


def _hostname(url: SplitResult) -> str:
    return url.hostname or ""


def _contains_ip(cidr: Cidr, ip: Any) -> bool:
    address = ip if isinstance(ip, Ip) else Ip.parse(ip)
    return address.address in cidr.interface.network


def _contains_cidr(cidr: Cidr, other: Any) -> bool:
    inner = other if isinstance(other, Cidr) else Cidr.parse(other)
    if inner.interface.version != cidr.interface.version:
        return False
    return inner.interface.network.subnet_of(cidr.interface.network)  # type: ignore[arg-type]


def _compare(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


def _as_integer(quantity: Quantity) -> int:
    if quantity.amount != int(quantity.amount):
        raise EvaluationError("cannot convert value to integer")
    return int(quantity.amount)


def _amount(value: Any) -> Quantity:
    return value if isinstance(value, Quantity) else Quantity(value)


def _family(ip: Any) -> int:
    return int(ip.address.version)


GLOBALS: dict[str, Function] = {
    "base64.decode": base64.b64decode,
    "base64.encode": lambda value: base64.b64encode(_bytes(value)).decode(),
    "bool": _bool,
    "bytes": _bytes,
    "cidr": Cidr.parse,
    "double": _double,
    "duration": _duration,
    "dyn": lambda value: value,
    "int": _int,
    "ip": lambda value: Ip(value.interface.ip) if isinstance(value, Cidr) else Ip.parse(value),
    "isCIDR": _is(Cidr.parse),
    "isIP": _is(Ip.parse),
    "isQuantity": _is(Quantity.parse),
    "isURL": _is(_url),
    "ip.isCanonical": lambda text: str(Ip.parse(text).address) == text,
    "math.abs": abs,
    "math.ceil": lambda value: float(-(-value // 1)),
    "math.floor": lambda value: float(value // 1),
    "math.greatest": lambda *items: max(items[0] if isinstance(items[0], list) else items),
    "math.least": lambda *items: min(items[0] if isinstance(items[0], list) else items),
    "math.round": lambda value: float(round(value)),
    "matches": matches,
    "optional.none": lambda: NOTHING,
    "optional.of": lambda value: Optional(True, value),
    "optional.ofNonZeroValue": _non_zero,
    "quantity": Quantity.parse,
    "sets.contains": lambda items, wanted: all(item in items for item in wanted),
    "sets.equivalent": lambda left, right: all(i in right for i in left) and all(i in left for i in right),
    "sets.intersects": lambda left, right: any(item in right for item in left),
    "size": size,
    "string": _string,
    "timestamp": _timestamp,
    "type": lambda value: TypeName(type_name(value)),
    "uint": _uint,
    "url": _url,
}
"""Functions that are called without a target; dotted names are those of a library."""

METHODS: dict[str, Function] = {
    "add": lambda left, right: Quantity(left.amount + _amount(right).amount),
    "asApproximateFloat": lambda quantity: float(quantity.amount),
    "asInteger": _as_integer,
    "charAt": _char_at,
    "compareTo": _compare,
    "contains": lambda text, part: part in text,
    "containsCIDR": _contains_cidr,
    "containsIP": _contains_ip,
    "distinct": _distinct,
    "endsWith": lambda text, part: text.endswith(part),
    "family": _family,
    "find": _find,
    "findAll": _find_all,
    "first": lambda items: Optional(True, items[0]) if items else NOTHING,
    "flatten": _flatten,
    "format": _format,
    "getDate": lambda time, *_: time.day,
    "getDayOfMonth": lambda time, *_: time.day - 1,
    "getDayOfWeek": lambda time, *_: (time.weekday() + 1) % 7,
    "getDayOfYear": lambda time, *_: time.timetuple().tm_yday - 1,
    "getEscapedPath": lambda url: quote(url.path, safe="/%:@!$&'()*+,;=-._~"),
    "getFullYear": lambda time, *_: time.year,
    "getHost": lambda url: url.netloc.rpartition("@")[2],
    "getHostname": _hostname,
    "getHours": lambda time, *_: time.hour if isinstance(time, datetime) else int(time.total_seconds() // 3600),
    "getMilliseconds": lambda time, *_: (
        time.microseconds // 1000 if isinstance(time, timedelta) else time.microsecond // 1000
    ),
    "getMinutes": lambda time, *_: time.minute if isinstance(time, datetime) else int(time.total_seconds() // 60),
    "getMonth": lambda time, *_: time.month - 1,
    "getPort": lambda url: str(url.port) if url.port is not None else "",
    "getQuery": lambda url: parse_qs(url.query, keep_blank_values=True),
    "getScheme": lambda url: url.scheme,
    "getSeconds": lambda time, *_: time.second if isinstance(time, datetime) else int(time.total_seconds()),
    "hasValue": lambda optional: optional.present,
    "indexOf": _index_of,
    "ip": lambda cidr: Ip(cidr.interface.ip),
    "isGlobalUnicast": lambda ip: ip.address.is_global or ip.address.is_private,
    "isGreaterThan": lambda left, right: left > right,
    "isInteger": lambda quantity: quantity.amount == int(quantity.amount),
    "isLessThan": lambda left, right: left < right,
    "isLinkLocalMulticast": lambda ip: ip.address.is_multicast,
    "isLinkLocalUnicast": lambda ip: ip.address.is_link_local,
    "isLoopback": lambda ip: ip.address.is_loopback,
    "isSorted": lambda items: all(left <= right for left, right in itertools.pairwise(items)),
    "isUnspecified": lambda ip: ip.address.is_unspecified,
    "join": _join,
    "last": lambda items: Optional(True, items[-1]) if items else NOTHING,
    "lastIndexOf": _last_index_of,
    "lowerAscii": lambda text: text.lower(),
    "masked": lambda cidr: Cidr(type(cidr.interface)(cidr.interface.network)),
    "matches": matches,
    "max": _extreme(max, "max"),
    "min": _extreme(min, "min"),
    "or": lambda optional, other: optional if optional.present else other,
    "orValue": _or_value,
    "prefixLength": lambda cidr: cidr.interface.network.prefixlen,
    "replace": _replace,
    "reverse": lambda items: items[::-1],
    "sign": lambda quantity: _compare(quantity.amount, 0),
    "size": size,
    "slice": lambda items, start, end: items[start:end],
    "sort": sorted,
    "split": _split,
    "startsWith": lambda text, part: text.startswith(part),
    "sub": lambda left, right: Quantity(left.amount - _amount(right).amount),
    "substring": _substring,
    "sum": _sum,
    "trim": lambda text: text.strip(),
    "upperAscii": lambda text: text.upper(),
    "value": _value,
}
"""Functions that are called on a target."""
