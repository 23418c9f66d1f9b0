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
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import ClassVar

from sandbox.client import ApiError, Resource
from sandbox.controllers.discovery import served
from sandbox.controllers.gateway_world import NAMESPACES, Json, Key
from sandbox.controllers.runtime import CRDS, Controller, Watch, itself

log = logging.getLogger("sandbox.lifecycle")

DISCOVERY_SECONDS = 2.0
"""For how long what the server serves is remembered; a changed CRD ends that at once."""
EVERYTHING: Key = ("", "")
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
        left = await asyncio.gather(
            *(self._empty(resource, name) for resource in await self.resources() if resource.namespaced)
        )
        remaining = {f"{resource}": count for resource, count in left if count}
        if remaining:
            log.info("namespace %s still holds %s", name, remaining)
            return 0.2
        finalizers = [entry for entry in namespace["spec"].get("finalizers") or [] if entry != "kubernetes"]
        body = {**namespace, "spec": {**namespace["spec"], "finalizers": finalizers}}
        try:
            await self.client.replace(NAMESPACES, body, subresource="finalize")
        except ApiError as error:
            if not error.not_found:
                raise
        return None

    async def _empty(self, resource: Resource, namespace: str) -> tuple[str, int]:
        """Deletes the resource's objects in the namespace; returns how many were there."""
        try:
            items, _ = await self.client.list(resource, namespace)
        except ApiError as error:
            if error.not_found or error.code == HTTPStatus.METHOD_NOT_ALLOWED:
                return resource.plural, 0
            raise
        for item in items:
            if not item["metadata"].get("deletionTimestamp"):
                await self.client.delete(resource, item["metadata"]["name"], namespace, uid=item["metadata"]["uid"])
        return resource.plural, len(items)


class GarbageCollector(_Discovering):
    """Deletes objects all of whose owners are gone.

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
        lists = await asyncio.gather(*(self._items(resource) for resource in resources))
        living = {item["metadata"]["uid"] for items in lists for item in items}
        for resource, items in zip(resources, lists, strict=True):
            for item in items:
                owners = item["metadata"].get("ownerReferences") or []
                lost = owners and not any(ref["uid"] in living for ref in owners)
                if lost and not item["metadata"].get("deletionTimestamp"):
                    await self._collect(resource, item, resources)
        self._looked_at = revision
        return self.PERIOD

    async def _items(self, resource: Resource) -> list[Json]:
        try:
            return (await self.client.list(resource))[0]
        except ApiError as error:
            if error.not_found or error.code == HTTPStatus.METHOD_NOT_ALLOWED:
                return []
            raise

    async def _collect(self, resource: Resource, item: Json, resources: Sequence[Resource]) -> None:
        """Deletes an object after asking for each owner once more: the lists were not taken at one moment."""
        meta = item["metadata"]
        for ref in meta["ownerReferences"]:
            wanted = (ref["apiVersion"].rpartition("/")[0], ref["kind"])
            kind = next((entry for entry in resources if (entry.group, entry.kind) == wanted), None)
            if kind is None:
                return  # of a kind that is not served: better kept than wrongly deleted
            found = await self.client.get(kind, ref["name"], meta.get("namespace") if kind.namespaced else None)
            if found and found["metadata"]["uid"] == ref["uid"]:
                return
        log.info("%s %s/%s has lost its owner", resource.kind, meta.get("namespace", ""), meta["name"])
        await self.client.delete(resource, meta["name"], meta.get("namespace"), uid=meta["uid"])
