# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""x-kubernetes-validations: the rules of a schema, checked against an object.

Follows apiextensions-apiserver/pkg/apiserver/schema/cel: rules see declared fields, transition rules run only
where there is an old value to compare with, and a rule that an unchanged value breaks only warns.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from cel import OptionalValue

from .cel import CompileError, EvaluationError, Expression, Scope, escaped
from .fields import NO_VALUE, FieldError, Struct, invalid_value, not_supported, required
from .formats import duration
from .objects import Object, same
from .schema import Node, Schema
from .validation import by_key, item_key

_STRING = {"type": "string"}
_METADATA = {"type": "object", "properties": {"name": _STRING, "generateName": _STRING}}
_REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_EVERY_OBJECT = {"apiVersion": _STRING, "kind": _STRING, "metadata": _METADATA}


def _timestamp(text: str) -> datetime:
    return datetime.fromisoformat(text.upper().replace("Z", "+00:00")).astimezone(UTC)


_FORMATS: dict[str, Callable[[str], Any]] = {
    "byte": base64.b64decode,
    "date": lambda text: _timestamp(f"{text}T00:00:00Z"),
    "date-time": _timestamp,
    "datetime": _timestamp,
    "duration": lambda text: timedelta(microseconds=duration(text) / 1000),
}
"""String formats that rules see as something else."""


class Rule:
    """One rule of one schema node. Raises `CompileError`."""

    def __init__(self, stated: Object, schema: Schema) -> None:
        self.text: str = stated["rule"]
        self.message: str = (stated.get("message") or "").strip() or f"failed rule: {' '.join(self.text.split())}"
        self.about: str = (stated.get("message") or "").strip() or self.text
        self.reason: str = stated.get("reason") or "FieldValueInvalid"
        self.field_path: str = stated.get("fieldPath") or ""
        self.optional_old = bool(stated.get("optionalOldSelf"))
        variables = {"self": schema, "oldSelf": None if self.optional_old else schema}
        self.condition = Expression(self.text, variables)
        told = stated.get("messageExpression")
        self.telling = Expression(told, variables) if told else None
        self.functions = self.condition.functions | (self.telling.functions if self.telling else {})
        self.compares = "oldSelf" in self.condition.used
        """Whether this is a transition rule."""

    def problem(self, scope: Scope, value: Any, kind: str, path: str) -> FieldError | None:
        """What the rule says against a value."""
        try:
            if self.condition.run(scope) is True:
                return None
        except EvaluationError as error:
            detail = f"{error} evaluating rule: {self.about}"
            if str(error) == "no such overload":
                signature = "call arguments did not match a supported operator, function or macro signature for rule"
                detail = f"'{error}': {signature}: {self.about}"
            return invalid_value(path or "<nil>", kind, detail)
        shown = f"{path}{self.field_path}".lstrip(".") or "<nil>"
        bad = NO_VALUE if isinstance(value, (dict, list)) else value
        return FieldError(self.reason, shown, bad, self._told(scope))

    def _told(self, scope: Scope) -> str:
        """The message of the expression when that gives a usable one, else the stated one."""
        try:
            text = self.telling.run(scope) if self.telling else ""
        except EvaluationError:
            text = ""
        usable = isinstance(text, str) and text.strip() and "\n" not in text.strip()
        return text.strip() if usable else self.message


def compile_problems(node: Node, path: str, root: bool = False, lost: str = "") -> list[FieldError]:
    """What is wrong with the rules of one schema node (not of those below it).

    ``lost`` is the path of a list above, whose items have nothing to be compared with.
    """
    schema = _schema(node, root)
    return [
        error
        for index, stated in enumerate(node.get("x-kubernetes-validations") or ())
        for error in _stated_problems(stated, schema, f"{path}.x-kubernetes-validations[{index}]", lost)
    ]


def _stated_problems(stated: Object, schema: Schema, path: str, lost: str) -> Iterator[FieldError]:
    text, message, field_path = stated.get("rule", ""), stated.get("message", ""), stated.get("fieldPath")
    reason, telling, optional = stated.get("reason"), stated.get("messageExpression"), stated.get("optionalOldSelf")
    if reason is not None and reason not in _REASONS:
        yield not_supported(f"{path}.reason", reason, _REASONS)
    if field_path and not _leads_somewhere(schema, field_path):
        yield invalid_value(f"{path}.fieldPath", field_path, "must be a valid path")
    if message and not message.strip():
        yield invalid_value(f"{path}.message", message, "must be non-empty if specified")
    elif "\n" in message.strip():
        yield invalid_value(f"{path}.message", message, "must not contain line breaks")
    elif not message and "\n" in text.strip():
        yield required(f"{path}.message", "message must be specified if rule contains line breaks")
    if telling and not telling.strip():
        yield required(f"{path}.messageExpression", "messageExpression must be non-empty if specified")
        return
    if not text.strip():
        yield required(f"{path}.rule", "rule is not specified")
        return
    shown = Struct(Rule=text, Message=message, MessageExpression=telling or "", Reason=reason)
    shown |= {"FieldPath": field_path or "", "OptionalOldSelf": optional}
    try:
        compares = Rule({**stated, "messageExpression": ""}, schema).compares
    except CompileError as error:
        yield invalid_value(f"{path}.rule", shown, f"compilation failed: {error}")
        return
    if compares and lost and not optional:
        problem = f"oldSelf cannot be used on the uncorrelatable portion of the schema within {lost}"
        yield invalid_value(f"{path}.rule", text, problem)
    if optional and not compares:
        yield invalid_value(f"{path}.optionalOldSelf", True, "may not be set if oldSelf is not used in rule")
    try:
        Rule(stated, schema)
    except CompileError as error:
        yield invalid_value(f"{path}.messageExpression", shown, f"messageExpression compilation failed: {error}")


def _leads_somewhere(schema: Schema, field_path: str) -> bool:
    """Whether a path such as ``.a['b']`` names declared fields."""
    if not re.fullmatch(r"(\.\w+|\['[^']+'\])+", field_path):
        return False
    found: Schema | None = schema
    for dotted, quoted in re.findall(r"\.(\w+)|\['([^']+)'\]", field_path):
        found = found.declared(dotted or quoted) if found else None
    return found is not None


def _schema(node: Node, root: bool) -> Schema:
    """The schema that rules see: whole objects have more fields, and of their metadata only the names."""
    if not root and not node.get("x-kubernetes-embedded-resource"):
        return Schema(node)
    return Schema({**node, "properties": {**(node.get("properties") or {}), **_EVERY_OBJECT}})


class Rules:
    """The rules at one place of a schema, and below it."""

    def __init__(self, node: Node, root: bool = False) -> None:
        stated = node.get("x-kubernetes-validations") or ()
        schema = _schema(node, root) if stated else None
        self._type: str = node.get("type", "")
        self._rules = [Rule(rule, schema) for rule in stated if schema]
        self._functions = {name: made for rule in self._rules for name, made in rule.functions.items()}
        self._compares = any(rule.compares for rule in self._rules)
        self._convert = bool(stated) and _looks_different(node)
        self._node = node
        self._properties = {
            name: rules for name, child in (node.get("properties") or {}).items() if (rules := Rules(child))
        }
        extra, items = node.get("additionalProperties"), node.get("items")
        self._extra = Rules(extra) if isinstance(extra, dict) else None
        self._items = Rules(items) if isinstance(items, dict) else None

    def __bool__(self) -> bool:
        return bool(self._rules or self._properties or self._extra or self._items)

    def check(self, value: Any, old: Any, path: str = "") -> Iterator[tuple[FieldError, bool]]:
        """What the rules say against a value; with each whether it only warns, because nothing changed.

        ``old`` is what the value replaces, None when there is nothing.
        """
        if value is None:
            return
        if self._rules:
            yield from self._check_here(value, old, path)
        if isinstance(value, list) and self._items:
            before = by_key(old, self._node)
            for index, item in enumerate(value):
                yield from self._items.check(item, before.get(item_key(item, self._node)), f"{path}[{index}]")
        elif isinstance(value, dict):
            previous = old if isinstance(old, dict) else {}
            for name, item in value.items():
                below = self._properties.get(name)
                if below:
                    yield from below.check(item, previous.get(name), f"{path}.{name}" if path else name)
                elif self._extra and name not in (self._node.get("properties") or {}):
                    yield from self._extra.check(item, previous.get(name), f"{path}[{name}]")

    def _check_here(self, value: Any, old: Any, path: str) -> Iterator[tuple[FieldError, bool]]:
        mine, before = (_seen(value, self._node), _seen(old, self._node)) if self._convert else (value, old)
        scope = Scope({"self": mine} | ({"oldSelf": before} if self._compares else {}), self._functions)
        for rule in self._rules:
            if rule.compares and old is None and not rule.optional_old:
                continue
            here = scope
            if rule.optional_old:
                maybe = OptionalValue.none() if old is None else OptionalValue.of(before)
                here = Scope({"self": mine, "oldSelf": maybe}, self._functions)
            error = rule.problem(here, value, self._type, path)
            if error:
                yield error, not rule.compares and old is not None and same(value, old)


def _looks_different(node: Node) -> bool:
    """Whether rules see some value below a node otherwise than it is in JSON."""
    if node.get("type") == "number" or node.get("format") in _FORMATS:
        return True
    properties = node.get("properties") or {}
    children = [*properties.values(), node.get("items"), node.get("additionalProperties")]
    return any(escaped(name) != name for name in properties) or any(
        _looks_different(child) for child in children if isinstance(child, dict)
    )


def _seen(value: Any, node: Node) -> Any:
    """A value as rules see it: names escaped, some strings as times, numbers as doubles."""
    if isinstance(value, str):
        convert = _FORMATS.get(node.get("format", "")) if node.get("type") == "string" else None
        return convert(value) if convert else value
    if node.get("type") == "number" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, list) and isinstance(node.get("items"), dict):
        return [_seen(item, node["items"]) for item in value]
    if isinstance(value, dict):
        properties, extra = node.get("properties") or {}, node.get("additionalProperties")
        other = extra if isinstance(extra, dict) else {}
        return {
            escaped(name) if name in properties else name: _seen(item, properties.get(name, other))
            for name, item in value.items()
        }
    return value
