# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""What in a namespace lets an operator be installed there by OLM v0, or prevents it. Pure functions.

Every function completes a sentence of the form "Subscription X is not made: ..." and returns an empty text when
nothing is in the way. The stand-in for OLM of the tests decides by the same rule about install modes.
"""

from __future__ import annotations

import typing as t

Object = t.Mapping[str, t.Any]

GROUP = "operators.coreos.com"
GENERATED_BY = "olm.generated-by"
"""Annotation of a Subscription that OLM itself has made, for an operator that another one depends on."""
COPIED = "olm.copiedFrom"
"""Label of a CSV that only shows an operator of another namespace."""
ALL_NAMESPACES = ""


def component_label(package: str, namespace: str) -> str:
    """The label that OLM puts on everything that belongs to an installed package."""
    return f"{GROUP}/{package}.{namespace}"


def package_rival(subs: t.Iterable[Object], name: str, package: str) -> str:
    """Another Subscription of the same package: OLM resolves a namespace as a whole and installs a package once."""
    for sub in subs:
        other = sub["metadata"]["name"]
        if other == name or (sub.get("spec") or {}).get("name") != package:
            continue
        return (
            f"the Subscription {other} of the same namespace already has the package {package}; set name to {other} "
            "to manage that one, or remove it first"
        )
    return ""


def stray_csv(
    csvs: t.Iterable[Object], subs: t.Iterable[Object], package: str, namespace: str, known: t.Collection[str]
) -> str:
    """A CSV of the package that no Subscription accounts for, as it stays when a Subscription alone is deleted.

    OLM's resolver demands that such a CSV stays and refuses every other of the package (ResolutionFailed,
    "exists and is not referenced by a subscription"). ``known`` are the names of the package's CSVs in the catalog.
    """
    statuses = [sub.get("status") or {} for sub in subs]
    claimed = {status.get(field) for status in statuses for field in ("installedCSV", "currentCSV")}
    for csv in csvs:
        name, labels = csv["metadata"]["name"], csv["metadata"].get("labels") or {}
        if COPIED in labels or name in claimed or csv["metadata"].get("deletionTimestamp"):
            continue
        labelled = component_label(package, namespace) in labels
        if labelled or name in known:
            return (
                f"the ClusterServiceVersion {name} of an earlier installation is still there, belongs to no "
                "Subscription, and keeps OLM from installing the package (ResolutionFailed); remove it (oc delete "
                f"clusterserviceversion {name} -n {namespace}{', or this module with state: absent' * labelled}; the "
                "CRDs and their objects stay)"
            )
    return ""


def group_problem(groups: t.Sequence[Object], namespace: str, targets: t.Sequence[str]) -> str:
    """Why the OperatorGroups of the namespace prevent the installation.

    OLM: a namespace has exactly one; two make every CSV in it fail (TooManyOperatorGroups).
    """
    names = [group["metadata"]["name"] for group in groups]
    if len(groups) > 1:
        return (
            f"the namespace {namespace} has {len(groups)} OperatorGroups ({', '.join(sorted(names))}) and OLM works "
            "with exactly one; remove all but one"
        )
    if not groups or _group_fits(groups[0], targets):
        return ""
    own = (groups[0].get("spec") or {}).get("targetNamespaces") or []
    return (
        f"the namespace {namespace} already has the OperatorGroup {names[0]} for "
        f"{', '.join(own) or 'a selection of namespaces'}, which does not cover "
        f"{', '.join(targets) or 'all namespaces'}; change that OperatorGroup, or set "
        "operator_group.target_namespaces to what it has"
    )


def _group_fits(group: Object, targets: t.Sequence[str]) -> bool:
    spec = group.get("spec") or {}
    own = spec.get("targetNamespaces") or []
    if not own and not spec.get("selector"):
        return True
    return bool(targets) and set(targets) <= set(own)


def group_namespaces(group: Object) -> list[str] | None:
    """What an OperatorGroup selects, ``[""]`` for all namespaces; None when only OLM knows (a selector)."""
    spec = group.get("spec") or {}
    if spec.get("targetNamespaces"):
        return list(spec["targetNamespaces"])
    if not spec.get("selector"):
        return [ALL_NAMESPACES]
    found = (group.get("status") or {}).get("namespaces")
    return list(found) if found else None


def modes_problem(modes: t.Sequence[Object], own: str, namespaces: t.Sequence[str]) -> str:
    """Why an operator with these ``installModes`` cannot watch the namespaces that its OperatorGroup selects."""
    problem = install_mode_problem(modes, own, namespaces) if modes else None
    if problem is None:
        return ""
    supported = [str(mode["type"]) for mode in modes if mode.get("supported")]
    ways = [text for mode, text in _WAYS.items() if mode in supported]
    return (
        f"the operator cannot be installed so ({problem}); it supports {', '.join(supported) or 'no install mode'}: "
        f"set operator_group.target_namespaces to {' or '.join(ways) or 'what it supports'}, or change the "
        "OperatorGroup that is there"
    )


_WAYS = {
    "AllNamespaces": "[] (all namespaces)",
    "OwnNamespace": "its own namespace",
    "SingleNamespace": "one other namespace",
}


def install_mode_problem(modes: t.Iterable[Object], own: str, namespaces: t.Sequence[str]) -> str | None:
    """OLM's own words on why the install modes do not allow these namespaces ("" stands for all of them).

    Source: operator-lifecycle-manager, InstallModeSet.Supports.
    """
    supported = {mode["type"]: mode.get("supported") for mode in modes}
    if not namespaces:
        return "operatorgroup has invalid selected namespaces, cannot configure to watch zero namespaces"
    if len(namespaces) > 1:
        if not supported.get("MultiNamespace"):
            return (
                f"MultiNamespace InstallModeType not supported, cannot configure to watch {len(namespaces)} namespaces"
            )
        if own in namespaces and not supported.get("OwnNamespace"):
            return "OwnNamespace InstallModeType not supported, cannot configure to watch own namespace"
        return None
    needed, watched = {
        own: ("OwnNamespace", "own namespace"),
        ALL_NAMESPACES: ("AllNamespaces", "all namespaces"),
    }.get(namespaces[0], ("SingleNamespace", "one namespace"))
    if supported.get(needed):
        return None
    return f"{needed} InstallModeType not supported, cannot configure to watch {watched}"


def strangers_of(plan_csvs: t.Collection[str], subs: t.Iterable[Object], name: str) -> list[str]:
    """Subscriptions of somebody else whose operators an InstallPlan would install too, as ``NAME (CSV)``.

    Those that OLM made itself are dependencies of an operator of the plan, and part of installing it.
    """
    found = []
    for sub in subs:
        metadata, status = sub["metadata"], sub.get("status") or {}
        csv = status.get("currentCSV")
        generated = GENERATED_BY in (metadata.get("annotations") or {})
        if metadata["name"] != name and not generated and csv in plan_csvs and csv != status.get("installedCSV"):
            found.append(f"{metadata['name']} ({csv})")
    return sorted(found)
