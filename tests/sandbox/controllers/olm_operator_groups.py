# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OLM stand-in: OperatorGroups select namespaces, and complain when there is more than one in a namespace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import ClassVar

from ansible_collections.mcpops.gateway.plugins.module_utils._extension_rules import selector_matches
from sandbox.client import Object
from sandbox.controllers.olm_base import (
    NAMESPACES,
    OPERATOR_GROUPS,
    OlmController,
    drop_conditions,
    now,
    put_condition,
)
from sandbox.controllers.runtime import Key, Watch

MULTIPLE = "MultipleOperatorGroup"
MULTIPLE_CONDITION = {
    "type": MULTIPLE,
    "status": "True",
    "reason": "MultipleOperatorGroupsFound",
    "message": "Multiple OperatorGroup found in the same namespace",
}


def annotations_for(group: Object) -> dict[str, str]:
    """What OLM writes on the ClusterServiceVersions that an OperatorGroup covers."""
    meta = group["metadata"]
    namespaces = (group.get("status") or {}).get("namespaces") or []
    return {
        "olm.operatorGroup": meta["name"],
        "olm.operatorNamespace": meta["namespace"],
        "olm.targetNamespaces": ",".join(sorted(namespaces)),
    }


class OperatorGroupController(OlmController):
    """Keeps status.namespaces; an empty string in it stands for all namespaces."""

    name: ClassVar[str] = "olm"

    def watches(self) -> Sequence[Watch]:
        return [Watch(OPERATOR_GROUPS, self._groups_beside), Watch(NAMESPACES, self._all_groups)]

    def _groups_beside(self, group: Object) -> Iterable[Key]:
        namespace = group["metadata"]["namespace"]
        beside = [entry["metadata"]["name"] for entry in self.cache(OPERATOR_GROUPS).list(namespace)]
        return [(namespace, name) for name in {group["metadata"]["name"], *beside}]

    def _all_groups(self, _: Object) -> Iterable[Key]:
        groups = self.cache(OPERATOR_GROUPS).list()
        return [(entry["metadata"]["namespace"], entry["metadata"]["name"]) for entry in groups]

    def _targets(self, group: Object) -> list[str]:
        spec = group.get("spec") or {}
        if spec.get("targetNamespaces"):
            return sorted(spec["targetNamespaces"])
        selector = spec.get("selector")
        if selector and (selector.get("matchLabels") or selector.get("matchExpressions")):
            return sorted(
                namespace["metadata"]["name"]
                for namespace in self.cache(NAMESPACES).list()
                if selector_matches(selector, namespace["metadata"].get("labels"))
            )
        return [""]

    async def reconcile(self, key: Key) -> float | None:
        group = self.cache(OPERATOR_GROUPS).get(*key)
        if group is None or group["metadata"].get("deletionTimestamp"):
            return None
        status = deepcopy(group.get("status") or {})
        if len(self.cache(OPERATOR_GROUPS).list(key[0])) > 1:
            put_condition(status, dict(MULTIPLE_CONDITION))
        elif status.get("conditions"):
            drop_conditions(status, MULTIPLE)
        targets = self._targets(group)
        if status.get("namespaces") != targets:
            status |= {"namespaces": targets, "lastUpdated": now()}
        await self.write_status(OPERATOR_GROUPS, group, status)
        return None
