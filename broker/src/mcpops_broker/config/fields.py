# SPDX-License-Identifier: Apache-2.0
# Copyright (c) 2026, mcpops contributors
"""Reading typed values out of a parsed YAML mapping, collecting every problem as a sentence."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

_SECRET_KEYS = frozenset({"credential", "signingKey", "token", "password", "caCert", "gatewayCACertPEM"})

TOP = "the file"
"""The place of the mapping that is the whole file."""


class Fields:
    """A mapping at a place in the file (`servers[1] (ns/time)`), with checked access.

    Problems are appended to the list given at the start; a getter then returns the default, so that one
    reading of a file reports everything that is wrong with it.
    """

    def __init__(self, place: str, value: Any, problems: list[str]) -> None:
        self.place = place
        self.problems = problems
        self._values: Mapping[str, Any] = {}
        if isinstance(value, Mapping):
            self._values = {str(key): item for key, item in value.items()}
        elif value is not None:
            problems.append(f"{place}: has the value {_show(value)} but must be a mapping of keys to values")

    def problem(self, key: str, value: Any, must: str) -> None:
        """Note that a key's value is wrong and what it must be; secrets are not repeated."""
        if key in _SECRET_KEYS:
            self.secret_problem(key, must)
        else:
            self.problems.append(f"{self.place}: key '{key}' has the value {_show(value)}: {must}")

    def secret_problem(self, key: str, must: str) -> None:
        """Note that the value of a key that holds a secret is wrong, without repeating it."""
        self.problems.append(f"{self.place}: key '{key}' has a secret value (not shown): {must}")

    def has(self, key: str) -> bool:
        """Tell whether the key is present with a value."""
        return self._values.get(key) is not None

    def given(self, key: str) -> bool:
        """Tell whether the key is present, even without a value."""
        return key in self._values

    def raw(self, key: str) -> Any:
        """Return the value as YAML gave it."""
        return self._values.get(key)

    def text(self, key: str, default: str = "") -> str:
        """Return a text value."""
        value = self._values.get(key)
        if value is None:
            return default
        if not isinstance(value, str):
            self.problem(key, value, "it must be text (put it in quotes)")
            return default
        return value

    def optional_text(self, key: str) -> str | None:
        """Return a text value, None when it is absent or empty."""
        return self.text(key) or None

    def number(self, key: str, default: float, *, low: float, high: float) -> float:
        """Return a number within bounds."""
        value = self._values.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.problem(key, value, f"it must be a number from {low:g} to {high:g}")
            return default
        return float(value)

    def integer(self, key: str, default: int, *, low: int, high: int) -> int:
        """Return a whole number within bounds."""
        value = self._values.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.problem(key, value, f"it must be a whole number from {low} to {high}")
            return default
        return value

    def switch(self, key: str, default: bool) -> bool:
        """Return a boolean; the operator also writes `Enabled` and `Disabled`."""
        value = self._values.get(key)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        if value in ("Enabled", "Disabled"):
            return bool(value == "Enabled")
        self.problem(key, value, "it must be true, false, Enabled or Disabled")
        return default

    def items(self, key: str) -> list[Any]:
        """Return a list, empty when the key is absent."""
        value = self._values.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.problem(key, value, "it must be a list")
            return []
        return value

    def inside(self, key: str) -> Fields:
        """Return the mapping under a key, empty when the key is absent."""
        return Fields(self._place_of(key), self.raw(key), self.problems)

    def elements(self, key: str) -> Iterator[Fields]:
        """Return the mappings in a list."""
        for index, item in enumerate(self.items(key)):
            yield Fields(f"{self._place_of(key)}[{index}]", item, self.problems)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""
        values = self.items(key)
        for value in values:
            if not isinstance(value, str) or not value:
                self.problem(key, value, "every element must be non-empty text")
                return ()
        return tuple(values)

    def unknown(self, known: Collection[str]) -> list[str]:
        """Return the keys that are not in `known`, in the order of the file."""
        return [key for key in self._values if key not in known]

    def refuse_unknown(self, known: Collection[str]) -> None:
        """Note a problem for every key that is not in `known`; their values may be secrets and are not repeated."""
        for key in self.unknown(known):
            self.problems.append(f"{self.place}: key '{key}' is not known; known are {', '.join(sorted(known))}")

    def _place_of(self, key: str) -> str:
        return key if self.place == TOP else f"{self.place}.{key}"


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:197] + "..."
