# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Operator Lifecycle Manager v0: its objects as manifests, and where an installation stands. Pure functions.

Conditions and states are those of operator-framework's operator-lifecycle-manager.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.mcpops.gateway.plugins.module_utils import _conditions

Object = t.Mapping[str, t.Any]

GROUP = "operators.coreos.com"
V1ALPHA1 = f"{GROUP}/v1alpha1"
V1 = f"{GROUP}/v1"
PACKAGES = f"packages.{GROUP}/v1"

FAILURES: dict[str, float] = {
    "ResolutionFailed": 3.0,
    "BundleUnpackFailed": 0.0,
    "InstallPlanFailed": 0.0,
    "CatalogSourcesUnhealthy": 5.0,
}
"""Subscription conditions that, when True, stop an installation, with the seconds for which they may be passing."""

FINAL_CSV_REASONS = frozenset(
    {
        "UnsupportedOperatorGroup",
        "TooManyOperatorGroups",
        "NoOperatorGroup",
        "InterOperatorGroupOwnerConflict",
        "OwnerConflict",
        "CannotModifyStaticOperatorGroupProvidedAPIs",
    }
)
"""Reasons of a failed CSV that OLM does not get over by trying again."""
CSV_GRACE = 10.0
"""Seconds for which any other failed CSV may be one that OLM is about to try again."""

PLAN, INSTALL, CSV, APPROVE, DONE, FAILED = "plan", "install", "csv", "approve", "done", "failed"


@dataclass(frozen=True)
class Stage:
    """Where an installation stands.

    ``step`` is one of the names above; ``key`` tells two visits of one step apart (another plan, another CSV);
    ``seen`` is the state in words, ``fix`` a hint; ``grace`` seconds must pass before a failure counts.
    """

    step: str
    key: str
    seen: str
    fix: str = ""
    grace: float = 0.0


@dataclass(frozen=True)
class Wish:
    """What of the options decides about progress."""

    namespace: str
    approve: bool
    starting_csv: str | None = None
    head: str | None = None
    """The channel's newest CSV, when the Subscription was just changed and its status may still be of before."""


def operator_group(name: str, namespace: str, targets: t.Sequence[str]) -> dict[str, t.Any]:
    """An OperatorGroup; without targets it selects all namespaces."""
    spec = {"targetNamespaces": list(targets)} if targets else {}
    return {"apiVersion": V1, "kind": "OperatorGroup", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def subscription(params: t.Mapping[str, t.Any], live: Object | None) -> dict[str, t.Any]:
    """A Subscription. ``startingCSV`` only counts when it is made: later runs keep what is there."""
    manifest: dict[str, t.Any] = {
        "apiVersion": V1ALPHA1,
        "kind": "Subscription",
        "metadata": {"name": params["name"], "namespace": params["namespace"]},
    }
    if params["state"] == "absent":
        return manifest
    spec = {
        "name": params["package"] or params["name"],
        "source": params["source"],
        "sourceNamespace": params["source_namespace"],
        "channel": params["channel"],
        "installPlanApproval": params["install_plan_approval"],
        "startingCSV": params["starting_csv"] if live is None else (live.get("spec") or {}).get("startingCSV"),
    }
    manifest["spec"] = {key: value for key, value in spec.items() if value}
    return manifest


def group_problem(groups: t.Sequence[Object], namespace: str, targets: t.Sequence[str]) -> str:
    """Why the OperatorGroups of the namespace prevent the installation, or an empty text.

    OLM: a namespace has exactly one; two make every CSV in it fail (TooManyOperatorGroups).
    """
    names = [group["metadata"]["name"] for group in groups]
    if len(groups) > 1:
        return (
            f"the namespace {namespace} has {len(groups)} OperatorGroups ({', '.join(sorted(names))}) and OLM works "
            "with exactly one; "
            "remove all but one"
        )
    if not groups or _group_fits(groups[0], targets):
        return ""
    own = (groups[0].get("spec") or {}).get("targetNamespaces") or []
    return (
        f"the namespace {namespace} already has the OperatorGroup {names[0]} for "
        f"{', '.join(own) or 'a selection of namespaces'}, which does not "
        f"cover {', '.join(targets) or 'all namespaces'}; change that OperatorGroup, or set "
        "operator_group.target_namespaces to what it has"
    )


def _group_fits(group: Object, targets: t.Sequence[str]) -> bool:
    spec = group.get("spec") or {}
    own = spec.get("targetNamespaces") or []
    if not own and not spec.get("selector"):
        return True
    return bool(targets) and set(targets) <= set(own)


def stage(sub: Object | None, plans: t.Mapping[str, Object], csvs: t.Mapping[str, Object], wish: Wish) -> Stage:
    """Where the installation stands, from the Subscription and the InstallPlans and CSVs of its namespace, by name."""
    if sub is None:
        return Stage(FAILED, "", "the Subscription was removed meanwhile")
    status = sub.get("status") or {}
    installed, current = status.get("installedCSV"), status.get("currentCSV")
    ready = bool(installed) and _phase(csvs.get(str(installed))) == "Succeeded"
    stale = wish.head is not None and installed != wish.head
    if ready and installed == current and not stale:
        return Stage(DONE, str(installed), f"CSV {installed} is Succeeded")
    plan = plans.get(str((status.get("installPlanRef") or {}).get("name")))
    if plan is not None and _phase(plan) == "RequiresApproval" and not (plan.get("spec") or {}).get("approved"):
        return _approval(plan, str(installed or ""), csvs, wish)
    failure = _failure(status)
    if failure is not None:
        return failure
    if plan is None:
        return Stage(PLAN, "", _without_plan(status), _hint_without_plan(wish))
    if _phase(plan) == "Failed":
        said = _plan_trouble(plan) or "no reason given"
        return Stage(FAILED, "", f"InstallPlan {plan['metadata']['name']} failed: {said}")
    if _phase(plan) != "Complete":
        name = plan["metadata"]["name"]
        said = _plan_trouble(plan)
        trouble = f" ({said})" if said else ""
        return Stage(INSTALL, name, f"InstallPlan {name} has the phase {_phase(plan) or 'not set'}{trouble}")
    return _csv_stage(str(current or installed or ""), csvs, stale, wish)


def _phase(live: Object | None) -> str:
    return str(((live or {}).get("status") or {}).get("phase") or "")


def plan_csvs(plan: Object) -> list[str]:
    """Every CSV that approving the plan installs."""
    return [str(name) for name in (plan.get("spec") or {}).get("clusterServiceVersionNames") or []]


def _approval(plan: Object, installed: str, csvs: t.Mapping[str, Object], wish: Wish) -> Stage:
    """A plan waits for approval. OLM makes the plan of an upgrade as soon as the CSV before it exists, and long
    before that has Succeeded (its resolver only looks at ``status.installedCSV``): a plan that is not ours to approve
    is no failure then, and what is installed is followed."""
    name = plan["metadata"]["name"]
    offered = ", ".join(plan_csvs(plan))
    if wish.approve and (wish.starting_csv is None or wish.starting_csv in plan_csvs(plan)):
        return Stage(APPROVE, name, f"InstallPlan {name} for {offered} waits for approval")
    if wish.head is None and installed in csvs and installed not in plan_csvs(plan):
        if _phase(csvs[installed]) != "Succeeded":
            return _csv_stage(installed, csvs, stale=False, wish=wish)
        said = f"CSV {installed} is Succeeded; InstallPlan {name} for {offered} waits for approval"
        return Stage(DONE, installed, said)
    return Stage(
        FAILED,
        name,
        f"InstallPlan {name} for {offered} waits for approval (RequiresApproval)",
        f"set approve to true, or approve it by hand: oc patch installplan {name} -n {wish.namespace} --type merge -p "
        '\'{"spec":{"approved":true}}\'',
    )


def _failure(status: Object) -> Stage | None:
    for name, grace in FAILURES.items():
        condition = _conditions.find(status.get("conditions"), name)
        if condition is not None and str(condition.get("status")) == "True":
            said = ": ".join(str(condition[key]) for key in ("reason", "message") if condition.get(key))
            return Stage(FAILED, "", f"{name} ({said})" if said else name, _HINTS.get(name, ""), grace)
    return None


_HINTS = {
    "ResolutionFailed": "check package, channel and catalog, and what else is subscribed in the namespace",
    "BundleUnpackFailed": "the bundle image could not be unpacked: check the pull secret and the registry, delete the "
    "failed job in the catalog's namespace and the InstallPlan, and run again",
    "CatalogSourcesUnhealthy": "look at the CatalogSource and its pod",
    "InstallPlanFailed": "look at the InstallPlan's conditions",
}


def _without_plan(status: Object) -> str:
    said = [
        f"{name} ({condition.get('reason') or ''}: {condition.get('message') or ''})"
        for name in ("InstallPlanMissing", "BundleUnpacking", "InstallPlanPending")
        if (condition := _conditions.find(status.get("conditions"), name)) is not None
        and condition.get("status") == "True"
    ]
    state = status.get("state")
    return "; ".join(said) or (
        f"the Subscription's state is {state}" if state else "the Subscription has no status yet"
    )


def _hint_without_plan(wish: Wish) -> str:
    return (
        f"is the Operator Lifecycle Manager running, and does the OperatorGroup of namespace {wish.namespace} fit the "
        "operator's install modes?"
    )


def _plan_trouble(plan: Object) -> str:
    """What OLM says of a plan that is not carried out, if anything: its condition, or the error that it tries again."""
    status = plan.get("status") or {}
    condition = _conditions.find(status.get("conditions"), "Installed") or {}
    said = ": ".join(str(condition[key]) for key in ("reason", "message") if condition.get(key))
    return said or str(status.get("message") or "")


def _csv_stage(name: str, csvs: t.Mapping[str, Object], stale: bool, wish: Wish) -> Stage:
    csv = csvs.get(name)
    if csv is None:
        return Stage(CSV, name, f"CSV {name} does not exist yet")
    status = csv.get("status") or {}
    said = ": ".join(str(status[key]) for key in ("reason", "message") if status.get(key))
    seen = f"CSV {name} has the phase {_phase(csv) or 'not set'}" + (f" ({said})" if said else "")
    missing = [
        f"{entry.get('kind')} {entry.get('name')}"
        for entry in status.get("requirementStatus") or []
        if entry.get("status") not in {"Present", "PresentSatisfied"}
    ]
    if missing and _phase(csv) == "Pending":
        seen += f"; missing: {', '.join(missing[:5])}"
    if _phase(csv) == "Failed":
        grace = 0.0 if status.get("reason") in FINAL_CSV_REASONS else CSV_GRACE
        return Stage(
            FAILED, name, seen, f"look at the operator's Deployment and its pods in namespace {wish.namespace}", grace
        )
    if _phase(csv) == "Succeeded" and stale:
        return Stage(
            CSV,
            name,
            f"{seen}, and the channel's newest is {wish.head}",
            "is there an upgrade path from one to the other?",
        )
    return Stage(CSV, name, seen, f"look at the operator's Deployment and its pods in namespace {wish.namespace}")


def owned_crds(csv: Object | None) -> list[str]:
    """The CRDs that a CSV brings."""
    owned = (((csv or {}).get("spec") or {}).get("customresourcedefinitions") or {}).get("owned") or []
    return [str(entry["name"]) for entry in owned if entry.get("name")]


def channel_problem(package: Object, channel: str | None, starting_csv: str | None) -> str:
    """Why a PackageManifest lacks what is asked for (completes "the package X of catalog Y ..."), or an empty text."""
    channels = (package.get("status") or {}).get("channels") or []
    by_name = {entry.get("name"): entry for entry in channels}
    if channel and channel not in by_name:
        return f"has no channel {channel}; it has: {', '.join(sorted(map(str, by_name))) or 'none'}"
    chosen = by_name.get(channel or default_channel(package))
    entries = [entry.get("name") for entry in (chosen or {}).get("entries") or []]
    if starting_csv and entries and starting_csv not in entries:
        there = ", ".join(map(str, entries))
        return f"has no version {starting_csv} in the channel {(chosen or {}).get('name')}; it has: {there}"
    return ""


def default_channel(package: Object) -> str | None:
    """The channel that OLM takes when none is named."""
    found = (package.get("status") or {}).get("defaultChannel")
    return str(found) if found else None


def head_of(package: Object | None, channel: str | None) -> str | None:
    """The newest CSV of a channel, as the PackageManifest says."""
    wanted = channel or default_channel(package or {})
    for entry in ((package or {}).get("status") or {}).get("channels") or []:
        if entry.get("name") == wanted and entry.get("currentCSV"):
            return str(entry["currentCSV"])
    return None
