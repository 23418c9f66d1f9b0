# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the parts of the OLM stand-in share: kinds, timestamps, conditions, status writes.

The parts follow Operator Lifecycle Manager v0 (operator-framework/operator-lifecycle-manager): the same objects,
states, reasons and messages, in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from sandbox.client import Object, Resource
from sandbox.controllers.events import Recorder
from sandbox.controllers.runtime import Controller

GROUP = "operators.coreos.com"
PACKAGE_MANIFESTS = Resource(f"packages.{GROUP}", "v1", "packagemanifests", "PackageManifest")

RBAC = "rbac.authorization.k8s.io"
CLUSTER_ROLES = Resource(RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False)
CLUSTER_ROLE_BINDINGS = Resource(RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False)

COPIED_FROM = "olm.copiedFrom"


def now() -> str:
    """The present moment in RFC 3339, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_since(timestamp: str) -> float:
    """How long ago a moment in RFC 3339 was."""
    return (datetime.now(UTC) - datetime.fromisoformat(timestamp)).total_seconds()


def component_label(package: str, namespace: str) -> dict[str, str]:
    """The label that ties an operator's objects together."""
    return {f"{GROUP}/{package}.{namespace}": ""}


def is_copied(csv: Object) -> bool:
    """Whether a ClusterServiceVersion is OLM's copy of one in another namespace."""
    return COPIED_FROM in (csv["metadata"].get("labels") or {})


def find_condition(status: Object, type_: str) -> Object | None:
    """The condition of that type in a status."""
    for condition in status.get("conditions") or []:
        if condition["type"] == type_:
            found: Object = condition
            return found
    return None


def put_condition(status: Object, condition: Object, *, stamps: Iterable[str] = ("lastTransitionTime",)) -> bool:
    """Sets a condition; its timestamps move only when something else in it changed. Says whether it did."""
    conditions = status.setdefault("conditions", [])
    for index, old in enumerate(conditions):
        if old["type"] == condition["type"]:
            if {key: value for key, value in old.items() if key not in stamps} == condition:
                return False
            conditions[index] = condition | dict.fromkeys(stamps, now())
            return True
    conditions.append(condition | dict.fromkeys(stamps, now()))
    return True


def drop_conditions(status: Object, *types: str) -> None:
    """Removes the conditions of these types."""
    status["conditions"] = [entry for entry in status.get("conditions") or [] if entry["type"] not in types]


def owner_reference(owner: Object, resource: Resource, *, controller: bool = False) -> Object:
    """A reference by which garbage collection removes an object with its owner."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": controller,
        "blockOwnerDeletion": False,
    }


class OlmController(Controller):
    """Base of OLM's controllers. They write under one of two field managers, as the two operators of OLM do."""

    async def start(self) -> None:
        self.recorder = Recorder(self.client, "operator-lifecycle-manager")

    async def write_status(self, resource: Resource, obj: Object, status: Object) -> bool:
        """Replaces the status if it differs; a stale object is a conflict and is tried again. Says whether it wrote."""
        if (obj.get("status") or {}) == status:
            return False
        await self.replace(resource, {**obj, "status": status}, subresource="status")
        return True
