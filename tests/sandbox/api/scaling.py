# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scale subresource: replicas of an object, seen and set through autoscaling/v1 Scale."""

from __future__ import annotations

from typing import Any

from . import errors
from .fields import invalid_value
from .objects import Object, lookup
from .resources import Resource, ScalePaths
from .selectors import selector_text


def paths_of(resource: Resource) -> ScalePaths:
    """Where the resource keeps its replicas. Raises LookupError for one that cannot be scaled."""
    if resource.scale is None:
        raise LookupError(f"{resource.qualified} has no scale subresource")
    return resource.scale


def show(resource: Resource, obj: Object) -> Object:
    """The Scale of an object."""
    paths = paths_of(resource)
    metadata = obj["metadata"]
    status: Object = {"replicas": lookup(obj, paths.status_replicas) or 0}
    selector: Any = lookup(obj, paths.selector) if paths.selector else None
    if selector:
        status["selector"] = selector if isinstance(selector, str) else selector_text(selector)
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: metadata[name] for name in kept if name in metadata},
        "spec": {"replicas": lookup(obj, paths.spec_replicas) or 0},
        "status": status,
    }


def apply_to(resource: Resource, obj: Object, scale: Object) -> Object:
    """The object with the replicas of a Scale. Raises 422 for a negative number."""
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or replicas < 0:
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
