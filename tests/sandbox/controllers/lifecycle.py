# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kube-controller-manager does elsewhere: emptying deleted namespaces and removing orphans.

Only started with ``--api envtest``, where a real API server runs alone; the embedded one does both itself.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import ClassVar

from sandbox.client import ApiError, Resource
from sandbox.controllers.discovery import served
from sandbox.controllers.gateway_status import now
from sandbox.controllers.gateway_world import Json, Key
from sandbox.controllers.runtime import Controller, Watch, itself
from sandbox.kinds import CRDS, NAMESPACES

log = logging.getLogger("sandbox.lifecycle")

DISCOVERY_SECONDS = 2.0
"""For how long what the server serves is remembered; a changed CRD ends that at once."""
EVERYTHING: Key = ("", "")
ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
LEFT_ALONE = frozenset({"events", "leases", "bindings"})
UNOWNED_GROUPS = frozenset(
    f"{name}.k8s.io"
    for name in (
        "admissionregistration",
        "certificates",
        "flowcontrol.apiserver",
        "node",
        "resource",
        "scheduling",
        "storage",
    )
)
"""API groups in whose objects nobody names an owner here; looking at them would be most of the work."""


class _Discovering(Controller):
    """Knows every resource that can be listed and deleted."""

    def __init__(self) -> None:
        super().__init__()
        self._served: list[Resource] = []
        self._asked = float("-inf")

    def _crd_changed(self, _: Json) -> Iterable[Key]:
        self._asked = float("-inf")
        return []

    async def resources(self) -> list[Resource]:
        """All listable and deletable resources, each in the first of its group's versions that serves it."""
        if time.monotonic() - self._asked > DISCOVERY_SECONDS:
            self._served = await served(self.client)
            self._asked = time.monotonic()
        return self._served


def _blocks(dependent: Json, uid: str) -> bool:
    references = dependent["metadata"].get("ownerReferences") or []
    return any(ref["uid"] == uid and ref.get("blockOwnerDeletion") for ref in references)


class NamespaceController(_Discovering):
    """Deletes what a terminating namespace holds, then lets the namespace go."""

    name: ClassVar[str] = "sandbox-namespaces"

    def watches(self) -> Sequence[Watch]:
        return [Watch(NAMESPACES, itself), Watch(CRDS, self._crd_changed)]

    async def reconcile(self, key: Key) -> float | None:
        namespace = self.cache(NAMESPACES).get(*key)
        if namespace is None or not namespace["metadata"].get("deletionTimestamp"):
            return None
        name = key[1]
        found = await asyncio.gather(
            *(self._empty(resource, name) for resource in await self.resources() if resource.namespaced)
        )
        left = [entry for entries in found for entry in entries]
        namespace = await self._tell(namespace, left)
        if left:
            return 0.2
        finalizers = [entry for entry in namespace["spec"].get("finalizers") or [] if entry != "kubernetes"]
        body = {**namespace, "spec": {**namespace["spec"], "finalizers": finalizers}}
        try:
            await self.client.replace(NAMESPACES, body, subresource="finalize")
        except ApiError as error:
            if not error.not_found:
                raise
        return None

    async def _tell(self, namespace: Json, left: list[tuple[str, Json]]) -> Json:
        """Says in the namespace's conditions what keeps it."""
        from sandbox.api.lifecycle import namespace_conditions  # noqa: PLC0415  (a large module for a rare moment)

        old = {entry["type"]: entry for entry in (namespace.get("status") or {}).get("conditions") or []}
        conditions = namespace_conditions(left)
        for condition in conditions:
            before = old.get(condition["type"], {})
            same = before.get("status") == condition["status"]
            condition["lastTransitionTime"] = before["lastTransitionTime"] if same else now()
        if list(old.values()) == conditions:
            return namespace
        status = {**(namespace.get("status") or {}), "conditions": conditions}
        return await self.replace(NAMESPACES, {**namespace, "status": status}, subresource="status")

    async def _empty(self, resource: Resource, namespace: str) -> list[tuple[str, Json]]:
        """Deletes the resource's objects in the namespace; returns those that were there, with the resource's name."""
        try:
            items, _ = await self.client.list(resource, namespace)
        except ApiError as error:
            if error.not_found or error.code == HTTPStatus.METHOD_NOT_ALLOWED:
                return []
            raise
        for item in items:
            if not item["metadata"].get("deletionTimestamp"):
                await self.client.delete(resource, item["metadata"]["name"], namespace, uid=item["metadata"]["uid"])
        return [(resource.crd_name, item) for item in items]


class GarbageCollector(_Discovering):
    """Deletes objects all of whose owners are gone, and ends foreground and orphaning deletions.

    Every second it asks whether anything was written since it last looked (a list carries the revision of
    the whole store), and only then looks at everything: enough for a test bed, and silent while it is idle.
    """

    name: ClassVar[str] = "sandbox-garbage"
    PERIOD: ClassVar[float] = 1.0

    def watches(self) -> Sequence[Watch]:
        return [Watch(CRDS, self._crd_changed)]

    def __init__(self) -> None:
        super().__init__()
        self._looked_at = ""

    async def start(self) -> None:
        self.queue.add(EVERYTHING)

    async def reconcile(self, key: Key) -> float | None:
        page = await self.client.request("GET", NAMESPACES.path(), query={"limit": "1"})
        revision = page["metadata"]["resourceVersion"]
        if revision == self._looked_at:
            return self.PERIOD
        resources = [
            resource
            for resource in await self.resources()
            if resource.plural not in LEFT_ALONE and resource.group not in UNOWNED_GROUPS
        ]
        collected = False
        lists = await asyncio.gather(*(self._items(resource) for resource in resources))
        living = {item["metadata"]["uid"] for items in lists for item in items}
        dependents: dict[str, list[tuple[Resource, Json]]] = {}
        for resource, items in zip(resources, lists, strict=True):
            for item in items:
                for ref in item["metadata"].get("ownerReferences") or []:
                    dependents.setdefault(ref["uid"], []).append((resource, item))
        for resource, items in zip(resources, lists, strict=True):
            for item in items:
                collected = await self._end_deletion(resource, item, dependents) or collected
                owners = item["metadata"].get("ownerReferences") or []
                lost = owners and not any(ref["uid"] in living for ref in owners)
                if lost and not item["metadata"].get("deletionTimestamp"):
                    collected = await self._collect(resource, item, resources) or collected
        self._looked_at = revision
        return 0.0 if collected else self.PERIOD  # what the collected ones owned is next

    async def _end_deletion(
        self, resource: Resource, item: Json, dependents: Mapping[str, Sequence[tuple[Resource, Json]]]
    ) -> bool:
        """Deletes or lets go what a waiting object owns, then lets the object itself go; says whether it acted."""
        meta = item["metadata"]
        waiting = set(meta.get("finalizers") or []) & {ORPHAN, FOREGROUND}
        if not meta.get("deletionTimestamp") or not waiting:
            return False
        owned = dependents.get(meta["uid"], ())
        if ORPHAN in waiting:
            for kind, one in owned:
                rest = [ref for ref in one["metadata"]["ownerReferences"] if ref["uid"] != meta["uid"]]
                await self.patch(kind, one, {"metadata": {"ownerReferences": rest or None}})
        else:
            blocking = [entry for entry in owned if _blocks(entry[1], meta["uid"])]
            for kind, one in owned:
                if not one["metadata"].get("deletionTimestamp"):
                    name, namespace, uid = (one["metadata"].get(key) for key in ("name", "namespace", "uid"))
                    await self.client.delete(kind, str(name), namespace, uid=uid, propagation="Foreground")
            if blocking:
                return False  # their going is the next change
        rest = [entry for entry in meta["finalizers"] if entry not in waiting]
        change = {"metadata": {"finalizers": rest, "resourceVersion": meta["resourceVersion"]}}
        await self.patch(resource, item, change)
        return True

    async def _items(self, resource: Resource) -> list[Json]:
        try:
            return (await self.client.list(resource))[0]
        except ApiError as error:
            if error.not_found or error.code == HTTPStatus.METHOD_NOT_ALLOWED:
                return []
            raise

    async def _collect(self, resource: Resource, item: Json, resources: Sequence[Resource]) -> bool:
        """Deletes an object after asking for each owner once more: the lists were not taken at one moment."""
        meta = item["metadata"]
        for ref in meta["ownerReferences"]:
            wanted = (ref["apiVersion"].rpartition("/")[0], ref["kind"])
            kind = next((entry for entry in resources if (entry.group, entry.kind) == wanted), None)
            if kind is None:
                return False  # of a kind that is not served: better kept than wrongly deleted
            found = await self.client.get(kind, ref["name"], meta.get("namespace") if kind.namespaced else None)
            if found and found["metadata"]["uid"] == ref["uid"]:
                return False
        log.info("%s %s/%s has lost its owner", resource.kind, meta.get("namespace", ""), meta["name"])
        await self.client.delete(resource, meta["name"], meta.get("namespace"), uid=meta["uid"])
        return True
