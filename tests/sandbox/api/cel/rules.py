# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""x-kubernetes-validations: the rules of a schema, checked against an object.

Follows apiextensions-apiserver/pkg/apiserver/schema/cel: rules see declared fields, transition rules run only
where there is an old value to compare with, and a rule that an unchanged value breaks only warns.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..fields import NO_VALUE, FieldError, Struct, invalid_value, required
from ..objects import Object, encode, same
from ..schema import Node, Schema
from .operators import equal
from .parser import ParseError
from .program import Budget, Program
from .values import NOTHING, BudgetError, EvaluationError, Optional, duration, parse_timestamp

SECONDS = 1.0
"""Processor time for all rules on one object."""
_OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run"
_STRING = {"type": "string"}
_METADATA = {"type": "object", "properties": {"name": _STRING, "generateName": _STRING}}

_FORMATS: dict[tuple[str, str], Callable[[str], Any]] = {
    ("string", "byte"): base64.b64decode,
    ("string", "date"): lambda text: parse_timestamp(f"{text}T00:00:00Z"),
    ("string", "date-time"): parse_timestamp,
    ("string", "datetime"): parse_timestamp,
    ("string", "duration"): duration,
}
"""String formats that rules see as something else."""


class Rule:
    """One rule of one schema node."""

    def __init__(self, stated: Object, schema: Schema) -> None:
        """Compile a rule of a schema; what is wrong with it is kept in ``problem``."""
        self.text: str = stated["rule"]
        self.message: str = (stated.get("message") or "").strip()
        self.reason: str = stated.get("reason") or "FieldValueInvalid"
        self.field_path: str = stated.get("fieldPath") or ""
        self.optional_old = bool(stated.get("optionalOldSelf"))
        self.problem = ""
        self.program: Program | None = None
        self.message_program: Program | None = None
        try:
            old = None if self.optional_old else schema
            self.program = Program(self.text, {"self": schema, "oldSelf": old})
            if stated.get("messageExpression"):
                self.message_program = Program(stated["messageExpression"], {"self": schema, "oldSelf": old})
        except ParseError as error:
            self.problem = _located(error, self.text)

    @property
    def compares(self) -> bool:
        """Whether this is a transition rule."""
        return self.program is not None and "oldSelf" in self.program.used


def _located(error: ParseError, text: str) -> str:
    """A compile error as CEL shows it, with the place in the text."""
    return f"ERROR: <input>:1:{error.position + 1}: {error}\n | {text}\n | {'.' * error.position}^"


def compile_problems(node: Node, path: str, root: bool = False) -> list[FieldError]:
    """Rules of one schema node (not of those below it) that do not compile."""
    errors: list[FieldError] = []
    for index, stated in enumerate(node.get("x-kubernetes-validations") or ()):
        here = f"{path}.x-kubernetes-validations[{index}].rule"
        if not stated.get("rule", "").strip():
            errors.append(required(here, "rule is not specified"))
            continue
        rule = Rule(stated, _schema(node, root))
        if rule.problem:
            shown = Struct(Rule=rule.text, Message=stated.get("message", ""), MessageExpression="")
            shown |= {"Reason": stated.get("reason"), "FieldPath": rule.field_path, "OptionalOldSelf": None}
            errors.append(invalid_value(here, shown, f"compilation failed: {rule.problem}"))
    return errors


@dataclass
class _Level:
    """Rules at one node of a schema, and below it."""

    node: Node
    rules: list[Rule]
    properties: dict[str, _Level] = field(default_factory=dict)
    extra: _Level | None = None
    items: _Level | None = None
    also: list[_Level] = field(default_factory=list)
    formats: bool = False


def _schema(node: Node, root: bool) -> Schema:
    """The schema that rules see: the root has the fields of every object, and of its metadata the names."""
    if not root:
        return Schema(node)
    own = {"apiVersion": _STRING, "kind": _STRING, "metadata": _METADATA}
    return Schema({**node, "properties": {**(node.get("properties") or {}), **own}})


def _compile(node: Node, root: bool = False) -> _Level | None:
    """The rules of a schema, or None when it has none."""
    stated = node.get("x-kubernetes-validations")
    schema = _schema(node, root or bool(node.get("x-kubernetes-embedded-resource"))) if stated else None
    level = _Level(node, [Rule(rule, schema) for rule in stated or () if schema])
    for name, child in (node.get("properties") or {}).items():
        below = _compile(child)
        if below:
            level.properties[name] = below
    if isinstance(node.get("additionalProperties"), dict):
        level.extra = _compile(node["additionalProperties"])
    if isinstance(node.get("items"), dict):
        level.items = _compile(node["items"])
    level.also = [below for below in map(_compile, node.get("allOf") or ()) if below]
    if level.rules:
        level.formats = _has_formats(node)
    return level if level.rules or level.properties or level.extra or level.items or level.also else None


def _has_formats(node: Node) -> bool:
    if (node.get("type"), node.get("format")) in _FORMATS:
        return True
    children = [*(node.get("properties") or {}).values(), node.get("items"), node.get("additionalProperties")]
    return any(_has_formats(child) for child in children if isinstance(child, dict))


class RuleChecker:
    """All rules of one version of a custom resource."""

    def __init__(self, node: Node) -> None:
        self._root = _compile(node, root=True)
        self.found = self._root is not None
        """Whether there are any rules."""

    def check(self, obj: Object, old: Object | None, warnings: list[str]) -> list[FieldError]:
        """What the rules say against an object; rules that unchanged values break are added to ``warnings``."""
        if self._root is None:
            return []
        run = _Run(Budget(SECONDS), warnings)
        try:
            run.level(self._root, _visible(obj), None if old is None else _visible(old), "")
        except BudgetError:
            run.errors.append(invalid_value(run.path or "<nil>", run.type, _OUT_OF_BUDGET))
        return run.errors


def _visible(obj: Object) -> Object:
    """The root as rules see it: of its metadata only the names."""
    metadata = {key: value for key, value in obj["metadata"].items() if key in ("name", "generateName")}
    return {**obj, "metadata": metadata}


class _Run:
    """One check of one object."""

    def __init__(self, budget: Budget, warnings: list[str]) -> None:
        self.budget = budget
        self.warnings = warnings
        self.errors: list[FieldError] = []
        self.path = ""
        self.type = ""

    def level(self, level: _Level, value: Any, old: Any, path: str) -> None:
        if value is None:
            return
        if level.rules:
            self._rules(level, value, old, path)
        for other in level.also:
            self.level(other, value, old, path)
        if isinstance(value, list) and level.items:
            before = _by_key(old, level.node)
            for index, item in enumerate(value):
                self.level(level.items, item, before.get(_key(item, level.node)), f"{path}[{index}]")
        elif isinstance(value, dict):
            previous = old if isinstance(old, dict) else {}
            for name, item in value.items():
                below = level.properties.get(name)
                if below:
                    self.level(below, item, previous.get(name), f"{path}.{name}" if path else name)
                elif level.extra and name not in (level.node.get("properties") or {}):
                    self.level(level.extra, item, previous.get(name), f"{path}[{name}]")

    def _rules(self, level: _Level, value: Any, old: Any, path: str) -> None:
        self.path, self.type = path, level.node.get("type", "")
        mine = _convert(value, level.node) if level.formats else value
        before = _convert(old, level.node) if level.formats and old is not None else old
        unchanged = old is not None and same(value, old)
        for rule in level.rules:
            if rule.problem:
                self._fail(path, f"rule compile error: compilation failed: {rule.problem}")
                continue
            if rule.compares and old is None and not rule.optional_old:
                continue
            scope = {"self": mine, "oldSelf": before}
            if rule.optional_old:
                scope["oldSelf"] = NOTHING if old is None else Optional(True, before)
            error = self._evaluate(rule, scope, value, path)
            if error and unchanged and not rule.compares:
                self.warnings.append(str(error))
            elif error:
                self.errors.append(error)
            self.budget.check()

    def _evaluate(self, rule: Rule, scope: dict[str, Any], value: Any, path: str) -> FieldError | None:
        if rule.program is None:
            return None
        try:
            result = rule.program.run(scope, self.budget)
        except EvaluationError as error:
            about = rule.message or rule.text
            shown = path or "<nil>"
            if str(error).startswith("no such overload"):
                detail = (
                    f"'{error}': call arguments did not match a supported operator, function or macro signature "
                    f"for rule: {about}"
                )
                return invalid_value(shown, self.type, detail)
            return invalid_value(shown, self.type, f"{error} evaluating rule: {about}")
        if equal(result, True):
            return None
        shown = f"{path}{rule.field_path}".lstrip(".") or "<nil>"
        bad = NO_VALUE if isinstance(value, (dict, list)) else value
        return FieldError(rule.reason, shown, bad, self._message(rule, scope))

    def _message(self, rule: Rule, scope: dict[str, Any]) -> str:
        if rule.message_program:
            try:
                text = rule.message_program.run(scope, self.budget)
            except EvaluationError:
                text = ""
            if isinstance(text, str) and text.strip() and "\n" not in text.strip():
                return text.strip()
        return rule.message or f"failed rule: {' '.join(rule.text.split())}"

    def _fail(self, path: str, detail: str) -> None:
        self.errors.append(invalid_value(path or "<nil>", self.type, detail))


def _key(item: Any, node: Node) -> bytes:
    keys = node.get("x-kubernetes-list-map-keys") or ()
    return encode([item.get(key) for key in keys]) if isinstance(item, dict) else b""


def _by_key(old: Any, node: Node) -> dict[bytes, Any]:
    """Old items that can be told apart: those of a list-map."""
    if not isinstance(old, list) or node.get("x-kubernetes-list-type") != "map":
        return {}
    return {_key(item, node): item for item in old}


def _convert(value: Any, node: Node) -> Any:
    """A value as rules see it where strings have a format."""
    if isinstance(value, str):
        convert = _FORMATS.get((node.get("type", ""), node.get("format", "")))
        return convert(value) if convert else value
    if isinstance(value, list) and isinstance(node.get("items"), dict):
        return [_convert(item, node["items"]) for item in value]
    if isinstance(value, dict):
        properties, extra = node.get("properties") or {}, node.get("additionalProperties")
        other = extra if isinstance(extra, dict) else {}
        return {name: _convert(item, properties.get(name, other)) for name, item in value.items()}
    return value
