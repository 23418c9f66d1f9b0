# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validation of ObjectMeta: names, labels, annotations, owner references, finalizers, what may not change."""

from __future__ import annotations

import re
from typing import Any

from .fields import FieldError, forbidden_value, invalid_value, required, too_long
from .formats import DNS_LABEL, DNS_LABEL_1035, DNS_SUBDOMAIN
from .objects import Object

SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
LABEL_1035_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_QUALIFIED_RULE = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
LABEL_VALUE_RULE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_ANNOTATIONS_LIMIT = 256 * 1024


def name_problems(name: str, rule: str) -> list[str]:
    """What is wrong with a name by one of the rules subdomain, label, label1035, path."""
    if rule == "path":
        if name in (".", ".."):
            return [f"may not be '{name}'"]
        return [f"may not contain '{bad}'" for bad in ("/", "%") if bad in name]
    pattern, text, limit = {
        "label": (DNS_LABEL, LABEL_RULE, 63),
        "label1035": (DNS_LABEL_1035, LABEL_1035_RULE, 63),
    }.get(rule, (DNS_SUBDOMAIN, SUBDOMAIN_RULE, 253))
    problems = [] if len(name) <= limit else [f"must be no more than {limit} bytes"]
    if not pattern.fullmatch(name):
        problems.append(text)
    return problems


def qualified_name_problems(key: str) -> list[str]:
    """What is wrong with a label key or finalizer: an optional DNS prefix, a slash, a name."""
    prefix, slash, name = key.rpartition("/")
    problems: list[str] = []
    if slash:
        if not prefix:
            problems.append("prefix part must be non-empty")
        else:
            problems += [f"prefix part {text}" for text in name_problems(prefix, "subdomain")]
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > 63:
        problems.append("name part must be no more than 63 bytes")
    if not _QUALIFIED.fullmatch(name):
        problems.append(_QUALIFIED_RULE)
    return problems


def validate_metadata(metadata: Object, rule: str, path: str = "metadata") -> list[FieldError]:
    """Errors of a new object's metadata; ``rule`` is the naming rule of its kind."""
    errors: list[FieldError] = []
    generate = metadata.get("generateName") or ""
    if generate:
        base = generate.rstrip("-") if rule != "path" else generate
        errors += [invalid_value(f"{path}.generateName", generate, text) for text in name_problems(base, rule)]
    name = metadata.get("name") or ""
    if not name:
        errors.append(required(f"{path}.name", "name or generateName is required"))
    else:
        errors += [invalid_value(f"{path}.name", name, text) for text in name_problems(name, rule)]
    return errors + _common(metadata, path)


def validate_metadata_update(new: Object, old: Object, path: str = "metadata") -> list[FieldError]:
    """Errors of changed metadata: what is wrong with it, and immutable fields that differ."""
    errors = _common(new, path)
    if old.get("deletionTimestamp"):
        added = sorted(set(new.get("finalizers") or ()) - set(old.get("finalizers") or ()))
        if added:
            detail = "no new finalizers can be added if the object is being deleted, found new finalizers "
            errors.append(forbidden_value(f"{path}.finalizers", detail + _go_strings(added)))
    for field in ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"):
        if new.get(field) != old.get(field):
            errors.append(invalid_value(f"{path}.{field}", new.get(field), "field is immutable"))
    return errors


def _go_strings(items: list[str]) -> str:
    return "[]string{" + ", ".join(f'"{item}"' for item in items) + "}"


def _common(metadata: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for key, value in (metadata.get("labels") or {}).items():
        errors += [invalid_value(f"{path}.labels", key, text) for text in qualified_name_problems(key)]
        errors += _label_value(f"{path}.labels", value)
    annotations = metadata.get("annotations") or {}
    for key in annotations:
        errors += [invalid_value(f"{path}.annotations", key, text) for text in qualified_name_problems(key.lower())]
    if sum(len(key) + len(value) for key, value in annotations.items()) > _ANNOTATIONS_LIMIT:
        errors.append(too_long(f"{path}.annotations", _ANNOTATIONS_LIMIT))
    for index, finalizer in enumerate(metadata.get("finalizers") or ()):
        here = f"{path}.finalizers[{index}]"
        errors += [invalid_value(here, finalizer, text) for text in qualified_name_problems(finalizer)]
    return errors + _owners(metadata.get("ownerReferences") or [], f"{path}.ownerReferences")


def _label_value(path: str, value: str) -> list[FieldError]:
    if len(value) > 63:
        return [invalid_value(path, value, "must be no more than 63 bytes")]
    return [] if LABEL_VALUE.fullmatch(value) else [invalid_value(path, value, LABEL_VALUE_RULE)]


def _owners(owners: list[Any], path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    controller = ""
    for index, owner in enumerate(owners):
        here = f"{path}[{index}]"
        if not owner.get("apiVersion"):
            errors.append(invalid_value(f"{here}.apiVersion", owner.get("apiVersion", ""), "version must not be empty"))
        errors += [
            invalid_value(f"{here}.{field}", "", "must not be empty")
            for field in ("kind", "name", "uid")
            if not owner.get(field)
        ]
        if owner.get("controller"):
            if controller:
                names = f"{controller} and {owner.get('name')}"
                message = f'Only one reference can have Controller set to true. Found "true" in references for {names}'
                errors.append(invalid_value(path, owners, message))
            controller = owner.get("name", "")
    return errors
