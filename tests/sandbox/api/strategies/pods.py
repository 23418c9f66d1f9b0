# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Validation of pod specs, in pods and in templates: the mistakes that manifests make."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..fields import FieldError, duplicate, invalid_value, not_supported, required
from ..metadata import name_problems
from ..objects import Object

PORT_RULE = "must be between 1 and 65535, inclusive"
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_CONFIG_KEY_RULE = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  "
    "or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_RESTART = ("Always", "OnFailure", "Never")
PROTOCOLS = ("SCTP", "TCP", "UDP")
_PULL = ("Always", "IfNotPresent", "Never")
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([a-z0-9]|-(?!-))*(?<!-)")


def validate_config_keys(data: Iterable[str], path: str) -> list[FieldError]:
    """Keys of config maps and secrets."""
    return [
        invalid_value(f"{path}[{key}]", key, _CONFIG_KEY_RULE)
        for key in data
        if not _CONFIG_KEY.fullmatch(key) or key in (".", "..")
    ]


def validate_port(number: int | None, path: str) -> list[FieldError]:
    """A port number."""
    return [] if number is not None and 1 <= number <= 65535 else [invalid_value(path, number or 0, PORT_RULE)]


def validate_pod_spec(spec: Object, path: str) -> list[FieldError]:
    """Everything that is checked of a pod's spec."""
    errors: list[FieldError] = []
    volumes = _volumes(spec, f"{path}.volumes", errors)
    if not spec.get("containers"):
        errors.append(required(f"{path}.containers"))
    seen: set[str] = set()
    for field in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(field) or ()):
            here = f"{path}.{field}[{index}]"
            errors += _container(container, here, volumes)
            name = container.get("name", "")
            if name and name in seen:
                errors.append(duplicate(f"{here}.name", name))
            seen.add(name)
    if spec.get("restartPolicy") not in _RESTART:
        errors.append(not_supported(f"{path}.restartPolicy", spec.get("restartPolicy"), sorted(_RESTART)))
    return errors


def _volumes(spec: Object, path: str, errors: list[FieldError]) -> set[str]:
    names: set[str] = set()
    for index, volume in enumerate(spec.get("volumes") or ()):
        name = volume.get("name", "")
        here = f"{path}[{index}]"
        if not name:
            errors.append(required(f"{here}.name"))
        elif name in names:
            errors.append(duplicate(f"{here}.name", name))
        else:
            errors += [invalid_value(f"{here}.name", name, text) for text in name_problems(name, "label")]
        names.add(name)
        for source, field in (("secret", "secretName"), ("configMap", "name")):
            if source in volume and not volume[source].get(field):
                errors.append(required(f"{here}.{source}.{field}"))
    return names


def _container(container: Object, path: str, volumes: set[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    name = container.get("name", "")
    if not name:
        errors.append(required(f"{path}.name"))
    else:
        errors += [invalid_value(f"{path}.name", name, text) for text in name_problems(name, "label")]
    if not container.get("image"):
        errors.append(required(f"{path}.image"))
    if container.get("imagePullPolicy") not in _PULL:
        errors.append(not_supported(f"{path}.imagePullPolicy", container.get("imagePullPolicy"), _PULL))
    for index, port in enumerate(container.get("ports") or ()):
        errors += _port(port, f"{path}.ports[{index}]")
    for index, variable in enumerate(container.get("env") or ()):
        if not variable.get("name"):
            errors.append(required(f"{path}.env[{index}].name"))
        if variable.get("value") and variable.get("valueFrom"):
            message = "may not be specified when `value` is not empty"
            errors.append(invalid_value(f"{path}.env[{index}].valueFrom", "", message))
    paths: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or ()):
        here = f"{path}.volumeMounts[{index}]"
        if not mount.get("name"):
            errors.append(required(f"{here}.name"))
        elif mount["name"] not in volumes:
            errors.append(FieldError("FieldValueNotFound", f"{here}.name", mount["name"]))
        target = mount.get("mountPath", "")
        if not target:
            errors.append(required(f"{here}.mountPath"))
        elif target in paths:
            errors.append(invalid_value(f"{here}.mountPath", target, "must be unique"))
        paths.add(target)
    return errors


def _port(port: Object, path: str) -> list[FieldError]:
    errors: list[FieldError] = []
    name = port.get("name", "")
    if name and (len(name) > 15 or not _PORT_NAME.fullmatch(name)):
        limit = "must be no more than 15 characters"
        form = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
        errors.append(invalid_value(f"{path}.name", name, limit if len(name) > 15 else form))
    if not port.get("containerPort"):
        errors.append(required(f"{path}.containerPort"))
    else:
        errors += validate_port(port["containerPort"], f"{path}.containerPort")
    if port.get("protocol") not in PROTOCOLS:
        errors.append(not_supported(f"{path}.protocol", port.get("protocol"), PROTOCOLS))
    return errors
