# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds that workloads are made of, and what their controllers share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandbox.client import Resource

Json = dict[str, Any]


HASH_LABEL = "pod-template-hash"
NODE = "sandbox"
"""Name of the node that every pod is on; there is no Node object."""


def owner_reference(owner: Json, resource: Resource) -> Json:
    """The reference of a controller to itself on what it made."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_controlled_by(obj: Json, owner: Json) -> bool:
    """Whether the object's controller is that owner."""
    references = obj["metadata"].get("ownerReferences") or []
    return any(ref.get("controller") and ref["uid"] == owner["metadata"]["uid"] for ref in references)


def find_condition(status: Mapping[str, Any], type_: str) -> Json | None:
    """The condition of that type."""
    return next((entry for entry in status.get("conditions") or [] if entry["type"] == type_), None)


def is_ready(pod: Json) -> bool:
    """Whether the Pod's condition Ready is True and it is not being deleted."""
    if pod["metadata"].get("deletionTimestamp"):
        return False
    found = find_condition(pod.get("status") or {}, "Ready")
    return found is not None and found["status"] == "True"


def same_status(seen: Json, wanted: Json) -> bool:
    """Whether the wanted fields are as seen; a field that a real API server shows as null counts as absent."""
    return all(_without_null(seen.get(name)) == _without_null(value) for name, value in wanted.items())


def _without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_null(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_null(item) for item in value]
    return value


def selects(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """Whether the plain selector of a Service chooses these labels; an empty one chooses nothing."""
    return bool(selector) and (selector or {}).items() <= labels.items()


def go_duration(seconds: float) -> str:
    """Seconds as Go writes a duration: ``500ms``, ``10s``, ``2m40s``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    minutes, rest = divmod(seconds, 60)
    return (f"{minutes:.0f}m" if minutes else "") + f"{rest:g}s"
