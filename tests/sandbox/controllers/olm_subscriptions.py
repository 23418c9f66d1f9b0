# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OLM stand-in: Subscriptions are resolved, namespace by namespace, into InstallPlans.

The order of things, the conditions and their reasons are those of operator-lifecycle-manager in
pkg/controller/operators/catalog/operator.go (syncResolvingNamespace) and catalog/subscription/state.go.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import ClassVar

from sandbox.catalog import Bundle, packages_in
from sandbox.catalog.behaviour import Behaviour, behaviour_of
from sandbox.client import ApiError, Object
from sandbox.controllers.olm_base import (
    OlmController,
    component_label,
    drop_conditions,
    find_condition,
    is_copied,
    now,
    owner_reference,
    put_condition,
)
from sandbox.controllers.olm_bundles import lookup, plan
from sandbox.controllers.olm_catalogs import connection_state
from sandbox.controllers.olm_resolution import Catalog, NotSatisfiableError, resolve
from sandbox.controllers.runtime import Key, Watch
from sandbox.kinds import CATALOG_SOURCES, CSVS, INSTALL_PLANS, NAMESPACES, OPERATOR_GROUPS, SUBSCRIPTIONS

log = logging.getLogger("sandbox.olm")

PENDING, FAILED, MISSING = "InstallPlanPending", "InstallPlanFailed", "InstallPlanMissing"
RESOLUTION_FAILED, UNHEALTHY, UNPACK_FAILED = "ResolutionFailed", "CatalogSourcesUnhealthy", "BundleUnpackFailed"
UNPACKING = "BundleUnpacking"
UNPACK_GUIDANCE = (
    "Auto-retry in ~5 min after job cleanup (TTL). Common causes: Missing ICSP (ppc64le/s390x/arm64), auth failure, "
    "invalid image. Manual retry: in the CatalogSource namespace, run `kubectl get jobs -l "
    "operatorframework.io/bundle-unpack-ref` and delete the specific failing job."
)


class UnavailableError(Exception):
    """A catalogue does not answer; the condition's reason is ErrorPreventedResolution."""


class SubscriptionController(OlmController):
    """Reconciles a whole namespace at a time, as OLM does: one Subscription that fails holds up the others in it."""

    name: ClassVar[str] = "catalog"

    def __init__(self) -> None:
        super().__init__()
        self._unpacking: dict[tuple[str, str], float] = {}

    def watches(self) -> Sequence[Watch]:
        return [
            Watch(SUBSCRIPTIONS, _namespace),
            Watch(INSTALL_PLANS, _namespace),
            Watch(CSVS, _namespace),
            Watch(OPERATOR_GROUPS, _namespace),
            Watch(CATALOG_SOURCES, self._subscribed),
            Watch(NAMESPACES, _nothing),
        ]

    def _subscribed(self, _: Object) -> Iterable[Key]:
        return {(sub["metadata"]["namespace"], "") for sub in self.cache(SUBSCRIPTIONS).list()}

    async def reconcile(self, key: Key) -> float | None:
        namespace = key[0]
        subscriptions = [
            sub for sub in self.cache(SUBSCRIPTIONS).list(namespace) if not sub["metadata"].get("deletionTimestamp")
        ]
        wrote = [await self._observe(sub) for sub in subscriptions]
        if any(wrote) or not subscriptions:
            return None  # the next pass starts from what was written
        groups = len(self.cache(OPERATOR_GROUPS).list(namespace))
        if groups != 1:
            # OLM only logs this: no condition tells the user.
            log.info("namespace %s: found %d operatorGroups, expected 1", namespace, groups)
            return None
        if any([await self._follow_csv(sub) for sub in subscriptions]):
            return None
        if all(_waits_for_plan(sub) for sub in subscriptions):
            return None
        return await self._resolve(namespace, subscriptions)

    async def _observe(self, subscription: Object) -> bool:
        """Writes what is known of catalogues and of the InstallPlan into the conditions."""
        status = deepcopy(subscription.get("status") or {})
        self._catalog_health(subscription, status)
        self._plan_state(subscription, status)
        if status == (subscription.get("status") or {}):
            return False
        status["lastUpdated"] = now()
        return await self.write_status(SUBSCRIPTIONS, subscription, status)

    def _catalog_health(self, subscription: Object, status: Object) -> None:
        spec = subscription["spec"]
        target = (spec["sourceNamespace"], spec["source"])
        spaces = sorted({subscription["metadata"]["namespace"], spec["sourceNamespace"]})
        catalogs = [catalog for space in spaces for catalog in self.cache(CATALOG_SOURCES).list(space)]
        if any(connection_state(catalog) in (None, "CONNECTING") for catalog in catalogs):
            return  # not known yet
        health, old = [], {entry["catalogSourceRef"]["uid"]: entry for entry in status.get("catalogHealth") or []}
        message = f"targeted catalogsource {'/'.join(target)} missing"
        for catalog in catalogs:
            meta, healthy = catalog["metadata"], connection_state(catalog) == "READY"
            if (meta["namespace"], meta["name"]) == target:
                message = "" if healthy else f"targeted catalogsource {'/'.join(target)} unhealthy"
            known = old.get(meta["uid"])
            if known and known["healthy"] == healthy:
                health.append(known)
                continue
            fields = ("name", "namespace", "resourceVersion", "uid")
            reference = {field: meta[field] for field in fields}
            reference |= {"apiVersion": CATALOG_SOURCES.api_version, "kind": CATALOG_SOURCES.kind}
            health.append({"catalogSourceRef": reference, "healthy": healthy, "lastUpdated": now()})
        if not catalogs:
            condition = _condition(
                UNHEALTHY, "True", "NoCatalogSourcesFound", "dependency resolution requires at least one catalogsource"
            )
        elif message or not all(entry["healthy"] for entry in health):
            condition = _condition(UNHEALTHY, "True", "UnhealthyCatalogSourceFound", message)
        else:
            condition = _condition(
                UNHEALTHY, "False", "AllCatalogSourcesHealthy", "all available catalogsources are healthy"
            )
        put_condition(status, condition)
        status["catalogHealth"] = health

    def _plan_state(self, subscription: Object, status: Object) -> None:
        """Projects the InstallPlan's phase onto the Subscription."""
        reference = status.get("installPlanRef")
        if not reference:
            return
        found = self.cache(INSTALL_PLANS).get(reference["namespace"], reference["name"])
        if found is None:
            drop_conditions(status, PENDING, FAILED)
            if status.get("state") == "UpgradePending":
                # Resolution may start over.
                for field in ("installPlanRef", "installplan", "currentCSV", "state"):
                    status.pop(field, None)
            else:
                put_condition(status, _condition(MISSING, "True", "ReferencedInstallPlanNotFound", ""))
            return
        plan_status = found.get("status") or {}
        phase = plan_status.get("phase", "")
        installed = find_condition(plan_status, "Installed") or {}
        message = installed.get("message") or ""
        if phase in ("", "Planning", "Installing", "RequiresApproval"):
            drop_conditions(status, MISSING, FAILED)
            reason = phase or "InstallPlanNotYetReconciled"
            put_condition(status, _condition(PENDING, "True", reason, message))
        elif phase == "Failed":
            drop_conditions(status, MISSING, PENDING)
            reason = installed.get("reason") or "InstallPlanFailed"
            put_condition(status, _condition(FAILED, "True", reason, message))
        else:
            drop_conditions(status, MISSING, PENDING, FAILED)

    async def _follow_csv(self, subscription: Object) -> bool:
        """AtLatestKnown as soon as the current ClusterServiceVersion exists, whatever its phase."""
        status = deepcopy(subscription.get("status") or {})
        current = status.get("currentCSV")
        if not current:
            return False
        namespace = subscription["metadata"]["namespace"]
        if self.cache(CSVS).get(namespace, current):
            state, installed = "AtLatestKnown", current
        else:
            state, installed = "UpgradePending", status.get("installedCSV")
        if status.get("state") == state:
            return False
        status |= {"state": state, "lastUpdated": now()}
        if installed:
            status["installedCSV"] = installed
        return await self.write_status(SUBSCRIPTIONS, subscription, status)

    def _catalog(self, subscription: Object) -> Catalog | None:
        spec = subscription["spec"]
        name, namespace = spec["source"], spec["sourceNamespace"]
        found = self.cache(CATALOG_SOURCES).get(namespace, name)
        if found is None:
            return None
        state = connection_state(found)
        if state != "READY":
            address = f"{name}.{namespace}.svc:50051"
            raise UnavailableError(
                f"failed to populate resolver cache from source {name}/{namespace}: failed to list bundles: rpc "
                f'error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: {address}"'
            )
        return Catalog(name, namespace, packages_in(found["spec"].get("image")) or [])

    async def _resolve(self, namespace: str, subscriptions: Sequence[Object]) -> float | None:
        """One resolution of the namespace; a number of seconds when bundles are still being unpacked."""
        csvs = [csv for csv in self.cache(CSVS).list(namespace) if not is_copied(csv)]
        chosen: list[tuple[Object, Bundle]] = []
        problem: tuple[str, str] | None = None
        for sub in subscriptions:
            try:
                bundle = resolve(sub, self._catalog(sub), csvs)
            except NotSatisfiableError as error:
                problem = ("ConstraintsNotSatisfiable", str(error))
                break
            except UnavailableError as error:
                problem = ("ErrorPreventedResolution", str(error))
                break
            if bundle and not _waits_for_plan(sub) and not self._has(sub, bundle):
                chosen.append((sub, bundle))
        if problem:
            wrote = [
                await self._set_condition(sub, _condition(RESOLUTION_FAILED, "True", *problem)) for sub in subscriptions
            ]
            if any(wrote) and (space := self.cache(NAMESPACES).get("", namespace)):
                await self.recorder.warning(NAMESPACES, space, "ResolutionFailed", problem[1])
            return None
        if seconds := self._unpacking_takes(chosen):
            for sub in subscriptions:
                await self._set_condition(sub, _condition(UNPACKING, "True", "UnpackingInProgress", ""))
            return seconds
        if broken := next(filter(None, (self._behaviour(sub).unpack_problem for sub, _ in chosen)), None):
            message = f"Bundle unpacking failed - {broken}. {UNPACK_GUIDANCE}"
            for sub in subscriptions:
                condition = _condition(UNPACK_FAILED, "True", "BundleUnpackFailed", message)
                if await self._set_condition(sub, condition, UNPACKING):
                    await self.recorder.warning(SUBSCRIPTIONS, sub, "BundleUnpackFailed", message)
            return None
        reference = None
        if chosen:
            reference, generation = await self._ensure_plan(namespace, subscriptions, chosen)
        bundles = {sub["metadata"]["name"]: bundle for sub, bundle in chosen}
        for sub in subscriptions:
            status = deepcopy(sub.get("status") or {})
            if any(find_condition(status, type_) for type_ in (RESOLUTION_FAILED, UNPACKING, UNPACK_FAILED)):
                drop_conditions(status, RESOLUTION_FAILED, UNPACKING, UNPACK_FAILED)
                status["lastUpdated"] = now()
            bundle = bundles.get(sub["metadata"]["name"])
            if bundle and reference:
                status |= {
                    "currentCSV": bundle.name,
                    "installPlanGeneration": generation,
                    "installPlanRef": reference,
                    "installplan": {
                        "apiVersion": reference["apiVersion"],
                        "kind": reference["kind"],
                        "name": reference["name"],
                        "uuid": reference["uid"],
                    },
                    "state": "UpgradePending",
                    "lastUpdated": now(),
                }
            await self._settle(sub, status)
        return None

    async def _settle(self, subscription: Object, status: Object) -> None:
        """Writes the outcome of a resolution even if the Subscription changed meanwhile: the plan exists already."""
        latest: Object | None = subscription
        while latest:
            try:
                await self.write_status(SUBSCRIPTIONS, latest, status)
            except ApiError as error:
                if not error.conflict:
                    raise
                name, namespace = latest["metadata"]["name"], latest["metadata"]["namespace"]
                latest = await self.client.get(SUBSCRIPTIONS, name, namespace)
            else:
                return

    def _has(self, subscription: Object, bundle: Bundle) -> bool:
        """Whether the Subscription is at that version: a copy of an operator of another namespace counts for OLM."""
        current = (subscription.get("status") or {}).get("currentCSV")
        there = self.cache(CSVS).get(subscription["metadata"]["namespace"], bundle.name)
        return current == bundle.name and there is not None

    def _behaviour(self, subscription: Object) -> Behaviour:
        spec = subscription["spec"]
        found = self.cache(CATALOG_SOURCES).get(spec["sourceNamespace"], spec["source"])
        return behaviour_of(found["spec"].get("image") if found else None)

    def _unpacking_takes(self, chosen: Sequence[tuple[Object, Bundle]]) -> float:
        """Seconds until all bundles have been unpacked; each is unpacked once for a Subscription."""
        left = 0.0
        for sub, bundle in chosen:
            begun = self._unpacking.setdefault((sub["metadata"]["uid"], bundle.name), time.monotonic())
            left = max(left, begun + self._behaviour(sub).unpack_seconds - time.monotonic())
        return left

    async def _set_condition(self, subscription: Object, condition: Object, *gone: str) -> bool:
        """Sets a condition and removes others; says whether that was news."""
        status = deepcopy(subscription.get("status") or {})
        if put_condition(status, condition):
            drop_conditions(status, *gone)
            status["lastUpdated"] = now()
            return await self.write_status(SUBSCRIPTIONS, subscription, status)
        return False

    async def _ensure_plan(
        self, namespace: str, subscriptions: Sequence[Object], chosen: Sequence[tuple[Object, Bundle]]
    ) -> tuple[Object, int]:
        """The InstallPlan of the next generation, created unless it is there; its reference and generation."""
        known = [(sub.get("status") or {}).get("installPlanGeneration", 0) for sub in subscriptions]
        plans = {found["spec"].get("generation", 0): found for found in self.cache(INSTALL_PLANS).list(namespace)}
        generation = max([*known, *plans], default=0) + 1
        manual = any(sub["spec"].get("installPlanApproval") == "Manual" for sub in subscriptions)
        steps = [
            step
            for sub, bundle in chosen
            for step in plan(bundle, namespace, sub["spec"]["source"], sub["spec"]["sourceNamespace"])
        ]
        created = await self.create(
            INSTALL_PLANS,
            {
                "metadata": {
                    "generateName": "install-",
                    "namespace": namespace,
                    "labels": component_label(chosen[0][0]["spec"]["name"], namespace),
                    "ownerReferences": [owner_reference(sub, SUBSCRIPTIONS) for sub, _ in chosen],
                },
                "spec": {
                    "approval": "Manual" if manual else "Automatic",
                    "approved": not manual,
                    "clusterServiceVersionNames": [bundle.name for _, bundle in chosen],
                    "generation": generation,
                },
            },
        )
        status = {
            "phase": "RequiresApproval" if manual else "Installing",
            "catalogSources": sorted({sub["spec"]["source"] for sub, _ in chosen}),
            "plan": steps,
            "bundleLookups": [
                lookup(bundle, sub["spec"]["source"], sub["spec"]["sourceNamespace"]) for sub, bundle in chosen
            ],
        }
        await self.write_status(INSTALL_PLANS, created, status)
        fields = {field: created["metadata"][field] for field in ("name", "namespace", "uid", "resourceVersion")}
        return {"apiVersion": INSTALL_PLANS.api_version, "kind": INSTALL_PLANS.kind, **fields}, generation


def _namespace(obj: Object) -> Iterable[Key]:
    return [(obj["metadata"]["namespace"], "")]


def _nothing(_: Object) -> Iterable[Key]:
    return []


def _waits_for_plan(subscription: Object) -> bool:
    status = subscription.get("status") or {}
    return bool(status.get("installPlanRef")) and status.get("state") == "UpgradePending"


def _condition(type_: str, status: str, reason: str, message: str) -> Object:
    condition = {"type": type_, "status": status, "reason": reason}
    return condition | ({"message": message} if message else {})
