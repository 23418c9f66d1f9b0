# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of single fields, as k8s.io/apimachinery/pkg/util/validation/field words them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

NO_VALUE = object()
"""Marks an error that does not show the value."""

_TITLES = {
    "FieldValueNotFound": "Not found",
    "FieldValueRequired": "Required value",
    "FieldValueDuplicate": "Duplicate value",
    "FieldValueInvalid": "Invalid value",
    "FieldValueTypeInvalid": "Invalid value",
    "FieldValueNotSupported": "Unsupported value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueTooLong": "Too long",
    "FieldValueTooMany": "Too many",
    "FieldValueTooFew": "Too few",
    "InternalError": "Internal error",
}
_VALUELESS = {"FieldValueRequired", "FieldValueForbidden", "FieldValueTooLong", "InternalError"}


_CONTROL = re.compile(r"\\u00([01][0-9a-f])")
"""How JSON writes a control character, which Go writes with two digits."""


class Struct(dict[str, Any]):
    """A value whose fields are shown in their own order, as Go shows structs; those of maps are sorted."""


@dataclass(frozen=True)
class FieldError:
    """One thing wrong with one field: ``reason`` is the cause type, ``detail`` what is said after the value."""

    reason: str
    field: str
    value: Any = NO_VALUE
    detail: str = ""

    @property
    def body(self) -> str:
        """Text without the field's path."""
        text = _TITLES[self.reason]
        if self.reason not in _VALUELESS and self.value is not NO_VALUE:
            text += f": {_show(self.value)}"
        return f"{text}: {self.detail}" if self.detail else text

    def __str__(self) -> str:
        return f"{self.field}: {self.body}"

    def cause(self) -> dict[str, str]:
        """The entry of ``details.causes``."""
        return {"reason": self.reason, "message": self.body, "field": self.field}


def _ordered(value: Any) -> bool:
    return isinstance(value, Struct) or (isinstance(value, list) and any(map(_ordered, value)))


_ESCAPED = {ord(char): f"\\u{ord(char):04x}" for char in "<>&"}
"""Go's JSON encoder escapes what HTML could misread."""


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str):
        return quote(value)
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=not _ordered(value))
    return text.translate(_ESCAPED)


def show_go(value: Any) -> str:
    """A value as Go's %v prints it."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{show_go(item)}" for key, item in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(show_go, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def quote(text: str) -> str:
    """Text in double quotes, as Go's %q prints it."""
    return _CONTROL.sub(lambda match: f"\\x{match[1]}", json.dumps(text, ensure_ascii=False))


def required(field: str, detail: str = "") -> FieldError:
    return FieldError("FieldValueRequired", field, "", detail)


def invalid_value(field: str, value: Any, detail: str = "") -> FieldError:
    return FieldError("FieldValueInvalid", field, value, detail)


def invalid_type(field: str, value: Any, detail: str) -> FieldError:
    return FieldError("FieldValueTypeInvalid", field, value, detail)


def forbidden_value(field: str, detail: str) -> FieldError:
    return FieldError("FieldValueForbidden", field, "", detail)


def duplicate(field: str, value: Any) -> FieldError:
    return FieldError("FieldValueDuplicate", field, value)


def not_supported(field: str, value: Any, supported: Iterable[Any]) -> FieldError:
    quoted = ", ".join(quote(item) if isinstance(item, str) else quote(_show(item)) for item in supported)
    return FieldError("FieldValueNotSupported", field, value, f"supported values: {quoted}" if quoted else "")


def too_long(field: str, maximum: int) -> FieldError:
    return FieldError(
        "FieldValueTooLong", field, NO_VALUE, f"may not be more than {maximum} byte{'s' if maximum != 1 else ''}"
    )


def too_many(field: str, actual: int, maximum: int) -> FieldError:
    return FieldError(
        "FieldValueTooMany", field, actual, f"must have at most {maximum} item{'s' if maximum != 1 else ''}"
    )
