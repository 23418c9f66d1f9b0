# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""String formats and regular expressions of schemas, as Go understands them."""

from __future__ import annotations

import base64
import functools
import ipaddress
import re
from collections.abc import Callable
from datetime import date, datetime
from urllib.parse import urlsplit

_POSIX = {
    "[:alnum:]": "0-9A-Za-z",
    "[:alpha:]": "A-Za-z",
    "[:digit:]": "0-9",
    "[:lower:]": "a-z",
    "[:upper:]": "A-Z",
    "[:space:]": r"\s",
    "[:punct:]": r"!-/:-@\[-`{-~",
    "[:word:]": r"\w",
    "[:xdigit:]": "0-9A-Fa-f",
}
_LOOKAROUND = ("(?=", "(?!", "(?<=", "(?<!")
_REGEX_TOKEN = re.compile(
    r"\\.|\[\^?\]?(?:\[:\w+:\]|\\.|[^\]\\])*\]|\(\?(?:[imsU-]+\)|<?[=!]|P?<|[imsU-]*:)|.", re.DOTALL
)
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_DURATION = re.compile(r"[-+]?(0|(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+")
_DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
DNS_LABEL = re.compile(_LABEL)
DNS_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
DNS_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_UUID = "[0-9a-f]{8}-?[0-9a-f]{4}-?%s[0-9a-f]{3}-?%s[0-9a-f]{3}-?[0-9a-f]{12}"


@functools.lru_cache(maxsize=2048)
def regex(pattern: str) -> re.Pattern[str]:
    """A pattern in the syntax of RE2, which Go has, as one of Python. Raises ValueError."""
    try:
        return re.compile(_translated(pattern), re.ASCII)
    except re.error as error:
        raise ValueError(f"error parsing regexp: {error.msg}: `{pattern}`") from None


def _translated(pattern: str) -> str:
    """Python has no flags in the middle of a pattern, ends ``$`` before a newline, and knows no POSIX classes."""
    flags = [""]  # those switched on in each open group
    found = ""
    for token in _REGEX_TOKEN.findall(pattern):
        if token in _LOOKAROUND:
            raise ValueError(f"error parsing regexp: invalid or unsupported Perl syntax: `{token}`")
        if token.startswith("(?") and token.endswith(")"):
            flags[-1] += token[:-1] + ":"
            found += token[:-1] + ":"
            continue
        closed = ")" * flags[-1].count(":")
        if token == "|":
            found += f"{closed}|{flags[-1]}"
        elif token == ")":
            found += closed + token
            flags = flags[:-1] or [""]
        else:
            flags += [""] if token.startswith("(") else []
            found += {"$": r"\Z", r"\z": r"\Z", "(?<": "(?P<"}.get(token, token)
    found += ")" * flags[0].count(":")
    for name, members in _POSIX.items():
        found = found.replace(name, members)
    return found


def duration(text: str) -> int:
    """Nanoseconds of a Go duration such as ``1h30m``. Raises ValueError for other text."""
    if not text or not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration such as 30s or 1h30m")
    total = sum(int(float(number) * _UNITS[unit]) for number, unit in _DURATION_PART.findall(text))
    return -total if text.startswith("-") else total


def _succeeds(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return check


def _matches(pattern: str, flags: int = 0) -> Callable[[str], bool]:
    compiled = re.compile(pattern, flags)
    return lambda text: compiled.fullmatch(text) is not None


def _cidr(text: str) -> None:
    if "/" not in text:
        raise ValueError("a CIDR has a prefix length")
    ipaddress.ip_interface(text)


def _uri(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return text.startswith("/") or bool(parts.scheme and (parts.netloc or parts.path))


_CHECKS: dict[str, Callable[[str], bool]] = {
    "byte": _succeeds(lambda text: base64.b64decode(text, validate=True)),
    "cidr": _succeeds(_cidr),
    "date": _succeeds(date.fromisoformat),
    "datetime": _succeeds(lambda text: datetime.fromisoformat(text.upper().replace("Z", "+00:00"))),
    "duration": _succeeds(duration),
    "email": _matches(r"[^@\s]+@[^@\s]+"),
    "hostname": _matches(r"(?=.{1,253}\Z)([A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?\.?)+"),
    "ipv4": _succeeds(ipaddress.IPv4Address),
    "ipv6": _succeeds(ipaddress.IPv6Address),
    "k8slongname": lambda text: len(text) <= 253 and DNS_SUBDOMAIN.fullmatch(text) is not None,
    "k8sshortname": lambda text: len(text) <= 63 and DNS_LABEL.fullmatch(text) is not None,
    "mac": _matches(r"([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}|([0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}"),
    "uri": _uri,
    "uuid": _matches(_UUID % ("[0-9a-f]", "[0-9a-f]"), re.IGNORECASE),
    "uuid3": _matches(_UUID % ("3", "[0-9a-f]"), re.IGNORECASE),
    "uuid4": _matches(_UUID % ("4", "[89ab]"), re.IGNORECASE),
    "uuid5": _matches(_UUID % ("5", "[89ab]"), re.IGNORECASE),
}


def fits(text: str, name: str) -> bool:
    """Whether a string has the format; formats that a kube-apiserver does not check fit always."""
    check = _CHECKS.get(name.replace("-", ""))
    return check is None or check(text)
