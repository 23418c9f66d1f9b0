# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces, secrets, config maps, volume claims, events: kinds of the core group with rules of their own."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

import orjson

from ..fields import FieldError, forbidden_value, invalid_value, not_supported, required, too_long
from ..objects import Object, copy, lookup, same
from ..quantities import parse
from .builtin import BuiltinStrategy

_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_CONFIG_KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    "or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_MAX_DATA = 1024 * 1024


class NamespaceStrategy(BuiltinStrategy):
    """A namespace is finalized by the namespace controller and knows whether it is being deleted."""

    states_grace = False
    protected = ("default", "kube-system", "kube-public")

    def refuse_delete(self, obj: Object) -> str:
        return "this namespace may not be deleted" if obj["metadata"]["name"] in self.protected else ""

    def is_held(self, obj: Object) -> bool:
        return bool(obj["spec"].get("finalizers"))

    def prepare_create(self, obj: Object) -> None:
        super().prepare_create(obj)
        spec = obj.setdefault("spec", {})
        spec["finalizers"] = [*(f for f in spec.get("finalizers") or () if f != "kubernetes"), "kubernetes"]
        obj["status"] = {"phase": "Active"}

    def prepare_update(self, new: Object, old: Object, subresource: str) -> None:
        if subresource == "finalize":
            new["status"] = old["status"]
            return
        super().prepare_update(new, old, subresource)
        if not subresource:
            new["spec"] = copy(old["spec"])

    def prepare_delete(self, obj: Object) -> None:
        obj["status"]["phase"] = "Terminating"

    def validate_own(self, obj: Object, old: Object | None) -> list[FieldError]:
        rule = "name is neither a standard finalizer name nor is it fully qualified"
        named = (name for name in obj["spec"].get("finalizers") or () if name != "kubernetes" and "/" not in name)
        return [invalid_value("spec.finalizers", name, rule) for name in named]

    def validate_status(self, obj: Object) -> list[FieldError]:
        deleting = bool(obj["metadata"].get("deletionTimestamp"))
        wanted, state = ("Terminating", "not empty") if deleting else ("Active", "empty")
        phase = obj["status"].get("phase", "")
        rule = f"may only be '{wanted}' if `deletionTimestamp` is {state}"
        return [invalid_value("status.Phase", phase, rule)] if phase != wanted else []


class SecretStrategy(BuiltinStrategy):
    """stringData becomes data; an immutable secret stays as it is."""

    _needed: Mapping[str, tuple[str, ...]] = {
        "kubernetes.io/dockercfg": (".dockercfg",),
        "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
        "kubernetes.io/ssh-auth": ("ssh-privatekey",),
        "kubernetes.io/tls": ("tls.crt", "tls.key"),
    }

    def decode(self, obj: Object) -> list[str]:
        unknown = super().decode(obj)
        plain = obj.pop("stringData", None)
        if plain:
            data = obj.setdefault("data", {})
            data.update({key: base64.b64encode(value.encode()).decode() for key, value in plain.items()})
        return unknown

    def validate_own(self, obj: Object, old: Object | None) -> list[FieldError]:
        data = obj.get("data") or {}
        errors = _config_keys(data, "data") + _immutable_data(obj, old, "data")
        if sum(len(value) * 3 // 4 for value in data.values()) > _MAX_DATA:
            errors.append(too_long("data", _MAX_DATA))
        kind: str = obj.get("type") or ""
        errors += [required(f"data[{key}]") for key in self._needed.get(kind, ()) if key not in data]
        if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & data.keys():
            errors += [required("data[username]"), required("data[password]")]
        for key in self._needed.get(kind, ()) if "docker" in kind else ():
            try:
                orjson.loads(base64.b64decode(data.get(key, "e30=")))
            except ValueError as error:
                errors.append(invalid_value(f"data[{key}]", "<secret contents redacted>", str(error)))
        account = "kubernetes.io/service-account.name"
        named = (obj["metadata"].get("annotations") or {}).get(account)
        if kind == "kubernetes.io/service-account-token" and not named:
            errors.append(required(f"metadata.annotations[{account}]"))
        return errors


class ConfigMapStrategy(BuiltinStrategy):
    """An immutable config map stays as it is."""

    def validate_own(self, obj: Object, old: Object | None) -> list[FieldError]:
        data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
        errors = _config_keys(data, "data") + _config_keys(binary, "binaryData")
        clashes = sorted(data.keys() & binary.keys())
        errors += [invalid_value(f"data[{key}]", key, "duplicate of key present in binaryData") for key in clashes]
        if sum(map(len, data.values())) + sum(len(value) * 3 // 4 for value in binary.values()) > _MAX_DATA:
            errors.append(too_long("[]", _MAX_DATA))
        return errors + _immutable_data(obj, old, "data", "binaryData")


def _config_keys(data: Object, path: str) -> list[FieldError]:
    errors = []
    for key in data:
        problems = ["must be no more than 253 characters"] if len(key) > 253 else []
        if not _CONFIG_KEY.fullmatch(key):
            problems.append(_CONFIG_KEY_RULE)
        if key in (".", ".."):
            problems.append(f"must not be '{key}'")
        elif key.startswith(".."):
            problems.append("must not start with '..'")
        errors += [invalid_value(f"{path}[{key}]", key, text) for text in problems]
    return errors


def _immutable_data(obj: Object, old: Object | None, *names: str) -> list[FieldError]:
    if old is None or not old.get("immutable"):
        return []
    changed = [name for name in names if not same(obj.get(name) or {}, old.get(name) or {})]
    if not obj.get("immutable"):
        changed.append("immutable")
    return [forbidden_value(name, "field is immutable when `immutable` is set") for name in changed]


class ClaimStrategy(BuiltinStrategy):
    """The spec of a volume claim is immutable until it is bound, and then but for the size it asks for."""

    _modes = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
    _rule = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"

    def prepare_create(self, obj: Object) -> None:
        super().prepare_create(obj)
        obj["status"] = {"phase": "Pending"}

    def validate_own(self, obj: Object, old: Object | None) -> list[FieldError]:
        errors: list[FieldError] = []
        spec = obj["spec"]
        if not spec.get("accessModes"):
            errors.append(required("spec.accessModes", "at least 1 access mode is required"))
        wrong = [mode for mode in spec.get("accessModes") or () if mode not in self._modes]
        errors += [not_supported("spec.accessModes", mode, self._modes) for mode in wrong]
        size = lookup(spec, ("resources", "requests", "storage"))
        if size is None:
            errors.append(required("spec.resources[storage]"))
        elif parse(size) <= 0:
            errors.append(invalid_value("spec.resources[storage]", size, "must be greater than zero"))
        if old is None:
            return errors
        before = old["spec"]
        free = ["volumeName", *(() if before.get("storageClassName") else ("storageClassName",))]
        if old["status"].get("phase") == "Bound":
            free += ["resources", "volumeAttributesClassName"]
        if any(not same(spec.get(name), before.get(name)) for name in {*spec, *before} if name not in free):
            errors.append(forbidden_value("spec", self._rule))
        return errors


class EventStrategy(BuiltinStrategy):
    """Events are about an object in their own namespace."""

    def validate_own(self, obj: Object, old: Object | None) -> list[FieldError]:
        namespace = (obj.get("involvedObject") or {}).get("namespace", "")
        own = obj["metadata"].get("namespace", "")
        if namespace != own and not (namespace == "" and own == "default"):
            return [invalid_value("involvedObject.namespace", namespace, "does not match event.namespace")]
        return []
