# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions that rules may call besides those of CEL itself: Kubernetes' own libraries and what the engine lacks.

A function gets its target first and raises ValueError when it has no value. What JSON has no type for (addresses,
URLs, quantities) is a map with one key that names the type, so that two types are never equal.
Reference: https://kubernetes.io/docs/reference/using-api/cel/
"""

from __future__ import annotations

import ipaddress
import itertools
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from cel import OptionalValue
from cel.stdlib import EXTENSIONS

from . import quantities
from .formats import fits, regex
from .metadata import LABEL_VALUE, LABEL_VALUE_RULE, name_problems, qualified_name_problems

Typed = dict[str, str]


def _content(value: Any, kind: str) -> str:
    """The text of a value of one of our types. Raises TypeError for other values."""
    if not isinstance(value, dict) or list(value) != [kind]:
        raise TypeError(kind)
    return str(value[kind])


def _is(parse: Callable[..., Any]) -> Callable[..., bool]:
    def check(*arguments: Any) -> bool:
        try:
            parse(*arguments)
        except ValueError:
            return False
        return True

    return check


# strings


def _text(value: Any) -> str:
    """string(): as Go's %v prints the value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)):
        return str(value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.15g}s"
    return _content(value, next(iter(value)))


def _display(value: Any, nested: bool = False) -> str:
    """A value as %s in format() shows it."""
    if isinstance(value, list):
        return "[" + ", ".join(_display(item, True) for item in value) + "]"
    if isinstance(value, dict):
        entries = sorted((_display(key, True), _display(item, True)) for key, item in value.items())
        return "{" + ", ".join(f"{key}: {item}" for key, item in entries) + "}"
    if nested and isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return "null" if value is None else _text(value)


def _format(text: str, arguments: list[Any]) -> str:
    values = iter(arguments)

    def show(match: re.Match[str]) -> str:
        kind = match[2]
        if kind == "%":
            return "%"
        try:
            value = next(values)
        except StopIteration:
            raise ValueError("index out of range in format string") from None
        if kind == "s":
            return _display(value)
        return str(value) if kind == "d" else f"{value:{match[1] or '.6'}{kind}}"

    return re.sub(r"%((?:\.\d+)?)([sdfeboxX%])", show, text)


def _matches(text: str, pattern: str) -> bool:
    return regex(pattern).search(text) is not None


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found = [match.group(0) for match in regex(pattern).finditer(text)]
    return found if limit < 0 else found[:limit]


# lists


def _position(where: Any, what: Any, last: bool) -> int:
    found = [index for index, item in enumerate(where) if item == what]
    return found[-1 if last else 0] if found else -1


def _index_of(where: Any, what: Any, *start: int) -> int:
    if isinstance(where, list):
        return _position(where, what, last=False)
    return int(EXTENSIONS["strings"]["indexOf"](where, what, *start))


def _last_index_of(where: Any, what: Any, *start: int) -> int:
    if isinstance(where, list):
        return _position(where, what, last=True)
    return int(EXTENSIONS["strings"]["lastIndexOf"](where, what, *start))


# optionals


def select_optional(value: Any, key: Any) -> OptionalValue:
    """What ``value.?key`` and ``value[?key]`` mean."""
    if isinstance(value, OptionalValue):
        return select_optional(value.value(), key) if value.has_value() else value
    if isinstance(value, list):
        return OptionalValue.of(value[key]) if 0 <= key < len(value) else OptionalValue.none()
    return OptionalValue.of(value[key]) if key in value else OptionalValue.none()


# URLs


def _url(text: str) -> SplitResult:
    problem = f'URL parse error during conversion from string: parse "{text}": invalid URI for request'
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError(problem) from None
    if not (parts.scheme and (parts.netloc or parts.path)) and not text.startswith("/"):
        raise ValueError(problem)
    return parts


def _make_url(text: str) -> Typed:
    return {"url": _url(text).geturl()}


def _of_url(read: Callable[[SplitResult], Any]) -> Callable[[Typed], Any]:
    return lambda url: read(urlsplit(_content(url, "url")))


# addresses

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _make_ip(value: Any) -> Typed:
    if isinstance(value, dict):
        return {"ip": str(_network(value).ip)}
    try:
        return {"ip": str(ipaddress.ip_address(value))}
    except ValueError:
        message = (
            f'IP Address "{value}" parse error during conversion from string: ParseAddr("{value}"): unable to parse IP'
        )
        raise ValueError(message) from None


def _ip(value: Any) -> _Address:
    """The address, of an ip or of text."""
    return ipaddress.ip_address(_content(_make_ip(value) if isinstance(value, str) else value, "ip"))


def _make_cidr(text: str) -> Typed:
    try:
        if "/" not in text:
            raise ValueError(text)
        return {"cidr": str(ipaddress.ip_interface(text))}
    except ValueError:
        raise ValueError(f'network address parse error during conversion from string: "{text}"') from None


def _network(value: Any) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    return ipaddress.ip_interface(_content(_make_cidr(value) if isinstance(value, str) else value, "cidr"))


def _contains_cidr(outer: Any, inner: Any) -> bool:
    wide, narrow = _network(outer).network, _network(inner).network
    return wide.version == narrow.version and narrow.subnet_of(wide)  # type: ignore[arg-type]  # both have one version


# quantities


def _make_quantity(value: str | Decimal) -> Typed:
    amount = quantities.parse(value) if isinstance(value, str) else value
    return {"quantity": str(amount.normalize())}


def _amount(value: Any) -> Decimal:
    return Decimal(value) if isinstance(value, int) else Decimal(_content(value, "quantity"))


def _whole(quantity: Typed) -> int:
    amount = _amount(quantity)
    if amount != int(amount) or abs(amount) >= 2**63:
        raise ValueError("cannot convert value to integer")
    return int(amount)


def _compare(left: Typed, right: Typed) -> int:
    return int(_amount(left) > _amount(right)) - int(_amount(left) < _amount(right))


# formats


def _label(rule: str, prefix: bool) -> Callable[[str], list[str]]:
    return lambda text: name_problems(text.rstrip("-") if prefix else text, rule)


def _known_format(name: str, problem: str) -> Callable[[str], list[str]]:
    return lambda text: [] if fits(text, name) else [problem]


_FORMATS: dict[str, Callable[[str], list[str]]] = {
    "byte": _known_format("byte", "invalid base64"),
    "date": _known_format("date", "invalid date"),
    "datetime": _known_format("datetime", "invalid datetime"),
    "dns1035Label": _label("label1035", prefix=False),
    "dns1035LabelPrefix": _label("label1035", prefix=True),
    "dns1123Label": _label("label", prefix=False),
    "dns1123LabelPrefix": _label("label", prefix=True),
    "dns1123Subdomain": _label("subdomain", prefix=False),
    "dns1123SubdomainPrefix": _label("subdomain", prefix=True),
    "labelValue": lambda text: [] if LABEL_VALUE.fullmatch(text) else [LABEL_VALUE_RULE],
    "qualifiedName": qualified_name_problems,
    "uri": _known_format("uri", "invalid URI"),
    "uuid": _known_format("uuid", "does not match the UUID format"),
}


def _named_format(name: str) -> OptionalValue:
    return OptionalValue.of({"format": name}) if name in _FORMATS else OptionalValue.none()


def _validate(form: Typed, text: str) -> OptionalValue:
    problems = _FORMATS[_content(form, "format")](text)
    return OptionalValue.of(problems) if problems else OptionalValue.none()


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **EXTENSIONS["core"],
    **EXTENSIONS["lists"],
    **EXTENSIONS["sets"],
    **EXTENSIONS["strings"],
    "Matches": _matches,
    "Size": len,
    "String": _text,
    "format": _format,
    "find": lambda text, pattern: next(iter(_find_all(text, pattern)), ""),
    "findAll": _find_all,
    "indexOf": _index_of,
    "isSorted": lambda items: all(left <= right for left, right in itertools.pairwise(items)),
    "lastIndexOf": _last_index_of,
    "optFirst": EXTENSIONS["lists"]["first"],
    "optFlat": lambda found: found[0] if found else OptionalValue.none(),
    "optList": lambda optional: [optional.value()] if optional.has_value() else [],
    "optSelect": select_optional,
    "getEscapedPath": _of_url(lambda url: quote(url.path, safe="/%:@!$&'()*+,;=-._~")),
    "getHost": _of_url(lambda url: url.netloc.rpartition("@")[2]),
    "getHostname": _of_url(lambda url: url.hostname or ""),
    "getPort": _of_url(lambda url: "" if url.port is None else str(url.port)),
    "getQuery": _of_url(lambda url: parse_qs(url.query, keep_blank_values=True)),
    "getScheme": _of_url(lambda url: url.scheme),
    "isURL": _is(_url),
    "url": _make_url,
    "cidr": _make_cidr,
    "containsCIDR": _contains_cidr,
    "containsIP": lambda cidr, ip: _ip(ip) in _network(cidr).network,
    "family": lambda ip: _ip(ip).version,
    "ip": _make_ip,
    "ip.isCanonical": lambda text: str(_ip(text)) == text,
    "isCIDR": _is(_make_cidr),
    "isGlobalUnicast": lambda ip: _ip(ip).is_global or _ip(ip).is_private,
    "isIP": _is(_make_ip),
    "isLinkLocalMulticast": lambda ip: _ip(ip).is_multicast,
    "isLinkLocalUnicast": lambda ip: _ip(ip).is_link_local,
    "isLoopback": lambda ip: _ip(ip).is_loopback,
    "isUnspecified": lambda ip: _ip(ip).is_unspecified,
    "masked": lambda cidr: {"cidr": str(_network(cidr).network)},
    "prefixLength": lambda cidr: _network(cidr).network.prefixlen,
    "add": lambda left, right: _make_quantity(_amount(left) + _amount(right)),
    "asApproximateFloat": lambda quantity: float(_amount(quantity)),
    "asInteger": _whole,
    "compareTo": _compare,
    "isGreaterThan": lambda left, right: _compare(left, right) > 0,
    "isInteger": _is(_whole),
    "isLessThan": lambda left, right: _compare(left, right) < 0,
    "isQuantity": _is(_make_quantity),
    "quantity": _make_quantity,
    "sub": lambda left, right: _make_quantity(_amount(left) - _amount(right)),
    "format.named": _named_format,
    **{f"format.{name}": lambda name=name: {"format": name} for name in _FORMATS},
    "validate": _validate,
}
"""By name; dotted names are those of a library. The capitalised ones take the place of those of the engine."""
