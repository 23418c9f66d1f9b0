# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Values that the API server writes differently but means the same: quantities and durations."""

from __future__ import annotations

import re
import typing as t
from decimal import Decimal

_QUANTITY = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:([eE][+-]?\d+)|(m|u|n|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei))?")
_SUFFIX = {
    **dict(zip("num", (Decimal(10) ** power for power in (-9, -6, -3)), strict=True)),
    **dict(zip("kMGTPE", (Decimal(1000) ** power for power in range(1, 7)), strict=True)),
    **dict(zip(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), (Decimal(1024) ** power for power in range(1, 7)), strict=True)),
}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:h|ms|m|s|us|ns))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|ns)")
_SECONDS = {
    "h": Decimal(3600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("0.001"),
    "us": Decimal("1e-6"),
    "ns": Decimal("1e-9"),
}
_QUANTITY_FIELDS = frozenset(
    {"limits", "requests", "hard", "capacity", "sizeLimit", "default", "defaultRequest", "max", "min"}
)
"""Fields of built-in kinds, under ``spec``, whose values the API server writes in its own form."""

SAME, MAYBE, DIFFERENT = "same", "maybe", "different"


def quantity(value: t.Any) -> Decimal | None:
    """A resource quantity such as ``500m`` or ``1Gi`` as a number, or None when it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    found = _QUANTITY.fullmatch(str(value).strip())
    if not found:
        return None
    number, exponent, suffix = found.groups()
    return Decimal(number + (exponent or "")) * _SUFFIX.get(suffix or "", Decimal(1))


def duration(value: t.Any) -> Decimal | None:
    """A duration such as ``1m30s`` in seconds, or None when it is none."""
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        return None
    return sum((Decimal(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(value)), Decimal(0))


def alike(wanted: t.Any, live: t.Any, path: t.Sequence[str] = (), *, built_in: bool = False) -> str:
    """SAME, MAYBE (the API server may hold them for the same; ask it) or DIFFERENT, for two scalars.

    Text such as ``1.10`` and ``1.1`` is the same only as a quantity of a ``built_in`` kind.
    """
    if isinstance(wanted, bool) or isinstance(live, bool):
        return SAME if wanted is live else DIFFERENT
    if wanted == live:
        return SAME
    numbers = quantity(wanted), quantity(live)
    if None not in numbers and numbers[0] == numbers[1]:
        known = built_in and path[:1] == ("spec",) and not _QUANTITY_FIELDS.isdisjoint(path)
        return SAME if known and isinstance(live, str) else MAYBE
    times = duration(wanted), duration(live)
    if None not in times and times[0] == times[1]:
        return MAYBE
    return DIFFERENT
