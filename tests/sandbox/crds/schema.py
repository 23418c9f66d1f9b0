# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builders for CustomResourceDefinitions: short names for the parts of a structural schema.

A property whose name ends in ``!`` is required::

    obj({"name!": text(longest=253), "port": whole(1, 65535)})
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Schema = dict[str, Any]

SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
UINT32 = 4294967295


def rule(expression: str, message: str) -> Schema:
    """A validation rule in the Common Expression Language and the message of its refusal."""
    return {"rule": expression, "message": message}


def _extra(rules: Sequence[Schema] | None, default: Any, more: Mapping[str, Any]) -> Schema:
    extra: Schema = {}
    if rules:
        extra["x-kubernetes-validations"] = list(rules)
    if default is not None:
        extra["default"] = default
    extra.update((key, value) for key, value in more.items() if value is not None)
    return extra


def obj(
    properties: Mapping[str, Schema],
    *,
    rules: Sequence[Schema] | None = None,
    default: Any = None,
    atomic: bool = False,
    more: Mapping[str, Any] | None = None,
) -> Schema:
    """An object with exactly these properties; ``atomic`` ones are owned and replaced as a whole."""
    schema: Schema = {"type": "object"}
    if properties:
        schema["properties"] = {name.rstrip("!"): value for name, value in properties.items()}
    required = [name.rstrip("!") for name in properties if name.endswith("!")]
    if required:
        schema["required"] = required
    return schema | _extra(rules, default, {"x-kubernetes-map-type": "atomic" if atomic else None, **(more or {})})


def anything() -> Schema:
    """An object whose content is not described here."""
    return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def any_value() -> Schema:
    """A value of any type."""
    return {"x-kubernetes-preserve-unknown-fields": True}


def mapping(values: Schema, *, most: int | None = None, rules: Sequence[Schema] | None = None) -> Schema:
    """An object with free keys, at most ``most`` of them."""
    return {"type": "object", "additionalProperties": values} | _extra(rules, None, {"maxProperties": most})


def array(
    items: Schema,
    *,
    kind: str | None = "atomic",
    keys: Sequence[str] = (),
    least: int | None = None,
    most: int | None = None,
    rules: Sequence[Schema] | None = None,
    default: Any = None,
) -> Schema:
    """A list: ``atomic``, ``set``, a map by ``keys``, or (None) without a declared type."""
    bounds = {
        "minItems": least,
        "maxItems": most,
        "x-kubernetes-list-type": "map" if keys else kind,
        "x-kubernetes-list-map-keys": list(keys) or None,
    }
    return {"type": "array", "items": items} | _extra(rules, default, bounds)


def text(
    pattern: str | None = None,
    *,
    shortest: int | None = None,
    longest: int | None = None,
    enum: Sequence[str] | None = None,
    default: str | None = None,
    form: str | None = None,
    rules: Sequence[Schema] | None = None,
) -> Schema:
    """A string; lengths count characters."""
    bounds = {
        "pattern": pattern,
        "minLength": shortest,
        "maxLength": longest,
        "enum": list(enum) if enum else None,
        "format": form,
    }
    return {"type": "string"} | _extra(rules, default, bounds)


def choice(*values: str, default: str | None = None) -> Schema:
    """One of these strings."""
    return text(enum=values, default=default)


def timestamp() -> Schema:
    """A moment in RFC 3339."""
    return text(form="date-time")


def whole(
    least: int | None = None,
    most: int | None = None,
    *,
    form: str | None = "int32",
    default: int | None = None,
    enum: Sequence[int] | None = None,
    rules: Sequence[Schema] | None = None,
) -> Schema:
    """An integer within bounds."""
    bounds = {"minimum": least, "maximum": most, "format": form, "enum": list(enum) if enum else None}
    return {"type": "integer"} | _extra(rules, default, bounds)


def flag(default: bool | None = None, rules: Sequence[Schema] | None = None) -> Schema:
    """A boolean."""
    return {"type": "boolean"} | _extra(rules, default, {})


def int_or_text() -> Schema:
    """An integer or a string, as Kubernetes writes ports and quantities."""
    return {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}


def label_selector() -> Schema:
    """metav1.LabelSelector."""
    expression = obj({"key!": text(), "operator!": text(), "values": array(text())})
    return obj({"matchExpressions": array(expression), "matchLabels": mapping(text())}, atomic=True)


def object_reference() -> Schema:
    """core/v1 ObjectReference."""
    names = ("apiVersion", "fieldPath", "kind", "name", "namespace", "resourceVersion", "uid")
    return obj({name: text() for name in names}, atomic=True)


def condition() -> Schema:
    """metav1.Condition."""
    return obj(
        {
            "type!": text(
                rf"^({SUBDOMAIN}/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
                longest=316,
            ),
            "status!": choice("True", "False", "Unknown"),
            "reason!": text(r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$", shortest=1, longest=1024),
            "message!": text(longest=32768),
            "lastTransitionTime!": timestamp(),
            "observedGeneration": whole(0, form="int64"),
        }
    )


def conditions(*, least: int | None = None, most: int | None = None, default: Any = None) -> Schema:
    """A list of conditions: a map by type."""
    return array(condition(), keys=["type"], least=least, most=most, default=default)


def column(name: str, path: str, kind: str = "string", priority: int | None = None) -> Schema:
    """A column of ``kubectl get``; those with a priority show only in the wide format."""
    extra = {"priority": priority} if priority else {}
    return {"name": name, "jsonPath": path, "type": kind, **extra}


def condition_column(type_: str, priority: int | None = None) -> Schema:
    """A column with the status of one condition."""
    return column(type_, f'.status.conditions[?(@.type=="{type_}")].status', priority=priority)


AGE = column("Age", ".metadata.creationTimestamp", "date")


def version(
    name: str,
    *,
    spec: Schema | None = None,
    status: Schema | None = None,
    spec_required: bool = True,
    status_subresource: bool = True,
    columns: Sequence[Schema] = (),
    storage: bool = True,
    deprecation: str | None = None,
) -> Schema:
    """One version of a CRD; ``deprecation`` is the warning that clients of this version get."""
    properties: Schema = {"apiVersion": text(), "kind": text(), "metadata": {"type": "object"}}
    if spec is not None:
        properties["spec!" if spec_required else "spec"] = spec
    if status is not None:
        properties["status"] = status
    entry: Schema = {"name": name, "served": True, "storage": storage, "schema": {"openAPIV3Schema": obj(properties)}}
    if columns:
        entry["additionalPrinterColumns"] = list(columns)
    if status_subresource:
        entry["subresources"] = {"status": {}}
    if deprecation:
        entry |= {"deprecated": True, "deprecationWarning": deprecation}
    return entry


def crd(
    group: str,
    kind: str,
    *versions: Schema,
    plural: str | None = None,
    namespaced: bool = True,
    short: Sequence[str] = (),
    categories: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Schema:
    """The CustomResourceDefinition of a kind; ``plural`` is the lower-case kind and an s unless given."""
    plural = plural or f"{kind.lower()}s"
    names: Schema = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    if short:
        names["shortNames"] = list(short)
    if categories:
        names["categories"] = list(categories)
    metadata: Schema = {"name": f"{plural}.{group}"}
    if labels:
        metadata["labels"] = dict(labels)
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": {
            "group": group,
            "names": names,
            "scope": "Namespaced" if namespaced else "Cluster",
            "versions": list(versions),
        },
    }
