# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OLM stand-in: approved InstallPlans are carried out.

As operator-lifecycle-manager does it in pkg/controller/operators/catalog/operator.go (syncInstallPlans,
transitionInstallPlanState, ExecutePlan).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from copy import deepcopy
from http import HTTPStatus
from typing import ClassVar

from sandbox.catalog import Bundle, packages_in
from sandbox.catalog.behaviour import RETRY_SECONDS, behaviour_of
from sandbox.client import ApiError, Object, Resource
from sandbox.controllers.olm_base import OlmController, now, owner_reference, put_condition, seconds_since
from sandbox.controllers.olm_bundles import objects
from sandbox.controllers.runtime import Key, Watch
from sandbox.kinds import CATALOG_SOURCES, CRDS, CSVS, INSTALL_PLANS, OPERATOR_GROUPS, SERVICE_ACCOUNTS

STAMPS = ("lastTransitionTime", "lastUpdateTime")
DONE = frozenset({"Created", "Present"})


class InstallPlanController(OlmController):
    """RequiresApproval -> Installing -> Complete; what fails is tried again and told in status.message."""

    name: ClassVar[str] = "catalog"

    def watches(self) -> Sequence[Watch]:
        return [
            Watch(INSTALL_PLANS),
            Watch(OPERATOR_GROUPS, self._plans_beside),
            Watch(CATALOG_SOURCES, _nothing),
            Watch(CSVS, _nothing),
            Watch(CRDS, _nothing),
        ]

    def _plans_beside(self, obj: Object) -> Iterable[Key]:
        namespace = obj["metadata"]["namespace"]
        return [(namespace, entry["metadata"]["name"]) for entry in self.cache(INSTALL_PLANS).list(namespace)]

    async def reconcile(self, key: Key) -> float | None:
        found = self.cache(INSTALL_PLANS).get(*key)
        if found is None or found["metadata"].get("deletionTimestamp"):
            return None
        status = deepcopy(found.get("status") or {})
        if not status.get("plan") or status["phase"] in ("Complete", "Failed"):
            return None
        problem = self._operator_group_problem(key[0])
        if problem:
            put_condition(status, _installed("False", "InstallCheckFailed", problem), stamps=STAMPS)
            await self.write_status(INSTALL_PLANS, found, status)
            return None
        if status["phase"] == "RequiresApproval":
            if found["spec"]["approved"]:
                await self.write_status(INSTALL_PLANS, found, {**status, "phase": "Installing"})
            return None
        status.setdefault("startTime", now())
        try:
            await self._execute(key[0], status["plan"])
        except ApiError as error:
            patience = self._patience(status["plan"])
            if error.code == HTTPStatus.FORBIDDEN or seconds_since(status["startTime"]) < patience:
                status["message"] = f"retrying execution due to error: {error.message}"
            else:
                put_condition(status, _installed("False", "InstallComponentFailed", error.message), stamps=STAMPS)
                status |= {"phase": "Failed", "message": error.message}
                await self.write_status(INSTALL_PLANS, found, status)
                return None
            await self.write_status(INSTALL_PLANS, found, status)
            raise
        status.pop("message", None)
        put_condition(status, _installed("True"), stamps=STAMPS)
        status["phase"] = "Complete"
        await self.write_status(INSTALL_PLANS, found, status)
        return None

    def _operator_group_problem(self, namespace: str) -> str | None:
        groups = self.cache(OPERATOR_GROUPS).list(namespace)
        managing = [group for group in groups if (group.get("status") or {}).get("namespaces")]
        if not managing:
            return "no operator group found that is managing this namespace"
        if len(managing) > 1:
            return f"more than one operator group(s) are managing this namespace count={len(managing)}"
        return None

    def _patience(self, steps: Sequence[Object]) -> float:
        """How long errors are not final: the flag of the catalog operator, or what the catalogue's image says."""
        sources = {(step["resource"]["sourceNamespace"], step["resource"]["sourceName"]) for step in steps}
        catalogs = filter(None, (self.cache(CATALOG_SOURCES).get(*source) for source in sources))
        return min((behaviour_of(one["spec"].get("image")).retry_seconds for one in catalogs), default=RETRY_SECONDS)

    def _bundle(self, step: Object) -> Bundle:
        source = step["resource"]
        catalog = self.cache(CATALOG_SOURCES).get(source["sourceNamespace"], source["sourceName"])
        packages = packages_in(catalog["spec"].get("image")) if catalog else None
        for package in packages or []:
            for bundles in package.channels.values():
                for bundle in bundles:
                    if bundle.name == step["resolving"]:
                        replaced = json.loads(source["manifest"])["replaces"]
                        return bundle.replacing(replaced) if replaced else bundle
        origin = f"{source['sourceNamespace']}/{source['sourceName']}"
        raise ApiError(404, "NotFound", f"bundle {step['resolving']} is not in catalogsource {origin}")

    async def _execute(self, namespace: str, steps: Sequence[Object]) -> None:
        """Makes every object of the plan that an earlier attempt did not, and notes in its step what became of it."""
        for step in steps:
            if step["status"] in DONE:
                continue
            bundle = self._bundle(step)
            wanted = (step["resource"]["kind"], step["resource"]["name"])
            resource, obj = next(
                (resource, obj)
                for resource, obj in objects(bundle, namespace)
                if (resource.kind, obj["metadata"]["name"]) == wanted
            )
            if resource is SERVICE_ACCOUNTS and (csv := self.cache(CSVS).get(namespace, bundle.name)):
                obj["metadata"]["ownerReferences"] = [owner_reference(csv, CSVS)]
            step["status"] = await self._put(resource, obj)

    async def _put(self, resource: Resource, obj: Object) -> str:
        """Creates an object; one that exists is kept (ClusterServiceVersion) or brought up to date."""
        meta = obj["metadata"]
        found = await self.client.get(resource, meta["name"], meta.get("namespace"))
        if found is None:
            try:
                await self.create(resource, obj)
            except ApiError as error:
                if not error.not_found:
                    raise
                raise ApiError(error.code, error.reason, _unknown_kind(resource, meta["name"])) from error
            return "Created"
        if resource is CSVS:
            return "Present"
        if resource is CRDS:
            _check_stored_versions(found, obj)
        merged = {**found, **{field: value for field, value in obj.items() if field != "metadata"}}
        labels = {**(found["metadata"].get("labels") or {}), **meta.get("labels", {})}
        merged["metadata"] = {**found["metadata"], "labels": labels}
        if "ownerReferences" in meta:
            merged["metadata"]["ownerReferences"] = meta["ownerReferences"]
        if merged != found:
            await self.replace(resource, merged)
        return "Present"


def _unknown_kind(resource: Resource, name: str) -> str:
    """What OLM says of an object whose kind is not served (pkg/controller/operators/catalog/not_found.go)."""
    return (
        f"api-server resource not found installing {resource.kind} {name}: GroupVersionKind {resource.api_version}, "
        f"Kind={resource.kind} not found on the cluster. This API may have been deprecated and removed, see "
        "https://kubernetes.io/docs/reference/using-api/deprecation-guide/ for more information."
    )


def _check_stored_versions(old: Object, new: Object) -> None:
    """A CRD that no longer has a version in which objects may be stored is refused."""
    kept = {version["name"] for version in new["spec"]["versions"]}
    for version in (old.get("status") or {}).get("storedVersions") or []:
        if version not in kept:
            raise ApiError(
                409,
                "DataLoss",
                f'risk of data loss updating "{new["metadata"]["name"]}": new CRD removes version {version} '
                "that is listed as a stored version on the existing CRD",
            )


def _nothing(_: Object) -> Iterable[Key]:
    return []


def _installed(status: str, reason: str = "", message: str = "") -> Object:
    condition = {"type": "Installed", "status": status}
    if reason:
        condition |= {"reason": reason, "message": message}
    return condition
