# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module_util is PRIVATE to the collection: it may change at any time.

"""Looking into OLM's catalogs before anything is written."""

from __future__ import annotations

import typing as t

from ansible_collections.mcpops.gateway.plugins.module_utils import _olm_rules as olm
from ansible_collections.mcpops.gateway.plugins.module_utils._client import Object
from ansible_collections.mcpops.gateway.plugins.module_utils._engine import Engine
from ansible_collections.mcpops.gateway.plugins.module_utils._errors import ApiError, Forbidden, Refused


def read_package(engine: Engine, label: str, params: t.Mapping[str, t.Any]) -> Object | None:
    """The PackageManifest of the wanted catalog, checked for channel and version; None when it cannot be read.

    Raises Refused for a catalog, package, channel or version that does not exist, naming those that do.
    """
    source, place = params["source"], params["source_namespace"]
    package = params["package"] or params["name"]
    _check_catalog(engine, label, source, place)
    found = _find(engine, package, source, place)
    if found is None:
        return None
    problem = olm.channel_problem(found, params["channel"], params["starting_csv"])
    if problem:
        raise Refused(f"{label} is not made: the package {package} of catalog {place}/{source} {problem}.")
    return found


def _check_catalog(engine: Engine, label: str, source: str, place: str) -> None:
    resource = engine.discovery.find(olm.V1ALPHA1, "CatalogSource")
    if resource is None:
        return
    try:
        catalog = engine.client.get(resource, source, place)
        known = [] if catalog else sorted(item["metadata"]["name"] for item in engine.client.list(resource, place)[0])
    except Forbidden:
        return
    if catalog is None:
        there = ", ".join(known) or "none"
        message = f"{label} needs the CatalogSource {place}/{source}, which does not exist (there are: {there})"
        engine.missing("catalog", message, "correct source and source_namespace")
        return
    state = ((catalog.get("status") or {}).get("connectionState") or {}).get("lastObservedState")
    if state not in {None, "READY"}:
        engine.warn(
            f"The CatalogSource {place}/{source} is in the state {state}, not READY; the installation may have to "
            "wait for it."
        )


def _find(engine: Engine, package: str, source: str, place: str) -> Object | None:
    resource = engine.discovery.find(olm.PACKAGES, "PackageManifest")
    if resource is None:
        return None
    try:
        named = engine.client.list(resource, place, fields=f"metadata.name={package}")[0]
    except ApiError:
        # The package server is an aggregated API that may be away or may not know this selector; OLM will tell.
        return None
    fitting = [one for one in named if one["metadata"].get("name") == package and _of_catalog(one, source, place)]
    if fitting or not named:
        return fitting[0] if fitting else _missing(engine, resource, package, source, place)
    return None


def _missing(engine: Engine, resource: t.Any, package: str, source: str, place: str) -> Object | None:
    """The package is not there: refuse when the catalog is known to have others, else leave it to OLM."""
    try:
        packages = engine.client.list(resource, place, labels=f"catalog={source}")[0]
    except ApiError:
        return None
    names = sorted(one["metadata"]["name"] for one in packages if _of_catalog(one, source, place))
    if not names:
        return None
    close = [name for name in names if any(part in name for part in package.split("-") if len(part) > 2)]
    shown = ", ".join((close or names)[:8])
    raise Refused(
        f"The catalog {place}/{source} has no package {package}; it has for example: {shown}; correct package or "
        "source."
    )


def _of_catalog(package: Object, source: str, place: str) -> bool:
    status = package.get("status") or {}
    return status.get("catalogSource") in {None, source} and status.get("catalogSourceNamespace") in {None, place}
