# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Functions that Kubernetes adds to CEL: URLs, IP addresses, quantities, semantic versions, formats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from ..formats import fits
from ..metadata import LABEL_VALUE, LABEL_VALUE_RULE, name_problems, qualified_name_problems
from .values import NOTHING, Cidr, EvaluationError, Format, Ip, Optional, Quantity, Version

Function = Callable[..., Any]


def _is(parse: Callable[..., Any]) -> Callable[..., bool]:
    def check(*arguments: Any) -> bool:
        try:
            parse(*arguments)
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


def _is_integer(quantity: Quantity) -> bool:
    return quantity.amount == int(quantity.amount) and abs(quantity.amount) < 2**63


def _as_integer(quantity: Quantity) -> int:
    if not _is_integer(quantity):
        raise EvaluationError("cannot convert value to integer")
    return int(quantity.amount)


def _amount(value: Any) -> Quantity:
    return value if isinstance(value, Quantity) else Quantity(value)


def _family(ip: Any) -> int:
    return int(ip.address.version)


def _label(rule: str, prefix: bool = False) -> Callable[[str], list[str]]:
    def check(text: str) -> list[str]:
        return name_problems(text.rstrip("-") if prefix else text, rule)

    return check


def _known_format(name: str, message: str) -> Callable[[str], list[str]]:
    return lambda text: [] if fits(text, name) else [message]


_FORMATS: dict[str, Callable[[str], list[str]]] = {
    "byte": _known_format("byte", "invalid base64"),
    "date": _known_format("date", "invalid date"),
    "datetime": _known_format("datetime", "invalid datetime"),
    "dns1035Label": _label("label1035"),
    "dns1035LabelPrefix": _label("label1035", prefix=True),
    "dns1123Label": _label("label"),
    "dns1123LabelPrefix": _label("label", prefix=True),
    "dns1123Subdomain": _label("subdomain"),
    "dns1123SubdomainPrefix": _label("subdomain", prefix=True),
    "labelValue": lambda text: [] if LABEL_VALUE.fullmatch(text) else [LABEL_VALUE_RULE],
    "qualifiedName": qualified_name_problems,
    "uri": _known_format("uri", "invalid URI"),
    "uuid": _known_format("uuid", "does not match the UUID format"),
}


def _named_format(name: str) -> Optional:
    return Optional(True, Format(name)) if name in _FORMATS else NOTHING


def _validate(form: Format, text: str) -> Optional:
    problems = _FORMATS[form.name](text)
    return Optional(True, problems) if problems else NOTHING


def _make_format(name: str) -> Function:
    return lambda: Format(name)


GLOBALS: dict[str, Function] = {
    "cidr": Cidr.parse,
    "format.named": _named_format,
    **{f"format.{name}": _make_format(name) for name in _FORMATS},
    "ip": lambda value: Ip(value.interface.ip) if isinstance(value, Cidr) else Ip.parse(value),
    "ip.isCanonical": lambda text: str(Ip.parse(text).address) == text,
    "isCIDR": _is(Cidr.parse),
    "isIP": _is(Ip.parse),
    "isQuantity": _is(Quantity.parse),
    "isSemver": _is(Version.parse),
    "isURL": _is(_url),
    "quantity": Quantity.parse,
    "semver": Version.parse,
    "url": _url,
}
"""Functions that are called without a target; dotted names are those of a library."""

METHODS: dict[str, Function] = {
    "add": lambda left, right: Quantity(left.amount + _amount(right).amount),
    "asApproximateFloat": lambda quantity: float(quantity.amount),
    "asInteger": _as_integer,
    "compareTo": _compare,
    "containsCIDR": _contains_cidr,
    "containsIP": _contains_ip,
    "family": _family,
    "getEscapedPath": lambda url: quote(url.path, safe="/%:@!$&'()*+,;=-._~"),
    "getHost": lambda url: url.netloc.rpartition("@")[2],
    "getHostname": _hostname,
    "getPort": lambda url: str(url.port) if url.port is not None else "",
    "getQuery": lambda url: parse_qs(url.query, keep_blank_values=True),
    "getScheme": lambda url: url.scheme,
    "ip": lambda cidr: Ip(cidr.interface.ip),
    "isGlobalUnicast": lambda ip: ip.address.is_global or ip.address.is_private,
    "isGreaterThan": lambda left, right: left > right,
    "isInteger": _is_integer,
    "isLessThan": lambda left, right: left < right,
    "isLinkLocalMulticast": lambda ip: ip.address.is_multicast,
    "isLinkLocalUnicast": lambda ip: ip.address.is_link_local,
    "isLoopback": lambda ip: ip.address.is_loopback,
    "isUnspecified": lambda ip: ip.address.is_unspecified,
    "major": lambda version: version.major,
    "masked": lambda cidr: Cidr(type(cidr.interface)(cidr.interface.network)),
    "minor": lambda version: version.minor,
    "patch": lambda version: version.patch,
    "prefixLength": lambda cidr: cidr.interface.network.prefixlen,
    "sub": lambda left, right: Quantity(left.amount - _amount(right).amount),
    "validate": _validate,
}
"""Functions that are called on a target."""
