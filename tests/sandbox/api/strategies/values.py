# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules for values of built-in types: required fields and what ``builtins.yaml`` says of each type."""

from __future__ import annotations

from typing import Any

from ..fields import FieldError, duplicate, forbidden_value, invalid_value, not_supported, required
from ..metadata import name_problems, qualified_name_problems
from ..schema import Schema

PORT_RULE = "must be between 1 and 65535, inclusive"
_EMPTY_ALLOWED = {"apiGroup", "host", "metadata", "namespaceSelector", "serviceName"}


def check_values(value: Any, schema: Schema, path: str, errors: list[FieldError]) -> None:
    """Collect the errors in a value and in everything below it."""
    if schema.deduced or schema.embedded:
        return
    if isinstance(value, dict):
        rules = schema.source.get("x-rules") or {}
        _check_object(value, schema, f"{path}." if path else "", rules, errors)
        if "oneOf" in rules:
            _check_one_of(value, rules["oneOf"], path, errors)
        for name, item in value.items():
            child = schema.field(name)
            if child and isinstance(item, (dict, list)):
                check_values(item, child, f"{path}.{name}" if path else name, errors)
    elif isinstance(value, list):
        names: set[str] = set()
        named = "name" in (schema.items.source.get("x-rules") or {}).get("names", ())
        for index, item in enumerate(value):
            check_values(item, schema.items, f"{path}[{index}]", errors)
            if named and item.get("name"):
                if item["name"] in names:
                    errors.append(duplicate(f"{path}[{index}].name", item["name"]))
                names.add(item["name"])


def _check_object(value: dict[str, Any], schema: Schema, path: str, rules: Any, errors: list[FieldError]) -> None:
    for name in dict.fromkeys((*schema.required, *rules.get("required", ()))):
        if value.get(name) or name in rules.get("optional", ()):
            continue
        if name in rules.get("required", ()) or (value.get(name) in (None, "") and not _may_be_empty(schema, name)):
            errors.append(required(f"{path}{name}"))
    for name, allowed in rules.get("enums", {}).items():
        many = isinstance(value.get(name), list)
        for index, item in enumerate(value[name] if many else [value.get(name) or ""]):
            if item and item not in allowed:
                errors.append(not_supported(f"{path}{name}[{index}]" if many else f"{path}{name}", item, allowed))
    for name, least in rules.get("minimum", {}).items():
        if (value.get(name) or 0) < least:
            errors.append(invalid_value(path + name, value[name], f"must be greater than or equal to {least}"))
    for name, rule in rules.get("names", {}).items():
        errors += [invalid_value(path + name, value[name], text) for text in _problems(value.get(name), rule)]
    for name in rules.get("labels", ()):
        for key in value.get(name) or ():
            errors += [invalid_value(path + name, key, text) for text in qualified_name_problems(key)]
    for name in rules.get("ports", ()):
        number = value.get(name)
        if isinstance(number, str):
            errors += [invalid_value(path + name, number, text) for text in _port_problems(number)]
        elif (number is None and name not in schema.required) or (not number and name in rules.get("required", ())):
            continue
        elif not 1 <= (number or 0) <= 65535:
            errors.append(invalid_value(path + name, number or 0, PORT_RULE))


def _may_be_empty(schema: Schema, name: str) -> bool:
    """Required in OpenAPI means written always in Go; only some of those fields must have a value."""
    child = schema.field(name)
    if child is None or child.int_or_string or name in _EMPTY_ALLOWED:
        return True
    return child.type in ("array", "boolean", "integer")


def _check_one_of(value: dict[str, Any], rule: Any, path: str, errors: list[FieldError]) -> None:
    present = [name for name in value if name in rule["fields"]]
    if not present and rule.get("needed"):
        errors.append(required(path, f"must specify a {rule['what']}"))
    for name in present[1:]:
        errors.append(forbidden_value(f"{path}.{name}", f"may not specify more than 1 {rule['what']}"))


def _problems(name: str | None, rule: str) -> list[str]:
    if not name:
        return []
    if rule == "qualified":
        return qualified_name_problems(name)
    return _port_problems(name) if rule == "port" else name_problems(name, rule)


def _port_problems(name: str) -> list[str]:
    """What is wrong with the name of a port (IANA_SVC_NAME)."""
    found = {
        "must be no more than 15 characters": len(name) > 15,
        "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)": bool(
            name.strip("abcdefghijklmnopqrstuvwxyz0123456789-")
        ),
        "must contain at least one letter (a-z)": not any("a" <= letter <= "z" for letter in name),
        "must not contain consecutive hyphens": "--" in name,
        "must not begin or end with a hyphen": name.startswith("-") or name.endswith("-"),
    }
    return [text for text, holds in found.items() if holds]
