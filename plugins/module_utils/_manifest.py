# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Manifests as users write them: loading, checking, normal form, order."""

from __future__ import annotations

import base64
import binascii
import copy
import datetime
import os
import re
import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ManifestError
from ansible_collections.mcpops.gateway.plugins.module_utils._resource import label_of
from ansible_collections.mcpops.gateway.plugins.module_utils._yaml import YamlError, load_all_yaml

Manifest = dict[str, t.Any]

OWN_METADATA = ("name", "namespace", "labels", "annotations", "finalizers", "ownerReferences")
"""What a manifest may say under ``metadata``; the rest is the API server's."""

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation in which client-side apply keeps the whole manifest, for its own use; of a Secret with its values."""

RANKS: tuple[tuple[str, ...], ...] = (
    ("Namespace", "Project"),
    ("CustomResourceDefinition",),
    ("PriorityClass", "StorageClass", "GatewayClass", "ResourceQuota", "LimitRange"),
    ("ServiceAccount", "ClusterRole", "Role"),
    ("ClusterRoleBinding", "RoleBinding"),
    ("Secret",),
    ("ConfigMap", "PersistentVolume", "PersistentVolumeClaim"),
    ("OperatorGroup", "CatalogSource"),
    ("Subscription",),
    ("Service", "NetworkPolicy", "PodDisruptionBudget"),
    ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod", "HorizontalPodAutoscaler"),
    (),  # every kind that is not named
    ("Gateway",),
    ("ReferenceGrant",),
    ("MCPGatewayExtension",),
    ("ServiceEntry", "DestinationRule", "EnvoyFilter"),
    ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "Route"),
    ("DNSPolicy", "TLSPolicy", "AuthPolicy", "RateLimitPolicy"),
    ("MCPServerRegistration", "MCPVirtualServer"),
)
"""Kinds in the order in which they are written; removal goes the other way."""

HIDDEN = "(hidden)"
_RANK = {kind: number for number, kinds in enumerate(RANKS) for kind in kinds}
_UNNAMED = RANKS.index(())
_NAME = re.compile(r"[^\s/%]+")


def rank(kind: str) -> int:
    """The place of a kind in the order of writing."""
    return _RANK.get(kind, _UNNAMED)


def load(definition: t.Any = None, files: t.Sequence[str] = ()) -> list[Manifest]:
    """Manifests from a list, a mapping or YAML text, and from files. ``kind: List`` is unfolded.

    Raises ManifestError naming the file or the place in the list.
    """
    found = list(_unfold(definition, "definition"))
    for path in files:
        try:
            with open(os.path.expanduser(path), encoding="utf-8") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            raise ManifestError(f"The manifest file {path} cannot be read: {why}.") from error
        found += _unfold(text, path)
    return found


def _unfold(source: t.Any, where: str) -> t.Iterator[Manifest]:
    if source is None:
        return
    if isinstance(source, str):
        try:
            documents = load_all_yaml(source)
        except YamlError as error:
            raise ManifestError(f"The text of {where} is not YAML: {error.message}.") from error
        for document in documents:
            yield from _unfold(document if not isinstance(document, str) else [document], where)
    elif isinstance(source, list):
        for number, item in enumerate(source):
            if isinstance(item, str) and ("\n" in item or item.lstrip().startswith("{")):
                yield from _unfold(item, f"{where}[{number}]")
            elif item is not None and not isinstance(item, dict):
                raise ManifestError(
                    f"Entry {number + 1} of {where} is {type(item).__name__} ({str(item)[:60]!r}), not a manifest (a "
                    "mapping)."
                )
            else:
                yield from _unfold(item, f"{where}[{number}]")
    elif isinstance(source, dict):
        if str(source.get("kind", "")).endswith("List") and isinstance(source.get("items"), list):
            yield from _unfold(source["items"], f"{where}.items")
        elif source:
            yield source
    else:
        raise ManifestError(
            f"The value of {where} is {type(source).__name__}, not a manifest, a list of them or YAML text."
        )


def normalize(manifest: Manifest) -> Manifest:
    """A copy in the form that is compared and sent.

    Without what the API server and client-side apply own (status, uid ...), without nulls (a null says nothing), with
    Secret ``stringData`` as ``data`` (the API server stores only that), and with dates as text. Raises ManifestError.
    """
    check(manifest)
    result: Manifest = {
        key: _plain(value) for key, value in manifest.items() if key not in {"status", "metadata"} and value is not None
    }
    metadata = manifest["metadata"]
    result["metadata"] = {key: _plain(metadata[key]) for key in OWN_METADATA if metadata.get(key) not in (None, "")}
    (result["metadata"].get("annotations") or {}).pop(LAST_APPLIED, None)
    if result["kind"] == "Secret" and result["apiVersion"] == "v1":
        _secret_data(result)
    return result


def identity(manifest: Manifest) -> Manifest:
    """Only what names the object. Raises ManifestError."""
    check(manifest)
    metadata = {key: manifest["metadata"].get(key) for key in ("name", "namespace")}
    return {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], "metadata": metadata}


def check(manifest: Manifest) -> None:
    """Raise ManifestError when the essentials are missing or are not what the API asks for."""
    for key in ("apiVersion", "kind"):
        if not isinstance(manifest.get(key), str) or not manifest[key]:
            shown = label_of(manifest) if manifest.get("kind") else f"with the fields {', '.join(map(str, manifest))}"
            raise ManifestError(
                f"The manifest {shown} has no {key}; every Kubernetes object needs apiVersion, kind and metadata.name."
            )
    given = manifest.get("metadata")
    metadata: dict[str, t.Any] = given if isinstance(given, dict) else {}
    name = metadata.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        extra = (
            " (generateName cannot be used: every run would make another object)" if "generateName" in metadata else ""
        )
        raise ManifestError(
            f"A manifest of kind {manifest['kind']} has no usable metadata.name{f': {name!r}' if name else ''}{extra}."
        )
    namespace = metadata.get("namespace")
    if namespace not in (None, "") and not (isinstance(namespace, str) and _NAME.fullmatch(namespace)):
        raise ManifestError(
            f"{manifest['kind']} {name}: metadata.namespace is {namespace!r}, not the name of a namespace; write it in "
            "quotes, without spaces and slashes."
        )
    for key in ("labels", "annotations"):
        values = metadata.get(key)
        if values is not None and not isinstance(values, dict):
            raise ManifestError(
                f"{label_of(manifest)}: metadata.{key} is {type(values).__name__}, not a mapping of text to text."
            )
        for item, value in (values or {}).items():
            if value is not None and not isinstance(value, str):
                raise ManifestError(
                    f"{label_of(manifest)}: metadata.{key}.{item} is the {type(value).__name__} {value!r}; write it "
                    "in quotes, only text is allowed there."
                )


def _plain(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {_name(key): _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    if isinstance(value, str):
        return str(value)
    return copy.copy(value)


def _name(key: t.Any) -> str:
    """A key as it was written: YAML reads ``true`` as a truth value also where it is a name."""
    return str(key).lower() if isinstance(key, bool) else str(key)


def _secret_data(secret: Manifest) -> None:
    for section in ("data", "stringData"):
        values = secret.get(section) or {}
        wrong = [key for key, value in values.items() if not _is_text(value)] if isinstance(values, dict) else [""]
        if wrong:
            where = f"{section}.{wrong[0]}" if wrong[0] else section
            raise ManifestError(
                f"{label_of(secret)}: {where} is not {'text' if wrong[0] else 'a mapping of names to text'}; write its "
                f"value in quotes{'' if wrong[0] else ', one for every name'}."
            )
    data = dict(secret.get("data") or {})
    for key, value in data.items():
        try:
            data[key] = base64.b64encode(base64.b64decode("".join(str(value).split()), validate=True)).decode()
        except (binascii.Error, ValueError) as error:
            raise ManifestError(
                f"{label_of(secret)}: data.{key} is not base64; put plain text under stringData."
            ) from error
    for key, value in (secret.pop("stringData", None) or {}).items():
        data[key] = base64.b64encode(str(value).encode()).decode()
    if data:
        secret["data"] = data
    else:
        secret.pop("data", None)


def texts(given: t.Mapping[t.Any, t.Any]) -> dict[str, str]:
    """A mapping of text to text (labels, annotations) from values as YAML reads them: ``true`` stays ``true``."""
    return {
        str(name): str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in given.items()
        if value is not None
    }


def _is_text(value: t.Any) -> bool:
    """Numbers count: templates make them of text. What else YAML makes of text (true, null) is not what was meant."""
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def without_secrets(source: t.Any) -> t.Any:
    """Manifests as given, fit to be shown: values of Secrets are hidden, text that holds a Secret is hidden whole.

    Secrets are found at any depth: in lists, and in kinds that wrap other objects.
    """
    if isinstance(source, str):
        return HIDDEN if "Secret" in source else source
    if isinstance(source, list):
        return [without_secrets(item) for item in source]
    if not isinstance(source, dict):
        return source
    if source.get("kind") == "Secret":
        return hide_values(source)
    return {key: without_secrets(value) if isinstance(value, dict | list) else value for key, value in source.items()}


def hide_values(secret: t.Mapping[str, t.Any]) -> Manifest:
    """A Secret without its values: those of ``data`` and ``stringData``, and the copy that client-side apply keeps."""
    shown = dict(secret)
    for key in ("data", "stringData"):
        if shown.get(key):
            shown[key] = dict.fromkeys(shown[key], HIDDEN) if isinstance(shown[key], dict) else HIDDEN
    metadata = shown.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if isinstance(annotations, dict) and LAST_APPLIED in annotations:
        shown["metadata"] = {**t.cast("Manifest", metadata), "annotations": {**annotations, LAST_APPLIED: HIDDEN}}
    return shown
