# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OLM stand-in: OperatorGroups select namespaces, and complain when there is more than one in a namespace.

As operator-lifecycle-manager does it in pkg/controller/operators/olm/operatorgroup.go (syncOperatorGroups).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import ClassVar

from ansible_collections.mcpops.gateway.plugins.module_utils._extension_rules import selector_matches
from sandbox.client import Object
from sandbox.controllers.olm_base import OlmController, drop_conditions, is_copied, now, put_condition
from sandbox.controllers.runtime import Key, Watch
from sandbox.kinds import CSVS, NAMESPACES, OPERATOR_GROUPS

PROVIDED_APIS = "olm.providedAPIs"
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


def provided_apis(csv: Object) -> set[str]:
    """What a ClusterServiceVersion provides, each as ``Kind.version.group``."""
    owned = (csv["spec"].get("customresourcedefinitions") or {}).get("owned") or []
    return {f"{api['kind']}.{api['version']}.{api['name'].partition('.')[2]}" for api in owned}


def apis_of(group: Object) -> set[str]:
    """What the operators of an OperatorGroup provide, as its annotation says."""
    text = (group["metadata"].get("annotations") or {}).get(PROVIDED_APIS, "")
    return set(filter(None, text.split(",")))


def intersecting(group: Object, others: Iterable[Object]) -> list[Object]:
    """The other OperatorGroups that share a namespace with this one (pkg/controller/operators/olm/groups.go)."""
    mine = _reach(group)
    return [
        other
        for other in others
        if other["metadata"]["uid"] != group["metadata"]["uid"]
        and (theirs := _reach(other))
        and ("" in mine or "" in theirs or mine & theirs)
    ]


def _reach(group: Object) -> set[str]:
    """The namespaces that a group covers, its own among them; an empty string stands for all."""
    namespaces = set((group.get("status") or {}).get("namespaces") or [])
    return namespaces | {group["metadata"]["namespace"]} if namespaces and "" not in namespaces else namespaces


class OperatorGroupController(OlmController):
    """Keeps status.namespaces; an empty string in it stands for all namespaces."""

    name: ClassVar[str] = "olm"

    def watches(self) -> Sequence[Watch]:
        return [
            Watch(OPERATOR_GROUPS, self._groups_beside),
            Watch(NAMESPACES, self._all_groups),
            Watch(CSVS, self._groups_beside),
        ]

    def _groups_beside(self, obj: Object) -> Iterable[Key]:
        namespace = obj["metadata"]["namespace"]
        beside = [entry["metadata"]["name"] for entry in self.cache(OPERATOR_GROUPS).list(namespace)]
        return [(namespace, name) for name in beside]

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
        if not await self.write_status(OPERATOR_GROUPS, group, status):
            await self._prune(group)
        return None

    async def _prune(self, group: Object) -> None:
        """Forgets what no operator of the group provides any more, unless one is about to (pruneProvidedAPIs)."""
        csvs = [csv for csv in self.cache(CSVS).list(group["metadata"]["namespace"]) if not is_copied(csv)]
        if any((csv.get("status") or {}).get("phase", "") in ("", "Pending") for csv in csvs):
            return
        said = apis_of(group)
        kept = said & {api for csv in csvs for api in provided_apis(csv)}
        if kept != said:
            annotations = {PROVIDED_APIS: ",".join(sorted(kept))}
            await self.patch(OPERATOR_GROUPS, group, {"metadata": {"annotations": annotations}})
