# Copyright (c) 2026, mcpops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operator catalogues: which packages a catalogue image holds.

The sandbox's own catalogue holds the MCP gateway at 0.6.0 and 0.9.0, where 0.9.0 replaces 0.6.0. The images that the
upstream project publishes hold one version each, the one of their tag.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sandbox.catalog.crds import operator_crds
from sandbox.catalog.csv import cluster_service_version

Object = dict[str, Any]

PACKAGE = "mcp-gateway"
CHANNEL = "preview"
VERSIONS = ("0.9.0", "0.6.0")
"""What the sandbox's catalogue offers, newest first."""

SANDBOX_CATALOG = "sandbox.mcpops.io/catalog"
BROKEN_BUNDLES = f"{SANDBOX_CATALOG}:broken-bundles"
"""The same packages, but their bundles cannot be unpacked."""
BROKEN_OPERATOR = f"{SANDBOX_CATALOG}:broken-operator"
"""The same packages, but the operator's image cannot be pulled: it never becomes available."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """One version of an operator: its ClusterServiceVersion and the CRDs that come with it."""

    version: str
    csv: Object
    crds: Sequence[Object]

    @property
    def name(self) -> str:
        """Name of the ClusterServiceVersion."""
        return str(self.csv["metadata"]["name"])

    @property
    def replaces(self) -> str | None:
        """Name of the ClusterServiceVersion that this one follows."""
        found = self.csv["spec"].get("replaces")
        return str(found) if found else None


@dataclass(frozen=True, slots=True)
class Package:
    """An operator's package: its channels, each with its bundles from the newest to the oldest."""

    name: str
    default_channel: str
    channels: dict[str, Sequence[Bundle]]


@cache
def _mcp_gateway(versions: tuple[str, ...], image: str | None = None) -> Package:
    bundles = []
    for version, older in zip(versions, [*versions[1:], None], strict=True):
        crds = operator_crds(version)
        csv = cluster_service_version(version, replaces=older, crds=crds, image=image)
        bundles.append(Bundle(version, csv, crds))
    return Package(PACKAGE, CHANNEL, {CHANNEL: bundles})


def packages_in(image: str | None) -> list[Package] | None:
    """The packages of a catalogue image; None for an image that the sandbox does not know (it cannot be pulled)."""
    image = image or ""
    if image == BROKEN_OPERATOR:
        return [_mcp_gateway(VERSIONS, "sandbox.mcpops.io/missing:1")]
    if image.startswith(f"{SANDBOX_CATALOG}:"):
        return [_mcp_gateway(VERSIONS)]
    upstream = re.search(r"/mcp-controller-catalog:v(\d+\.\d+\.\d+)$", image)
    if upstream and upstream[1] in VERSIONS:
        return [_mcp_gateway((upstream[1],))]
    return None


def unpack_problem(image: str | None) -> str | None:
    """Why the bundles of a catalogue image cannot be unpacked; None when they can."""
    if image == BROKEN_BUNDLES:
        return "DeadlineExceeded: Job was active longer than specified deadline"
    return None
