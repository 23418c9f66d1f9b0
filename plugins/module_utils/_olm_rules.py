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
from ansible_collections.mcpops.gateway.plugins.module_utils._olm_neighbours import GROUP, strangers_of

Object = t.Mapping[str, t.Any]

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
APPROVAL_GRACE = 5.0
"""Seconds in which the CSV that was asked for must show, when a plan for another one waits for approval."""

PLAN, UNPACK, INSTALL, CSV = "plan", "unpack", "install", "csv"
APPROVE, DONE, FAILED = "approve", "done", "failed"


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
    """What of the options decides about progress. ``name`` is the Subscription's."""

    namespace: str
    name: str
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


def stage(
    sub: Object | None,
    plans: t.Mapping[str, Object],
    csvs: t.Mapping[str, Object],
    wish: Wish,
    others: t.Sequence[Object] = (),
) -> Stage:
    """Where the installation stands, from the Subscription and the InstallPlans and CSVs of its namespace, by name.

    ``others`` are the other Subscriptions of the namespace.
    """
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
        return _approval(plan, str(installed or ""), csvs, wish, others)
    failure = _failure(status)
    if failure is not None:
        return failure
    if plan is None:
        step = UNPACK if _is_true(status, UNPACKING) else PLAN
        return Stage(step, "", _without_plan(status), _hint_without_plan(wish) if step == PLAN else _UNPACK_HINT)
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


def _approval(
    plan: Object, installed: str, csvs: t.Mapping[str, Object], wish: Wish, others: t.Sequence[Object]
) -> Stage:
    """A plan waits for approval.

    OLM makes the plan of an upgrade as soon as the CSV before it exists, long before that has Succeeded (its resolver
    only looks at whether it is there), and the news of the three kinds come in any order: a plan that is not ours to
    approve is no failure while what was asked for is there or may yet show."""
    name, inside = plan["metadata"]["name"], plan_csvs(plan)
    offered = ", ".join(inside)
    waits = f"InstallPlan {name} for {offered} waits for approval"
    by_hand = (
        f"approve it by hand: oc patch installplan {name} -n {wish.namespace} --type merge -p "
        '\'{"spec":{"approved":true}}\''
    )
    ours = wish.approve and (wish.starting_csv is None or wish.starting_csv in inside)
    strangers = strangers_of(inside, others, wish.name) if ours else []
    if ours and not strangers:
        return Stage(APPROVE, name, waits)
    running = installed if installed in csvs else wish.starting_csv or ""
    if wish.head is None and running in csvs and running not in inside:
        if _phase(csvs[running]) != "Succeeded":
            return _csv_stage(running, csvs, stale=False, wish=wish)
        return Stage(DONE, running, f"CSV {running} is Succeeded; {waits}")
    if strangers:
        return Stage(
            FAILED,
            name,
            f"{waits}, and is not approved because it also installs what others have asked for: the Subscriptions "
            f"{', '.join(strangers)}",
            f"{by_hand}, or install the operator into a namespace of its own",
        )
    grace = APPROVAL_GRACE if installed or wish.approve else 0.0
    return Stage(FAILED, name, f"{waits} (RequiresApproval)", f"{_not_ours(inside, wish)}, or {by_hand}", grace)


def _not_ours(inside: t.Sequence[str], wish: Wish) -> str:
    if wish.approve:
        return f"it does not install {wish.starting_csv}: set starting_csv to what it installs ({', '.join(inside)})"
    return "set approve to true"


def _failure(status: Object) -> Stage | None:
    for name, grace in FAILURES.items():
        if _is_true(status, name):
            condition = _conditions.find(status.get("conditions"), name) or {}
            said = ": ".join(str(condition[key]) for key in ("reason", "message") if condition.get(key))
            hint = _STRAY_HINT if _STRAY in said else _HINTS.get(name, "")
            return Stage(FAILED, "", f"{name} ({said})" if said else name, hint, grace)
    return None


def _is_true(status: Object, name: str) -> bool:
    return str((_conditions.find(status.get("conditions"), name) or {}).get("status")) == "True"


UNPACKING = "BundleUnpacking"
"""OLM makes no InstallPlan before the operator's bundle image is pulled and unpacked."""
_UNPACK_HINT = "is the bundle's image being pulled? Look at the newest Job in the catalog's namespace"
_HINTS = {
    "ResolutionFailed": "check package, channel and catalog, and what else is subscribed in the namespace",
    "BundleUnpackFailed": "the bundle image could not be unpacked: check the pull secret and the registry, delete the "
    "failed job in the catalog's namespace and the InstallPlan, and run again",
    "CatalogSourcesUnhealthy": "look at the CatalogSource and its pod",
    "InstallPlanFailed": "look at the InstallPlan's conditions",
}


_STRAY = "is not referenced by a subscription"
_STRAY_HINT = (
    "remove that ClusterServiceVersion, which stayed when its Subscription was removed (CRDs and their objects stay)"
)


def _without_plan(status: Object) -> str:
    said = [
        f"{name} ({condition.get('reason') or ''}: {condition.get('message') or ''})"
        for name in ("InstallPlanMissing", UNPACKING, "InstallPlanPending")
        if _is_true(status, name) and (condition := _conditions.find(status.get("conditions"), name)) is not None
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
    found = _channel(package, channel).get("currentCSV")
    return str(found) if found else None


def versions_in(package: Object | None, channel: str | None) -> list[str]:
    """Names of the CSVs of a channel, as far as the PackageManifest names them."""
    chosen = _channel(package, channel)
    names = [chosen.get("currentCSV"), *(entry.get("name") for entry in chosen.get("entries") or [])]
    return [str(name) for name in names if name]


def install_modes(package: Object | None, channel: str | None) -> list[Object]:
    """The ``installModes`` of a channel's newest CSV, as far as the PackageManifest tells them."""
    return list((_channel(package, channel).get("currentCSVDesc") or {}).get("installModes") or [])


def _channel(package: Object | None, channel: str | None) -> Object:
    wanted = channel or default_channel(package or {})
    for entry in ((package or {}).get("status") or {}).get("channels") or []:
        if entry.get("name") == wanted:
            return dict(entry)
    return {}
