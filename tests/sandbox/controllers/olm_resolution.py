# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OLM stand-in: what a Subscription resolves to. Pure functions.

Rules and texts are those of OLM's resolver (operator-lifecycle-manager, pkg/controller/registry/resolver: resolver.go,
variable_types.go and cache/predicates.go), for Subscriptions that do not depend on one another. It does not look at
phases: what follows the installed ClusterServiceVersion is planned as soon as that exists.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.catalog import PROPERTIES, Bundle, Package

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
        name = current["metadata"]["name"]
        following = (bundle.replacing(name) for bundle in bundles if bundle.follows(name))
        return next((bundle for bundle in following if not _lacks(bundle, csvs)), None)
    wanted = _first(name, spec, bundles)
    ours = {bundle.name for bundle in bundles}
    for csv in sorted(ours & present.keys()):
        _refuse_stray(subscription, csv, wanted)
    for bundle in wanted:
        if not _lacks(bundle, csvs):
            return bundle
    raise NotSatisfiableError(
        *(line for bundle in wanted for line in _lacks(bundle, csvs)),
        _requires(subscription, wanted),
        f"subscription {name} exists",
    )


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


def _first(name: str, spec: Object, bundles: Sequence[Bundle]) -> Sequence[Bundle]:
    """What a new Subscription may start with: startingCSV, or anything in the channel, the newest if possible."""
    wanted = spec.get("startingCSV")
    chosen = [bundle for bundle in bundles if not wanted or bundle.name == wanted]
    if not chosen:
        raise NotSatisfiableError(
            f"no operators found with name {wanted} in channel {spec.get('channel', '')} of package {spec['name']} "
            f"in the catalog referenced by subscription {name}",
            f"subscription {name} exists",
        )
    return chosen


def _lacks(bundle: Bundle, csvs: Sequence[Object]) -> list[str]:
    """The packages that a bundle requires and that nothing installed is of; no catalogue of the sandbox has others."""
    return [
        f"bundle {bundle.name} requires an operator with package: {package} and with version in range: {accepted}"
        for package, accepted in bundle.requires
        if not any(_provides(csv, package, accepted) for csv in csvs)
    ]


def _provides(csv: Object, package: str, accepted: str) -> bool:
    """Whether a ClusterServiceVersion says that it is of a package, in a range of the form ``>=1.2.3``."""
    text = (csv["metadata"].get("annotations") or {}).get(PROPERTIES, "{}")
    for entry in json.loads(text).get("properties") or []:
        value = entry["value"]
        if entry["type"] == "olm.package" and value["packageName"] == package:
            return _numbers(value["version"]) >= _numbers(accepted)
    return False


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def _requires(subscription: Object, bundles: Sequence[Bundle]) -> str:
    identifiers = [_identifier(subscription["spec"], bundle) for bundle in bundles]
    *others, last = identifiers
    wanted = f"at least one of {', '.join(others)} or {last}" if others else last
    return f"subscription {subscription['metadata']['name']} requires {wanted}"


def _identifier(spec: Object, bundle: Bundle) -> str:
    return f"{spec['source']}/{spec['sourceNamespace']}/{spec.get('channel', '')}/{bundle.name}"


def _refuse_stray(subscription: Object, csv: str, candidates: Sequence[Bundle]) -> None:
    """A ClusterServiceVersion of the same package that no Subscription accounts for blocks the installation."""
    name, namespace = subscription["metadata"]["name"], subscription["metadata"]["namespace"]
    spec = subscription["spec"]
    *others, last = [f"@existing/{namespace}//{csv}", *(_identifier(spec, bundle) for bundle in candidates)]
    raise NotSatisfiableError(
        f"clusterserviceversion {csv} exists and is not referenced by a subscription",
        f"{', '.join(others)} and {last} originate from package {spec['name']}",
        _requires(subscription, candidates),
        f"subscription {name} exists",
    )
