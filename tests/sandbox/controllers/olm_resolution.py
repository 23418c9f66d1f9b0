# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OLM stand-in: what a Subscription resolves to. Pure functions; the texts are those of OLM's resolver."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.catalog import Bundle, Package

Object = Mapping[str, Any]


class NotSatisfiableError(Exception):
    """Nothing fulfils the constraints; the condition's reason is ConstraintsNotSatisfiable."""

    def __init__(self, *constraints: str) -> None:
        super().__init__(f"constraints not satisfiable: {', '.join(constraints)}")


@dataclass(frozen=True, slots=True)
class Catalog:
    """A catalogue that a Subscription may take from: by name and namespace, with its packages."""

    name: str
    namespace: str
    packages: Sequence[Package]


def resolve(subscription: Object, catalog: Catalog | None, csvs: Sequence[Object]) -> Bundle | None:
    """The bundle to install next for a Subscription, or None when it is up to date.

    ``catalog`` is the one that the Subscription names (None when it does not exist) and ``csvs`` are the
    ClusterServiceVersions in the Subscription's namespace, without copies. Raises NotSatisfiableError.
    """
    name, spec = subscription["metadata"]["name"], subscription["spec"]
    status = subscription.get("status") or {}
    bundles = _candidates(name, spec, catalog)
    present = {csv["metadata"]["name"]: csv for csv in csvs}
    current = next((present[csv] for csv in _referenced(status) if csv in present), None)
    if current is not None:
        return _successor(current, bundles)
    chosen = _first(name, spec, bundles)
    ours = {bundle.name for bundle in bundles}
    for csv in sorted(ours & present.keys()):
        _refuse_stray(subscription, csv, chosen)
    return chosen


def _referenced(status: Object) -> list[str]:
    return [status[field] for field in ("currentCSV", "installedCSV") if status.get(field)]


def _candidates(name: str, spec: Object, catalog: Catalog | None) -> Sequence[Bundle]:
    """The bundles of the Subscription's channel, newest first."""
    exists = f"subscription {name} exists"
    if catalog is None or not catalog.packages:
        raise NotSatisfiableError(
            f"no operators found from catalog {spec['source']} in namespace {spec['sourceNamespace']} "
            f"referenced by subscription {name}",
            exists,
        )
    package = next((package for package in catalog.packages if package.name == spec["name"]), None)
    if package is None:
        raise NotSatisfiableError(
            f"no operators found in package {spec['name']} in the catalog referenced by subscription {name}", exists
        )
    channel = spec.get("channel") or package.default_channel
    if channel not in package.channels:
        raise NotSatisfiableError(
            f"no operators found in channel {channel} of package {spec['name']} "
            f"in the catalog referenced by subscription {name}",
            exists,
        )
    return package.channels[channel]


def _first(name: str, spec: Object, bundles: Sequence[Bundle]) -> Bundle:
    """What a new Subscription starts with: startingCSV, or the head of the channel."""
    wanted = spec.get("startingCSV")
    if not wanted:
        return bundles[0]
    for bundle in bundles:
        if bundle.name == wanted:
            return bundle
    raise NotSatisfiableError(
        f"no operators found with name {wanted} in channel {spec.get('channel', '')} of package {spec['name']} "
        f"in the catalog referenced by subscription {name}",
        f"subscription {name} exists",
    )


def _successor(current: Object, bundles: Sequence[Bundle]) -> Bundle | None:
    """The newest bundle that replaces the installed ClusterServiceVersion directly."""
    return next((bundle for bundle in bundles if bundle.replaces == current["metadata"]["name"]), None)


def _refuse_stray(subscription: Object, csv: str, chosen: Bundle) -> None:
    """A ClusterServiceVersion of the same package that no Subscription accounts for blocks the installation."""
    name, namespace = subscription["metadata"]["name"], subscription["metadata"]["namespace"]
    spec = subscription["spec"]
    candidate = f"{spec['source']}/{spec['sourceNamespace']}/{spec.get('channel', '')}/{chosen.name}"
    raise NotSatisfiableError(
        f"clusterserviceversion {csv} exists and is not referenced by a subscription",
        f"@existing/{namespace}//{csv} and {candidate} originate from package {spec['name']}",
        f"subscription {name} requires {candidate}",
        f"subscription {name} exists",
    )
