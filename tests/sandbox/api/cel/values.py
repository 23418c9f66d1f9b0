# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of CEL that JSON does not have, and what can go wrong with values."""

from __future__ import annotations

import functools
import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from .. import quantities
from ..formats import duration as parse_duration


class EvaluationError(Exception):
    """An expression has no value: a missing key, a wrong type, an overflow."""


class BudgetError(Exception):
    """Evaluation took longer than it may."""


@dataclass(frozen=True)
class Optional:
    """A value that may be missing."""

    present: bool
    value: Any = None


NOTHING = Optional(False)


def parse_timestamp(text: str) -> datetime:
    """An RFC 3339 time. Raises `EvaluationError`."""
    try:
        return datetime.fromisoformat(text.upper().replace("Z", "+00:00")).astimezone(UTC)
    except ValueError:
        raise EvaluationError(f"invalid timestamp {text!r}") from None


def duration(text: str) -> timedelta:
    """A Go duration. Raises `EvaluationError`."""
    try:
        return timedelta(microseconds=parse_duration(text) / 1000)
    except ValueError:
        raise EvaluationError(f'time: invalid duration "{text}"') from None


@dataclass(frozen=True, order=True)
class Quantity:
    """A resource quantity such as 100m or 2Gi."""

    amount: Decimal

    @classmethod
    def parse(cls, text: str) -> Quantity:
        """Read a quantity. Raises `EvaluationError`."""
        try:
            return cls(quantities.parse(text))
        except ValueError as error:
            raise EvaluationError(str(error)) from None


@dataclass(frozen=True)
class Ip:
    """An IP address."""

    address: ipaddress.IPv4Address | ipaddress.IPv6Address

    @classmethod
    def parse(cls, text: str) -> Ip:
        """Read an address. Raises `EvaluationError`."""
        try:
            return cls(ipaddress.ip_address(text))
        except ValueError:
            raise EvaluationError(f'IP Address "{text}" parse error during conversion from string') from None


@dataclass(frozen=True)
class Cidr:
    """An IP address with a prefix length."""

    interface: ipaddress.IPv4Interface | ipaddress.IPv6Interface

    @classmethod
    def parse(cls, text: str) -> Cidr:
        """Read a CIDR. Raises `EvaluationError`."""
        try:
            if "/" not in text:
                raise ValueError(text)
            return cls(ipaddress.ip_interface(text))
        except ValueError:
            raise EvaluationError(f'network address parse error during conversion from string: "{text}"') from None


_SEMVER = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")


@functools.total_ordering
@dataclass(frozen=True)
class Version:
    """A semantic version (https://semver.org, 2.0.0)."""

    major: int
    minor: int
    patch: int
    stage: str = ""

    @classmethod
    def parse(cls, text: str, normalize: bool = False) -> Version:
        """Read a version; a prefix v and missing parts are allowed when normalizing. Raises `EvaluationError`."""
        if normalize:
            number, dash, stage = text.removeprefix("v").partition("-")
            parts = [part.lstrip("0") or "0" for part in number.split(".")]
            text = ".".join([*parts, "0", "0"][:3]) + dash + stage
        match = _SEMVER.fullmatch(text)
        if match is None:
            raise EvaluationError(f'No Major.Minor.Patch elements found in "{text}"')
        return cls(int(match[1]), int(match[2]), int(match[3]), match[4] or "")

    def __lt__(self, other: Version) -> bool:
        return self._rank() < other._rank()

    def _rank(self) -> tuple[Any, ...]:
        stage = [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.stage.split(".")]
        return (self.major, self.minor, self.patch, not self.stage, stage)


@dataclass(frozen=True)
class Format:
    """A named string format."""

    name: str


@dataclass(frozen=True)
class TypeName:
    """A type, as ``type(x)`` gives it."""

    name: str


def type_name(value: Any) -> str:
    """The name of a value's type in CEL."""
    names: dict[type, str] = {
        bool: "bool",
        int: "int",
        float: "double",
        str: "string",
        bytes: "bytes",
        list: "list",
        dict: "map",
        datetime: "google.protobuf.Timestamp",
        timedelta: "google.protobuf.Duration",
        Optional: "optional_type",
        Quantity: "kubernetes.Quantity",
        Ip: "net.IP",
        Cidr: "net.CIDR",
        Version: "kubernetes.Semver",
        Format: "kubernetes.NamedFormat",
        TypeName: "type",
    }
    return names.get(type(value), "null_type" if value is None else "dyn")
