# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OLM stand-in: ClusterServiceVersions are installed, watched over, replaced and cleaned up.

As operator-lifecycle-manager does it in pkg/controller/operators/olm/operator.go (transitionCSVState,
operatorGroupForCSV, updateInstallStatus, syncCopyCSV).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import deepcopy
from typing import ClassVar

from sandbox.client import Object
from sandbox.controllers.olm_base import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    OlmController,
    is_copied,
    owner_reference,
    seconds_since,
)
from sandbox.controllers.olm_csv_rules import (
    OPERATOR_GROUP_REASONS,
    OWNER_CONFLICT,
    deployment_problem,
    deployments,
    install_mode_problem,
    requirements,
    set_phase,
)
from sandbox.controllers.olm_operator_groups import (
    PROVIDED_APIS,
    annotations_for,
    apis_of,
    intersecting,
    provided_apis,
)
from sandbox.controllers.runtime import Key, Watch, itself, owner
from sandbox.faults import switches
from sandbox.faults.book import Fault
from sandbox.kinds import CRDS, CSVS, DEPLOYMENTS, OPERATOR_GROUPS, SERVICE_ACCOUNTS

FINALIZER = "operators.coreos.com/csv-cleanup"
INSTALL_SECONDS = 300.0
"""How long a Deployment may take before the installation counts as failed."""


class CsvController(OlmController):
    """One step a reconcile: every phase is written, so that whoever watches sees all of them."""

    name: ClassVar[str] = "olm"

    def __init__(self) -> None:
        super().__init__()
        self._server_version = "v1.28.0"

    def watches(self) -> Sequence[Watch]:
        return [
            Watch(CSVS, self._beside),
            Watch(OPERATOR_GROUPS, self._with_group),
            Watch(SERVICE_ACCOUNTS, self._beside),
            Watch(DEPLOYMENTS, owner(CSVS.kind)),
            Watch(CRDS, self._everywhere),
        ]

    def _beside(self, obj: Object) -> Iterable[Key]:
        """All ClusterServiceVersions of the namespace: they look at one another's phases."""
        namespace = obj["metadata"]["namespace"]
        beside = [(namespace, csv["metadata"]["name"]) for csv in self.cache(CSVS).list(namespace)]
        return [*(itself(obj) if obj["kind"] == CSVS.kind else ()), *beside]

    def _with_group(self, group: Object) -> Iterable[Key]:
        """Those of its namespace, and those that wait for a group to let go of what they provide."""
        waiting = [
            (csv["metadata"]["namespace"], csv["metadata"]["name"])
            for csv in self.cache(CSVS).list()
            if (csv.get("status") or {}).get("reason") == OWNER_CONFLICT
        ]
        return [*self._beside(group), *waiting]

    def _everywhere(self, crd: Object) -> Iterable[Key]:
        for csv in self.cache(CSVS).list():
            owned = csv["spec"].get("customresourcedefinitions", {}).get("owned", [])
            if any(entry["name"] == crd["metadata"]["name"] for entry in owned):
                yield csv["metadata"]["namespace"], csv["metadata"]["name"]

    async def start(self) -> None:
        await super().start()
        self._server_version = (await self.client.request("GET", "/version"))["gitVersion"]

    async def reconcile(self, key: Key) -> float | None:
        csv = self.cache(CSVS).get(*key)
        if csv is None or is_copied(csv):
            return None
        meta = csv["metadata"]
        if meta.get("deletionTimestamp"):
            await self._clean_up(csv)
            return None
        if FINALIZER not in (meta.get("finalizers") or []):
            await self.patch(CSVS, csv, {"metadata": {"finalizers": [*(meta.get("finalizers") or []), FINALIZER]}})
            return None
        status = deepcopy(csv.get("status") or {})
        if await self._operator_group_wrong(csv, status):
            return None
        next_status = await self._advance(csv, status)
        await self._write(csv, next_status)
        if next_status.get("phase") == "Installing":
            return INSTALL_SECONDS + 1
        return None

    async def _write(self, csv: Object, status: Object) -> None:
        """Writes the status; a new phase, reason or message is an event, too (SetPhaseWithEventIfChanged)."""
        before, fields = csv.get("status") or {}, ("phase", "reason", "message")
        if not await self.write_status(CSVS, csv, status) or all(before.get(key) == status.get(key) for key in fields):
            return
        tell = self.recorder.warning if status["phase"] == "Failed" else self.recorder.normal
        await tell(CSVS, csv, status["reason"], status["message"])

    async def _clean_up(self, csv: Object) -> None:
        labels = {"olm.owner": csv["metadata"]["name"], "olm.owner.namespace": csv["metadata"]["namespace"]}
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        for resource in (CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES):
            items, _ = await self.client.list(resource, label_selector=selector)
            for item in items:
                await self.client.delete(resource, item["metadata"]["name"])
        finalizers = csv["metadata"].get("finalizers") or []
        if FINALIZER in finalizers:
            rest = [entry for entry in finalizers if entry != FINALIZER]
            await self.patch(CSVS, csv, {"metadata": {"finalizers": rest}})

    async def _operator_group_wrong(self, csv: Object, status: Object) -> bool:
        """Whether the namespace's OperatorGroup keeps the operator from running; then says so in the status."""
        namespace = csv["metadata"]["namespace"]
        groups = self.cache(OPERATOR_GROUPS).list(namespace)
        problem: tuple[str, str] | None = None
        if not groups:
            problem = ("NoOperatorGroup", "csv in namespace with no operatorgroups")
        elif len(groups) > 1:
            problem = (
                "TooManyOperatorGroups",
                "csv created in namespace with multiple operatorgroups, can't pick one automatically",
            )
        else:
            targets = (groups[0].get("status") or {}).get("namespaces")
            if targets is None:
                return True  # the group itself is not ready
            wanted, annotations = annotations_for(groups[0]), csv["metadata"].get("annotations") or {}
            if not wanted.items() <= annotations.items():
                await self.patch(CSVS, csv, {"metadata": {"annotations": wanted}})
                return True
            if message := install_mode_problem(csv, targets):
                problem = ("UnsupportedOperatorGroup", message)
            elif not provided_apis(csv) <= apis_of(groups[0]):
                if not self._provided_elsewhere(csv, groups[0]):
                    apis = {PROVIDED_APIS: ",".join(sorted(apis_of(groups[0]) | provided_apis(csv)))}
                    await self.patch(OPERATOR_GROUPS, groups[0], {"metadata": {"annotations": apis}})
                    return True
                problem = (OWNER_CONFLICT, "intersecting operatorgroups provide the same apis")
        if problem is None:
            return False
        if problem[0] == OWNER_CONFLICT and status.get("reason") != OWNER_CONFLICT:
            await self._delete_deployments(csv)
        await self._write(csv, set_phase(status, "Failed", *problem))
        return True

    def _provided_elsewhere(self, csv: Object, group: Object) -> bool:
        """Whether an OperatorGroup that covers some of the same namespaces has an operator for the same APIs."""
        others = intersecting(group, self.cache(OPERATOR_GROUPS).list())
        return any(apis_of(other) & provided_apis(csv) for other in others)

    async def _delete_deployments(self, csv: Object) -> None:
        for wanted in deployments(csv):
            await self.client.delete(DEPLOYMENTS, wanted["metadata"]["name"], wanted["metadata"]["namespace"])

    def _others(self, csv: Object) -> list[Object]:
        beside = self.cache(CSVS).list(csv["metadata"]["namespace"])
        return [
            other for other in beside if other["metadata"]["name"] != csv["metadata"]["name"] and not is_copied(other)
        ]

    def _replaced_by(self, csv: Object) -> Object | None:
        """The ClusterServiceVersion that is to take this one's place."""
        name = csv["metadata"]["name"]
        return next((other for other in self._others(csv) if other["spec"].get("replaces") == name), None)

    def _replaces(self, csv: Object) -> Object | None:
        """The ClusterServiceVersion whose place this one is to take."""
        name = csv["spec"].get("replaces")
        return next((other for other in self._others(csv) if other["metadata"]["name"] == name), None)

    def _requirements(self, csv: Object) -> tuple[bool, list[Object]]:
        crds = {crd["metadata"]["name"]: crd for crd in self.cache(CRDS).list()}
        accounts = self.cache(SERVICE_ACCOUNTS).list(csv["metadata"]["namespace"])
        return requirements(csv, crds, [entry["metadata"]["name"] for entry in accounts], self._server_version)

    async def _advance(self, csv: Object, status: Object) -> Object:
        """The status after one more step."""
        if fault := switches.on("csv-failing"):
            return self._fail(status, fault)
        match status.get("phase", ""):
            case "":
                return set_phase(status, "Pending", "RequirementsUnknown", "requirements not yet checked")
            case "Pending":
                return self._pending(csv, status)
            case "InstallReady":
                await self._install(csv)
                message = "waiting for install components to report healthy"
                return set_phase(status, "Installing", "InstallSucceeded", message)
            case "Installing":
                return self._check(csv, status, ("Installing", "InstallWaiting"))
            case "Succeeded":
                return self._succeeded(csv, status)
            case "Failed":
                return self._failed(csv, status)
            case "Replacing":
                follower = self._replaced_by(csv)
                if follower and (follower.get("status") or {}).get("phase") == "Succeeded":
                    message = "has been replaced by a newer ClusterServiceVersion that has successfully installed."
                    return set_phase(status, "Deleting", "Replaced", message)
            case "Deleting":
                await self.client.delete(CSVS, csv["metadata"]["name"], csv["metadata"]["namespace"])
        return status

    def _fail(self, status: Object, fault: Fault) -> Object:
        if status.get("phase") == "Failed":
            return status
        switches.strike(fault, str(status.get("phase") or "new"))
        return set_phase(
            status, "Failed", "InstallComponentFailed", f"install strategy failed: {fault.text('message')}"
        )

    def _pending(self, csv: Object, status: Object) -> Object:
        met, entries = self._requirements(csv)
        status["requirementStatus"] = entries
        if not met:
            return set_phase(status, "Pending", "RequirementsNotMet", "one or more requirements couldn't be found")
        older = self._replaces(csv)
        if older and (older.get("status") or {}).get("phase") not in ("Replacing", "Deleting"):
            return status
        return set_phase(status, "InstallReady", "AllRequirementsMet", "all requirements found, attempting install")

    def _succeeded(self, csv: Object, status: Object) -> Object:
        if follower := self._replaced_by(csv):
            message = f"being replaced by csv: {follower['metadata']['name']}"
            return set_phase(status, "Replacing", "BeingReplaced", message)
        met, entries = self._requirements(csv)
        if not met:
            status["requirementStatus"] = entries
            return set_phase(status, "Failed", "RequirementsNotMet", "requirements no longer met")
        return self._check(csv, status, ("Failed", "ComponentUnhealthy"))

    def _failed(self, csv: Object, status: Object) -> Object:
        if status.get("reason") in (*OPERATOR_GROUP_REASONS, OWNER_CONFLICT):
            message = "InstallModes now support target namespaces"
            if status["reason"] == OWNER_CONFLICT:
                message = "OperatorGroup no longer intersecting with conflicting owner"
            return set_phase(status, "Pending", "RequirementsUnknown", message)
        met, entries = self._requirements(csv)
        if not met:
            status["requirementStatus"] = entries
            return set_phase(status, "Pending", "RequirementsNotMet", "requirements not met")
        return self._check(csv, status, ("Pending", "NeedsReinstall"))

    async def _install(self, csv: Object) -> None:
        for wanted in deployments(csv):
            wanted["metadata"]["ownerReferences"] = [owner_reference(csv, CSVS)]
            await self.apply(DEPLOYMENTS, wanted)

    def _check(self, csv: Object, status: Object, otherwise: tuple[str, str]) -> Object:
        """Succeeded when every Deployment is available; ``otherwise`` is the phase and reason for the time being."""
        phase, reason = otherwise
        for wanted in deployments(csv):
            found = self.cache(DEPLOYMENTS).get(wanted["metadata"]["namespace"], wanted["metadata"]["name"])
            problem = deployment_problem(wanted, found)
            if problem is None:
                continue
            kind, why = problem
            if kind == "failed":
                return set_phase(status, "Failed", "InstallCheckFailed", f"install failed: {why}")
            if phase == "Installing" and seconds_since(status["lastTransitionTime"]) >= INSTALL_SECONDS:
                return set_phase(status, "Failed", "InstallCheckFailed", "install timeout")
            return set_phase(status, "InstallReady" if kind == "changed" else phase, reason, f"installing: {why}")
        return set_phase(status, "Succeeded", "InstallSucceeded", "install strategy completed with no errors")
