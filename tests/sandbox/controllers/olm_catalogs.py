# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OLM stand-in: CatalogSources become READY and their packages appear as PackageManifests.

As operator-lifecycle-manager does it in pkg/controller/operators/catalog/operator.go (validateSourceType,
syncRegistryServer, syncConnection) and pkg/package-server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import ClassVar

from sandbox.catalog import Package, packages_in
from sandbox.client import Object
from sandbox.controllers.olm_base import PACKAGE_MANIFESTS, OlmController, now, seconds_since
from sandbox.controllers.runtime import Key, Watch
from sandbox.kinds import CATALOG_SOURCES

PORT = "50051"
DEFAULT_POLL_SECONDS = 15 * 60.0
"""OLM's interval when the stated one is not a duration."""


def connection_state(catalog: Object) -> str | None:
    """The last observed state of the connection to a catalogue; READY when its packages can be had."""
    found = (catalog.get("status") or {}).get("connectionState", {}).get("lastObservedState")
    return str(found) if found else None


def manifests(catalog: Object, package: Package) -> Object:
    """The PackageManifest of a catalogue's package."""
    meta, spec = catalog["metadata"], catalog["spec"]
    origin = {"catalog": meta["name"], "catalog-namespace": meta["namespace"]}
    channels = []
    for name, bundles in package.channels.items():
        head = bundles[0]
        described = {
            key: deepcopy(head.csv["spec"][key])
            for key in ("displayName", "version", "provider", "installModes", "minKubeVersion", "relatedImages")
        }
        channels.append(
            {
                "name": name,
                "currentCSV": head.name,
                "currentCSVDesc": described,
                "entries": [{"name": bundle.name, "version": bundle.version} for bundle in bundles],
            }
        )
    return {
        "metadata": {"name": package.name, "namespace": meta["namespace"], "labels": origin},
        "status": {
            "catalogSource": meta["name"],
            "catalogSourceDisplayName": spec.get("displayName", ""),
            "catalogSourceNamespace": meta["namespace"],
            "catalogSourcePublisher": spec.get("publisher", ""),
            "channels": channels,
            "defaultChannel": package.default_channel,
            "packageName": package.name,
            "provider": {"name": "Kuadrant"},
        },
    }


def spec_problem(spec: Object) -> str | None:
    """What is wrong with a CatalogSource; the sandbox has catalogues of type grpc only."""
    if spec["sourceType"] in ("internal", "configmap"):
        return (
            None if spec.get("configMap") else f"configmap name unset: must be set for sourcetype: {spec['sourceType']}"
        )
    if spec["sourceType"] != "grpc":
        return f"unknown sourcetype: {spec['sourceType']}"
    if not spec.get("image") and not spec.get("address"):
        return "image and address unset: at least one must be set for sourcetype: grpc"
    return None


def go_seconds(text: str) -> float:
    """A Go duration such as ``1h30m`` in seconds; 0 for what is none."""
    if not re.fullmatch(r"(\d+(\.\d+)?(h|m|s|ms))+", text):
        return 0.0
    units = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)(ms|h|m|s)", text))


class CatalogController(OlmController):
    """Connects to catalogues: CONNECTING first, then READY, or TRANSIENT_FAILURE for an image nobody can pull."""

    name: ClassVar[str] = "catalog"

    def watches(self) -> Sequence[Watch]:
        return [Watch(CATALOG_SOURCES), Watch(PACKAGE_MANIFESTS, self._catalog_of)]

    def _catalog_of(self, manifest: Object) -> Iterable[Key]:
        labels = manifest["metadata"].get("labels") or {}
        return [(labels.get("catalog-namespace", ""), labels.get("catalog", ""))]

    async def reconcile(self, key: Key) -> float | None:
        namespace, name = key
        catalog = self.cache(CATALOG_SOURCES).get(namespace, name)
        if catalog is None or catalog["metadata"].get("deletionTimestamp"):
            await self._remove_manifests(namespace, name, keep=())
            return None
        if problem := spec_problem(catalog["spec"]):
            await self._remove_manifests(namespace, name, keep=())
            await self.write_status(CATALOG_SOURCES, catalog, {"reason": "SpecInvalidError", "message": problem})
            return None
        packages = packages_in(catalog["spec"].get("image"))
        wanted = "TRANSIENT_FAILURE" if packages is None else "READY"
        seen = connection_state(catalog)
        if seen is None:
            await self._connect(catalog, "CONNECTING")
        elif seen != wanted:
            await self._connect(catalog, wanted)
        else:
            await self._write_manifests(catalog, packages or [])
            return await self._poll(catalog)
        return None

    async def _poll(self, catalog: Object) -> float | None:
        """Notes when the image was last looked at, as ``spec.updateStrategy.registryPoll.interval`` asks."""
        interval = ((catalog["spec"].get("updateStrategy") or {}).get("registryPoll") or {}).get("interval")
        if not interval or not catalog["spec"].get("image"):
            return None
        status = catalog["status"]
        last, period = status.get("latestImageRegistryPoll"), go_seconds(interval) or DEFAULT_POLL_SECONDS
        left = period - seconds_since(last) if last else 0.0
        if left > 0:
            return left
        await self.write_status(CATALOG_SOURCES, catalog, {**status, "latestImageRegistryPoll": now()})
        return period

    async def _connect(self, catalog: Object, state: str) -> None:
        meta = catalog["metadata"]
        service = {
            "createdAt": meta["creationTimestamp"],
            "port": PORT,
            "protocol": "grpc",
            "serviceName": meta["name"],
            "serviceNamespace": meta["namespace"],
        }
        kept = {key: value for key, value in (catalog.get("status") or {}).items() if key not in ("reason", "message")}
        own = f"{meta['name']}.{meta['namespace']}.svc:{PORT}"
        status = {
            **kept,
            "registryService": service,
            "connectionState": {
                "address": own if catalog["spec"].get("image") else catalog["spec"]["address"],
                "lastConnect": now(),
                "lastObservedState": state,
            },
        }
        await self.write_status(CATALOG_SOURCES, catalog, status)

    async def _write_manifests(self, catalog: Object, packages: Sequence[Package]) -> None:
        namespace, name = catalog["metadata"]["namespace"], catalog["metadata"]["name"]
        for package in packages:
            wanted = manifests(catalog, package)
            found = self.cache(PACKAGE_MANIFESTS).get(namespace, package.name)
            if found is None or (found.get("status") != wanted["status"] and _is_from(found, name)):
                await self.apply(PACKAGE_MANIFESTS, wanted)
        await self._remove_manifests(namespace, name, keep=[package.name for package in packages])

    async def _remove_manifests(self, namespace: str, catalog: str, *, keep: Sequence[str]) -> None:
        for manifest in self.cache(PACKAGE_MANIFESTS).list(namespace):
            if _is_from(manifest, catalog) and manifest["metadata"]["name"] not in keep:
                await self.client.delete(PACKAGE_MANIFESTS, manifest["metadata"]["name"], namespace)


def _is_from(manifest: Object, catalog: str) -> bool:
    return bool((manifest["metadata"].get("labels") or {}).get("catalog") == catalog)
