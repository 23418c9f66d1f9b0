# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource quantities (100m, 2Gi, 10k) in the canonical form in which a kube-apiserver writes them."""

from __future__ import annotations

import re
from decimal import ROUND_UP, Decimal

RULE = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_FORM = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))(m|n|u|k|[KMGTPE]i|[MGTPE]|[eE][+-]?\d+)?")
_DECIMAL = ("n", "u", "m", "", "k", "M", "G", "T", "P", "E")
_ONE = _DECIMAL.index("")
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_SMALLEST = Decimal("1e-9")


def parse(text: str) -> Decimal:
    """The amount. Raises ValueError for text that is no quantity."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(RULE)
    number, suffix = Decimal(match[1]), match[2] or ""
    if suffix in _BINARY:
        return number * Decimal(1024) ** _BINARY.index(suffix)
    if suffix in _DECIMAL:
        return number * Decimal(10) ** (3 * (_DECIMAL.index(suffix) - _ONE))
    return number * Decimal(f"1{suffix}")


def canonical(value: str | float) -> str:
    """The shortest form without a fraction, in the family of suffixes it was written in. Raises ValueError."""
    text = str(value)
    amount = parse(text).quantize(_SMALLEST, rounding=ROUND_UP)
    if text.endswith("i") and abs(amount) >= 1024 and amount == int(amount):
        return _scaled(amount, _BINARY, 0, Decimal(1024))
    if re.search(r"[eE][+-]?\d+$", text):
        return _exponent(amount)
    return _scaled(amount, _DECIMAL, _ONE, Decimal(1000))


def _scaled(amount: Decimal, suffixes: tuple[str, ...], index: int, base: Decimal) -> str:
    if amount == 0:
        return "0"
    while amount != int(amount) and index > 0:
        amount, index = amount * base, index - 1
    while index + 1 < len(suffixes) and amount % base == 0:
        amount, index = amount / base, index + 1
    return f"{int(amount)}{suffixes[index]}"


def _exponent(amount: Decimal) -> str:
    if amount == 0:
        return "0"
    power = 0
    while amount != int(amount):
        amount, power = amount * 1000, power - 3
    while amount % 1000 == 0:
        amount, power = amount / 1000, power + 3
    return f"{int(amount)}e{power}" if power else str(int(amount))
