# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Label and field selectors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import bad_request
from .metadata import LABEL_VALUE, LABEL_VALUE_RULE, qualified_name_problems
from .objects import Object, lookup
from .store import Record

Labels = Mapping[str, str]

_TOKEN = re.compile(r"\s*(!=|==|=|!|,|\(|\)|>|<|[^\s=!,()<>]+)")
_OPERATORS = frozenset(["=", "==", "!=", "!", ",", "(", ")", ">", "<"])


@dataclass(frozen=True)
class Requirement:
    """One condition on labels; ``operator`` is one of exists, absent, in, notin, gt, lt."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Labels) -> bool:
        value = labels.get(self.key)
        if self.operator == "exists":
            return value is not None
        if self.operator == "absent":
            return value is None
        if self.operator == "in":
            return value in self.values
        if self.operator == "notin":
            return value not in self.values
        if not re.fullmatch(r"[+-]?\d+", value or ""):
            return False
        number, bound = int(value or ""), int(next(iter(self.values)))
        return number > bound if self.operator == "gt" else number < bound


class _Parser:
    def __init__(self, text: str) -> None:
        self.tokens = _TOKEN.findall(text)
        if "".join(self.tokens) != re.sub(r"\s+", "", text):
            raise self.error("unexpected characters")
        self.at = 0

    def error(self, why: str) -> Exception:
        """400 for one requirement."""
        return bad_request(f"unable to parse requirement: {why}")

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def next(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def requirements(self) -> list[Requirement]:
        found: list[Requirement] = []
        while self.peek():
            if self.peek() in _OPERATORS - {"!"}:
                raise bad_request(f"found '{self.peek()}', expected: !, identifier, or 'end of string'")
            found.append(self.requirement())
            token = self.next()
            if token not in ("", ","):
                raise bad_request(f"found '{token}', expected: ',' or 'end of string'")
            if token == "," and not self.peek():
                raise bad_request("found '', expected: identifier after ','")
        return found

    def requirement(self) -> Requirement:
        if self.peek() == "!":
            self.next()
            return Requirement(self.key(), "absent")
        key = self.key()
        token = self.peek()
        if token in ("", ","):
            return Requirement(key, "exists")
        self.next()
        if token in ("=", "=="):
            return Requirement(key, "in", frozenset({self.value(key)}))
        if token == "!=":
            return Requirement(key, "notin", frozenset({self.value(key)}))
        if token in (">", "<"):
            value = self.value(key)
            if not re.fullmatch(r"[+-]?\d+", value):
                rule = "for 'Gt', 'Lt' operators, the value must be an integer"
                raise self.error(f'values[0]: Invalid value: "{value}": {rule}')
            return Requirement(key, "gt" if token == ">" else "lt", frozenset({value}))
        if token in ("in", "notin"):
            return Requirement(key, token, self.values(key))
        raise self.error(f"found '{token}', expected: in, notin, =, ==, !=, gt, lt")

    def key(self) -> str:
        key = self.next()
        if key in _OPERATORS:
            raise self.error(f"found '{key}', expected: identifier")
        problems = qualified_name_problems(key)
        if problems:
            raise self.error(f'<nil>: Invalid value: "{key}": {problems[0]}')
        return key

    def value(self, key: str, index: int = 0) -> str:
        if self.peek() in ("", ",", ")"):
            return ""
        value = self.next()
        if value in _OPERATORS:
            raise self.error(f"found '{value}', expected: identifier")
        rule = "must be no more than 63 bytes" if len(value) > 63 else LABEL_VALUE_RULE
        if rule != LABEL_VALUE_RULE or not LABEL_VALUE.fullmatch(value):
            raise self.error(f'values[{index}][{key}]: Invalid value: "{value}": {rule}')
        return value

    def values(self, key: str) -> frozenset[str]:
        opening = self.next()
        if opening != "(":
            raise self.error(f"found '{opening}' expected: '('")
        values = [self.value(key)]
        while self.peek() == ",":
            self.next()
            values.append(self.value(key, len(values)))
        closing = self.next()
        if closing != ")":
            raise self.error(f"found '{closing}', expected: ',' or ')'")
        return frozenset(values)


def parse_labels(text: str) -> list[Requirement]:
    """The requirements of a labelSelector query. Raises 400 for text that is none."""
    return _Parser(text).requirements()


def selects(selector: Object, labels: Labels) -> bool:
    """Whether a LabelSelector object (matchLabels, matchExpressions) matches labels."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for rule in selector.get("matchExpressions") or ():
        value, values = labels.get(rule["key"]), rule.get("values") or []
        holds = {
            "In": value in values,
            "NotIn": value not in values,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }
        if not holds.get(rule["operator"], False):
            return False
    return True


def parse_fields(text: str) -> list[tuple[str, str, bool]]:
    """(path, value, equal) for each term of a fieldSelector query. Raises 400 for a term without operator."""
    terms: list[tuple[str, str, bool]] = []
    for part in filter(None, (piece.strip() for piece in re.split(r"(?<!\\),", text))):
        match = re.fullmatch(r"([^=!]*)(!=|==|=)(.*)", part)
        if match is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        path, operator, value = match[1], match[2], re.sub(r"\\(.)", r"\1", match[3])
        terms.append((path, value, operator != "!="))
    return terms


def selector_text(selector: Object) -> str:
    """A LabelSelector object as the text of a labelSelector query."""
    terms = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for rule in selector.get("matchExpressions") or ():
        values = ",".join(rule.get("values") or ())
        operator = rule["operator"]
        if operator in ("In", "NotIn"):
            terms.append(f"{rule['key']} {operator.lower()} ({values})")
        else:
            terms.append(rule["key"] if operator == "Exists" else f"!{rule['key']}")
    return ",".join(terms)


_ALIASES = {"source": "source.component", "status.successful": "status.succeeded"}
"""Fields that selectors name differently."""
_DEFAULTS: dict[str, Any] = {"spec.hostNetwork": False, "spec.unschedulable": False, "status.successful": 0}
"""What fields are taken for that an object leaves out."""


class Selection:
    """Which objects a list or watch asks for."""

    def __init__(self, labels: list[Requirement], fields: list[tuple[str, str, bool]]) -> None:
        self._labels = labels
        self._metadata = [term for term in fields if term[0] in ("metadata.name", "metadata.namespace")]
        self._fields = [
            (_ALIASES.get(path, path).split("."), _text(_DEFAULTS.get(path)), value, equal)
            for path, value, equal in fields
            if not path.startswith("metadata.")
        ]

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return not (self._labels or self._metadata or self._fields)

    def selects(self, record: Record, load: Callable[[Record], Object]) -> bool:
        """Whether a record is selected; ``load`` reads it whole, which is done only for fields of its body."""
        for path, value, equal in self._metadata:
            actual = record.name if path == "metadata.name" else record.namespace
            if (actual == value) != equal:
                return False
        if not all(requirement.matches(record.labels) for requirement in self._labels):
            return False
        if self._fields:
            obj = load(record)
            return all(
                ((_text(lookup(obj, path)) or default) == value) == equal
                for path, default, value, equal in self._fields
            )
        return True


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
