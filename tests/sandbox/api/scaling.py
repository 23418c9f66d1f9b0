# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scale subresource: replicas of an object, seen and set through autoscaling/v1 Scale."""

from __future__ import annotations

from typing import Any

from . import errors
from .admission import match_name
from .decoding import json_type
from .fields import invalid_value
from .objects import Object, encode, lookup
from .resources import Resource, ScalePaths
from .selectors import selector_text


def paths_of(resource: Resource) -> ScalePaths:
    """Where the resource keeps its replicas. Raises LookupError for one that cannot be scaled."""
    if resource.scale is None:
        raise LookupError(f"{resource.qualified} has no scale subresource")
    return resource.scale


def show(resource: Resource, obj: Object) -> Object:
    """The Scale of an object. Raises 500 for a custom resource that states no replicas."""
    paths = paths_of(resource)
    metadata = obj["metadata"]
    replicas = lookup(obj, paths.spec_replicas)
    if replicas is None and resource.custom:
        raise errors.internal(f'the spec replicas field ".{".".join(paths.spec_replicas)}" does not exist')
    status: Object = {"replicas": lookup(obj, paths.status_replicas) or 0}
    selector: Any = lookup(obj, paths.selector) if paths.selector else None
    if selector:
        status["selector"] = selector if isinstance(selector, str) else selector_text(selector)
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: metadata[name] for name in kept if name in metadata},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def apply_to(resource: Resource, obj: Object, scale: Object, patched: bool) -> Object:
    """The object with the replicas of a Scale. Raises 400 (422 for a patch) for what is no Scale."""
    kind, replicas = scale.get("kind") or "Scale", (scale.get("spec") or {}).get("replicas") or 0
    problem = ""
    if kind != "Scale":
        problem = f"converting (v1.{kind}) to (autoscaling.Scale): unknown conversion"
    elif not isinstance(replicas, int):
        given = json_type(replicas)
        problem = f"json: cannot unmarshal {given} into Go struct field ScaleSpec.spec.replicas of type int32"
    if problem and patched:
        raise errors.invalid("", "", "", [invalid_value("patch", encode(scale).decode(), problem)])
    if problem:
        raise errors.bad_request(f'{kind} in version "v1" cannot be handled as a Scale: {problem}')
    match_name(obj["metadata"]["name"], scale.get("metadata") or {})
    if replicas < 0 and not resource.custom:
        error = invalid_value("spec.replicas", replicas, "must be greater than or equal to 0")
        raise errors.invalid("autoscaling", "Scale", obj["metadata"]["name"], [error])
    path = paths_of(resource).spec_replicas
    parent = obj
    for name in path[:-1]:
        parent = parent.setdefault(name, {})
    parent[path[-1]] = replicas
    version = (scale.get("metadata") or {}).get("resourceVersion")
    if version:
        obj["metadata"]["resourceVersion"] = version
    return obj
