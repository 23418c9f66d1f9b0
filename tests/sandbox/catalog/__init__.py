# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operator catalogues: which packages a catalogue image holds.

The sandbox's own catalogue holds the MCP gateway at 0.6.0 and 0.9.0, where 0.9.0 replaces 0.6.0; `behaviour` lists the
tags under which it misbehaves. The images that the upstream project publishes hold one version each, the one of their
tag.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sandbox.catalog.behaviour import SANDBOX_CATALOG, Behaviour, behaviour_of
from sandbox.catalog.crds import operator_crds
from sandbox.catalog.csv import bundle_image, cluster_service_version

Object = dict[str, Any]

PACKAGE = "mcp-gateway"
CHANNEL = "preview"
VERSIONS = ("0.9.0", "0.6.0")
"""What the sandbox's catalogue offers, newest first."""
PROPERTIES = "operatorframework.io/properties"
"""Annotation of a ClusterServiceVersion: what the resolver knew of its bundle (operator-lifecycle-manager,
pkg/controller/registry/resolver/projection)."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """One version of an operator: its ClusterServiceVersion, the CRDs and other objects that come with it.

    ``requires`` are packages that have to be installed with it, each with a range of versions.
    """

    version: str
    csv: Object
    crds: Sequence[Object]
    objects: Sequence[Object] = ()
    requires: Sequence[tuple[str, str]] = ()

    @property
    def name(self) -> str:
        """Name of the ClusterServiceVersion."""
        return str(self.csv["metadata"]["name"])

    @property
    def replaces(self) -> str | None:
        """Name of the ClusterServiceVersion that this one follows."""
        found = self.csv["spec"].get("replaces")
        return str(found) if found else None

    @property
    def image(self) -> str:
        """The image that OLM unpacks to get at the bundle."""
        return bundle_image(self.version)

    def replacing(self, name: str) -> Bundle:
        """The bundle as it is installed in the place of that ClusterServiceVersion: OLM writes it into the new one."""
        return replace(self, csv={**self.csv, "spec": {**self.csv["spec"], "replaces": name}})

    def follows(self, name: str) -> bool:
        """Whether it may be installed in the place of that ClusterServiceVersion: it replaces it, or skips it."""
        return name == self.replaces or name in (self.csv["spec"].get("skips") or [])


@dataclass(frozen=True, slots=True)
class Package:
    """An operator's package: its channels, each with its bundles from the newest to the oldest."""

    name: str
    default_channel: str
    channels: dict[str, Sequence[Bundle]]


@cache
def _mcp_gateway(versions: tuple[str, ...], failing: Behaviour) -> Package:
    bundles = []
    for version, older in zip(versions, [*versions[1:], None], strict=True):
        crds = operator_crds(version)
        csv = cluster_service_version(version, replaces=older, crds=crds, image=failing.operator_image)
        if failing.skips and older:
            csv["spec"]["skips"] = [csv["spec"].pop("replaces")]
        properties = [{"type": "olm.package", "value": {"packageName": PACKAGE, "version": version}}]
        for name, accepted in failing.requires:
            value = {"packageName": name, "versionRange": accepted}
            properties.append({"type": "olm.package.required", "value": value})
        csv["metadata"]["annotations"][PROPERTIES] = json.dumps({"properties": properties}, separators=(",", ":"))
        bundles.append(Bundle(version, csv, crds, failing.objects(), failing.requires))
    return Package(PACKAGE, CHANNEL, {CHANNEL: bundles})


def packages_in(image: str | None) -> list[Package] | None:
    """The packages of a catalogue image; None when its pod never answers: unknown images cannot be pulled."""
    image = image or ""
    if image.startswith(f"{SANDBOX_CATALOG}:"):
        how = behaviour_of(image)
        return [_mcp_gateway(VERSIONS, how)] if how.answers else None
    upstream = re.search(r"/mcp-controller-catalog:v(\d+\.\d+\.\d+)$", image)
    if upstream and upstream[1] in VERSIONS:
        return [_mcp_gateway((upstream[1],), Behaviour())]
    return None
