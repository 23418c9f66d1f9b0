# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validation of ObjectMeta: names, labels, annotations, owner references, finalizers, what may not change."""

from __future__ import annotations

import re
from typing import Any

from .fields import FieldError, Struct, forbidden_value, invalid_value, required, too_long
from .formats import DNS_LABEL, DNS_LABEL_1035, DNS_SUBDOMAIN
from .objects import Object

_ALNUM = "consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
_LOWER = "consist of lower case alphanumeric characters"
_DNS_EXAMPLES = "(e.g. 'my-name',  or '{}', regex used for validation is"
SUBDOMAIN_RULE = (
    f"a lowercase RFC 1123 subdomain must {_LOWER}, '-' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL_RULE = (
    f"a lowercase RFC 1123 label must {_LOWER} or '-', and must start and end with an alphanumeric character "
    f"{_DNS_EXAMPLES.format('123-abc')} '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
LABEL_1035_RULE = (
    f"a DNS-1035 label must {_LOWER} or '-', start with an alphabetic character, and end with an alphanumeric "
    f"character {_DNS_EXAMPLES.format('abc-123')} '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_QUALIFIED_RULE = (
    f"must {_ALNUM} (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
LABEL_VALUE_RULE = (
    f"a valid label must be an empty string or {_ALNUM} (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for "
    "validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_ANNOTATIONS_LIMIT = 256 * 1024
_FIXED = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")
_STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")


def name_problems(name: str, rule: str) -> list[str]:
    """What is wrong with a name by one of the rules subdomain, label, label1035, path."""
    if rule == "path":
        if name in (".", ".."):
            return [f"may not be '{name}'"]
        return [f"may not contain '{bad}'" for bad in ("/", "%") if bad in name]
    pattern, text, limit = {
        "label": (DNS_LABEL, LABEL_RULE, "63 characters"),
        "label1035": (DNS_LABEL_1035, LABEL_1035_RULE, "63 characters"),
    }.get(rule, (DNS_SUBDOMAIN, SUBDOMAIN_RULE, "253 characters"))
    problems = [] if len(name) <= int(limit.split()[0]) else [f"must be no more than {limit}"]
    if not pattern.fullmatch(name):
        dotted = rule == "label" and DNS_SUBDOMAIN.fullmatch(name)
        problems.append("must not contain dots" if dotted else text)
    return problems


def qualified_name_problems(key: str) -> list[str]:
    """What is wrong with a label key or finalizer: an optional DNS prefix, a slash, a name."""
    if key.count("/") > 1:
        form = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return [f"a valid label key {_QUALIFIED_RULE} {form}"]
    prefix, slash, name = key.rpartition("/")
    problems: list[str] = []
    if slash and not prefix:
        problems.append("prefix part must be non-empty")
    elif slash:
        problems += [f"prefix part {text}" for text in name_problems(prefix, "subdomain")]
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > 63:
        problems.append("name part must be no more than 63 bytes")
    if not _QUALIFIED.fullmatch(name):
        problems.append(f"name part {_QUALIFIED_RULE}")
    return problems


def validate_metadata(metadata: Object, rule: str, builtin: bool = False) -> list[FieldError]:
    """Errors of a new object's metadata; ``rule`` is the naming rule of its kind."""
    errors: list[FieldError] = []
    generate = metadata.get("generateName") or ""
    if generate:
        base = generate.rstrip("-") if rule != "path" else generate
        errors += [invalid_value("metadata.generateName", generate, text) for text in name_problems(base, rule)]
    name = metadata.get("name") or ""
    if name:
        errors += [invalid_value("metadata.name", name, text) for text in name_problems(name, rule)]
    else:
        errors.append(required("metadata.name", "name or generateName is required"))
    return errors + _common(metadata) + _finalizers(metadata, builtin)


def validate_metadata_update(new: Object, old: Object, builtin: bool = False) -> list[FieldError]:
    """Errors of changed metadata: what is wrong with it, and immutable fields that differ.

    They are found twice, as a kube-apiserver has the generic code and that of the kind look for them.
    """
    errors: list[FieldError] = []
    added = sorted(set(new.get("finalizers") or ()) - set(old.get("finalizers") or ()))
    if old.get("deletionTimestamp") and added:
        detail = "no new finalizers can be added if the object is being deleted, found new finalizers "
        errors.append(forbidden_value("metadata.finalizers", detail + _go_strings(added)))
    for field in _FIXED:
        if new.get(field) != old.get(field):
            errors.append(invalid_value(f"metadata.{field}", new.get(field), "field is immutable"))
    return 2 * errors + 3 * _common(new) + _finalizers(new, builtin)


def _go_strings(items: list[str]) -> str:
    return "[]string{" + ", ".join(f'"{item}"' for item in items) + "}"


def _common(metadata: Object) -> list[FieldError]:
    errors: list[FieldError] = []
    for key, value in (metadata.get("labels") or {}).items():
        errors += [invalid_value("metadata.labels", key, text) for text in qualified_name_problems(key)]
        errors += _label_value("metadata.labels", value)
    annotations = metadata.get("annotations") or {}
    for key in annotations:
        errors += [invalid_value("metadata.annotations", key, text) for text in qualified_name_problems(key.lower())]
    if sum(len(key) + len(value) for key, value in annotations.items()) > _ANNOTATIONS_LIMIT:
        errors.append(too_long("metadata.annotations", _ANNOTATIONS_LIMIT))
    return errors + _owners(metadata.get("ownerReferences") or [])


def _finalizers(metadata: Object, builtin: bool) -> list[FieldError]:
    path, names = "metadata.finalizers", metadata.get("finalizers") or []
    errors = [invalid_value(path, name, text) for name in names for text in qualified_name_problems(name)]
    if "orphan" in names and "foregroundDeletion" in names:
        errors.append(invalid_value(path, names, "finalizer orphan and foregroundDeletion cannot be both set"))
    if builtin:
        rule = "name is neither a standard finalizer name nor is it fully qualified"
        known = enumerate(names)
        bare = [(index, name) for index, name in known if "/" not in name and name not in _STANDARD_FINALIZERS]
        errors += [invalid_value(f"{path}[{index}]", name, rule) for index, name in bare]
    return errors


def _label_value(path: str, value: str) -> list[FieldError]:
    if len(value) > 63:
        return [invalid_value(path, value, "must be no more than 63 bytes")]
    return [] if LABEL_VALUE.fullmatch(value) else [invalid_value(path, value, LABEL_VALUE_RULE)]


def _owners(owners: list[Any]) -> list[FieldError]:
    path = "metadata.ownerReferences"
    errors: list[FieldError] = []
    controller = ""
    for owner in owners:
        if not owner.get("apiVersion") or owner["apiVersion"].count("/") > 1:
            version = owner.get("apiVersion", "")
            errors.append(invalid_value(f"{path}.apiVersion", version, "version must not be empty"))
        for field in ("kind", "name", "uid"):
            if not owner.get(field):
                errors.append(invalid_value(f"{path}.{field}", "", "must not be empty"))
        if owner.get("controller"):
            name = f"{owner.get('kind')}/{owner.get('name')}"
            if controller:
                message = 'Only one reference can have Controller set to true. Found "true" in references for'
                shown = [Struct(item) for item in owners]
                errors.append(invalid_value(path, shown, f"{message} {controller} and {name}"))
            controller = controller or name
    return errors
