# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every namespace has: the ServiceAccount ``default`` and the ConfigMap with the API server's authority.

Kubernetes' serviceaccount and root-ca-cert-publisher controllers (kubernetes, pkg/controller/serviceaccount and
pkg/controller/certificates/rootcacertpublisher).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from sandbox.client import ApiError, Resource
from sandbox.controllers.gateway_world import Json, Key
from sandbox.controllers.runtime import Controller, Watch
from sandbox.kinds import CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS

DEFAULT = "default"
ROOT_CA = "kube-root-ca.crt"
DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)


class NamespaceContentController(Controller):
    """Reconciles one namespace a key; ``authority`` is a PEM file that may not exist (then there is no ConfigMap)."""

    name: ClassVar[str] = "serviceaccount-controller"

    def __init__(self, authority: Path) -> None:
        super().__init__()
        self._authority = authority

    def watches(self) -> Sequence[Watch]:
        return [
            Watch(NAMESPACES),
            Watch(SERVICE_ACCOUNTS, _if_named(DEFAULT)),
            Watch(CONFIG_MAPS, _if_named(ROOT_CA)),
        ]

    async def reconcile(self, key: Key) -> float | None:
        namespace = self.cache(NAMESPACES).get(*key)
        if namespace is None or namespace["metadata"].get("deletionTimestamp"):
            return None
        await self._ensure(SERVICE_ACCOUNTS, {"metadata": {"name": DEFAULT, "namespace": key[1]}})
        if self._authority.is_file():
            meta = {"name": ROOT_CA, "namespace": key[1], "annotations": {"kubernetes.io/description": DESCRIPTION}}
            text = self._authority.read_text(encoding="ascii")
            await self._ensure(CONFIG_MAPS, {"metadata": meta, "data": {"ca.crt": text}})
        return None

    async def _ensure(self, resource: Resource, wanted: Json) -> None:
        if self.cache(resource).get(wanted["metadata"]["namespace"], wanted["metadata"]["name"]):
            return
        try:
            await self.create(resource, wanted)
        except ApiError as error:
            # It is there already, or the namespace has just begun to go.
            if not error.conflict and not error.not_found and error.reason != "Forbidden":
                raise


def _if_named(name: str) -> Callable[[Json], Iterable[Key]]:
    """Mapping of an object of that name to its namespace."""

    def keys(obj: Json) -> Iterable[Key]:
        meta = obj["metadata"]
        return [("", meta["namespace"])] if meta["name"] == name else []

    return keys
